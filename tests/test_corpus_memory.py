"""A corpus of any size fits: what a pair costs in memory, small in every run and with millions in the slow one."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from seq2seq.corpus import prepare

LIMIT = 100  # bytes a pair


def generate(folder: Path, count: int, *, repeated: float) -> tuple[Path, Path]:
    """Made-up sentences of ten words; a share of the sources and of the targets stands elsewhere too."""
    draw = random.Random(count)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyzäöü", k=draw.randint(2, 9))) for _ in range(3000)]
    other = {word: word[::-1] + draw.choice("aeiou") for word in words}
    paths = folder / "big.en", folder / "big.de"
    known = [draw.choices(words, k=10) for _ in range(1000)]
    with paths[0].open("w", encoding="utf-8") as sources, paths[1].open("w", encoding="utf-8") as targets:
        for _ in range(count):
            source = draw.choices(words, k=draw.randint(4, 16))
            target = draw.choice(known) if draw.random() < repeated else source
            sources.write(" ".join(draw.choice(known) if draw.random() < repeated else source) + "\n")
            targets.write(" ".join(other[word] for word in target) + "\n")
    return paths


@pytest.mark.parametrize("repeated", [0.0, 0.5])
def test_bytes_a_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repeated: float) -> None:
    """The difference between two sizes leaves out what does not grow, and small blocks keep it from hiding the rest."""
    monkeypatch.setattr("seq2seq.corpus.streams.CHUNK", 1 << 15)
    monkeypatch.setattr("seq2seq.corpus.alignment.WINDOW", 512)
    peaks = []
    counts = (15_000, 40_000)
    for count in counts:
        files = generate(tmp_path, count, repeated=repeated)
        tracemalloc.start()
        try:
            report = prepare(*files, output=tmp_path / "out").report
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert report.read == count
    cost = (peaks[1] - peaks[0]) / (counts[1] - counts[0])
    print(f"{cost:.0f} bytes a pair")
    assert cost < LIMIT


MEASURE = """
import json, pathlib, resource, sys, time
from seq2seq import corpus

def peak():
    status = pathlib.Path("/proc/self/status")  # ru_maxrss counts what the process that started this one held
    if status.exists():
        return 1024 * int(status.read_text().partition("VmHWM:")[2].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

before = peak()
start = time.process_time()
report = corpus.prepare(*sys.argv[1:3], output=sys.argv[3]).report
seconds = time.process_time() - start
after = peak()
print(json.dumps({"read": report.read, "splits": report.splits, "seconds": seconds, "before": before, "after": after}))
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_millions_of_pairs(tmp_path: Path, full: bool) -> None:
    count = 2_000_000 if full else 400_000
    files = generate(tmp_path, count, repeated=0.1)
    command = [sys.executable, "-c", MEASURE, *map(str, files), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1500, check=True)
    told = json.loads(done.stdout)
    print(f"{count:,} pairs: {told['after'] / 2**20:,.0f} MiB at most, {count / told['seconds']:,.0f} pairs a second")
    assert told["read"] == count
    assert told["splits"]["valid"] == told["splits"]["test"] == 2000
    assert told["after"] < 2**30
    assert told["after"] - told["before"] < LIMIT * count + 64 * 2**20, "the blocks and libraries take the 64 MiB"
