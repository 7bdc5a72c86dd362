"""SIGINT and SIGTERM end a command, also where Python drops what is raised."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seq2seq.signals import StopSignals

if sys.platform == "win32":
    pytest.skip("Windows has no SIGTERM", allow_module_level=True)

HEAD = """
import atexit, os, signal, time, weakref
from seq2seq.cli.interrupts import insisting

number = {number:d}

class Dropping:
    def __del__(self):
        os.kill(os.getpid(), number)
        time.sleep(0.01)
        print("dropped, and yet went on", flush=True)

class Thing: pass

def strike(reference):
    os.kill(os.getpid(), number)
    time.sleep(0.01)
"""
DROPPED = """
def work():
    {drop}
    time.sleep(20)
    print("was never interrupted")

with insisting():
    try:
        work()
    except KeyboardInterrupt:
        try:
            open("/nowhere/at/all")
        except OSError:
            time.sleep(1.5)
        print("cleaned up")
print("ended")
"""
IGNORED = """
signal.signal(signal.SIGINT, signal.SIG_IGN)
with insisting():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(1.5)
print("ended")
"""

AFTERWARDS = """
with insisting():
    pass

class Slow:
    def __del__(self, sleep=time.sleep):
        sleep(1.5)

slow = Slow()
atexit.register(strike, None)
print("ended", flush=True)
"""


def ran(script: str) -> tuple[str, str]:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout, done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "drop",
    ["Dropping()", "thing = Thing(); ref = weakref.ref(thing, strike); del thing"],
    ids=["del", "weak reference"],
)
def test_what_python_drops_is_raised_again_and_the_handling_of_it_left_alone(number: int, drop: str) -> None:
    assert ran(HEAD.format(number=number) + DROPPED.format(drop=drop)) == ("cleaned up\nended\n", "")


ECHO = """
def echo(word):
    try:
        raise SystemError(word)
    except SystemError as error:
        {way}

class Broken:
    def __init__(self, error):
        self.error = error

    def __del__(self):
        raise self.error

import sys
with insisting():
    echo("before")
    try:
        os.kill(os.getpid(), number)
        time.sleep(1)
    except KeyboardInterrupt:
        echo("after")
        time.sleep(1.3)  # longer than the clock runs
        echo("long after")
print("ended")
"""


@pytest.mark.parametrize(
    "way", ["sys.excepthook(SystemError, error, None)", "Broken(error)"], ids=["PyErr_Print", "PyErr_WriteUnraisable"]
)
def test_what_c_prints_and_forgets_after_a_signal_is_not_shown(way: str) -> None:
    said, errors = ran(HEAD.format(number=15) + ECHO.format(way=way))
    assert said == "ended\n"
    assert errors.endswith("SystemError: before\n") and "after" not in errors


def test_what_the_shell_ignores_stays_ignored() -> None:
    assert ran(HEAD.format(number=2) + IGNORED) == ("ended\n", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_clock_does_not_end_a_process_that_is_ending(number: int) -> None:
    said, _ = ran(HEAD.format(number=number) + AFTERWARDS)
    assert said == "ended\n"


def test_an_interrupt_while_the_command_line_loads_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(20)")
    command = [sys.executable, "-m", "seq2seq", "info"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.getcwd()])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "seq2seq: note: interrupted\n")


def test_the_second_signal_to_a_training_acts_as_usual():
    with StopSignals() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
            time.sleep(1)
