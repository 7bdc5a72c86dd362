"""The memory of a training by the size of its corpus: made-up pairs through `pipeline.train`, phase by phase.

    python benchmarks/large.py --pairs 1000000 10000000 --folder /a/disk/with/room --json large.json

Pairs of made-up words, no two alike, are written to files; a process of its own trains a tiny network on them, as
`seq2seq train` does, and stops after `--steps` steps. Meanwhile its anonymous memory is read all the time: what
it cannot give back, so without the pages of files that the system keeps while there is room. Two sizes or more give the
bytes that a pair takes. Needs Linux, and 400 bytes of disk a pair.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from measuring import machine

SYLLABLES = ("ba", "ce", "do", "fu", "ga", "hi", "jo", "ku", "la", "me", "no", "pi", "ra", "se", "to", "vu")
PHASES = {
    "take_in": "prepare: read and clean",
    "_divide": "prepare: duplicates and groups",
    "_write": "prepare: write",
    "learn": "tokenizer",
    "encode": "encode",
    "check": "preflight",
    "plan": "plan",
    "_epoch": "train",
}
"""The function that each phase is the time of; all else is called "between"."""
BETWEEN = "between"
MARK = re.compile(r"phase (.+)")
SETTINGS = {
    "source_language": "xa",
    "target_language": "xb",
    "model": {"embedding": 16, "units": 32, "decoder_layers": 1},
    "training": {"epochs": 1},
}


class Peak(NamedTuple):
    """A phase: how long it took, and the most memory in it, in MB."""

    seconds: float = 0.0
    anonymous: float = 0.0
    files: float = 0.0


def words(consonants_first: bool) -> list[str]:
    """4,096 words, each other than those of the other language."""
    parts = SYLLABLES if consonants_first else [part[::-1] for part in SYLLABLES]
    return ["".join(three) for three in itertools.product(parts, repeat=3)]


def pairs(count: int, seed: int = 1) -> Iterator[tuple[str, str]]:
    """Sentences of 5 to 12 words and the same in another language, backwards; the first two words number the pair."""
    import numpy as np

    draw, (one, other) = np.random.default_rng(seed), (words(True), words(False))
    size = len(one)
    for begin in range(0, count, 1 << 16):
        numbers = (np.arange(begin, min(count, begin + (1 << 16))) * 7_368_787 + 99) % size**2
        more = (size * draw.random((len(numbers), 10)) ** 3).astype(int)  # some words often
        lengths = draw.integers(3, 11, len(numbers)).tolist()
        rows = np.column_stack([numbers // size, numbers % size, more]).tolist()
        for row, length in zip(rows, lengths, strict=True):
            chosen = row[: 2 + length]
            yield " ".join([one[word] for word in chosen]), " ".join([other[word] for word in reversed(chosen)])


def generate(count: int, folder: Path) -> None:
    """The pairs as two aligned files."""
    with (folder / "in.xa").open("w") as source, (folder / "in.xb").open("w") as target:
        rest = pairs(count)
        while block := list(itertools.islice(rest, 1 << 14)):
            source.write("\n".join([pair[0] for pair in block]) + "\n")
            target.write("\n".join([pair[1] for pair in block]) + "\n")


def train(folder: Path, steps: int) -> None:
    """The process that is measured: tells on stdout where each phase begins and ends."""
    from seq2seq import batches, pipeline, preflight, training
    from seq2seq.corpus import preparation
    from seq2seq.pipeline import vocabulary

    stack = [BETWEEN]

    def marked(phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            stack.append(phase)
            print("phase", phase, flush=True)
            try:
                return function(*arguments, **more)
            finally:
                stack.pop()
                print("phase", stack[-1], flush=True)

        return call

    places = (preparation, preparation, preparation, vocabulary, batches, preflight, batches, training.Trainer)
    for place, (name, phase) in zip(places, PHASES.items(), strict=True):
        setattr(place, name, marked(phase, getattr(place, name)))
    look, number = training.divergence.in_step, itertools.count(1)

    def in_step(*values: float) -> str:
        if next(number) == steps:
            training.STOP.set()
        return look(*values)

    training.divergence.in_step = in_step
    files = pipeline.Files(folder / "in.xa", folder / "in.xb")
    try:
        pipeline.train(files, folder / "run", settings=SETTINGS, say=lambda line: print(line, flush=True))
    except pipeline.Interrupted:
        print(f"stopped after {steps} steps")


def held(process: int) -> tuple[float, float]:
    """MB of anonymous memory and of pages of files that a process and those that it started hold."""
    totals = [0.0, 0.0]
    try:
        status = Path(f"/proc/{process}/status").read_text()
        for place, name in enumerate(("RssAnon", "RssFile")):
            found = re.search(rf"{name}:\s+(\d+)", status)
            totals[place] = int(found[1]) / 1024 if found else 0.0
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:  # it has just ended
        return totals[0], totals[1]
    for more in map(held, map(int, children)):
        totals = [one + other for one, other in zip(totals, more, strict=True)]
    return totals[0], totals[1]


def measure(count: int, folder: Path, steps: int) -> dict[str, Peak]:
    """A training on so many pairs."""
    begun = time.perf_counter()
    generate(count, folder)
    peaks, phase = {"generate, before": Peak(time.perf_counter() - begun)}, BETWEEN
    command = [sys.executable, __file__, "--child", str(folder), "--steps", str(steps)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        lines: list[str] = []
        reader = threading.Thread(target=_follow, args=(process.stdout, lines), daemon=True)
        reader.start()
        last = time.perf_counter()
        while process.poll() is None:
            time.sleep(0.05)
            now, before = time.perf_counter(), peaks.get(phase, Peak())
            anonymous, files = held(process.pid)
            peaks[phase] = Peak(before.seconds + now - last, max(before.anonymous, anonymous), max(before.files, files))
            last, phase = now, lines[-1] if lines else phase
        reader.join()
    if process.returncode or PHASES["_epoch"] not in peaks:
        raise SystemExit(f"The training must end by itself. Received: exit status {process.returncode}, at {phase}")
    return {each: peaks.get(each, Peak()) for each in dict.fromkeys([*peaks, *lines])}  # some are too quick to be seen


def _follow(stream: Any, phases: list[str]) -> None:
    """Phases go to a list, all else to stderr."""
    for line in stream:
        if found := MARK.match(line):
            phases.append(found[1])
        else:
            print(line, end="", file=sys.stderr, flush=True)


def table(found: dict[int, dict[str, Peak]]) -> str:
    """As Markdown; the last column compares the smallest size with the largest."""
    sizes = sorted(found)
    head = ["phase", *(f"{size:,}: s | MB | MB of files" for size in sizes)]
    lines = [" | ".join(["", *head, "bytes a pair", ""]), "|---" + "|---:" * (3 * len(sizes) + 1) + "|"]
    for phase in found[sizes[0]]:
        row = [found[size].get(phase, Peak()) for size in sizes]
        cells = [f"{each.seconds:,.0f} | {each.anonymous:,.0f} | {each.files:,.0f}" for each in row]
        more = (row[-1].anonymous - row[0].anonymous) * (1 << 20) / max(1, sizes[-1] - sizes[0])
        lines.append(" | ".join(["", phase, *cells, f"{more:.1f}" if len(sizes) > 1 else "", ""]))
    return "\n".join(line.strip() for line in lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--folder", type=Path, help="where there is room; else where temporary files go")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.child:
        train(given.child, given.steps)
        return
    found = {}
    for count in given.pairs:
        folder = Path(tempfile.mkdtemp(prefix="large.", dir=given.folder))
        try:
            found[count] = measure(count, folder, given.steps)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        print(table(found), flush=True)
        if given.json:
            rows = {str(size): {phase: peak._asdict() for phase, peak in each.items()} for size, each in found.items()}
            given.json.write_text(json.dumps({"machine": machine(), "steps": given.steps, "pairs": rows}, indent=2))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
