"""How fast trained models translate on this machine: engines and peers side by side, in one run.

    python benchmarks/decoding.py                     the model that ships and the sample corpus
    python benchmarks/decoding.py --model runs/x --source my.en --lines 1000 --json results.json --chart decoding.png
    python benchmarks/decoding.py --peer pytorch=/envs/torch/bin/python --peer joeynmt=/envs/joey/bin/python

Each contender is a process of its own. What is compared is asked in turn, every other time the other way round, once
more than `--repeats` says, for the first time does not count. Times are from ids to ids; only cold starts and the test
of memory go from text to text. The rate of a large matrix product, the ceiling, is measured before and after. Nothing
else should run meanwhile.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import measuring
import report
import workers
from measuring import PRETRAINED, ROOT, SAMPLE, percentile
from workers import HERE, Request, Worker

ENGINES = ("litert-int8", "litert-float32", "tensorflow", "saved_model")
NAIVE = ("keras-call", "keras-predict")
THREADED = ENGINES[:3]
PIECES = (5, 10, 20, 40, 80)
QUIET: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

EXPORT = """
import sys
from seq2seq import bundle, export
for form, precision in (("litert", "float32"), ("saved_model_ids", "")):
    export.export(bundle.load(sys.argv[1]), form, f"{sys.argv[2]}/{form}", precision=precision)
