"""How good a model is while it trains: BLEU of its greedy translations of the validation set.

It owns the sentences it asks for; it does not know what is done with the answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seq2seq import evaluation, inference
from seq2seq.batches import Pairs
from seq2seq.config import Config, SearchConfig
from seq2seq.engine import batching
from seq2seq.model import Seq2Seq
from seq2seq.pipeline.run import Run
from seq2seq.tokenizer import Tokenizer

VALIDATED = 1000
"""Sentences of the validation set that are translated after each epoch."""
SAMPLES = 3


class Judge:
    """BLEU of a model's greedy translations of the first sentences of the validation set."""

    def __init__(self, run: Run, resolved: Config, target: Tokenizer, valid: Pairs) -> None:
        fitting = valid.source.lengths <= batching.MAX_SOURCE + 1  # a translator would split the others
        rows = fitting.nonzero()[0][:VALIDATED]
        texts, references = run.pair("valid", resolved)
        self._sources = [valid.source[row][:-1].tolist() for row in rows]
        self._texts, self._references = [texts[row] for row in rows], [references[row] for row in rows]
        self._target = target
        self._translations: list[str] = []
        self._model: Seq2Seq | None = None

    def __call__(self, model: Seq2Seq) -> dict[str, float]:
        if self._model is not model:
            self._model, self._runner = model, inference.Runner(inference.Inference(model))
        found = batching.translate(self._run, self._sources, SearchConfig(beam=1))
        self._translations = [self._target.decode(each[0].ids) for each in found]
        return {"bleu": evaluation.score(self._translations, self._references).bleu}

    def _run(self, jobs: Sequence[batching.Job]) -> Iterator[batching.Arrays]:
        return (getattr(self._runner, signature)(**inputs) for signature, inputs in jobs)

    def samples(self) -> list[tuple[str, str, str]]:
        """Source, latest translation and reference of a few sentences, spread over the set."""
        step = max(1, len(self._translations) // SAMPLES)
        rows = range(step // 2, len(self._translations), step)[:SAMPLES]
        return [(self._texts[row], self._translations[row], self._references[row]) for row in rows]
