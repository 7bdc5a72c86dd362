"""The benchmark of large corpora: no two pairs are alike, all can be learned, every phase of a training is measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read as Linux tells it")


@pytest.fixture(scope="module")
def large(benchmark: Callable[[str], Any]) -> Any:
    return benchmark("large")


def test_pairs_are_distinct_and_every_word_has_its_translation(large: Any) -> None:
    pairs = list(large.pairs(70_000))
    assert len({source for source, _ in pairs}) == len({target for _, target in pairs}) == 70_000
    known: dict[str, str] = {}
    for source, target in pairs[:2000]:
        words, others = source.split(), target.split()[::-1]
        assert 5 <= len(words) == len(others) <= 12
        assert all(known.setdefault(word, other) == other for word, other in zip(words, others, strict=True))


def test_memory_is_that_of_a_process_and_of_those_that_it_started(large: Any) -> None:
    before, _ = large.held(os.getpid())
    code = "held = b'x' * (64 << 20); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout and child.stdout.readline()
        alone, _ = large.held(child.pid)
        assert 64 <= alone < 90
        assert large.held(os.getpid())[0] >= before + 60
        child.communicate(b"\n")


def test_the_bytes_of_a_pair_are_what_the_larger_corpus_takes_more(large: Any) -> None:
    sizes = {1 << 20: 100.0, 1 << 21: 108.0}
    found = {size: {"encode": large.Peak(1.0, megabytes, 7.0)} for size, megabytes in sizes.items()}
    assert large.table(found).splitlines()[-1] == "| encode | 1 | 100 | 7 | 1 | 108 | 7 | 8.0 |"


@pytest.mark.whole
@pytest.mark.timeout(900)
def test_every_phase_is_measured(root: Path, tmp_path: Path, large: Any) -> None:
    command = [sys.executable, "benchmarks/large.py", "--pairs", "3000", "--steps", "2", "--folder", str(tmp_path)]
    done = subprocess.run([*command, "--json", str(tmp_path / "x.json")], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (peaks,) = json.loads((tmp_path / "x.json").read_text())["pairs"].values()
    assert set(large.PHASES.values()) < set(peaks)
    assert peaks["train"]["anonymous"] > 50
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]
