"""Full and read-only disks, numbers that are none, SIGINT and SIGTERM, in training and in export.

The last good state stays, one sentence says what was wrong, and the exit code is the right one.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("tensorflow")
if sys.platform == "win32":
    pytest.skip("Windows has neither mount nor SIGTERM", allow_module_level=True)

from witness import Moment, Training

from seq2seq import bundle, checkpoint

pytest_plugins = ("exported",)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

Disk = Callable[[int], Path]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Makes a disk of so many bytes, in memory."""
    made: list[Path] = []

    def disk(size: int) -> Path:
        place = tmp_path / f"disk{len(made)}"
        place.mkdir()
        argv = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
        if shutil.which("mount") is None or subprocess.run(argv, capture_output=True, check=False).returncode:
            pytest.skip("a small disk cannot be mounted here; that needs root and the right to mount")
        made.append(place)
        return place

    yield disk
    for place in made:
        subprocess.run(["umount", "-l", str(place)], check=True)


def leave(place: Path, room: int) -> Path:
    """Fills a disk so that this much room is left."""
    filler = place / "filler"
    filler.unlink(missing_ok=True)
    status = os.statvfs(place)
    filler.write_bytes(b"\0" * max(0, status.f_bavail * status.f_frsize - room))
    return filler


def read_only(place: Path, yes: bool) -> None:
    subprocess.run(["mount", "-o", f"remount,{'ro' if yes else 'rw'}", str(place)], check=True)


def contents(folder: Path) -> dict[str, str]:
    """Every file but those that are only added to, and a digest of what is in it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and "tensorboard" not in path.parts)
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def is_refused(code: int, said: str, words: str = "", *, wanted: int = 1) -> None:
    assert code == wanted, said
    assert "Traceback" not in said and said.count("seq2seq: ") == 1, said
    assert said.splitlines()[-1].startswith("seq2seq: error: ") and words in said, said
    assert "internal error" not in said, said
    print(said.splitlines()[-1])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What comes of a training that nothing disturbs."""
    training = Training(tmp_path_factory.mktemp("whole") / "training")
    assert training.live() == 0, training.said()
    return training.digests()


@pytest.fixture
def goes_on(full: bool, request: pytest.FixtureRequest) -> Callable[[Training], None]:
    """Has a training go on to its end, which must be that of one that nothing disturbed; at full size."""

    def goes_on(training: Training) -> None:
        if full:
            assert training.live() == 0, training.said()
            assert training.digests() == request.getfixturevalue("whole")

    return goes_on


