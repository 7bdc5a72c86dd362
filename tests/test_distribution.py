"""Several devices and machines do what one does with the same batches, and end together."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

from seq2seq import batches, checkpoint, distribution, pipeline, training  # noqa: E402
from seq2seq.distribution import Devices, DistributionError  # noqa: E402
from tests import distributed_training  # noqa: E402

LONGEST = 500
"""Seconds that a run of two machines may take before it is killed."""

pytestmark = pytest.mark.timeout(1800)


class Machines:
    """Processes that find each other on this computer; TensorFlow is loaded once for all of them."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([distributed_training.__name__])
        self._started: list[BaseProcess] = []

    def run(
        self, folder: Path, *machines: dict[str, Any], ends_wanted: int | None = None
    ) -> list[tuple[int | None, str, float]]:
        """Exit code, stderr and end of each machine, given what differs for it; no code where it was not waited for."""
        started = []
        for environment, keywords in zip(environments(len(machines)), machines, strict=True):
            arguments = (environment, folder / f"errors-{len(self._started)}", folder)
            process = self._context.Process(target=distributed_training.process, args=arguments, kwargs=keywords)
            process.start()
            started.append((process, arguments[1]))
            self._started.append(process)
        ends, given_up = {}, time.monotonic() + LONGEST
        while len(ends) < (ends_wanted or len(started)) and time.monotonic() < given_up:
            waiting = [process.sentinel for process, _ in started if process.sentinel not in ends]
            ends |= dict.fromkeys(connection.wait(waiting, timeout=1), time.monotonic())
        return [
            (process.exitcode, report.read_text(), ends.get(process.sentinel, given_up)) for process, report in started
        ]

    def stop(self) -> None:
        for process in self._started:
            process.kill()
            process.join()


def free() -> socket.socket:
    """On a port that no system gives to others by itself, as one of port 0 may be before a machine takes it."""
    while True:
        with contextlib.suppress(OSError):
            return socket.create_server(("127.0.0.1", random.SystemRandom().randrange(20_000, 32_000)))


def environments(count: int) -> list[dict[str, str]]:
    """What each of so many machines has in its environment, of ports that are free."""
    sockets = [free() for _ in range(count)]
    workers = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    tasks = [{"type": "worker", "index": index} for index in range(count)]
    return [{"TF_CONFIG": json.dumps({"cluster": {"worker": workers}, "task": task})} for task in tasks]


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    made = Machines()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Path:
    """The run of one device."""
    folder = tmp_path_factory.mktemp("alone")
    distributed_training.trainer(folder, Devices()).run(distributed_training.corpus(), distributed_training.corpus())
    return folder


@pytest.fixture(scope="module")
def together(machines, tmp_path_factory) -> Path:
    """The run of two machines that nothing disturbs."""
    folder = tmp_path_factory.mktemp("together")
    for code, error, _ in machines.run(folder, {}, {}):
        assert code == 0, error
    return folder


def two_of(machine: int, **changes: object) -> Devices:
    """What machine 0 or 1 of two knows, with nobody to talk to."""
    made = Devices(machine=machine, machines=2)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def same_numbers(one: Path, other: Path) -> None:
    """Weights, moments, averages and history of two runs differ by the order of summation at most."""
    (arrays, state), (wanted, reference) = (checkpoint.load(each / training.LATEST) for each in (one, other))
    assert set(arrays) == set(wanted)
    for name, array in wanted.items():
        np.testing.assert_allclose(arrays[name], array, rtol=2e-4, atol=2e-6, err_msg=name)
    for entry, expected in zip(state["history"], reference["history"], strict=True):
        timeless = dict.fromkeys(("seconds", "tokens_per_second"), 0)
        assert entry | timeless == pytest.approx(expected | timeless, rel=1e-5)


def test_two_machines_end_with_the_same_weights(together):
    one, other = (checkpoint.load(together / f"machine-{number}.safetensors") for number in (0, 1))
    assert one[1] == other[1]
    for name, array in one[0].items():
        np.testing.assert_array_equal(array, other[0][name])


def test_two_machines_do_what_one_does_with_the_same_batches(alone, together):
    same_numbers(together, alone)


def test_two_devices_of_a_machine_do_what_one_does_with_the_same_batches(machines, alone, tmp_path):
    ((code, error, _),) = machines.run(tmp_path, {"mirrored": True})
    assert code == 0, error
    same_numbers(tmp_path, alone)
    for one, other in checkpoint.load(tmp_path / "machine-0.safetensors")[1]["seeds"]:
        assert one != other, "two devices would drop the same units"


