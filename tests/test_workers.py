"""Training on Ray: what is asked of it, what workers are given, and how all of them end."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("tensorflow")

from seq2seq import bundle, checkpoint, config, pipeline, training
from seq2seq.bundle import reading
from seq2seq.config import ConfigError
from seq2seq.distribution import DistributionError
from seq2seq.pipeline import Budget, Files, Interrupted, PipelineError, Workers, workers
from seq2seq.pipeline.budget import Before

REFUSED = DistributionError("All machines must be awake. Received: one")


class WorkerGroupError(Exception):
    def __init__(self, failures: dict[int, Exception]) -> None:
        super().__init__("a long story")
        self.worker_failures = failures


class ControllerError(Exception):
    def __init__(self, failure: Exception) -> None:
        self.controller_failure = failure


class ActorDiedError(Exception):
    """Of Ray, by its module."""


ActorDiedError.__module__ = "ray.exceptions"


class Death(BaseException):
    """A worker ends without a word."""


class Bound(Exception):
    """Cannot leave its process."""

    def __reduce__(self) -> Any:
        raise TypeError


class StandIn:
    """Stands in for Ray: actors are objects, and the workers of a trainer run in turn."""

    def __init__(self) -> None:
        self.inits: list[tuple[tuple, dict]] = []
        self.asked: dict[str, Any] = {}
        self.resources: dict[str, float] = {"CPU": 8.0}
        self.running = self.shut = False
        self.refuse: Exception | None = None
        self.broken: Exception | None = None
        self.attempts = 1

    def modules(self) -> Iterator[tuple[str, ModuleType]]:
        keep = lambda name: lambda **given: self.asked.setdefault(name, given)  # noqa: E731
        ray = {"init": self.init, "get": lambda value: value, "remote": self.remote, "shutdown": self.shutdown}
        ray |= {"is_initialized": lambda: self.running, "cluster_resources": lambda: self.resources}
        ray["get_runtime_context"] = lambda: SimpleNamespace(get_node_id=lambda: "here")
        train = {"WorkerGroupError": WorkerGroupError, "ControllerError": ControllerError}
        train |= {name: keep(name) for name in ("FailureConfig", "RunConfig", "ScalingConfig")}
        places = {"NodeAffinitySchedulingStrategy": lambda node, soft: ("at", node, soft)}
        named = {"ray": ray, "ray.train": train, "ray.train.tensorflow": {"TensorflowTrainer": self.trainer}}
        named |= {"ray.util": {}, "ray.util.scheduling_strategies": places}
        for name, contents in named.items():
            module = ModuleType(name)
            vars(module).update(contents)
            yield name, module

    def init(self, *arguments: Any, **given: Any) -> None:
        self.inits.append((arguments, given))
        if arguments == ("auto",) and self.refuse:
            raise self.refuse
        if self.broken:
            raise self.broken

    def shutdown(self) -> None:
        self.shut = True

    def remote(self, kind: type) -> Any:
        def options(**given: Any) -> Any:
            self.asked["desk"] = given
            return SimpleNamespace(remote=lambda: Handle(kind()))

        return SimpleNamespace(options=options)

    def trainer(self, loop: Callable, *, train_loop_config: dict, scaling_config: Any, run_config: Any) -> Any:
        count = self.asked["ScalingConfig"]["num_workers"]
        addresses = [f"host{number}:1" for number in range(count)]

        def fit() -> None:
            failures: dict[int, Exception] = {}
            for number in list(range(count)) * self.attempts:
                task = {"type": "worker", "index": number}
                os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
                try:
                    loop(
                        pickle.loads(pickle.dumps(train_loop_config | {"desk": None}))
                        | {"desk": train_loop_config["desk"]}
                    )
                except Death:
                    failures[number] = ActorDiedError("dead")
                except Exception as error:
                    failures[number] = error
            if failures:
                raise failures[0] if isinstance(failures.get(0), ControllerError) else WorkerGroupError(failures)

        return SimpleNamespace(fit=fit)


class Handle:
    """A handle of an actor: methods with `.remote`, which give their result itself."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def __getattr__(self, name: str) -> Any:
        return SimpleNamespace(remote=getattr(self._actor, name))


