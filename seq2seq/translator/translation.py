"""What a translation is: text, scores, and the hypotheses and sentences it was made of.

It owns how sentences become one text; it does not know how a sentence is translated.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from seq2seq.translator.checks import FLAGS
from seq2seq.translator.text import Segment, join


@dataclass(frozen=True)
class Candidate:
    """One possible translation."""

    text: str
    score: float
    """What candidates are ranked by: log-probability over the length penalty, plus the coverage penalty. Of a text of
    several sentences the sum over the sentences, so it compares candidates of one text, not texts of each other."""
    log_prob: float
    """Natural logarithm of the probability that the model gives it."""
    pieces: tuple[str, ...]
    """The tokenizer's pieces; "▁" begins a word."""
    finished: bool
    """False where the limit on the length cut it, or one of its sentences."""


@dataclass(frozen=True)
class Translation:
    """The translation of one text. `str` of it is its text.

    Arguments:
        source: what was translated: the text as given, without control characters, lone surrogates and byte order
            marks.
        text: the best candidate's.
        score: the best candidate's; 0 for a text without words.
        hypotheses: the `n_best` candidates, best first; at least one.
        sentences: the translation of each sentence, without the white space around it; empty in a sentence's own.
        warnings: what was removed or split, and what is wrong with the translation, each a sentence; empty when all
            went well.
        engine: what computed it, such as "litert-int8".
        flags: names of what is wrong with the translation, or with that of one of its sentences: cut, empty, lost,
            forbidden, repeats, copies, skips; `seq2seq.translator.FLAGS` says what each means.
        confidence: the estimated chance, 0 to 1, that it is near what a person would write: that of the least sure
            sentence. None where the model was not calibrated, or nothing had to be translated.
    """

    source: str
    text: str
    score: float
    hypotheses: tuple[Candidate, ...]
    sentences: tuple[Translation, ...]
    warnings: tuple[str, ...]
    engine: str
    flags: tuple[str, ...] = ()
    confidence: float | None = None

    def __str__(self) -> str:
        return self.text

    def unsure(self, least: float) -> bool:
        """Whether its confidence is known and below `least`."""
        return self.confidence is not None and self.confidence < least


def together(
    source: str,
    segments: Sequence[Segment],
    parts: Sequence[Translation],
    *,
    n_best: int,
    warnings: Sequence[str],
    engine: str,
) -> Translation:
    """The translation of a text from those of its segments, in their order.

    Arguments:
        source: the text.
        segments: what it was split into.
        parts: the translation of each.
        n_best: how many hypotheses are wanted.
        warnings: those of the text itself, before its parts'.
        engine: what computed them.
    """
    candidates = best_combinations(segments, [part.hypotheses for part in parts], n_best)
    return Translation(
        source=source,
        text=candidates[0].text,
        score=candidates[0].score,
        hypotheses=tuple(candidates),
        sentences=tuple(part for part in parts if part.source),
        warnings=(*warnings, *(warning for part in parts for warning in part.warnings)),
        engine=engine,
        flags=tuple(flag for flag in FLAGS if any(flag in part.flags for part in parts)),
        confidence=min((part.confidence for part in parts if part.confidence is not None), default=None),
    )


def best_combinations(
    segments: Sequence[Segment], choices: Sequence[Sequence[Candidate]], n_best: int
) -> list[Candidate]:
    """Of all ways to choose a candidate for each segment those with the highest sums of scores, joined.

    Arguments:
        segments: the parts of the text.
        choices: the candidates of each, best first.
        n_best: how many are wanted; there may be fewer ways.
    """
    ways: list[tuple[float, tuple | None]] = [(0.0, None)]
    for candidates in choices:
        longer = [(score + each.score, (before, each)) for score, before in ways for each in candidates]
        ways = heapq.nlargest(n_best, longer, key=lambda way: way[0])
    return [_combined(segments, _unwound(chosen, len(segments))) for _, chosen in ways]


def _unwound(chosen: tuple | None, number: int) -> list[Candidate]:
    candidates: list[Candidate] = []
    while chosen is not None:
        chosen, candidate = chosen
        candidates.append(candidate)
    return candidates[::-1]


def _combined(segments: Sequence[Segment], chosen: Sequence[Candidate]) -> Candidate:
    return Candidate(
        text=join(segments, [each.text for each in chosen]),
        score=sum(each.score for each in chosen),
        log_prob=sum(each.log_prob for each in chosen),
        pieces=tuple(piece for each in chosen for piece in each.pieces),
        finished=all(each.finished for each in chosen),
    )
