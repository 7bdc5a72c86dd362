"""Whatever kills a process that writes a model folder, a whole model is there afterwards, and nothing is left over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from seq2seq import bundle
from seq2seq.config import Config

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")

WRITE = """
import os, signal, sys, time
from seq2seq import bundle
from seq2seq.config import Config

{before}
bundle.write(sys.argv[1], config=Config(), files={{"model.tflite": b"newer"}}, provenance={{}}, scores=[])
"""
KILLED_AT_RENAME = """
count, rename = iter(range(9)), os.rename
def mortal(*names):
    if next(count) == {calls}:
        os.kill(os.getpid(), signal.SIGKILL)
    rename(*names)
os.rename = mortal
"""
KILLED_AT_A_FILE = "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)"
WAITING_AT_A_FILE = "os.fsync = lambda _: (print(flush=True), time.sleep(60))"


def write(path: Path, content: bytes) -> None:
    bundle.write(path, config=Config(), files={"model.tflite": content}, provenance={}, scores=[])


def content(path: Path) -> bytes:
    return bundle.load(path).read("model.tflite")


def command(path: Path, before: str) -> list[str]:
    return [sys.executable, "-c", WRITE.format(before=before), str(path)]


def killed(path: Path, before: str) -> None:
    assert subprocess.run(command(path, before), timeout=60).returncode == -signal.SIGKILL


@contextmanager
def living(path: Path) -> Iterator[subprocess.Popen]:
    """A process that has a hidden folder and does not go on."""
    with subprocess.Popen(command(path, WAITING_AT_A_FILE), stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline() == b"\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A run folder's; its name and that of the folder beside it begin alike."""
    write(tmp_path / "model", b"older")
    write(tmp_path / "model.b", b"other")
    return tmp_path / "model"


def names(model: Path) -> set[str]:
    return {path.name for path in model.parent.iterdir()}


@pytest.mark.parametrize("name", ["new", "empty", "to_empty", "to_nothing", "empty/../new", "to_empty/deep"])
def test_a_folder_that_is_free_can_be_taken(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "to_empty").symlink_to("empty")
    (tmp_path / "to_nothing").symlink_to("nothing")
    output = tmp_path / name
    assert bundle.is_free(output)
    place = Path(os.path.realpath(output))
    with bundle.staged(place) as new:
        new.mkdir()
        (new / "file").touch()
        bundle.settle(new, place)
    assert os.listdir(output) == ["file"]


@pytest.mark.parametrize("name", [".", "file", "full", "to_file", "to_full", "to_itself", "mounted"])
def test_a_folder_that_cannot_be_taken_is_not_free(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    for target in ("file", "full", "to_itself"):
        (tmp_path / f"to_{target.removeprefix('to_')}").symlink_to(target)
    (tmp_path / "mounted").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here" if name == "." else tmp_path)
    monkeypatch.setattr(os.path, "ismount", lambda place: place.name == "mounted")
    assert not bundle.is_free(Path(name))


@pytest.mark.parametrize(("renames", "kept"), [(0, b"older"), (1, b"older"), (2, b"newer")])
@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError(5, "Input/output error")])
def test_an_interrupt_loses_nothing(model: Path, monkeypatch: pytest.MonkeyPatch, renames, kept, failure) -> None:
    count, rename = iter(range(9)), os.rename

    def fails_after(*names) -> None:
        if (done := next(count)) == 0 == renames:
            raise failure
        rename(*names)
        if done + 1 == renames:
            raise failure

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", fails_after)
        with pytest.raises((KeyboardInterrupt, bundle.SaveError)):
            write(model, b"newer")
    assert content(model) == kept
    assert names(model) == {"model", "model.b"}


@pytest.mark.parametrize("through", ["model", ".", "link"])
def test_a_kill_between_the_two_renames_loses_nothing(model: Path, through: str) -> None:
    (model.parent / "link").symlink_to(model)
    killed(model, KILLED_AT_RENAME.format(calls=1))
    assert "model" not in names(model)
    assert content(model.parent / through) == b"older"
    assert names(model) == {"model", "model.b", "link"}


def test_an_interrupt_the_moment_the_hidden_folder_is_made_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = Path.mkdir

    def interrupted(self: Path, *arguments: object, **more: object) -> None:
        make(self, *arguments, **more)  # type: ignore[arg-type]
        if self.name.endswith(".partial"):
            raise KeyboardInterrupt

    monkeypatch.setattr(Path, "mkdir", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "model", b"newer")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("before", [KILLED_AT_A_FILE, *(KILLED_AT_RENAME.format(calls=calls) for calls in (0, 1))])
def test_after_a_kill_the_next_write_leaves_its_model_alone(model: Path, before: str) -> None:
    killed(model, before)
    assert len(names(model) - {"model", "model.b"}) == 1
    write(model, b"next")
    assert content(model) == b"next"
    assert names(model) == {"model", "model.b"}


def test_a_kill_after_the_second_rename_leaves_the_newer_model(model: Path) -> None:
    killed(model, "import shutil; shutil.rmtree = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)")
    assert content(model) == b"newer"
    write(model, b"next")
    assert names(model) == {"model", "model.b"}


def test_an_older_model_that_was_replaced_does_not_come_back(model: Path) -> None:
    killed(model, "import shutil; shutil.rmtree = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)")
    model.rename(model.parent / "elsewhere")
    with pytest.raises(bundle.BundleError, match="which does not exist"):
        bundle.load(model)


def test_what_a_living_process_is_at_stays(model: Path) -> None:
    with living(model):
        hidden = names(model) - {"model", "model.b"}
        write(model, b"next")
        assert names(model) == {"model", "model.b"} | hidden
        model.rename(model.parent / "elsewhere")
        with pytest.raises(bundle.BundleError, match="which does not exist"):
            bundle.load(model)
        assert hidden < names(model)
    write(model, b"last")
    assert names(model) == {"model", "model.b", "elsewhere"}


def test_what_a_process_is_at_for_another_name_stays(model: Path) -> None:
    with living(model.with_name("model.b")):
        before = names(model)
        write(model, b"next")
        assert names(model) == before


def test_two_that_write_one_name_both_end(model: Path) -> None:
    many = [subprocess.Popen(command(model, "")) for _ in range(2)]
    deadline = time.monotonic() + 60
    codes = [process.wait(max(1, deadline - time.monotonic())) for process in many]
    assert 0 in codes
    assert content(model) == b"newer"
    assert os.listdir(model) and names(model) == {"model", "model.b"}