@pytest.fixture
def ray(monkeypatch) -> StandIn:
    made = StandIn()
    for name, module in made.modules():
        monkeypatch.setitem(sys.modules, name, module)
    for name in ("RAY_ADDRESS", "RAY_USAGE_STATS_ENABLED", "TF_CONFIG", "TF_USE_LEGACY_KERAS"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr(workers, "EVERY", 0.01)
    monkeypatch.setattr(training, "STOP", threading.Event())
    monkeypatch.setattr(workers.bundle, "load", lambda path: SimpleNamespace(path=path))
    return made


@pytest.fixture
def trained(monkeypatch) -> list[dict[str, Any]]:
    """Stands in for `train`: keeps what each worker called it with."""
    calls: list[dict[str, Any]] = []

    def train(files, output, **given):
        variables = {name: os.environ.get(name) for name in ("TF_CONFIG", "TF_USE_LEGACY_KERAS")}
        calls.append({"files": files, "output": output, **given, **variables})
        number = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
        given["say"](f"worker {number}")
        act = given["settings"].get("act")
        if act:
            ACTS[act](number)

    monkeypatch.setattr(workers, "train", train)
    return calls


def fail(number: int, **errors: BaseException) -> None:
    if error := errors.get(f"on_{number}"):
        raise error


def stop(number: int) -> None:
    if number == 0:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
    if not training.STOP.wait(20):
        raise AssertionError("the wish to stop did not arrive")
    raise Interrupted("stopped; go on with --resume")


ACTS: dict[str, Callable[[int], None]] = {
    "stop": stop,
    "refuse": lambda number: fail(number, on_0=ConfigError("It must be 1. Received: 2"), on_1=REFUSED),
    "part": lambda number: fail(number, on_1=REFUSED, on_0=Death()),
    "die": lambda number: fail(number, on_1=Death()),
    "break": lambda number: fail(number, on_1=Bound("odd")),
    "room": lambda number: fail(number, on_0=ControllerError(RuntimeError("Remote\nTimed out. Try to wait."))),
}


def go(output: Path, count: int = 2, gpus: int = 1, act: str = "", **rest: Any) -> tuple[Any, list[str]]:
    said: list[str] = []
    arguments = {"settings": {"act": act}, "say": said.append, **rest}
    return pipeline.train_on_ray(Files(Path("a.en"), Path("a.de")), output, Workers(count, gpus), **arguments), said


def test_every_worker_trains_with_the_same_arguments_and_the_first_one_speaks(ray, trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")
    model, said = go(Path("run"), provenance={"data": "ours"})
    assert model.path == Path("run/model")
    assert said == ["2 workers on Ray, each with 1 CPU; waiting for them", "worker 0"]
    one, other = trained
    assert one["TF_CONFIG"] != other["TF_CONFIG"] and one["TF_USE_LEGACY_KERAS"] is None
    for call in trained:
        assert call["files"] == Files(tmp_path / "a.en", tmp_path / "a.de")
        assert call["output"] == tmp_path / "run"
        assert (call["provenance"], call["gpus"], call["resume"]) == ({"data": "ours"}, 1, False)
    assert ray.asked["RunConfig"]["name"] == "run"
    assert ray.asked["desk"] == {"num_cpus": 0, "scheduling_strategy": ("at", "here", True)}
    assert ray.shut and os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


@pytest.mark.parametrize(("present", "gpus", "wanted"), [(0, 1, None), (0, 3, 3), (4, 1, 1), (4, 2, 2)])
def test_gpus_are_asked_of_ray_where_it_has_some_or_several_are_wanted(ray, trained, tmp_path, present, gpus, wanted):
    ray.resources["GPU"] = present
    go(tmp_path / "run", gpus=gpus)
    asked = ray.asked["ScalingConfig"]
    assert asked["resources_per_worker"] == {"CPU": 1} | ({"GPU": wanted} if wanted else {})
    assert asked["use_gpu"] == bool(wanted)
    assert {call["gpus"] for call in trained} == {gpus}


def test_where_no_cluster_runs_one_of_this_machine_is_started(ray, trained, tmp_path):
    ray.refuse = ConnectionError("none")
    _, said = go(tmp_path / "run", count=99)
    assert said[0] == "no Ray cluster runs here; the workers share this machine"
    assert [arguments for arguments, _ in ray.inits] == [("auto",), ("local",)]
    assert ray.inits[1][1]["num_cpus"] == 99 and not ray.inits[1][1]["include_dashboard"]


def test_a_connection_of_the_caller_stays_open(ray, trained, tmp_path):
    ray.running = True
    go(tmp_path / "run")
    assert not ray.inits and not ray.shut


def test_a_cluster_that_cannot_be_joined_is_refused(ray, trained, tmp_path, monkeypatch):
    ray.refuse = RuntimeError("Version mismatch: 3.11 and 3.12")
    with pytest.raises(
        DistributionError, match="must name a cluster .* Received: none, and on this machine one .*3.12"
    ):
        go(tmp_path / "run")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(DistributionError, match=r"RAY_ADDRESS must .* Received: 127.0.0.1:1 \(.*refused\)"):
        go(tmp_path / "run")
    assert len(ray.inits) == 1, "where nothing listens Ray is not asked"


def test_a_ray_that_does_not_start_is_one_sentence(ray, trained, tmp_path):
    ray.refuse, ray.broken = ConnectionError("none"), Exception("The node timed out. This could happen.")
    with pytest.raises(DistributionError, match=r"Ray must be able to start .* Received: The node timed out$"):
        go(tmp_path / "run")


def test_a_worker_that_is_started_again_resumes(ray, trained, tmp_path):
    ray.attempts = 2
    go(tmp_path / "run")
    assert [call["resume"] for call in trained] == [False] * 4, "nothing was written yet"
    (tmp_path / "run").mkdir()
    trained.clear()
    go(tmp_path / "run")
    assert [call["resume"] for call in trained] == [False, False, True, True]


def test_a_finished_run_needs_no_cluster(ray, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(bundle, "load", reading.load)
    resolved = config.build({"source_language": "en", "target_language": "de"})
    scored = {"config": resolved, "files": {"a": b"1"}, "provenance": {}, "scores": [{"test": "test"}]}
    made = bundle.write(tmp_path / "run" / "model", **scored)
    (tmp_path / "run" / "data").mkdir()
    (tmp_path / "run" / "config.yaml").write_text(config.dump(resolved))
    rest = {"settings": {}, "resume": True}
    assert go(tmp_path / "run", **rest) == (made, [f"the run is finished already; its model is in {made.path}"])
    with pytest.raises(PipelineError, match="A resumed run keeps its settings"):
        go(tmp_path / "run", **rest | {"settings": {"training": {"epochs": 2}}})
    assert not ray.inits and not trained


class Clock:
    """Stands still; taken to another process it shows another time."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def __reduce__(self) -> Any:
        return Clock, (self.now + 1e6,)


def test_what_a_budget_has_used_up_is_told_to_other_clocks(ray, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(workers.Desk, "clock", staticmethod(iter([500.0, 525.0, 530.0]).__next__))
    go(tmp_path / "run", before=Before(budget=Budget(100.0, 960.0, Clock())))
    assert [call["before"].budget.left for call in trained] == [35.0, 30.0], "waiting for workers counts"


def test_folders_in_use_or_missing_and_standard_input_are_refused(ray, trained, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "file").touch()
    with pytest.raises(PipelineError, match="A new run needs a new folder"):
        go(tmp_path / "run")
    with pytest.raises(PipelineError, match="There must be a run to resume"):
        go(tmp_path / "x", resume=True)
    for files in (Files(Path("-")), Files(Path("a"), more=((Path("b"), Path("-")),))):
        with pytest.raises(PipelineError, match="no standard input; --source and others must name files. Received: -"):
            pipeline.train_on_ray(files, tmp_path / "x", Workers(2), settings={})
    assert not ray.inits


@pytest.mark.parametrize(
    ("act", "kind", "sentence"),
    [
        ("refuse", ConfigError, "It must be 1. Received: 2"),
        ("part", DistributionError, "All machines must be awake. Received: one"),
        ("die", DistributionError, "All workers must stay alive; .* with --resume. Received: the end of worker 2"),
        ("break", RuntimeError, "Bound: odd"),
        ("room", DistributionError, r"must have room .* Received: 2 workers, each with 1 CPU, .* 8 CPU \(Timed out\)"),
    ],
)
def test_what_goes_wrong_in_a_worker_is_what_the_user_reads(ray, trained, tmp_path, act, kind, sentence):
    with pytest.raises(kind, match=sentence):
        go(tmp_path / "run", act=act)
    assert ray.shut


def test_ctrl_c_reaches_the_workers(ray, trained, tmp_path):
    before, said = signal.getsignal(signal.SIGINT), []
    with pytest.raises(Interrupted, match="go on with --resume"):
        go(tmp_path / "run", act="stop", say=said.append)
    assert workers.GOING in said
    assert signal.getsignal(signal.SIGINT) is before


def test_flags_that_contradict_are_refused(run, tmp_path):
    given = ["train", "--output", tmp_path / "x", "--source", "a.en", "--ray-workers", 2]
    code, _, error = run(*given, "--dry-run")
    assert (code, error.count("\n")) == (2, 1)
    assert "--dry-run measures one device of this machine. Received: --dry-run and --ray-workers" in error
    code, _, error = run(*given, "--seeds", "1,2")
    assert (code, "--seeds and --ray-workers" in error) == (2, True)


def test_without_ray_one_sentence_names_the_extra(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    (tmp_path / "a.en").write_text("one\n")
    source = [
        "--source",
        tmp_path / "a.en",
        "--target",
        tmp_path / "a.en",
        "--source-lang",
        "en",
        "--target-lang",
        "de",
    ]
    code, out, error = run("train", "--output", tmp_path / "x", *source, "--ray-workers", 2)
    assert (code, out) == (1, "")
    assert error == "seq2seq: error: this needs ray, which is not installed: pip install 'seq2seq[ray]'\n"
    assert not (tmp_path / "x").exists()


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(not importlib.util.find_spec("ray"), reason="Ray is not installed: pip install 'seq2seq[ray]'")
def test_two_real_workers_stop_resume_and_ship(tmp_path, monkeypatch):
    import ray

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    draw = random.Random(0)
    rows = sorted({tuple(draw.choices("0123456789", k=draw.randint(2, 6))) for _ in range(300)})
    (tmp_path / "a.en").write_text("".join(" ".join(row) + "\n" for row in rows))
    (tmp_path / "a.de").write_text("".join(" ".join(reversed(row)) + "\n" for row in rows))
    sizes = {"embedding": 8, "units": 12, "decoder_layers": 1}
    settings = {"source_language": "en", "target_language": "de", "model": sizes}
    settings["training"] = {"epochs": 20, "patience": 20, "average": 1}
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if line.startswith("epoch  1:"):
            signal.raise_signal(signal.SIGINT)

    def go(resume: bool) -> Any:
        files, before = Files(tmp_path / "a.en", tmp_path / "a.de"), Before(preflight=False)
        return pipeline.train_on_ray(
            files, tmp_path / "run", Workers(2), settings=settings, resume=resume, before=before, say=say
        )

    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        with pytest.raises(Interrupted, match="Continue with the same command and --resume"):
            go(resume=False)
        assert "machine 1 of 2; waiting for the others" in said and workers.GOING in said
        state = checkpoint.load(tmp_path / "run" / "checkpoints" / training.LATEST)[1]
        assert 1 <= state["epoch"] < 20
        said.clear()
        assert go(resume=True).path == tmp_path / "run" / "model"
        assert next(line for line in said if line.startswith("epoch")).startswith(f"epoch {state['epoch'] + 1:2d}:")
    finally:
        ray.shutdown()
