"""The memory of a process that translates a long file line by line: python footprint.py MODEL SOURCE LINES.

Prints one line of JSON for 1,000, 10,000, ... lines and for all: megabytes held and at the peak, and lines a second.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import measuring

from seq2seq import Translator


def endless(lines: Sequence[str]) -> Iterator[str]:
    """The lines, and then the first half of one with the second half of another, all pairs of them."""
    halves = [line.split() for line in lines]
    yield from lines
    for shift in range(1, len(lines)):
        for row, words in enumerate(halves):
            other = halves[(row + shift) % len(lines)]
            yield " ".join(words[: -(-len(words) // 2)] + other[-(-len(other) // 2) :])


def main(model: Path, source: Path, total: int) -> None:
    lines = measuring.read_lines(source, 1000)
    translator = Translator.load(model)
    begun = time.perf_counter()
    text = (line for line, _ in zip(endless(lines), range(total), strict=False))
    for number, _ in enumerate(translator.stream(text), start=1):
        if number == total or (number >= 1000 and str(number).strip("0") == "1"):
            seconds = time.perf_counter() - begun
            print(json.dumps({"lines": number, "sentences_per_s": number / seconds} | measuring.memory()), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
