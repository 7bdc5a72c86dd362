"""A process that works for a benchmark, seen from both sides of the pipe: `Worker` asks, `serve` or `teach` answers.

It owns how batches are made and timed, the same for every contender; it does not know what decodes or learns them.
Importing it needs the standard library alone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import measuring

Ids = Sequence[int]
Decode = Callable[[list[Ids], int, int], list[list[int]]]
"""Sources without end of sentence, a beam and a number of steps, to pieces without end of sentence."""
Learn = Callable[[list[tuple[Ids, Ids]]], Any]
"""Takes one step of training on a batch of pairs, both sides without end of sentence; done when it returns."""

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Request:
    """What is to be decoded."""

    sources: list[list[int]]
    beam: int
    batch: int
    """Sources at a time, in their order; 0 means all at once, as a file is translated."""
    steps: list[int]
    """Target pieces of each source, end of sentence included, for peers that have no trained weights to end by."""


@dataclass(frozen=True)
class Lesson:
    """What is to be learned."""

    batches: list[list[tuple[list[int], list[int]]]]
    """Pairs of source and target, a step of training for each batch."""


class Worker:
    """A contender in a process of its own, so that none pays for the threads and the memory of another; `with` ends it.

    Arguments:
        label: what tables call it.
        command: starts it.
        threads: processor threads that the command was told to use.
    """

    def __init__(self, label: str, command: Sequence[str], *, threads: int) -> None:
        self.label, self.threads = label, threads
        environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  it lives as long as the process
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self._errors}
        self._process: Any = subprocess.Popen(command, text=True, cwd=HERE, env=environment, **pipes)
        self.about: dict[str, Any] = self._answer()

    def ask(self, request: Request | Lesson) -> dict[str, Any]:
        """Seconds of each batch, the pieces of each source that was to be decoded, and megabytes held by then."""
        print(json.dumps(asdict(request)), file=self._process.stdin, flush=True)
        return self._answer()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            raise RuntimeError(f"{self.label} must answer. Received: its end, and\n{self._errors.read()[-2000:]}")
        return json.loads(line)


def serve(decode: Decode, *, most: int = 0, **about: Any) -> None:
    """Answers requests to decode until there are none.

    Arguments:
        decode: translates one batch.
        most: what sources a file's batches are made of, sorted by length; 0 where `decode` does that itself.
        about: what the parent is told first.
    """

    def decoded(asked: dict[str, Any]) -> dict[str, Any]:
        request = Request(**asked)
        groups = list(_groups(request, most))

        def run(rows: list[int]) -> list[list[int]]:
            steps = max(request.steps[row] for row in rows) if request.steps else 0
            return decode([request.sources[row] for row in rows], request.beam, steps)

        calls = measuring.timed_each(run, groups)
        outputs: dict[int, list[int]] = {}
        for rows, (_, found) in zip(groups, calls, strict=True):
            outputs |= zip(rows, found, strict=True)
        return {
            "seconds": [seconds for seconds, _ in calls],
            "outputs": [outputs[row] for row in range(len(request.sources))],
        }

    _answer_all(decoded, about)


def teach(learn: Learn, **about: Any) -> None:
    """Learns lessons until there are none; `about` is what the parent is told first."""

    def learned(asked: dict[str, Any]) -> dict[str, Any]:
        return {"seconds": [seconds for seconds, _ in measuring.timed_each(learn, Lesson(**asked).batches)]}

    _answer_all(learned, about)


def _answer_all(answer: Callable[[dict[str, Any]], dict[str, Any]], about: dict[str, Any]) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    print(json.dumps(about), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line)) | {"memory": measuring.memory()}), file=answers, flush=True)


def _groups(request: Request, most: int) -> Iterator[list[int]]:
    rows = list(range(len(request.sources)))
    if not request.batch and most:
        rows.sort(key=lambda row: len(request.sources[row]))
    size = request.batch or most or len(rows)
    for begin in range(0, len(rows), size):
        yield rows[begin : begin + size]


def race(workers: Sequence[Worker], request: Request | Lesson, repeats: int) -> dict[str, list[dict[str, Any]]]:
    """The answers of every worker by label, asked in turn and every other time the other way round; the first of each
    is not among them."""
    answers: dict[str, list[dict[str, Any]]] = {worker.label: [] for worker in workers}
    for turn in range(repeats + 1):
        for worker in workers if turn % 2 else workers[::-1]:
            answer = worker.ask(request)
            if turn:
                answers[worker.label].append(answer)
    return answers


def peers(parser: argparse.ArgumentParser, given: Sequence[str]) -> dict[str, str]:
    """NAME=PYTHON of `--peer`: interpreters of other environments, by the name of the script that they run."""
    named = dict(each.split("=", 1) for each in given if "=" in each)
    wrong = [name for name in named if not (HERE / f"peer_{name}.py").exists()]
    if wrong or len(named) < len(given):
        parser.error(f"--peer must be pytorch=PYTHON or joeynmt=PYTHON. Received: {given}")
    return named
