"""The benchmarks run, and every row that they promise is there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("tensorflow")

from safetensors.numpy import save

from seq2seq import bundle, inference
from seq2seq.config import build
from seq2seq.export import litert
from seq2seq.inference import Inference
from seq2seq.model import Seq2Seq
from seq2seq.tokenizer import Tokenizer, train

ENGINES = {"litert-int8", "litert-float32", "tensorflow", "saved_model"}
LOOPS = {"keras-call", "keras-predict"}


@pytest.fixture(scope="module")
def source(root, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("source") / "few.en"
    path.write_text("\n".join((root / "data" / "sample.en").read_text(encoding="utf-8").split("\n")[:60]))
    return path


@pytest.fixture(scope="module")
def model(source, tmp_path_factory) -> Path:
    """A tiny network with random weights, as a folder."""
    tokenizer = train(source.read_text(encoding="utf-8").split("\n"), vocabulary=300)
    settings = {"model": {"embedding": 12, "units": 16}, "source_language": "en", "target_language": "de"}
    config = build(settings | {"search": {"max_length": 12}})
    network = Seq2Seq(config.model, len(Tokenizer(tokenizer)))
    weights = {weight.path: 8 * weight.numpy() for weight in network.weights}  # far from ties
    files = {
        "tokenizer.model": tokenizer,
        "weights.safetensors": save(weights),
        "model.tflite": litert(Inference(inference.build(config, weights))),
    }
    folder = tmp_path_factory.mktemp("model") / "tiny"
    return bundle.write(folder, config=config, files=files, provenance={}, scores=[]).path


@pytest.fixture(scope="module")
def run(root, model, source, tmp_path_factory):
    """One run of everything: the figures, what was printed, and the chart."""
    folder = tmp_path_factory.mktemp("figures")
    sizes = {"lines": 10, "single": 2, "naive": 1, "cut": 2, "repeats": 1, "lines-of-memory-test": 80}
    command = [sys.executable, "benchmarks/decoding.py", "--model", model, "--source", source]
    command += ["--json", folder / "figures.json", "--chart", folder / "chart.png"]
    command += [part for name, value in sizes.items() for part in (f"--{name}", str(value))]
    done = subprocess.run(command, cwd=root, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "figures.json").read_text()), done.stdout, folder / "chart.png"


def numbers(value: object) -> list[float]:
    """All numbers in a result."""
    if isinstance(value, dict | list):
        return [number for each in (value.values() if isinstance(value, dict) else value) for number in numbers(each)]
    return [value] if isinstance(value, int | float) else []


@pytest.mark.whole  # a dozen processes, each with an engine
class TestDecoding:
    def test_every_engine_is_measured_with_every_beam_and_batch(self, run) -> None:
        rows = [(row["engine"], row["beam"], row["batch"]) for row in run[0]["throughput"]]
        assert sorted(rows) == sorted(
            (engine, beam, batch) for engine in ENGINES for beam in (1, 5) for batch in (0, 1, 8, 64)
        )

    def test_every_engine_has_a_latency_for_every_beam(self, run) -> None:
        rows = [(row["engine"], row["beam"]) for row in run[0]["latency"]]
        assert sorted(rows) == sorted((engine, beam) for engine in ENGINES for beam in (1, 5))
        assert all(row["median_ms"] <= row["p95_ms"] <= row["p99_ms"] for row in run[0]["latency"])

    def test_lengths_threads_loops_cold_starts_and_memory_are_there(self, run) -> None:
        figures = run[0]
        assert {row["source_pieces"] for row in figures["lengths"]} == {5, 10, 20, 40, 80}
        assert {(row["engine"], row["threads"]) for row in figures["threads"]} == {
            (engine, threads) for engine in ENGINES - {"saved_model"} for threads in (1, 2)
        }
        assert {row["engine"] for row in figures["naive"]} == {"litert-int8", "tensorflow"} | LOOPS
        assert [row["engine"] for row in figures["cold"]] == ["litert", "tensorflow"]
        assert [row["lines"] for row in figures["memory"]] == [80]

    def test_every_figure_is_positive(self, run) -> None:
        for name in ("throughput", "latency", "threads", "cold", "memory", "ceiling"):
            measured = [{key: value for key, value in row.items() if key != "batch"} for row in run[0][name]]
            assert measured and all(number > 0 for number in numbers(measured)), name

    def test_the_loop_of_tutorials_says_what_greedy_search_says(self, run) -> None:
        same = {row["engine"]: (row["same_as_tensorflow"], row["sentences"]) for row in run[0]["naive"]}
        assert all(same[loop] == (1, 1) for loop in LOOPS)

    def test_machine_versions_and_recipe_travel_with_the_figures(self, run) -> None:
        figures, printed, chart = run
        assert figures["machine"]["ai-edge-litert"] in printed
        assert {"command", "model", "source", "lines", "repeats", "network"} <= set(figures["recipe"])
        assert len(figures["busy"]) == len(figures["ceiling"]) == 2
        assert all(f"| {engine} | 5 |" in printed for engine in ENGINES)
        assert chart.read_bytes().startswith(b"\x89PNG")


def test_a_model_that_is_not_there_is_one_sentence(root, tmp_path) -> None:
    command = [sys.executable, "benchmarks/decoding.py", "--model", tmp_path / "none"]
    done = subprocess.run(command, cwd=root, check=False, capture_output=True, text=True)
    assert done.returncode == 2 and "--model must be a model folder. Received:" in done.stderr
