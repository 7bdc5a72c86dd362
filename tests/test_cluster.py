"""Shards are cut, kept and joined so that nothing is lost or doubled, whatever becomes of a process."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from seq2seq import cluster
from seq2seq.cli import printing, sharded, streams
from seq2seq.cluster import ShardsError, Store, cut
from seq2seq.translator import Terms, Translator

MODEL = Path(__file__).resolve().parents[1] / "seq2seq" / "pretrained" / "en-de"
LINES = ["The cat sleeps.", "", "She has a dog — and a café.", "Where is it?\r", "I see it.", "It is late.", "Yes."]


@pytest.fixture
def text(tmp_path) -> Path:
    path = tmp_path / "in.en"
    path.write_bytes("\n".join(LINES).encode())
    return path


@pytest.mark.parametrize("lines", [1, 2, 3, 100])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_shards_are_the_file_in_order(text, lines, end):
    text.write_bytes(text.read_bytes() + end)
    shards = cut(text, lines)
    content = text.read_bytes()
    ends = [*(shard.start for shard in shards[1:]), len(content)]
    assert b"".join(content[shard.start : end] for shard, end in zip(shards, ends, strict=True)) == content
    assert [shard.number for shard in shards] == list(range(len(shards)))
    assert sum(shard.lines for shard in shards) == len(LINES)
    read = [line for shard in shards for line in streams.Lines(text, shard)]
    assert read == [line.removesuffix("\r") for line in LINES]
    assert [shard.line for shard in shards] == [1 + lines * number for number in range(len(shards))]


def test_no_lines_are_no_shards(tmp_path):
    (tmp_path / "empty").touch()
    assert cut(tmp_path / "empty", 10) == []


def test_a_line_without_end_is_refused_with_its_number(text, monkeypatch):
    monkeypatch.setattr("seq2seq.cluster.shards.LONGEST_LINE", 20)
    with pytest.raises(ShardsError, match=r"at most 20 bytes. Received: .*in.en, line 3$"):
        cut(text, 2)


def test_what_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(ShardsError, match=r"readable file. Received: .*none \(No such file"):
        cut(tmp_path / "none", 2)


def test_a_byte_that_is_no_utf8_has_its_line_in_the_whole_file(text):
    text.write_bytes(b"a\nb\nc\n\xff\n")
    lines = streams.Lines(text, cut(text, 3)[1])
    assert list(lines) == []
    with pytest.raises(ValueError, match=r"in.en, line 4, byte 0xff at position 1"):
        lines.check()


def test_a_store_goes_on_and_refuses_another_run(tmp_path):
    store = Store(tmp_path / "out", {"model": "a", "lines": 2})
    assert list(tmp_path.iterdir()) == [] and store.done() == {}  # before anything begins
    store.begin()
    store.keep(3, b"three")
    (store.folder / "4.0.done.partial").write_bytes(b"half")
    again = Store(tmp_path / "out", {"lines": 2, "model": "a"})
    again.keep(10, b"ten", 7)
    assert again.done() == {3: 0, 10: 7}
    assert list(again.joined([cluster.Shard(10, 0, 1, 1), cluster.Shard(3, 0, 1, 1)])) == [b"ten", b"three"]
    with pytest.raises(ShardsError, match=r"out.shards, begun with another model$"):
        Store(tmp_path / "out", {"model": "b", "lines": 2})
    again.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def alone(monkeypatch) -> SimpleNamespace:
    """In the place of a cluster this process, which does the shards from the last to the first; `left` of them."""
    seen = SimpleNamespace(left=10**6, done=[])

    def over(_: Any, items: list, make: Callable, *, workers: int) -> Iterator[tuple[int, Any]]:
        work = make()
        for place in reversed(range(len(items))):
            if len(seen.done) >= seen.left:
                raise cluster.ClusterError("Work must not end its process. Received: 3 ended")
            seen.done.append(items[place].number)
            yield place, work(items[place])

    monkeypatch.setattr(cluster, "connected", lambda count, say: contextlib.nullcontext())
    monkeypatch.setattr(cluster, "over", over)
    monkeypatch.setattr(sharded, "LINES", 2)
    return seen


@pytest.mark.parametrize("flags", [[], ["--n-best", "2", "--scores"], ["--json"], ["--min-confidence", "0.9"]])
def test_shards_say_what_one_process_says(run, text, tmp_path, alone, flags):
    out, plain = tmp_path / "out.de", tmp_path / "plain.de"
    told = run("translate", MODEL, "--input", text, "--output", plain, *flags)
    found = run("translate", MODEL, "--input", text, "--output", out, "--ray", 2, *flags)
    assert found[0] == told[0] == 0
    assert out.read_bytes() == plain.read_bytes()
    assert sorted(found[2].splitlines()) == sorted(told[2].splitlines())
    assert alone.done == [3, 2, 1, 0]
    assert {path.name for path in tmp_path.iterdir()} == {"in.en", "out.de", "plain.de"}


def test_it_goes_on_where_it_ended(run, text, tmp_path, alone):
    out = tmp_path / "out.de"
    alone.left = 2
    code, _, err = run("translate", MODEL, "--input", text, "--output", out, "--ray", 2)
    assert (code, out.exists()) == (1, False)
    assert "3 lines are in " in err and "the same command goes on from there" in err
    alone.left, alone.done = 10, []
    code, _, err = run("translate", MODEL, "--input", text, "--output", out, "--ray", 2, "--greedy")
    assert code == 3 and "begun with another search" in err
    code, _, err = run("translate", MODEL, "--input", text, "--output", out, "--ray", 5)
    assert code == 0 and "3 lines were translated before" in err
    assert alone.done == [1, 0]
    assert len(out.read_bytes().splitlines()) == len(LINES)


@pytest.mark.parametrize("before", [2, 4])
def test_what_was_left_empty_before_a_restart_is_counted_too(run, text, tmp_path, alone, before, monkeypatch):
    out, flags = tmp_path / "out.de", ["--min-confidence", "1"]
    told = run("translate", MODEL, "--input", text, "--output", tmp_path / "plain.de", *flags)[2]
    alone.left = before
    with monkeypatch.context() as patch:
        patch.setattr(Store, "remove", lambda _: None)  # as if it ended just before
        run("translate", MODEL, "--input", text, "--output", out, "--ray", 2, *flags)
    assert len(alone.done) == before
    alone.left = 10
    code, _, err = run("translate", MODEL, "--input", text, "--output", out, "--ray", 2, *flags)
    (note,) = [line for line in told.splitlines() if "left empty" in line]
    assert (code, err.count(note)) == (0, 1)
    assert out.read_bytes() == (tmp_path / "plain.de").read_bytes()


def test_a_bad_line_is_told_and_the_other_shards_are_kept(run, text, tmp_path, alone):
    text.write_bytes(text.read_bytes() + b"\n\xff\nend\n")
    out = tmp_path / "out.de"
    text.write_bytes(b"\xff\n" + text.read_bytes())
    code, _, err = run("translate", MODEL, "--input", text, "--output", out, "--ray", 1)
    assert code == 3 and "in.en, line 9, byte 0xff" in err
    assert not out.exists()


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--output", "x"], "--ray needs --input, a file"),
        (["--input", "IN"], "--ray needs --output, a file"),
        (["--input", "-", "--output", "x"], "--ray needs --input, a file"),
        (["--input", "IN", "--output", "x", "--engine", "tensorflow"], "--ray runs the engine litert"),
        (["--input", "IN", "--output", "x", "--temperature", "1"], "--ray and --temperature do not go together"),
        (["--input", "IN", "--output", "x", "--threads", "2"], "--ray and --threads do not go together"),
        (["--input", "IN", "--output", "."], "The output must be a file. Received: ., a folder"),
        (["--file", "IN", "--output", "x"], "--ray is for lines, not for documents. Received: --ray and --file"),
    ],
)
def test_what_shards_cannot_do(run, text, flags, sentence):
    code, _, err = run("translate", MODEL, "--ray", 2, *(str(text) if flag == "IN" else flag for flag in flags))
    assert code == 2 and sentence in err


def test_without_ray_the_sentence_names_the_extra(run, text, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    code, _, err = run("translate", MODEL, "--input", text, "--output", tmp_path / "out", "--ray", 1)
    assert code == 1 and "pip install 'seq2seq[ray]'" in err
    assert [path.name for path in tmp_path.iterdir()] == ["in.en"]


def test_lines_that_another_machine_lacks_are_missed(text, tmp_path):
    shard = cut(text, 3)[1]
    text.write_bytes(b"".join(text.read_bytes().splitlines(keepends=True)[:5]))
    done = work(text)(shard)
    assert done.error == (
        f"The input must stay as it is, the same on every machine. Received: {text}, 2 of 3 lines from line 4 on"
    )
    assert done.content == b""


def test_a_line_is_named_by_its_number_in_the_whole_file(text):
    done = work(text, Terms(required=("x",)))(cut(text, 3)[1])
    assert "(line 5)" in done.error


def work(source, terms=None):
    """What a process does with its shards of a text of which line 5 has two sentences."""
    lines = source.read_bytes().splitlines(keepends=True)
    source.write_bytes(b"".join([*lines[:4], b"One. Two.\n", *lines[5:]]))
    translator = Translator.load(MODEL, engine="litert")
    form = printing.Form("plain", 1)
    return sharded.Work(sharded.Job({}, source, form, translator.config.search, terms or Terms()), translator)


needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install 'seq2seq[ray]'"
)


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_with_ray_nothing_is_lost_or_doubled_when_processes_end(run, tmp_path, monkeypatch):
    """Every worker is killed half-way, then the command itself; the command given again ends the work."""
    source, out, plain = (tmp_path / name for name in ("in.en", "out.de", "plain.de"))
    source.write_text("".join(f"{line.strip()} {number}\n" for number in range(1500) for line in LINES))
    argv = [sys.executable, "-m", "seq2seq", "translate", MODEL, "--input", source, "--output", out, "--greedy"]
    argv = [*map(str, argv), "--ray", "2"]
    environ = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    done = lambda: len(list(tmp_path.glob("out.de.shards/*.done")))  # noqa: E731
    with (tmp_path / "log").open("w+b") as log:
        process = subprocess.Popen(argv, stderr=log, stdout=log, env=environ, cwd=tmp_path)
        wait(lambda: done() >= 1, process, log)
        killed = [pid for pid, name in names() if name.startswith("ray::MapWorker")]
        for pid in killed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert killed
        before = done()
        wait(lambda: done() > before, process, log)
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 130
    assert not out.exists() and 0 < done() < 6
    assert subprocess.run(argv, env=environ, cwd=tmp_path, capture_output=True).returncode == 0
    assert run("translate", MODEL, "--input", source, "--output", plain, "--greedy")[0] == 0
    assert out.read_bytes() == plain.read_bytes()


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_with_ray_an_item_that_ends_every_process_is_told(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    def work(item: int) -> int:
        return os.kill(os.getpid(), signal.SIGKILL) if item == 1 else item

    found: list[tuple[int, int]] = []
    with cluster.connected(1, print) as ray, pytest.raises(cluster.ClusterError, match="Received: 3 ended at 1"):
        found += cluster.over(ray, [0, 1], lambda: work, workers=1)
    assert found in ([], [(0, 0)])


def names() -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            yield int(folder.name), (folder / "cmdline").read_bytes().split(b"\0")[0].decode()


def wait(until: Callable[[], bool], process: subprocess.Popen, log: io.BufferedRandom) -> None:
    begun = time.monotonic()
    while not until():
        assert process.poll() is None and time.monotonic() < begun + 240, (log.seek(0), log.read()[-2000:])
        time.sleep(0.05)
