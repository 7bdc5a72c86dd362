"""Several processes that answer: started, replaced when they die, counted together, ended together."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra `app` is not installed")
if not hasattr(os, "fork"):
    pytest.skip("this system cannot fork", allow_module_level=True)

from web_server import Server

from seq2seq.web import service, workers
from seq2seq.web.metrics import Metrics
from seq2seq.web.rules import Rules
from seq2seq.web.tally import Tally
from seq2seq.web.workers import Workers, WorkersError

SCRIPT = """
import os, signal, sys, time
from seq2seq.web import workers
workers.SOON = 0.1
{work}
try:
    workers.Workers(2, work, grace={grace}).run()
except ValueError as error:
    sys.exit(f"failed: {{error}}")
except KeyboardInterrupt:
    sys.exit("interrupted")
print("ended")
"""
WAITS = """
def work(ready):
    going = [True]
    signal.signal(signal.SIGTERM, lambda *_: going.clear())
    os.write(1, f"{os.getpid()}\\n".encode())  # whole: the other one writes too
    ready()
    while going:
        time.sleep(0.01)
    os.write(1, b"done\\n")
"""


class Script:
    """Workers in a process of their own, and what they print."""

    def __init__(self, work: str, *, grace: float = 10) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT.format(work=work, grace=grace)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(service.__file__).parents[2])},
        )

    def line(self) -> str:
        return self.process.stdout.readline().strip()  # type: ignore[union-attr]

    def rest(self) -> tuple[int, str, str]:
        said, errors = self.process.communicate(timeout=30)
        return self.process.returncode, said, errors


@pytest.fixture
def script() -> Iterator[Callable[..., Script]]:
    made: list[Script] = []

    def make(*arguments: Any, **named: Any) -> Script:
        made.append(Script(*arguments, **named))
        return made[-1]

    yield make
    for each in made:
        each.process.kill()


def gone(pid: int) -> bool:
    for _ in range(300):
        try:
            os.kill(pid, 0)
        except OSError:
            return True
        time.sleep(0.05)
    return False


class TestWorkers:
    @pytest.mark.parametrize(("number", "code", "last"), [(signal.SIGTERM, 0, "ended"), (signal.SIGINT, 1, "")])
    def test_a_signal_ends_all_of_them_well(
        self, script: Callable[..., Script], number: signal.Signals, code: int, last: str
    ) -> None:
        running = script(WAITS)
        pids = {int(running.line()) for _ in range(2)}
        assert len(pids) == 2
        running.process.send_signal(number)
        returned, said, errors = running.rest()
        assert (returned, said.split()) == (code, ["done", "done", *([last] if last else [])])
        assert errors.strip() == ("" if code == 0 else "interrupted")

    def test_one_that_dies_is_replaced(self, script: Callable[..., Script]) -> None:
        running = script(WAITS)
        first, second = (int(running.line()) for _ in range(2))
        os.kill(first, signal.SIGKILL)
        third = int(running.line())
        assert third not in (first, second)
        running.process.send_signal(signal.SIGTERM)
        code, said, errors = running.rest()
        assert (code, said.count("done")) == (0, 2)
        assert errors == "A worker ended (signal 9); another one starts in 0.1 s.\n"

    def test_if_none_can_begin_the_reason_is_raised(self, script: Callable[..., Script]) -> None:
        code, said, errors = script("def work(ready): raise ValueError('A model must be there. Received: none')").rest()
        assert (code, said, errors) == (1, "", "failed: A model must be there. Received: none\n")

    def test_what_cannot_be_carried_over_is_told_in_words(self, script: Callable[..., Script]) -> None:
        work = "class Odd(Exception):\n    pass\ndef work(ready):\n    raise Odd(lambda: 0)"
        code, _, errors = script(work).rest()
        assert code == 1 and "RuntimeError: Odd: " in errors

    def test_one_that_cannot_begin_again_is_tried_again_while_others_answer(
        self, script: Callable[..., Script], tmp_path: Path
    ) -> None:
        failing = f"    if os.path.exists({str(tmp_path / 'no')!r}): raise ValueError('not now')\n    going"
        running = script(WAITS.replace("    going", failing, 1))
        first, _ = (int(running.line()) for _ in range(2))
        (tmp_path / "no").touch()
        os.kill(first, signal.SIGKILL)
        assert "signal 9" in running.process.stderr.readline()  # type: ignore[union-attr]
        assert "(not now)" in running.process.stderr.readline()  # type: ignore[union-attr]
        (tmp_path / "no").unlink()
        assert int(running.line()) != first
        running.process.send_signal(signal.SIGTERM)
        assert running.rest()[0] == 0

    def test_one_that_does_not_end_is_killed(self, script: Callable[..., Script]) -> None:
        deaf = WAITS.replace("lambda *_: going.clear()", "signal.SIG_IGN")
        running = script(deaf, grace=0.5)
        pids = [int(running.line()) for _ in range(2)]
        running.process.send_signal(signal.SIGTERM)
        assert running.rest()[:2] == (0, "ended\n")
        assert all(map(gone, pids))

    def test_when_the_first_process_is_killed_the_others_end(self, script: Callable[..., Script]) -> None:
        running = script(WAITS)
        pids = [int(running.line()) for _ in range(2)]
        running.process.kill()
        assert all(map(gone, pids))

    def test_where_nothing_can_fork_it_is_one_sentence(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(workers.os, "fork")
        with pytest.raises(WorkersError, match="Several workers need a system that can fork."):
            Workers(2, lambda ready: None, grace=1).run()

    def test_tensorflow_is_for_one_alone(self, tmp_path: Path) -> None:
        with pytest.raises(service.ServiceError, match="Several workers need the litert engine. Received: tensorflow"):
            service.serve(tmp_path, engine="tensorflow", rules=Rules(workers=2))


def test_numbers_are_added_up_and_those_of_the_dead_stay(tmp_path: Path) -> None:
    own, other = Metrics(), Metrics()
    for metrics, count in ((own, 1), (other, 2)):
        metrics.requests.add(count, "/v1/translate", "200")
        metrics.seconds.observe(0.02, "/v1/translate")
        metrics.waiting.sum((), [count])
    tally = Tally(own, tmp_path)
    tally.leave()
    (tmp_path / f"{os.getppid()}.json").write_text(json.dumps(other.numbers()))
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / f"{dead.pid}.json").write_text(json.dumps(other.numbers()))
    (tmp_path / "77777777.json").write_text("{half of")
    lines = str(tally).splitlines()
    assert 'seq2seq_requests_total{path="/v1/translate",code="200"} 5' in lines
    assert 'seq2seq_seconds_bucket{path="/v1/translate",le="0.025"} 3' in lines
    assert "seq2seq_queue 3" in lines
    assert {path.name for path in tmp_path.glob("*")} >= {f"{os.getpid()}.json"}


class TestServer:
    """The command, with the model that ships."""

    def test_two_answer_are_counted_together_survive_a_death_and_end_well(self, root: Path) -> None:
        server = Server(str(root / "app.py"), "--workers", "2")
        body = b'{"text": "The dog is sleeping."}'
        try:
            server.wait()
            with ThreadPoolExecutor(8) as threads:
                codes = list(threads.map(lambda _: server.get("/v1/translate", body)[0], range(40)))
            assert codes == [200] * 40
            time.sleep(1.5)  # until both have left their numbers
            counted = 'seq2seq_requests_total{path="/v1/translate",code="200"} 40'
            assert all(counted in server.get("/metrics")[1] for _ in range(8))
            assert server.get("/gradio_api/call/translate", b'{"data": ["a"]}')[0] == 404
            children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
            if children.exists():
                os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
                time.sleep(0.2)
            request = urllib.request.Request(server.url + "/v1/translate", body, {"content-type": "application/json"})
            with urllib.request.urlopen(request, timeout=60) as answer:
                assert answer.status == 200
        finally:
            assert server.stop() == 0
        assert "Traceback" not in server.error

    def test_the_model_is_in_memory_once(self, root: Path) -> None:
        server = Server(str(root / "app.py"), "--workers", "2")
        try:
            server.wait()
            pids = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
            if not pids.exists():
                pytest.skip("this system does not tell what processes share")
            size = (service.pretrained() / "model.tflite").stat().st_size
            for pid in pids.read_text().split():
                shared = re.findall(r"^Shared_Dirty: +(\d+) kB$", Path(f"/proc/{pid}/smaps").read_text(), re.MULTILINE)
                assert max(map(int, shared)) * 1024 > 0.9 * size
        finally:
            server.stop()

    def test_a_model_that_does_not_load_is_one_sentence_and_its_code_and_a_browser_was_told(
        self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "browser").write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/told\n')
        (tmp_path / "browser").chmod(0o755)
        monkeypatch.setenv("BROWSER", str(tmp_path / "browser"))
        server = Server(str(root / "app.py"), str(tmp_path), "--workers", "2", "--open")
        assert server.process.wait(60) == 4
        for _ in range(100):
            if (tmp_path / "told").exists():
                break
            time.sleep(0.1)
        assert (tmp_path / "told").read_text() == f"{server.url}\n"
        server.stop()
        assert server.error.count("\n") == 2 and "must hold manifest.json" in server.error
