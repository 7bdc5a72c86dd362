"""The engine for GPUs and fresh weights: the network itself, in TensorFlow and float32.

It imports TensorFlow when it is made; it does not know what the graph computes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np

from seq2seq.bundle import Bundle
from seq2seq.config import SearchConfig
from seq2seq.engine import batching, looking
from seq2seq.engine.batching import EOS, Arrays, Demands, EngineError, Hypothesis, Job, RunError, Told, first_line
from seq2seq.engine.demands import NOTHING
from seq2seq.engine.looking import USUAL, Aim


class TensorFlowEngine:
    """Runs the network in TensorFlow, in float32, on a GPU where there is one.

    Arguments:
        bundle: a model folder with `weights.safetensors`.
        threads: processor threads, all unless given; they are the process's, so no effect once TensorFlow has run.

    Raises:
        EngineError: TensorFlow is not installed or fails.
        BundleError: the weights were altered, or are not those of the configuration.
    """

    name = "tensorflow-float32"

    def __init__(self, bundle: Bundle, *, threads: int | None = None) -> None:
        try:
            import tensorflow as tf

            from seq2seq import inference
        except ImportError as error:
            raise EngineError(
                f"The tensorflow engine needs TensorFlow: pip install 'seq2seq[train]'. Received: {first_line(error)}"
            ) from None
        self.told: Told = bool
        if threads:
            with contextlib.suppress(RuntimeError):
                tf.config.threading.set_intra_op_parallelism_threads(threads)
        self._failure = tf.errors.OpError
        self._graph = inference.load(bundle)

    def translate(
        self, sources: Sequence[Sequence[int]], search: SearchConfig, demands: Sequence[Demands] = ()
    ) -> list[list[Hypothesis]]:
        """See `Engine`."""
        return batching.translate(self._run, sources, search, demands, told=self.told)

    def score(self, sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> list[tuple[float, ...]]:
        """See `Engine`."""
        return batching.score(self._run, sources, targets)

    def explain(self, source: Sequence[int], target: Sequence[int], aim: Aim = USUAL) -> Arrays:
        """See `Engine`."""
        return looking.explain(self._run, source, target, aim)

    def gradient(self, source: Sequence[int], target: Sequence[int], aim: Aim = USUAL) -> Arrays:
        """See `Engine`."""
        return looking.gradient(self._run, source, target, aim) if self._graph.gradient else {}

    def replay(self, source: Sequence[int], search: SearchConfig, demands: Demands = NOTHING) -> Arrays:
        """See `Engine`."""
        return looking.replay(self._run, source, search, demands)

    def occlusion(self, source: Sequence[int], target: Sequence[int], aim: Aim = USUAL) -> np.ndarray:
        """See `Engine`."""
        return looking.occlusion(self._run, source, target, aim)

    def saliency(self, source: Sequence[int], target: Sequence[int], aim: Aim = USUAL) -> np.ndarray:
        """Gradient times input: what `occlusion` is to first order, (T, S)."""
        batching.check([source, target], SearchConfig(), ())
        try:
            bias = aim.attention_bias or (0.0,) * (len(source) + 1)
            return self._graph.saliency([*source, EOS], [*target, EOS], bias)
        except self._failure as error:
            raise RunError(f"TensorFlow must be able to run the graph. Received: {first_line(error)}") from error

    def _run(self, jobs: Sequence[Job]) -> Iterator[Arrays]:
        return (self._run_one(*job) for job in jobs)

    def _run_one(self, signature: str, inputs: Arrays) -> Arrays:
        try:
            return {name: np.asarray(value) for name, value in getattr(self._graph, signature)(**inputs).items()}
        except self._failure as error:
            raise RunError(f"TensorFlow must be able to run the graph. Received: {first_line(error)}") from error
