"""How fast a network is trained on this machine: ours and peers side by side, in one run.

    python benchmarks/training.py                     sizes and tokenizer of the model that ships, and the sample corpus
    python benchmarks/training.py --source my.en --target my.de --peer pytorch=/envs/torch/bin/python --peer joeynmt=...

Each contender is a process of its own, with random weights. All take the same steps, on the same batches, in turn and
every other time the other way round, once more than `--repeats` says, for the first time does not count. A step is
forward, backward, a clipped gradient and Adam, with dropout and smoothed labels. The rate of a large matrix product,
the ceiling, is measured before and after. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import measuring
import report
import workers
from measuring import PRETRAINED, SAMPLE
from workers import Lesson

THREADS = "2"
DROPOUT = 0.3
RATE = "target_tokens_per_s"


def lesson(arguments: argparse.Namespace, tokenizer: Any) -> Lesson:
    """Batches as a training makes them: pairs of like length, drawn from all lengths of the corpus."""
    from seq2seq import batches
    from seq2seq.tokenizer import EOS

    lines = [path.read_text(encoding="utf-8").splitlines() for path in (arguments.source, arguments.target)]
    pairs = batches.Pairs(*(batches.encode(each, tokenizer) for each in lines))
    plan = batches.plan(pairs.keep(batches.within(pairs, 100)), arguments.batch_tokens, seed=1)[: arguments.batches]

    def ids(sentence: Any) -> list[int]:
        return [int(each) for each in sentence if each != EOS]

    return Lesson([[(ids(pairs.source[row]), ids(pairs.target[row])) for row in rows] for rows in plan])


def measure(arguments: argparse.Namespace, peers: dict[str, str]) -> dict[str, Any]:
    """Target tokens a second of every contender."""
    tokenizer, sizes = measuring.network(arguments.model)
    asked = lesson(arguments, tokenizer)
    tokens = [sum(len(target) + 1 for _, target in pairs) for pairs in asked.batches]
    results: dict[str, Any] = {
        "machine": measuring.machine(),
        "recipe": {
            "command": " ".join(["python", *sys.argv]),
            "network": sizes,
            "source": arguments.source.name,
            "tokens": tokens,
            "repeats": arguments.repeats,
        },
        "busy": [measuring.busy()],
        "ceiling": [measuring.ceilings()],
    }
    told = json.dumps(sizes | {"dropout": DROPOUT})
    ours = {f"seq2seq, {kind}": [sys.executable, "learner.py", told, THREADS, kind] for kind in arguments.precision}
    others = {name: [python, f"peer_{name}.py", told, THREADS, "learn"] for name, python in peers.items()}
    with contextlib.ExitStack() as stack:
        started = [
            stack.enter_context(workers.Worker(label, command, threads=int(THREADS)))
            for label, command in (ours | others).items()
        ]
        answers = workers.race(started, asked, arguments.repeats)
    results["ceiling"].append(measuring.ceilings())
    results["busy"].append(measuring.busy())
    results["rates"] = [
        {"contender": each.label, **each.about, RATE: rate(tokens, answers[each.label])} for each in started
    ]
    add_ratios(results, 6 * measuring.multiplications(**sizes))
    return results


def rate(tokens: Sequence[int], answers: Sequence[dict[str, Any]]) -> float:
    """Target tokens a second over all batches, the median of the repeats."""
    return statistics.median(sum(tokens) / sum(each["seconds"]) for each in answers)


def add_ratios(results: dict[str, Any], flop_per_token: int) -> None:
    """To each rate how many times the last one's it is and, where it is our network, its share of the ceiling."""
    rates = results["rates"]
    for row in rates:
        row["ratio"] = row[RATE] / rates[-1][RATE]
        kind = "bfloat16" if "bfloat16" in row["version"] else "float32"
        ceiling = statistics.mean(each[kind] for each in results["ceiling"])
        same_network = row["contender"] != "joeynmt"
        row["share"] = f"{row[RATE] * flop_per_token / ceiling / 1e9:.0%}" if same_network else ""


def markdown(results: dict[str, Any]) -> str:
    """The figures as a table, with what they were taken on."""
    recipe, columns = results["recipe"], {"contender": "contender", "version": "version", "parameters": "parameters"}
    columns |= {"target tokens a second": RATE, f"times {results['rates'][-1]['contender']}": "ratio"}
    return "\n\n".join(
        [
            report.machine(results),
            f"{recipe['network']}; {len(recipe['tokens'])} batches of {statistics.mean(recipe['tokens']):,.0f} "
            f"target tokens of {recipe['source']}; {recipe['repeats']} repeats, medians; {THREADS} threads",
            *report.conditions(results),
            report.listed(results["rates"], columns | {"share of the ceiling": "share"}),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=PRETRAINED, help="a model folder, for its tokenizer and sizes")
    parser.add_argument("--source", type=Path, default=SAMPLE, help="sentences, one a line")
    parser.add_argument("--target", type=Path, default=SAMPLE.with_suffix(".de"), help="their translations")
    parser.add_argument("--batch-tokens", type=int, default=1200)
    parser.add_argument("--batches", type=int, default=16, help="steps of each turn")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--precision", nargs="+", default=["auto"], choices=["auto", "bfloat16", "float32"], help="ours"
    )
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON", help="see benchmarks/README.md")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    arguments = parser.parse_args()
    if not arguments.model.exists():
        parser.error(f"--model must be a model folder. Received: {arguments.model}")
    results = measure(arguments, workers.peers(parser, arguments.peer))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(markdown(results))


if __name__ == "__main__":
    main()
