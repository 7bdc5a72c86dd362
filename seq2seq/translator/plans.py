"""A text made ready for the search: its sentences, what is demanded of each, and what must be said of the text.

It knows how texts are cut and which sentence a demand is for; it does not know how a sentence is searched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seq2seq.config import SearchConfig
from seq2seq.engine import MAX_SOURCE
from seq2seq.translator.sentences import Searcher, Sentence
from seq2seq.translator.terms import Terms
from seq2seq.translator.text import Segment, clean, cut, split


class TranslationError(ValueError):
    """What was given is no text, or nothing that can be translated in the way that was asked for."""


@dataclass(frozen=True)
class Plan:
    """A text made ready."""

    source: str
    segments: list[Segment]
    sentences: list[Sentence]
    """One for each segment."""
    warnings: list[str]


def plan(text: str, terms: Terms, searcher: Searcher, language: str) -> Plan:
    """The plan of a text.

    Raises:
        TranslationError: words are required, and the text has several sentences.
    """
    check_text(text)
    source, removed = clean(text)
    warnings = [f"Characters that are no text were removed: {removed}"] if removed else []
    segments: list[Segment] = []
    for sentence in split(source, language):
        parts = cut(sentence, searcher.fits)
        segments += parts
        if len(parts) > 1:
            warnings.append(
                f"A sentence of more than {MAX_SOURCE} pieces was split into {len(parts)}: {start(sentence.text)}"
            )
    sentences: list[Sentence] = []
    number = 0
    for segment in segments:
        sentences.append(searcher.sentence(segment.text, terms, first=not number))
        number += bool(sentences[-1].ids)
    if terms.required and number > 1:
        raise TranslationError(
            f"Required words need a text of one sentence. Received: {number} sentences, {start(source)}"
        )
    return Plan(source, segments, sentences, warnings)


def check_text(text: object) -> None:
    """Refuses what is no string."""
    if not isinstance(text, str):
        raise TranslationError(
            f"Text to translate must be a string. Received: {text!r:.40} of type {type(text).__name__}"
        )


def check_pairs(sources: Sequence[str], targets: Sequence[str]) -> None:
    """Refuses texts that are no pairs."""
    if len(sources) != len(targets):
        raise TranslationError(f"Sources and targets must be equally many. Received: {len(sources)} and {len(targets)}")
    for text in (*sources, *targets):
        check_text(text)


def checked(terms: Terms | None, search: SearchConfig) -> Terms:
    """The terms, none where there are none; refuses those that a search cannot meet."""
    wanted = Terms() if terms is None else terms
    if search.temperature and (wanted.required or wanted.glossary):
        raise TranslationError(
            f"Required words and glossaries need search. Received: a temperature of {search.temperature}"
        )
    return wanted


def start(text: str) -> str:
    """The beginning of a text, quoted, to name it by."""
    return repr(text if len(text) <= 40 else text[:39] + "…")
