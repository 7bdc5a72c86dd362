"""A process that decodes for a benchmark, seen from both sides of the pipe: `Worker` asks, `serve` answers.

It owns how sources are put into batches and timed, the same for every contender; it does not know what decodes them.
Importing it needs the standard library alone.
"""

from __future__ import annotations

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


class Worker:
    """A contender in a process of its own, so that none pays for the threads and the memory of another.

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

    def ask(self, request: Request) -> dict[str, Any]:
        """Seconds of each batch, the pieces of each source, and megabytes held by then."""
        print(json.dumps(asdict(request)), file=self._process.stdin, flush=True)
        return self._answer()

    def close(self) -> None:
        """Ends the process."""
        self._process.communicate()

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            raise RuntimeError(f"{self.label} must answer. Received: its end, and\n{self._errors.read()[-2000:]}")
        return json.loads(line)


def serve(decode: Decode, *, most: int = 0, **about: Any) -> None:
    """Answers requests until there are none.

    Arguments:
        decode: translates one batch.
        most: what sources a file's batches are made of, sorted by length; 0 where `decode` does that itself.
        about: what the parent is told first.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    print(json.dumps(about), file=answers, flush=True)
    for line in sys.stdin:
        request = Request(**json.loads(line))
        groups = list(_groups(request, most))

        def run(rows: list[int], request: Request = request) -> list[list[int]]:
            steps = max(request.steps[row] for row in rows) if request.steps else 0
            return decode([request.sources[row] for row in rows], request.beam, steps)

        calls = measuring.timed_each(run, groups)
        outputs: dict[int, list[int]] = {}
        for rows, (_, found) in zip(groups, calls, strict=True):
            outputs |= zip(rows, found, strict=True)
        answer = {
            "seconds": [seconds for seconds, _ in calls],
            "outputs": [outputs[row] for row in range(len(request.sources))],
            "memory": measuring.memory(),
        }
        print(json.dumps(answer), file=answers, flush=True)


def _groups(request: Request, most: int) -> Iterator[list[int]]:
    rows = list(range(len(request.sources)))
    if not request.batch and most:
        rows.sort(key=lambda row: len(request.sources[row]))
    size = request.batch or most or len(rows)
    for begin in range(0, len(rows), size):
        yield rows[begin : begin + size]


def race(workers: Sequence[Worker], request: Request, repeats: int) -> dict[str, list[dict[str, Any]]]:
    """The answers of every worker by label, asked in turn and every other time the other way round; the first of each
    is not among them."""
    answers: dict[str, list[dict[str, Any]]] = {worker.label: [] for worker in workers}
    for turn in range(repeats + 1):
        for worker in workers if turn % 2 else workers[::-1]:
            answer = worker.ask(request)
            if turn:
                answers[worker.label].append(answer)
    return answers
