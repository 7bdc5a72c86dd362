"""Source words that get more attention, or less: what is added to the scores of their pieces.

It knows words, pieces and where these stand; it does not know attention.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from seq2seq import offsets
from seq2seq.tokenizer import Tokenizer
from seq2seq.translator.terms import whole

MUTE = -1e4
"""Leaves a piece no attention to the last bit, unless there is no other."""
BOOST = 2.302585
"""ln 10: ten times the weight, before weights are made to sum to 1."""


def bias(tokenizer: Tokenizer, text: str, wanted: Mapping[str | int, float]) -> tuple[float, ...]:
    """What is added to the attention scores of each piece of a sentence, EOS included; empty where that is nothing.

    Arguments:
        tokenizer: that of the source.
        text: the sentence.
        wanted: a number for each word or phrase, or for each position of a piece; sums where several meet.
    """
    if not wanted:
        return ()
    spans = offsets.of_text(tokenizer, text)
    added = [0.0] * (len(spans) + 1)
    for key, value in wanted.items():
        for place in _places(key, spans, text):
            added[place] += value
    return tuple(added) if any(added) else ()


def absent(tokenizer: Tokenizer, text: str, wanted: Mapping[str | int, float]) -> list[str | int]:
    """What of the wanted is not in the sentence."""
    spans = offsets.of_text(tokenizer, text) if wanted else []
    return [key for key in wanted if not _places(key, spans, text)]


def _places(key: str | int, spans: list[offsets.Span], text: str) -> list[int]:
    if isinstance(key, int):
        return [key] if key <= len(spans) else []
    forms = (key, unicodedata.normalize("NFD", key))  # letters and their marks may stand one by one in the text
    patterns = (whole(form, any_case=key.islower()) for form in dict.fromkeys(forms))
    found = [match.span() for pattern in patterns for match in pattern.finditer(text)]
    shared = [[text[max(first, start) : min(last, end)] for start, end in found] for first, last in spans]
    return [place for place, parts in enumerate(shared) if any(part.strip() for part in parts)]