"""


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    lines: int
    single: int
    """Sentences that are translated one at a time."""
    naive: int
    cut: int
    """Sources of each length."""
    repeats: int
    batches: tuple[int, ...] = (8, 64, 0)
    beams: tuple[int, ...] = (1, 5)


class Bench:
    """One model and one file of sentences, with everything that translates them.

    Arguments:
        model: a model folder.
        source: sentences, one a line.
        sizes: how much is measured.
        peers: interpreters of other environments, by the name of the script that they run.
    """

    def __init__(self, model: Path, source: Path, sizes: Sizes, peers: dict[str, str]) -> None:
        self.model, self.source, self.sizes, self.peers = model, source, sizes, peers
        self.lines = measuring.read_lines(source, sizes.lines)
        self.tokenizer, self.network = measuring.network(model)
        self.sources = [list(self.tokenizer.encode(line)) for line in self.lines]
        self.steps: dict[int, list[int]] = {}

    def run(self) -> dict[str, Any]:
        """Everything; cold processes come first, while this one is small."""
        results: dict[str, Any] = {
            "machine": measuring.machine(),
            "recipe": {
                "command": " ".join(["python", *sys.argv]),
                "model": self.model.name,
                "network": self.network,
                "source": self.source.name,
                "lines": len(self.lines),
                "pieces": statistics.mean(map(len, self.sources)),
                "single": min(self.sizes.single, len(self.lines)),
                "repeats": self.sizes.repeats,
            },
        }
        results["busy"] = [measuring.busy()]
        say("cold processes")
        results["cold"] = [
            measuring.cold_start(self.model, self.lines[0], self.sizes.repeats, engine=engine)
            for engine in ("litert", "tensorflow")
        ]
        say("ceiling")
        results["ceiling"] = [measuring.ceilings()]
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            self.exports = Path(folder)
            say("exports")
            subprocess.run([sys.executable, "-c", EXPORT, str(self.model), folder], check=True, cwd=ROOT, **QUIET)
            started = [stack.enter_context(self.started(engine)) for engine in ENGINES]
            others = [stack.enter_context(self.peer(name)) for name in self.peers]
            results["recipe"]["peers"] = {worker.label: worker.about for worker in others}
            self.steps = {beam: self.lengths(started[0], beam) for beam in self.sizes.beams}
            results["recipe"]["target_pieces"] = {beam: statistics.mean(said) for beam, said in self.steps.items()}
            results["throughput"], results["latency"] = self.engines([*started, *others])
            results["lengths"] = self.by_length([worker for worker in started if worker.label in THREADED])
            results["threads"] = self.by_threads(started)
            results["naive"] = self.tutorial(started)
            results["ceiling"].append(measuring.ceilings())
            results["busy"].append(measuring.busy())
        return results

    def started(self, engine: str, threads: int = 2) -> Worker:
        """One of our engines, or the tutorial's loop."""
        command = [sys.executable, "contenders.py", engine, str(self.model), str(self.exports), str(threads)]
        return Worker(engine if threads == 2 else f"{engine}, {threads} thread", command, threads=threads)

    def peer(self, name: str) -> Worker:
        """The same network elsewhere."""
        return Worker(name, [self.peers[name], f"peer_{name}.py", json.dumps(self.network), "2"], threads=2)

    def lengths(self, worker: Worker, beam: int) -> list[int]:
        """Target pieces of each source with end of sentence, so that peers take as many steps."""
        return [len(ids) + 1 for ids in worker.ask(Request(self.sources, beam, 0, []))["outputs"]]

    def request(self, beam: int, batch: int, count: int) -> Request:
        return Request(self.sources[:count], beam, batch, self.steps[beam][:count])

    def engines(self, started: Sequence[Worker]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Sentences a second by engine, beam and batch, and how long one sentence takes."""
        throughput, latency = [], []
        for beam, batch in itertools.product(self.sizes.beams, (1, *self.sizes.batches)):
            say(f"engines, beam {beam}, batch {batch or 'file'}")
            count = self.sizes.single if batch == 1 else self.sizes.lines
            answers = workers.race(started, self.request(beam, batch, count), self.sizes.repeats)
            for engine, given in answers.items():
                row = {"engine": engine, "beam": beam}
                throughput.append(row | {"batch": batch, "sentences_per_s": rate(given), "peak_megabytes": peak(given)})
                if batch == 1:
                    latency.append(row | milliseconds(given))
        return throughput, latency

    def by_length(self, started: Sequence[Worker]) -> list[dict[str, Any]]:
        """Running text cut into sources of so many pieces each: one at a time, and all of a length at once."""
        text = list(itertools.chain.from_iterable(self.sources))
        rows = []
        for pieces in PIECES:
            say(f"{pieces} source pieces")
            starts = range(0, min(len(text) - pieces, pieces * self.sizes.cut), pieces)
            whole = [text[start : start + pieces] for start in starts]
            if not whole:  # a short text
                continue
            beam = self.sizes.beams[-1]
            one = workers.race(started, Request(whole[: max(2, self.sizes.cut // 4)], beam, 1, []), self.sizes.repeats)
            many = workers.race(started, Request(whole, beam, 0, []), self.sizes.repeats)
            for engine in one:
                said = statistics.mean(map(len, many[engine][0]["outputs"]))
                row = {"engine": engine, "beam": beam, "source_pieces": pieces, "target_pieces": said}
                rows.append(row | milliseconds(one[engine]) | {"sentences_per_s": rate(many[engine])})
        return rows

    def by_threads(self, started: Sequence[Worker]) -> list[dict[str, Any]]:
        """One thread and two."""
        rows = []
        beam = self.sizes.beams[-1]
        with contextlib.ExitStack() as stack:
            single = [stack.enter_context(self.started(engine, threads=1)) for engine in THREADED]
            both = [worker for pair in zip(single, started, strict=False) for worker in pair]
            say("one thread and two")
            many = workers.race(both, self.request(beam, 0, self.sizes.lines), self.sizes.repeats)
            one = workers.race(both, self.request(beam, 1, self.sizes.single), self.sizes.repeats)
            for each in both:
                row = {"engine": each.label.partition(",")[0], "threads": each.threads, "beam": beam}
                rows.append(row | {"sentences_per_s": rate(many[each.label])} | milliseconds(one[each.label]))
        return rows

    def tutorial(self, started: Sequence[Worker]) -> list[dict[str, Any]]:
        """A loop over the whole prefix, greedy, and two engines on the same sentences, one at a time."""
        with contextlib.ExitStack() as stack:
            loops = [stack.enter_context(self.started(name)) for name in NAIVE]
            say("the loop of tutorials")
            asked = self.request(self.sizes.beams[0], 1, self.sizes.naive)
            compared = [worker for worker in started if worker.label in ("litert-int8", "tensorflow")]
            answers = workers.race([*compared, *loops], asked, self.sizes.repeats)
        exact = answers["tensorflow"][0]["outputs"]
        quick = rate(answers["litert-int8"])
        return [
            {"engine": engine, "sentences": len(asked.sources), "sentences_per_s": rate(given)}
            | {"times_slower_than_int8": quick / rate(given)}
            | {"same_as_tensorflow": sum(map(list.__eq__, given[0]["outputs"], exact))}
            | milliseconds(given)
            for engine, given in answers.items()
        ]


def rate(answers: Sequence[dict[str, Any]]) -> float:
    """Sentences a second, the median of the repeats."""
    return statistics.median(len(each["outputs"]) / sum(each["seconds"]) for each in answers)


def peak(answers: Sequence[dict[str, Any]]) -> float:
    return max(each["memory"]["peak"] for each in answers)


def milliseconds(answers: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Of single sentences, over all repeats."""
    times = [1e3 * seconds for each in answers for seconds in each["seconds"]]
    return {"median_ms": percentile(times, 0.5), "p95_ms": percentile(times, 0.95), "p99_ms": percentile(times, 0.99)}


def memory(model: Path, source: Path, lines: int) -> list[dict[str, Any]]:
    """See footprint.py."""
    say(f"memory of {lines:,} lines")
    command = [sys.executable, "footprint.py", str(model), str(source), str(lines)]
    done = subprocess.run(command, check=True, cwd=HERE, stdout=subprocess.PIPE, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=PRETRAINED, help="a model folder")
    parser.add_argument("--source", type=Path, default=SAMPLE, help="sentences, one a line")
    parser.add_argument("--lines", type=int, default=200, help="sentences that are translated in batches")
    parser.add_argument("--single", type=int, default=100, help="sentences that are translated one at a time")
    parser.add_argument("--naive", type=int, default=5, help="sentences for the loop of Keras' tutorials")
    parser.add_argument("--cut", type=int, default=32, help="sources of each length")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--lines-of-memory-test", type=int, default=10_000)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON", help="see benchmarks/README.md")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    parser.add_argument("--chart", type=Path, help="draw the figures here, as PNG")
    arguments = parser.parse_args()
    if not arguments.model.exists():
        parser.error(f"--model must be a model folder. Received: {arguments.model}")
    peers = workers.peers(parser, arguments.peer)
    sizes = Sizes(arguments.lines, arguments.single, arguments.naive, arguments.cut, arguments.repeats)
    model, source = arguments.model.resolve(), arguments.source.resolve()
    results = Bench(model, source, sizes, peers).run()
    results["memory"] = memory(model, source, arguments.lines_of_memory_test)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    if arguments.chart:
        report.chart(results, arguments.chart)
    print(report.markdown(results))


if __name__ == "__main__":
    main()