class TestTraining:
    def test_on_a_full_disk_it_stops_with_the_last_good_state(
        self, tmp_path: Path, disk: Disk, full: bool, goes_on: Callable[[Training], None]
    ) -> None:
        place, draw = disk(64 << 20), random.Random(3)
        training = Training(tmp_path / "training", run=place / "run")
        filler = leave(place, 8 << 10)
        is_refused(training.live(), training.said(), "must be writable and have room")
        assert not training.run.exists()
        filler.unlink()
        assert training.live(Moment("batch", 3), signal.SIGINT) == 130
        rooms = (30_000, 150_000, 600_000, 2_000_000)
        for room in [0, *(draw.choice(rooms) for _ in range(8))] if full else [150_000]:
            leave(place, room)
            code = training.live()
            filler.unlink()
            checkpoint.load(training.run / "checkpoints" / "latest.safetensors")
            if (training.run / "model").exists():
                bundle.load(training.run)
            if code == 0:
                break
            is_refused(code, training.said())
        goes_on(training)

    def test_on_a_read_only_disk_it_changes_nothing(
        self, tmp_path: Path, disk: Disk, full: bool, goes_on: Callable[[Training], None]
    ) -> None:
        place = disk(64 << 20)
        training = Training(tmp_path / "training", run=place / "run")
        read_only(place, True)
        is_refused(training.live(), training.said(), "(Read-only file system)")
        assert not training.run.exists()
        if full:
            read_only(place, False)
            assert training.live(Moment("batch", 3), signal.SIGTERM) == 130
            before = contents(place)
            read_only(place, True)
            is_refused(training.live(), training.said())
            assert contents(place) == before
            read_only(place, False)
        goes_on(training)

    def test_asked_to_stop_at_any_moment_it_goes_on_later(
        self, tmp_path: Path, full: bool, goes_on: Callable[[Training], None]
    ) -> None:
        training = Training(tmp_path / "training")
        more = [("preparing", signal.SIGINT), ("batch", signal.SIGINT), ("judging", signal.SIGTERM)] if full else []
        more += [("writing", signal.SIGINT)] if full else []
        for what, number in [*more, ("exporting", signal.SIGTERM)]:
            assert training.live(Moment(what), number) == 130, f"{what}: {training.said()}"
            assert "Traceback" not in training.said() and training.said().count("seq2seq: note: ") == 1
            if training.run.exists():
                assert not [path for path in training.run.rglob("*") if ".partial" in path.name]
        goes_on(training)

    def test_numbers_that_are_none_are_one_sentence(self, tmp_path: Path) -> None:
        wild = ("training.learning_rate=1e30", "training.warmup_steps=0", "training.schedule=constant")
        training = Training(tmp_path / "training", *wild)
        is_refused(training.live(), training.said(), "lower training.learning_rate")
        assert not (training.run / "model").exists()
        for path in (training.run / "checkpoints").glob("*.safetensors"):
            checkpoint.load(path)


class TestExport:
    @pytest.mark.parametrize("form", ["litert", "saved_model_ids", "model"])
    def test_on_a_full_or_read_only_disk_nothing_is_written(
        self, tiny: bundle.Bundle, disk: Disk, run: Callable[..., tuple[int, str, str]], form: str, full: bool
    ) -> None:
        place = disk(4 << 20)
        before = contents(tiny.path)
        if form != "litert" and not full:
            pytest.skip("one form is enough at reduced size")
        for room in (0, 20_000, 100_000, 200_000) if full else (100_000,):
            leave(place, room)
            code, _, said = run("export", tiny.path, "--format", form, "--output", place / "out")
            is_refused(code, said, "must be writable")
            assert [path.name for path in place.iterdir()] == ["filler"]
        (place / "filler").unlink()
        if not full:
            return
        read_only(place, True)
        code, _, said = run("export", tiny.path, "--format", form, "--output", place / "out")
        is_refused(code, said, "must be writable")
        assert not list(place.iterdir()) and contents(tiny.path) == before

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_asked_to_stop_it_leaves_nothing(self, tiny: bundle.Bundle, tmp_path: Path, number: int) -> None:
        argv = [sys.executable, "-m", "seq2seq", "export", str(tiny.path), "--output", str(tmp_path / "out")]
        process = subprocess.Popen([*argv, "--format", "saved_model_ids"], stderr=subprocess.PIPE, text=True)
        while not list(tmp_path.iterdir()):
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.01)
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
        assert (process.returncode, said) == (130, "seq2seq: note: interrupted\n")
        assert not list(tmp_path.iterdir())

    def test_numbers_that_are_none_are_refused(
        self, tiny: bundle.Bundle, tmp_path: Path, run: Callable[..., tuple[int, str, str]]
    ) -> None:
        from safetensors.numpy import load, save

        arrays = {name: array * float("nan") for name, array in load(tiny.read("weights.safetensors")).items()}
        held = tiny.contents()
        bundle.write(tmp_path / "wild", **held | {"files": {**held["files"], "weights.safetensors": save(arrays)}})
        code, _, said = run("export", tmp_path / "wild", "--format", "litert", "--output", tmp_path / "out")
        is_refused(code, said, "must be finite numbers", wanted=4)
        assert [path.name for path in tmp_path.iterdir()] == ["wild"]
