"""Quiet libraries, set before any of them is imported, and the fixtures that every test may use."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("NO_COLOR", "1")
FULL = os.environ.get("SEQ2SEQ_FULL") == "1"
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as what a shell starts in the background inherits it
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def benchmark(root: Path) -> Callable[[str], Any]:
    """Imports a program of `benchmarks/` by its name."""

    def load(name: str) -> Any:
        sys.path.insert(0, str(root / "benchmarks"))
        try:
            return importlib.import_module(name)
        finally:
            sys.path.pop(0)

    return load


@pytest.fixture(scope="session")
def pretrained(root: Path) -> Path:
    """The model that ships."""
    folder = root / "seq2seq" / "pretrained" / "en-de"
    if not folder.is_dir():
        pytest.skip("no model ships yet")
    return folder


@pytest.fixture(scope="session")
def full() -> bool:
    """Whether a slow test runs at full size (`make robustness`) or at the reduced size of `make test`."""
    return FULL


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("whole") and not FULL:
        pytest.skip("at full size alone: make robustness")


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of public corpora that SEQ2SEQ_DATA names; tests that want it are skipped without it."""
    folder = os.environ.get("SEQ2SEQ_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("SEQ2SEQ_DATA names no folder of corpora")
    return Path(folder)


@pytest.fixture
def weights_alone(monkeypatch):
    """A training ends with neither a compiled graph nor scores, which take most of a small one's time."""
    from seq2seq import export, release

    monkeypatch.setattr(export, "litert", lambda graph: b"graph")
    monkeypatch.setattr(release, "_measured", lambda *arguments: [])


@pytest.fixture
def run(monkeypatch, capfdbinary):
    """Runs a command line in this process; gives exit code, stdout and stderr."""
    from seq2seq import cli
    from seq2seq.cli import streams

    monkeypatch.setattr(streams, "silence", lambda: None)

    def run(*argv: object) -> tuple[int, str, str]:
        code = cli.run([str(word) for word in argv])
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return run
