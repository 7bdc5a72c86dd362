"""The benchmark of training: every contender takes the same steps, and what is compared is tokens a second."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tensorflow")


@pytest.fixture(scope="module")
def training(benchmark: Callable[[str], Any]) -> Any:
    return benchmark("training")


def test_a_rate_is_that_of_all_batches_and_the_median_of_the_turns(training: Any) -> None:
    turns = [{"seconds": seconds} for seconds in ([1.0, 1.0], [2.0, 3.0], [5.0, 5.0])]
    assert training.rate([10, 20], turns) == 6.0


def test_rates_are_compared_with_the_last_and_with_the_ceiling_of_their_precision(training: Any) -> None:
    ceilings = [{"float32": 90.0, "bfloat16": 390.0}, {"float32": 110.0, "bfloat16": 410.0}]
    rows = [("a", "mixed_bfloat16", 8000.0), ("b", "float32", 1000.0), ("joeynmt", "Joey NMT", 500.0)]
    rates = [{"contender": name, "version": version, training.RATE: rate} for name, version, rate in rows]
    training.add_ratios({"rates": rates, "ceiling": ceilings}, 25_000_000)
    assert [(row["ratio"], row["share"]) for row in rates] == [(16.0, "50%"), (2.0, "25%"), (1.0, "")]


def test_a_lesson_has_the_pairs_of_the_corpus_without_end_of_sentence(
    training: Any, benchmark: Callable[[str], Any], pretrained: Path, root: Path
) -> None:
    tokenizer, _ = benchmark("measuring").network(pretrained)
    files = {side: root / "data" / f"sample.{side}" for side in ("en", "de")}
    asked = argparse.Namespace(source=files["en"], target=files["de"], batch_tokens=300, batches=3)
    batches = training.lesson(asked, tokenizer).batches
    assert len(batches) == 3
    known = [tuple(path.read_text(encoding="utf-8").splitlines()) for path in files.values()]
    pairs = set(zip(*known, strict=True))
    for batch in batches:
        assert all((tokenizer.decode(source), tokenizer.decode(target)) in pairs for source, target in batch)
        assert 100 < sum(len(target) + 1 for _, target in batch) <= 300


@pytest.mark.whole
@pytest.mark.timeout(600)
def test_our_step_is_measured(root: Path, pretrained: Path, tmp_path: Path) -> None:
    command = [sys.executable, "benchmarks/training.py", "--batches", "2", "--batch-tokens", "100", "--repeats", "1"]
    done = subprocess.run(
        [*command, "--precision", "float32", "--json", tmp_path / "x.json"], cwd=root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "x.json").read_text())
    (row,) = results["rates"]
    assert row["version"] == "float32" and row["target_tokens_per_s"] > 1 and row["ratio"] == 1
    assert row["parameters"] == 8_353_856
    assert "| seq2seq, float32 | float32 | 8,353,856 |" in done.stdout


@pytest.mark.parametrize(
    ("wrong", "said"), [(["--model", "none"], "--model must be a model folder"), (["--peer", "x"], "--peer must be")]
)
def test_wrong_use_is_one_sentence(root: Path, wrong: list[str], said: str) -> None:
    command = [sys.executable, "benchmarks/training.py", *wrong]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 2 and f"error: {said}" in done.stderr and "Received: " in done.stderr
