"""How a translation is printed: plain, with scores, or as JSON, and what is said of it beside that.

It knows the forms of output; it does not know where they go.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from seq2seq.cli import errors, streams

if TYPE_CHECKING:
    from seq2seq.config import SearchConfig
    from seq2seq.translator import Translation

Kind = Literal["plain", "scored", "json"]
WARNINGS = 3
"""Most of them that are printed for one line; a line of a megabyte would have thousands."""


@dataclass(frozen=True)
class Form:
    """What is printed of a translation.

    Arguments:
        kind: the text alone, with its score and a tab before it, or one JSON object.
        n_best: how many of the best, each on its own line; JSON has them in one.
        min_confidence: one that the model is less sure of is left empty.
    """

    kind: Kind
    n_best: int
    min_confidence: float = 0.0

    def __call__(self, translation: Translation) -> tuple[list[str], bool]:
        """Lines, and whether the translation was left out."""
        withheld = translation.unsure(self.min_confidence)
        if withheld:
            translation = dataclasses.replace(translation, text="", score=0.0, hypotheses=())
        if self.kind == "json":
            return [self._json(translation)], withheld
        candidates = self._candidates(translation)
        if self.kind == "scored":
            return [f"{score:.4f}\t{text}" for text, score in candidates], withheld
        return [text for text, _ in candidates], withheld

    def _json(self, translation: Translation) -> str:
        """The keys are the fields of the library's Translation."""
        names = ("source", "text", "score", "confidence", "hypotheses", "flags", "warnings", "engine")
        value: dict[str, Any] = {name: getattr(translation, name) for name in names}
        value["hypotheses"] = [dataclasses.asdict(candidate) for candidate in translation.hypotheses[: self.n_best]]
        return streams.to_json(value)

    def _candidates(self, translation: Translation) -> list[tuple[str, float]]:
        """Exactly n_best, so that line numbers can be worked out: where fewer were found, empty ones follow."""
        if self.n_best == 1:
            return [(translation.text, translation.score)]
        found = [(candidate.text, candidate.score) for candidate in translation.hypotheses[: self.n_best]]
        return found + [("", 0.0)] * (self.n_best - len(found))


def form(given: Mapping[str, Any], search: SearchConfig) -> Form:
    """What a command's arguments ask to be printed."""
    kind: Kind = "json" if given["as_json"] else "scored" if given["scores"] else "plain"
    return Form(kind, search.n_best, given["min_confidence"] or 0.0)


def warn(line: int, warnings: Sequence[str]) -> None:
    """Says what is wrong with the translation of a line."""
    for warning in warnings[:WARNINGS]:
        errors.say("warning", f"line {line}: {warning}")
    if len(warnings) > WARNINGS:
        errors.say("warning", f"line {line}: and {len(warnings) - WARNINGS} more of this line; --json has them all")


def tell_withheld(count: int, min_confidence: float | None) -> None:
    """Says how many lines were left empty, if any were."""
    if count:
        errors.say("note", f"left empty, for their confidence is under {min_confidence}: {count:,}")
