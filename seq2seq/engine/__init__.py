"""Ids to hypotheses, on LiteRT or TensorFlow: batches, threads and limits.

It owns how the inference graph is run; it knows no text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from seq2seq import bundle
from seq2seq.bundle import GRAPH, Bundle
from seq2seq.config import SearchConfig
from seq2seq.engine.batching import (
    EOS,
    MAX_SOURCE,
    PAD,
    Arrays,
    Demands,
    EngineError,
    Hypothesis,
    RunError,
    Told,
    check_targets,
)
from seq2seq.engine.demands import NOTHING
from seq2seq.engine.litert import LiteRTEngine
from seq2seq.engine.looking import ALTERNATIVES, USUAL, Aim, OlderGraphError
from seq2seq.engine.sharing import Sharing
from seq2seq.engine.tensor_flow import TensorFlowEngine

__all__ = [
    "ALTERNATIVES",
    "EOS",
    "MAX_SOURCE",
    "PAD",
    "USUAL",
    "Aim",
    "Bundle",
    "Demands",
    "Engine",
    "EngineError",
    "Hypothesis",
    "LiteRTEngine",
    "OlderGraphError",
    "RunError",
    "Sharing",
    "TensorFlowEngine",
    "bundle",
    "check_targets",
    "load",
]

_SHARED = 6
"""Most hypotheses of a batch that callers of LiteRT share: beyond, padding costs more than company saves."""


class Engine(Protocol):
    """What runs the inference graph. Methods may be called from several threads at once."""

    told: Told
    """Called with the number of sentences of each batch that is searched; may be set at any time."""

    @property
    def name(self) -> str:
        """Runtime and number format, such as "litert-int8"; results name it, for formats word things differently."""

    def translate(
        self, sources: Sequence[Sequence[int]], search: SearchConfig, demands: Sequence[Demands] = ()
    ) -> list[list[Hypothesis]]:
        """The `n_best` hypotheses of every source, best first, in the order of the sources.

        A result does not depend on the other sources.

        Arguments:
            sources: pieces without EOS, at most `MAX_SOURCE` of each.
            search: how to search.
            demands: what each translation must and must not say, one for each source; empty means nothing.
        """

    def score(self, sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> list[tuple[float, ...]]:
        """The natural logarithm of the probability of each piece of given translations, end of sentence included.

        Arguments:
            sources: pieces without EOS, at most `MAX_SOURCE` of each.
            targets: the same of their translations.
        """

    def explain(self, source: Sequence[int], target: Sequence[int], aim: Aim = USUAL) -> Arrays:
        """What the network does while it says `target`, EOS at the end, of `source`.

        Returns by name: attention (T, S); log_probs, entropy (T,); alternatives, alternative_log_probs (T, k);
        encoder (L, 2, 6, S, D / 2), the directions being forward and backward; decoder (L, 6, T, D). The axis of six
        holds i f g o c h, and S and T count EOS.
        """

    def gradient(self, source: Sequence[int], target: Sequence[int], aim: Aim = USUAL) -> Arrays:
        """How strongly the log-probability of one target piece depends on every state.

        Returns norms over the units by name: encoder (L, 2, 2, S) and decoder (L, 2, T), the last axis of two being
        c h; nothing where the graph cannot tell, which is that of an ensemble or of an older model.
        """

    def replay(self, source: Sequence[int], search: SearchConfig, demands: Demands = NOTHING) -> Arrays:
        """The search once more, with its record: the outputs of docs/search.md, without the axis of the batch."""

    def occlusion(self, source: Sequence[int], target: Sequence[int], aim: Aim = USUAL) -> np.ndarray:
        """What the log-probability of each target piece loses when a source piece is hidden, (T, S), EOS included."""


def load(bundle: Bundle, engine: str = "litert", *, threads: int | None = None) -> Engine:
    """The engine that runs a model folder.

    Callers of LiteRT share batches. Those of TensorFlow do not, for there the last digits of a score depend on the
    batch; who serves many at once may wrap it: `Sharing(load(bundle, "tensorflow"), places=1, most=320)`.

    Arguments:
        engine: "litert" (quick, on the processor, usually with 8-bit weights) or "tensorflow" (float32, also on a GPU).
        threads: processor threads; None means all cores, and at most four of them for LiteRT.

    Raises:
        EngineError: there is no such engine, it is not installed, or it cannot load the model.
        BundleError: a file that it needs is missing or was altered.
    """
    if engine == "litert":
        runner = LiteRTEngine(bundle.read(GRAPH), threads=threads)
        return Sharing(runner, places=runner.places, most=_SHARED)
    if engine == "tensorflow":
        return TensorFlowEngine(bundle, threads=threads)
    raise EngineError(f"An engine must be litert or tensorflow. Received: {engine!r}")
