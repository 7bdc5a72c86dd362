"""What the app accepts: how much text, how wide a beam, how large a request; enforced here, said in one sentence.

It knows numbers and text, and nothing of pages, networks or models.
"""

from __future__ import annotations

import math

MAX_CHARACTERS = 5000
"""Longest text, in characters (code points, line breaks included)."""
MIN_BEAM, MAX_BEAM = 2, 10
"""Hypotheses kept by beam search; a beam of one is greedy search and has its own switch."""
MAX_LENGTH_PENALTY = 2.0
MAX_BODY = 256 * 1024
"""Longest body of a request, in bytes: the longest text with every character escaped, and room for the rest."""
SEARCHES = ("beam", "greedy")


class LimitError(ValueError):
    """What was asked for is outside what the app accepts; the message is one sentence for the person who asked."""


def text(value: object, *, limit: int = MAX_CHARACTERS) -> str:
    """The text, if it is one and short enough."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise LimitError(f"The text must be a string. Received: {type(value).__name__}")
    if len(value) > limit:
        raise LimitError(f"The text must be at most {limit:,} characters long. Received: {len(value):,} characters")
    return value


def search(value: object) -> str:
    """One of `SEARCHES`."""
    if value not in SEARCHES:
        raise LimitError(f"The search must be one of {', '.join(SEARCHES)}. Received: {brief(value)}")
    return str(value)


def beam(value: object) -> int:
    """A whole number of hypotheses within the range."""
    number = _number(value)
    if number is None or number != int(number) or not MIN_BEAM <= number <= MAX_BEAM:
        raise LimitError(
            f"The beam size must be a whole number from {MIN_BEAM} to {MAX_BEAM}. Received: {brief(value)}"
        )
    return int(number)


def length_penalty(value: object) -> float:
    """A number within the range."""
    number = _number(value)
    if number is None or not 0.0 <= number <= MAX_LENGTH_PENALTY:
        raise LimitError(
            f"The length penalty must be a number from 0 to {MAX_LENGTH_PENALTY:g}. Received: {brief(value)}"
        )
    return number


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def brief(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else shown[:37] + "..."
