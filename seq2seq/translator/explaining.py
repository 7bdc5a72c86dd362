"""One sentence looked into: found or given, and everything about it that can be read off afterwards.

It joins searcher, engine and tokenizers to an explanation; how any of its numbers is computed is the engine's.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from seq2seq import engine as engines
from seq2seq import offsets
from seq2seq.config import SearchConfig
from seq2seq.engine import ALTERNATIVES, EOS, Aim, Engine, EngineError, Hypothesis, check_targets
from seq2seq.explanation import Cells, Explanation, Gradient, Influence, Last, Node, rank_correlation, tree
from seq2seq.explanation.numbers import decimals
from seq2seq.tokenizer import Tokenizer
from seq2seq.translator import attending
from seq2seq.translator.plans import TranslationError, check_text
from seq2seq.translator.scoring import coverage_term, ranked
from seq2seq.translator.sentences import Found, Searcher, Sentence, faults
from seq2seq.translator.terms import Terms
from seq2seq.translator.text import clean

OLDER = (
    "The gradient through time is not in the graph of an ensemble, nor in that of an older model, which can be made "
    "again: seq2seq export MODEL --format model"
)


@dataclass(frozen=True)
class Wanted:
    """What is looked at beyond what is always told; see `Translator.explain`.

    Raises:
        TranslationError: no alternatives are wanted.
    """

    cells: bool = False
    beam: bool = False
    alternatives: int = ALTERNATIVES
    step: int | None = None

    def __post_init__(self) -> None:
        if self.alternatives < 1:
            raise TranslationError(f"Alternatives must be at least 1. Received: {self.alternatives}")


@dataclass(frozen=True)
class Asked:
    """What is to be explained.

    Raises:
        TranslationError: a text is no string.
    """

    text: str
    target: str | None
    """A translation that is given; None searches for one."""
    search: SearchConfig
    terms: Terms

    def __post_init__(self) -> None:
        for text in (self.text, self.target):
            if text is not None:
                check_text(text)


@dataclass(frozen=True)
class Spoken:
    """A sentence and its translation, found or given."""

    sentence: Sentence
    text: str
    """The translation."""
    spans: tuple[tuple[int, int], ...]
    """Of its pieces, without EOS."""
    best: Hypothesis
    found: Found | None
    """None of a sentence without words, and until a given translation is judged."""
    forced: bool

    @property
    def said(self) -> list[int]:
        """Its pieces, EOS included."""
        return [*self.best.ids, EOS]


class Explainer:
    """Looks into sentences.

    1. The translation is searched for, or cut into pieces if it was given.
    2. It is said by force, and attention, probabilities and alternatives are read off.
    3. Where it was asked for: gates, states and the gradient; the search once more, for its record; every source piece
       hidden in turn.
    """

    def __init__(
        self, engine: Engine, tokenizers: tuple[Tokenizer, Tokenizer], searcher: Searcher, *, path: Path | None
    ) -> None:
        self._engine = engine
        self._source, self._target = tokenizers
        self._searcher = searcher
        self._path = path

    def _spoken(self, asked: Asked) -> Spoken:
        """The best translation of a sentence, or the one that was given."""
        sentence = self._searcher.sentence(clean(asked.text)[0], asked.terms)
        if asked.target is not None:
            said = clean(asked.target)[0]
            ids = tuple(self._target.encode(said))
            check_targets([ids])
            spans = offsets.of_text(self._target, said)
            return Spoken(sentence, said, tuple(spans), Hypothesis(ids, 0.0, 0.0, True), None, forced=True)
        found = self._searcher([sentence], asked.search)[sentence] if sentence.ids else None
        best = found.hypotheses[0] if found else Hypothesis((), 0.0, 0.0, True)
        said = self._target.decode(best.ids)
        return Spoken(sentence, said, tuple(offsets.of_pieces(self._target, best.ids)), best, found, forced=False)

    def explain(self, asked: Asked, wanted: Wanted) -> Explanation:
        """See `Translator.explain`."""
        spoken = self._spoken(asked)
        sentence = spoken.sentence
        aim = Aim(min(wanted.alternatives, len(self._target)), sentence.attention_bias, wanted.step)
        shown = self._engine.explain(sentence.ids, spoken.best.ids, aim)
        spoken = self._judged(spoken, shown, asked.search)
        cells, gradient, notes = self._inside(spoken, shown, aim, wanted)
        wrong = faults(spoken.found) if spoken.found else {}
        lacking = attending.absent(self._source, sentence.text, asked.terms.attend)
        notes += [f"Attention was to change where it cannot: {key!r} is not in the sentence" for key in lacking]
        source_spans = offsets.of_text(self._source, sentence.text)
        return Explanation(
            text=sentence.text,
            translation=spoken.text,
            score=spoken.best.score,
            log_prob=spoken.best.log_prob,
            engine=self._engine.name,
            forced=spoken.forced,
            source=tuple(self._source.pieces([*sentence.ids, EOS])),
            target=tuple(self._target.pieces(spoken.said)),
            source_spans=(*source_spans, (len(sentence.text),) * 2),
            target_spans=(*spoken.spans, (len(spoken.text),) * 2),
            log_probs=shown["log_probs"],
            entropy=shown["entropy"],
            attention=shown["attention"],
            alternatives=self._alternatives(shown),
            attention_bias=np.array(sentence.attention_bias, np.float32) if sentence.attention_bias else None,
            flags=tuple(wrong),
            warnings=(*wrong.values(), *notes),
            search=msgspec.to_builtins(spoken.found.asked[0] if spoken.found else asked.search),
            beam=self._beam(spoken) if wanted.beam else None,
            cells=cells,
            gradient=gradient,
        )

    def influence(self, asked: Asked) -> Influence:
        """See `Translator.influence`."""
        return self._influence(self._spoken(asked), "occlusion", self._engine, self._engine.occlusion)

    def saliency(self, asked: Asked) -> Influence:
        """See `Translator.saliency`."""
        engine = self._with_gradients
        return self._influence(self._spoken(asked), "gradient", engine, engine.saliency)

    @functools.cached_property
    def _with_gradients(self) -> Any:
        """The engine itself if it has gradients, else one that is made now."""
        if hasattr(self._engine, "saliency"):
            return self._engine
        if self._path is None:
            raise EngineError("Gradients need a model folder with its weights. Received: an engine alone")
        return engines.load(engines.bundle.load(self._path, verify=False), "tensorflow")

    def _influence(self, spoken: Spoken, method: str, engine: Any, values: Callable[..., np.ndarray]) -> Influence:
        read, said = spoken.sentence.ids, spoken.best.ids
        aim = Aim(attention_bias=spoken.sentence.attention_bias)
        found = values(read, said, aim)
        return Influence(
            method=method,
            engine=engine.name,
            translation=spoken.text,
            source=tuple(self._source.pieces([*read, EOS])),
            target=tuple(self._target.pieces(spoken.said)),
            values=found,
            correlation=rank_correlation(np.abs(found), engine.explain(read, said, aim)["attention"]),
        )

    def _judged(self, spoken: Spoken, shown: dict[str, np.ndarray], search: SearchConfig) -> Spoken:
        """With the score and the faults of a translation that was given."""
        if not spoken.forced or not (spoken.sentence.ids or spoken.best.ids):
            return spoken
        log_probs, attention = shown["log_probs"].astype(np.float64).tolist(), shown["attention"]
        coverage = tuple(attention.sum(axis=0).tolist())
        best = Hypothesis(spoken.best.ids, ranked(log_probs, attention, search), sum(log_probs), True, coverage)
        return replace(spoken, best=best, found=self._searcher.judged(spoken.sentence, best, search))

    def _inside(
        self, spoken: Spoken, shown: dict[str, np.ndarray], aim: Aim, wanted: Wanted
    ) -> tuple[Cells | None, Gradient | None, list[str]]:
        """Gates and states, the gradient, and what is to be said of them."""
        if not wanted.cells and wanted.step is None:
            return None, None, []
        cells = Cells(shown["encoder"], shown["decoder"]) if wanted.cells else None
        back = self._engine.gradient(spoken.sentence.ids, spoken.best.ids, aim)
        if not back:
            return cells, None, [OLDER]
        step = len(spoken.best.ids) if wanted.step is None else wanted.step
        return cells, Gradient(step, back["encoder"], back["decoder"]), []

    def _alternatives(self, shown: dict[str, np.ndarray]) -> tuple[tuple[tuple[str, float], ...], ...]:
        pairs = zip(shown["alternatives"].tolist(), decimals(shown["alternative_log_probs"]), strict=True)
        return tuple(tuple(zip(self._target.pieces(ids), values, strict=True)) for ids, values in pairs)

    def _beam(self, spoken: Spoken) -> tuple[Node, ...] | None:
        """The search that found the translation, once more, with its record."""
        if spoken.forced or spoken.found is None:
            return None
        search, demands = spoken.found.asked
        told = self._engine.replay(spoken.sentence.ids, search, demands)
        last = []
        for ids, length, coverage in zip(told["tokens"].tolist(), told["lengths"], told["coverage"], strict=True):
            last.append(Last(tuple(ids[:length]), coverage_term(coverage, search)))
        chosen = (*spoken.best.ids, EOS) if spoken.best.finished else spoken.best.ids
        last.sort(key=lambda each: each.ids != chosen)  # demands may have chosen another than the best
        return tree(told, self._target.pieces, search, last)
