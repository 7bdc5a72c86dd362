"""How fast the toolkit is on this machine: training, decoding, one sentence, cold start, memory.

    python benchmarks/speed.py                        all of it, with the model that ships and the sample corpus
    python benchmarks/speed.py --model runs/x --source my.en --json results.json

Absolute figures depend on the machine and drift on a shared one. So the rate of a large float32 matrix product, the
ceiling, is measured before and after everything else, and every figure that is made of matrix products is given as a
share of it too. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measuring import (
    PRETRAINED,
    SAMPLE,
    ceiling,
    cold_start,
    machine,
    memory,
    multiplications,
    network,
    percentile,
    read_lines,
    timed,
    timed_each,
)


def training(path: Path, lines: Sequence[str], repeats: int) -> dict[str, Any]:
    """Target tokens a second of the compiled training step as `seq2seq train` runs it, padding not counted."""
    import learner
    import numpy as np

    from seq2seq import batches, bundle

    resolved = bundle.load(path).config
    tokenizer, sizes = network(path)
    model, step = learner.step(resolved, len(tokenizer))
    side = batches.encode(lines, tokenizer)
    pairs = batches.Pairs(side, side)
    plan = batches.plan(pairs, resolved.training.batch_tokens, seed=1)
    made = [batches.batch(pairs, rows) for rows in plan[: repeats + 2]]
    for batch in made[:2]:
        step(*batch)
    rates = []
    for batch in made[2:]:
        begun = time.perf_counter()
        step(*batch)[0].numpy()
        rates.append(int(np.count_nonzero(batch.target_out)) / (time.perf_counter() - begun))
    return {
        "precision": model.dtype_policy.compute_dtype,
        "target_tokens_per_s": statistics.median(rates),
        "flop_per_token": 6 * multiplications(**sizes),
        "batches": len(rates),
    }


def decoding(translator: Any, lines: Sequence[str], beam: int, repeats: int) -> dict[str, Any]:
    """Sentences a second over all lines at once, and the latency of one line at a time."""
    import msgspec

    search = msgspec.structs.replace(translator.config.search, beam=beam, n_best=1)
    seconds = timed(lambda: translator(list(lines), search=search), repeats)
    translator(lines[0], search=search)
    single = [seconds for seconds, _ in timed_each(lambda line: translator(line, search=search), lines[:200])]
    return {
        "engine": translator.engine_name,
        "beam": beam,
        "sentences_per_s": len(lines) / statistics.median(seconds),
        "one_sentence_ms": {"median": 1e3 * statistics.median(single), "p95": 1e3 * percentile(single, 0.95)},
    }


def measure(model: Path, source: Path, count: int, repeats: int) -> dict[str, Any]:
    """Everything, in one run."""
    from seq2seq import Translator

    lines = read_lines(source, count)
    # The cold process comes first: its memory must not be ours, which fork would hand down.
    results: dict[str, Any] = {"machine": machine(), "model": model.name, "source": source.name, "lines": len(lines)}
    results["cold_start"] = cold_start(model, lines[0], repeats)
    results["ceiling_gflops"] = [ceiling() / 1e9]
    translator = Translator.load(model)
    results["decoding"] = [decoding(translator, lines, beam, repeats) for beam in (1, 5)]
    results["decoding"] += [
        decoding(Translator.load(model, engine="tensorflow"), lines, beam, repeats) for beam in (1, 5)
    ]
    results["training"] = training(model, lines * (1 + 40_000 // (10 * len(lines))), 4 * repeats)
    results["ceiling_gflops"].append(ceiling() / 1e9)
    trained = results["training"]
    trained["ceiling_gflops"] = ceiling(trained["precision"]) / 1e9
    trained["share_of_ceiling"] = (
        trained["target_tokens_per_s"] * trained["flop_per_token"] / (trained["ceiling_gflops"] * 1e9)
    )
    results["process_peak_megabytes"] = memory()["peak"]
    return results


def table(results: dict[str, Any]) -> str:
    """The results as Markdown."""
    low, high = sorted(results["ceiling_gflops"])
    cold, trained = results["cold_start"], results["training"]
    rows = [
        f"{results['machine']['processor']}, {results['machine']['cores']} cores; model {results['model']}, "
        f"{results['lines']} lines of {results['source']}",
        "",
        "| what | value |",
        "|---|---|",
        f"| matrix-product ceiling, float32 | {low:.0f} to {high:.0f} GFLOP/s |",
        f"| training in {trained['precision']}, target tokens a second | {trained['target_tokens_per_s']:,.0f} "
        f"({trained['share_of_ceiling']:.0%} of the {trained['ceiling_gflops']:.0f} GFLOP/s of such a product) |",
    ]
    for row in results["decoding"]:
        name, latency = f"{row['engine']}, beam {row['beam']}", row["one_sentence_ms"]
        rows.append(f"| {name}, sentences a second | {row['sentences_per_s']:,.0f} |")
        rows.append(f"| {name}, one sentence, median (p95) | {latency['median']:.1f} ms ({latency['p95']:.1f}) |")
    rows.append(
        f"| cold process to first translation and exit | {cold['seconds']:.2f} s, {cold['peak_megabytes']:.0f} MB |"
    )
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=PRETRAINED, help="a model folder")
    parser.add_argument("--source", type=Path, default=SAMPLE, help="sentences, one a line")
    parser.add_argument("--lines", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    arguments = parser.parse_args()
    if not arguments.model.exists():
        parser.error(f"--model must be a model folder. Received: {arguments.model}")
    results = measure(arguments.model, arguments.source, arguments.lines, arguments.repeats)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(table(results))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