@pytest.mark.parametrize("dead", [1, 0], ids=["another", "the first"])
def test_stopped_on_one_machine_and_killed_on_another_a_run_resumes(machines, together, tmp_path, dead):
    for code, error, _ in machines.run(tmp_path, {}, {"stop": (signal.SIGTERM, 3)}):
        assert (code, error) == (130, "")
    stopped = checkpoint.load(tmp_path / training.LATEST)[1]
    assert (stopped["epoch"], stopped["batch"]) == (0, 3)

    orders: list[dict[str, Any]] = [{}, {}]
    orders[dead] = {"stop": (signal.SIGKILL, 2)}
    ends = machines.run(tmp_path, *orders)
    (killed, _, death), (code, error, end) = ends[dead], ends[1 - dead]
    assert killed == -signal.SIGKILL and code == 1
    assert end - death < 60
    assert error == (
        "seq2seq: error: All machines of a run must stay reachable; start it again on all of them with --resume. "
        f"Received: no answer from another machine, on machine {2 - dead} of 2\n"
    )

    for code, error, _ in machines.run(tmp_path, {}, {}):
        assert code == 0, error
    arrays, wanted = (checkpoint.load(each / "machine-1.safetensors")[0] for each in (tmp_path, together))
    for name, array in wanted.items():
        np.testing.assert_array_equal(arrays[name], array)


@pytest.mark.whole
def test_devices_that_leave_out_units_go_on_as_if_nothing_had_stopped_them(machines, tmp_path):
    for name, orders in (("whole", [{}]), ("parts", [{"stop": (signal.SIGTERM, 3)}, {}])):
        (tmp_path / name).mkdir()
        for order in orders:
            ((code, error, _),) = machines.run(tmp_path / name, {"mirrored": True, "dropout": 0.3, **order})
            assert code == (130 if order else 0), error
    arrays, wanted = (checkpoint.load(tmp_path / name / "machine-0.safetensors")[0] for name in ("parts", "whole"))
    for name, array in wanted.items():
        np.testing.assert_array_equal(arrays[name], array)


@pytest.mark.whole
def test_a_machine_that_freezes_is_missed(machines, tmp_path):
    ends = machines.run(tmp_path, {}, {"stop": (signal.SIGSTOP, 2)}, ends_wanted=1)
    (code, error, _), (frozen, _, _) = ends
    assert code == 1 and frozen is None
    assert error.endswith("Received: no answer from another machine, on machine 1 of 2\n")


