"""The engine for processors: LiteRT runs the compiled graph, without TensorFlow.

It owns interpreters and which thread may use one; it does not know what the graph computes.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from seq2seq.bundle import SIGNATURES
from seq2seq.config import SearchConfig
from seq2seq.engine import batching, looking
from seq2seq.engine.batching import Arrays, Demands, EngineError, Hypothesis, Job, Room, RunError, Told, first_line
from seq2seq.engine.demands import NOTHING
from seq2seq.engine.looking import USUAL, Aim

ROOM = Room(rows=20, hypotheses=40)
"""What a batch needs must stay in a core's own cache: with 64 sentences a beam of 5 took half as long again."""


class LiteRTEngine:
    """Runs the compiled graph of a model folder on the processor.

    One batch is run with all threads, several side by side with one thread each, be they of one call or of several
    callers, which is quicker together: only the matrix products inside a graph can be shared among threads. An
    interpreter is used by one thread at a time (two would end the process): each batch borrows one, and one more is
    made when all are in use.

    Arguments:
        model: the content of `model.tflite`, with `SIGNATURES`.
        threads: processor threads; None means all cores, at most four.

    Raises:
        EngineError: LiteRT is not installed or cannot run the graph.
    """

    def __init__(self, model: bytes, *, threads: int | None = None) -> None:
        self.told: Told = bool
        self._model = model
        self._threads = threads or min(_cores(), 4)
        self.places = max(2, _cores())
        self._free = threading.BoundedSemaphore(self.places)
        self._lock = threading.Lock()
        self._wanted = 0  # batches that run or wait for a place
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="litert")
        self._idle: dict[int, list[_Sized]] = {1: [], self._threads: []}  # by their threads
        self._idle[self._threads].append(self._interpreter(self._threads))
        kinds = {tensor["dtype"] for tensor in self._idle[self._threads][0].interpreter.get_tensor_details()}
        signatures = self._idle[self._threads][0].interpreter.get_signature_list()
        self._inputs = {name: frozenset(each["inputs"]) for name, each in signatures.items()}
        self._name = f"litert-{next((kind for kind in ('int8', 'float16') if np.dtype(kind).type in kinds), 'float32')}"

    @property
    def name(self) -> str:
        """ "litert-int8", "litert-float16" or "litert-float32", for its weights."""
        return self._name

    def translate(
        self, sources: Sequence[Sequence[int]], search: SearchConfig, demands: Sequence[Demands] = ()
    ) -> list[list[Hypothesis]]:
        """See `Engine`."""
        return batching.translate(self._run, sources, search, demands, workers=self._threads, room=ROOM, told=self.told)

    def score(self, sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> list[tuple[float, ...]]:
        """See `Engine`."""
        return batching.score(self._run, sources, targets, workers=self._threads, room=ROOM)

    def explain(self, source: Sequence[int], target: Sequence[int], aim: Aim = USUAL) -> Arrays:
        """See `Engine`."""
        return looking.explain(self._run, source, target, aim)

    def gradient(self, source: Sequence[int], target: Sequence[int], aim: Aim = USUAL) -> Arrays:
        """See `Engine`."""
        return looking.gradient(self._run, source, target, aim) if "gradient" in self._inputs else {}

    def replay(self, source: Sequence[int], search: SearchConfig, demands: Demands = NOTHING) -> Arrays:
        """See `Engine`."""
        return looking.replay(self._run, source, search, demands)

    def occlusion(self, source: Sequence[int], target: Sequence[int], aim: Aim = USUAL) -> np.ndarray:
        """See `Engine`."""
        return looking.occlusion(self._run, source, target, aim, workers=self._threads, room=ROOM)

    def _run(self, jobs: Sequence[Job]) -> Iterator[Arrays]:
        if len(jobs) > 1 and self._threads > 1:
            return self._pool.map(lambda job: self._run_one(job, 1), jobs)
        return (self._run_one(job, self._threads) for job in jobs)

    def _run_one(self, job: Job, threads: int) -> Arrays:
        with self._lock:
            self._wanted += 1
            alone = self._wanted == 1
        try:
            return self._run_with(job, threads if alone else 1)
        finally:
            with self._lock:
                self._wanted -= 1

    def _run_with(self, job: Job, threads: int) -> Arrays:
        signature, inputs = job
        inputs = looking.fitting(inputs, self._inputs[signature])
        idle = self._idle[threads]
        with self._free:
            try:
                interpreter = idle.pop()
            except IndexError:
                interpreter = self._interpreter(threads)
            try:
                outputs = _run_settled(interpreter, signature, inputs)
            except (ValueError, RuntimeError) as error:  # and the interpreter, in whatever state it is, goes
                raise RunError(f"LiteRT must be able to run the graph. Received: {first_line(error)}") from error
            idle.append(interpreter)
            return outputs

    def _interpreter(self, threads: int) -> _Sized:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise EngineError(f"The litert engine needs ai-edge-litert. Received: {first_line(error)}") from None
        try:
            with _announced_once():
                interpreter = Interpreter(model_content=self._model, num_threads=threads)
                interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise EngineError(f"LiteRT must be able to load the graph. Received: {first_line(error)}") from error
        missing = [name for name in SIGNATURES if name not in interpreter.get_signature_list()]
        if missing:
            raise EngineError(f"A graph must have the signatures {', '.join(SIGNATURES)}. Received: no {missing[0]}")
        return _Sized(interpreter)


class _Sized:
    """An interpreter and the largest inputs it has seen."""

    def __init__(self, interpreter: Any) -> None:
        self.interpreter = interpreter
        self.largest: dict[str, tuple[int, ...]] = {}


def _run_settled(sized: _Sized, signature: str, inputs: Arrays) -> Arrays:
    """Runs a signature; before inputs that are larger than any before in some way, one step with them.

    The operations of a graph share one work space, which grows when some first need more. In LiteRT 2.3 operations in
    the body of a loop that were ready by then go on with the old space, so that what comes after the first step is
    at times wrong (seen with 8-bit weights, with one thread and with two). A step taken beforehand makes the space.
    """
    rows, width = inputs["source"].shape
    searching = "beam" in inputs
    lines = rows * (int(inputs["beam"][0]) if searching else inputs["target"].shape[1])
    given = (number for array in inputs.values() for number in (*array.shape, array.size))
    size = (lines, lines * width, *given)
    before = sized.largest.get(signature, (0,) * len(size))
    runner = sized.interpreter.get_signature_runner(signature)
    if any(new > old for new, old in zip(size, before, strict=True)):
        runner(**inputs | ({"max_length": np.ones_like(inputs["max_length"])} if searching else {}))
        sized.largest[signature] = tuple(map(max, size, before))
    return runner(**inputs)


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_announcement = threading.Lock()
_announced = False


@contextlib.contextmanager
def _announced_once() -> Iterator[None]:
    """Hides the "INFO: Created ..." that LiteRT writes on stderr once a process; it has no switch for that."""
    global _announced
    with _announcement:
        try:
            stderr = -1 if _announced else os.dup(2)
        except OSError:
            stderr = -1
        if stderr < 0:
            yield
            return
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        try:
            yield
            _announced = True
        finally:
            os.dup2(stderr, 2)
            os.close(null)
            os.close(stderr)
