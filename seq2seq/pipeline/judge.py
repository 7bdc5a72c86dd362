"""How good a model is while it trains: BLEU and chrF of its greedy translations of the validation set.

It owns the sentences it asks for; it does not know what is done with the answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from seq2seq import evaluation, inference
from seq2seq.batches import Pairs
from seq2seq.config import Config, SearchConfig
from seq2seq.engine import batching
from seq2seq.explanation import CELL, DIRECTIONS
from seq2seq.model import Seq2Seq
from seq2seq.pipeline.run import PipelineError, Run
from seq2seq.progress import Look
from seq2seq.tokenizer import EOS, Tokenizer
from seq2seq.training import TrainingError

VALIDATED = 1000
"""Most sentences of the validation set that are translated after each epoch."""
SAMPLES = 3
GATES = {"input": CELL.index("i"), "forget": CELL.index("f"), "output": CELL.index("o")}


class Judge:
    """BLEU and chrF of a model's greedy translations of sentences from all over the validation set.

    A corpus may be sorted, by length or by where it is from, so the first ones will not do.

    Arguments:
        target: the tokenizer of the target.
        source: that of the source, which only `looks` needs.
        most: how many sentences it asks for.

    Raises:
        PipelineError: all its sources are too long to be translated.
        TrainingError: the model has become one whose scores are no numbers.
    """

    def __init__(
        self,
        run: Run,
        resolved: Config,
        target: Tokenizer,
        valid: Pairs,
        *,
        source: Tokenizer | None = None,
        most: int = VALIDATED,
    ) -> None:
        fitting = valid.source.lengths <= batching.MAX_SOURCE + 1  # a translator would split the others
        rows = _spread(fitting.nonzero()[0], most)
        if not len(rows):
            raise PipelineError(
                f"A validation set must have a source of at most {batching.MAX_SOURCE} pieces. "
                f"Received: {len(valid)}, all longer"
            )
        texts, references = run.pair("valid", resolved)
        self._sources = [valid.source[row][:-1].tolist() for row in rows]
        self._texts, self._references = [texts[row] for row in rows], [references[row] for row in rows]
        self._target, self._source = target, source
        self._said: list[list[int]] = []
        self._looks: list[Look] = []
        self._translations: list[str] = []
        self._search = SearchConfig(beam=1, max_ratio=resolved.search.max_ratio)
        self._model: Seq2Seq | None = None

    def __call__(self, model: Seq2Seq) -> dict[str, float]:
        if self._model is not model:
            self._model, self._runner = model, inference.Runner(inference.Inference(model))
        try:
            found = batching.translate(self._run, self._sources, self._search)
        except batching.EngineError:  # where a loss of such weights is finite, as on some processors
            sentence = "Translations must have finite scores; lower training.learning_rate, in a new run. Received: NaN"
            raise TrainingError(sentence) from None
        self._said = [list(each[0].ids) for each in found]
        self._translations = [self._target.decode(ids) for ids in self._said]
        scores = evaluation.score(self._translations, self._references)
        return {"bleu": scores.bleu, "chrf": scores.chrf}

    def after_epoch(self, model: Seq2Seq) -> dict[str, float]:
        """The scores, as a call gives them; what `looks` returns is from this model too."""
        scores = self(model)
        self._looks = [self._look(row) for row in self._rows()]
        return scores

    def _run(self, jobs: Sequence[batching.Job]) -> Iterator[batching.Arrays]:
        return (getattr(self._runner, signature)(**inputs) for signature, inputs in jobs)

    def samples(self) -> list[tuple[str, str, str]]:
        """Source, latest translation and reference of a few sentences, always the same ones, spread over the set."""
        return [(self._texts[row], self._translations[row], self._references[row]) for row in self._rows()]

    def looks(self) -> list[Look]:
        """What went on in the network while it wrote the same sentences after the latest epoch."""
        return self._looks

    def _rows(self) -> range:
        step = max(1, len(self._translations) // SAMPLES)
        return range(step // 2, len(self._translations), step)[:SAMPLES]

    def _look(self, row: int) -> Look:
        source, target = [*self._sources[row], EOS], [*self._said[row], EOS]
        arrays = self._runner.explain(source=np.array([source]), target=np.array([target]))
        gates: dict[str, np.ndarray] = {}
        for layer, directions in enumerate(arrays["encoder"][..., 0, :, :], start=1):  # without B
            for direction, cell in zip(DIRECTIONS, directions, strict=True):
                gates |= {f"encoder {layer} {direction}/{name}": cell[axis] for name, axis in GATES.items()}
        for layer, cell in enumerate(arrays["decoder"][:, :, 0], start=1):
            gates |= {f"decoder {layer}/{name}": cell[axis] for name, axis in GATES.items()}
        pieces = [
            (*(tokenizer.pieces(ids[:-1]) if tokenizer else map(str, ids[:-1])), "</s>")
            for tokenizer, ids in ((self._source, source), (self._target, target))
        ]
        return Look(pieces[0], pieces[1], arrays["attention"][0], gates)


def _spread(rows: np.ndarray, most: int) -> np.ndarray:
    """At most so many of the rows, equally far apart."""
    count = min(most, len(rows))
    return rows[np.arange(count) * len(rows) // max(1, count)]