@pytest.mark.slow
def test_the_command_on_two_machines_is_stopped_goes_on_ships_and_trains_that_further(tmp_path):
    numbers = [" ".join(f"{number * 7919 % 99991}") for number in range(300)]
    (tmp_path / "a.en").write_text("".join(f"{line}\n" for line in numbers))
    (tmp_path / "a.de").write_text("".join(f"{line[::-1]}\n" for line in numbers))
    settings = ("model.embedding=16", "model.units=16", "model.decoder_layers=1", "training.patience=99")
    argv = [sys.executable, "-m", "seq2seq", "train", "--source", "a.en", "--target", "a.de"]

    def go(folder: str, *more: str, stop: bool = False) -> list[tuple[int, str, str]]:
        command, pipes = [*argv, "--output", folder, *more], {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started = [
            subprocess.Popen(command, cwd=tmp_path, env=os.environ | environment, text=True, **pipes)
            for environment in environments(2)
        ]
        log, given_up = tmp_path / folder / "training.log", time.monotonic() + LONGEST
        while stop and not log.exists() and time.monotonic() < given_up:
            time.sleep(0.05)
        if stop:
            started[1].terminate()
        try:
            told = [process.communicate(timeout=LONGEST) for process in started]
        finally:
            for process in started:
                process.kill()
        return [(process.returncode, *each) for process, each in zip(started, told, strict=True)]

    sizes = [part for each in (*settings, "training.epochs=30") for part in ("--set", each)]
    for code, out, error in go("run", *sizes, stop=True):
        assert code == 130 and not out and "Continue with the same command and --resume, in run\n" in error, error
    stopped = checkpoint.load(tmp_path / "run" / "checkpoints" / training.LATEST)[1]["epoch"]
    (first, other) = go("run", *sizes, "--resume")
    assert first[:2] == (0, f"{tmp_path}/run/model\n") and other[:2] == (0, ""), (first, other)
    assert 1 <= stopped < 30 and f"epoch {stopped + 1:2d}:" in first[2]
    model = tmp_path / "run" / "model" / "manifest.json"
    made = model.stat().st_mtime_ns
    (first, other) = go("run", *sizes, "--resume")
    assert first[:2] == (0, f"{tmp_path}/run/model\n") and other[:2] == (0, ""), (first, other)
    assert "the run is finished already" in first[2] and model.stat().st_mtime_ns == made
    (first, other) = go("more", "--init-from", "run/model", "--set", "training.epochs=1", "--no-preflight")
    assert first[:2] == (0, f"{tmp_path}/more/model\n") and other[:2] == (0, ""), (first, other)
    assert "going on from" in first[2]

    (tmp_path / "a.de").write_text("one line\n")
    for code, out, error in go("refused"):
        assert code != 0 and not out and "equally many lines" in error and "--resume" not in error, error


@pytest.mark.parametrize("devices", [1, 2, 3, 7])
def test_devices_share_each_row_of_a_batch_once(devices):
    pairs, rows = distributed_training.corpus(5), np.array([4, 0, 3, 1, 2])
    whole = batches.batch(pairs, rows)
    shares = [distribution.share(pairs, rows, place, devices) for place in range(devices)]
    sentences = [row[row != 0].tolist() for share in shares for row in share.target_out if row.any()]
    assert sorted(sentences) == sorted(row[row != 0].tolist() for row in whole.target_out)
    for share in shares:
        assert (share.source != 0).any(axis=1).all(), "a row without a token has no last state"


def test_one_device_gets_the_batches_as_they_are():
    pairs = distributed_training.corpus(5)
    plan = [np.array([0, 1]), np.array([2])]
    for blocks, rows in zip(Devices().dataset(pairs, plan), plan, strict=True):
        for block, expected in zip(blocks[:3], batches.batch(pairs, rows)[:3], strict=True):
            np.testing.assert_array_equal(block, expected)


def test_one_device_asks_nobody(tmp_path):
    devices, answer = Devices(), object()
    assert devices.chief and devices.told(lambda: answer) is answer
    assert devices.any(True) and not devices.any(False)
    devices.wait(tmp_path / "absent")
    devices.part()
    with pytest.raises(tf.errors.UnavailableError), devices.watched():
        raise tf.errors.UnavailableError(None, None, "a file, say")


CLUSTER = {"worker": ["a:1", "b:1"]}


@pytest.mark.parametrize(
    ("cluster", "task", "place"),
    [
        ({}, None, (0, 1)),
        (CLUSTER, ("worker", 1), (1, 2)),
        ({"chief": ["c:1"], **CLUSTER}, ("worker", 1), (2, 3)),
        ({"chief": ["c:1"], **CLUSTER}, ("chief", 0), (0, 3)),
    ],
)
def test_which_machine_this_is_and_of_how_many(cluster, task, place):
    task = {"type": task[0], "index": task[1]} if task else {}
    assert distribution.machine_of(json.dumps({"cluster": cluster, "task": task})) == place
    assert distribution.machine_of("") == (0, 1)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        json.dumps({"cluster": CLUSTER}),
        json.dumps({"cluster": CLUSTER, "task": {"type": "worker", "index": 2}}),
        json.dumps({"cluster": {"ps": ["c:1"], **CLUSTER}, "task": {"type": "ps", "index": 0}}),
        json.dumps({"cluster": {"worker": "a:5000"}, "task": {"type": "worker", "index": 0}}),
        json.dumps({"cluster": {"worker": ["a:5000", "b"]}, "task": {"type": "worker", "index": 0}}),
        json.dumps({"cluster": {"worker": ["a:5000", "a:5000"]}, "task": {"type": "worker", "index": 0}}),
        json.dumps({"cluster": CLUSTER, "task": {"type": "worker", "index": True}}),
        json.dumps({"cluster": CLUSTER, "task": {"type": "worker", "index": 0.9}}),
    ],
)
def test_a_malformed_tf_config_is_refused(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(DistributionError, match="TF_CONFIG must name all workers and which of them .* Received: "):
        distribution.connect()


def test_more_gpus_than_there_are_are_refused(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(DistributionError, match=r"must have the GPUs that it trains on. Received: 99, of \d+"):
        distribution.connect(99)


def test_machines_that_are_joined_too_late_are_refused(monkeypatch):
    tf.constant(1) + 1
    config = {"cluster": CLUSTER, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    said: list[str] = []
    with pytest.raises(DistributionError, match="must be joined before TensorFlow computes anything. Received: "):
        distribution.connect(say=said.append)
    assert said == ["machine 1 of 2; waiting for the others"]


def test_where_another_machine_is_gone_what_was_prepared_stays(tmp_path, monkeypatch):
    def gone(path: Path) -> None:
        raise DistributionError("All machines of a run must stay reachable; start it again with --resume. Received: no")

    numbers = [str(number * 7919 % 99991) for number in range(300)]
    (tmp_path / "a.en").write_text("".join(f"{number}\n" for number in numbers))
    (tmp_path / "a.de").write_text("".join(f"x{number[::-1]}\n" for number in numbers))
    monkeypatch.setattr(distribution, "connect", lambda *_: two_of(0, first=lambda make: make(), wait=gone))
    files = pipeline.Files(tmp_path / "a.en", tmp_path / "a.de")
    with pytest.raises(DistributionError, match="--resume"):
        pipeline.train(files, tmp_path / "run", settings={}, say=lambda line: None)
    assert pipeline.Run(tmp_path / "run").config.exists()
    with pytest.raises(DistributionError, match="--resume"):
        pipeline.train(files, tmp_path / "run", settings={}, resume=True, say=lambda line: None)


def test_what_the_first_machine_refuses_ends_the_others_with_its_words():
    answers = iter([np.array([20.0]), np.frombuffer(b'{"failure": "No. 9"}', np.uint8).astype(np.float32)])
    other = two_of(1, _sum=lambda numbers: next(answers))
    with pytest.raises(DistributionError, match="The first machine has ended the run. Received: No. 9"):
        other.first(lambda: pytest.fail("only the first machine does it"))


def test_machines_that_read_other_files_are_refused():
    told = two_of(1, told=lambda make: [8, 0, 0])
    told.check([8, 0, 0], "checkpoint")
    with pytest.raises(DistributionError, match=r"must read the same checkpoint.*: \[8, 1, 0\] on machine 2 and \[8, "):
        told.check([8, 1, 0], "checkpoint")


def test_a_folder_that_a_machine_does_not_see_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(distribution, "VISIBLE", 0.0)
    waiting = two_of(1, _sum=lambda numbers: numbers)
    waiting.wait(tmp_path)
    with pytest.raises(DistributionError, match=r"must see the output folder.* Received: .*absent, which machine 2 do"):
        waiting.wait(tmp_path / "absent")


@pytest.mark.parametrize("kind", distribution.GONE)
def test_a_machine_that_is_gone_is_one_sentence(kind):
    sentence = "All machines of a run must stay reachable.* Received: no answer"
    with pytest.raises(DistributionError, match=sentence), two_of(0).watched():
        raise kind(None, None, "Collective ops is aborted by: Socket closed")


def test_an_error_of_this_machine_is_its_own():
    for error in (tf.errors.InternalError(None, None, "cuDNN"), tf.errors.ResourceExhaustedError(None, None, "full")):
        with pytest.raises(type(error)), two_of(0).watched():
            raise error


def test_what_the_first_machine_says_is_heard_by_all(monkeypatch):
    wire: list[np.ndarray] = []

    def send(numbers):
        wire.append(np.array(numbers, np.float32))
        return wire[-1]

    said = {"bleu": np.float64(1 / 3), "name": "Zürich", "perplexity": float("inf")}
    assert two_of(0, _sum=send).told(lambda: said) == said
    heard = iter(wire)
    assert two_of(1, _sum=lambda _: next(heard)).told(lambda: 1 / 0) == said


def test_where_the_first_machine_fails_the_others_hear_why():
    wire: list[np.ndarray] = []

    def send(numbers):
        wire.append(np.array(numbers, np.float32))
        return wire[-1]

    def fail():
        raise training.TrainingError("Translations must have finite scores.")

    with pytest.raises(training.TrainingError, match="^Translations must have finite scores"):
        two_of(0, _sum=send).told(fail)
    heard = iter(wire)
    with pytest.raises(DistributionError, match="first machine has ended the run. Received: Translations must have fi"):
        two_of(1, _sum=lambda _: next(heard)).told(lambda: 1 / 0)
