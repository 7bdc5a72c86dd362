"""The limits that a pair must keep to be trained on, judged some thousand pairs at a time.

It owns the reasons for which a pair is dropped and their order; it does not know where pairs come from or go to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq.corpus.blocks import MALFORMED, UNDECODABLE, Fault
from seq2seq.corpus.text import Form

EMPTY = "empty"
EQUAL = "source equals target"
LONG = "too long"
RATIO = "length ratio"
DUPLICATE = "duplicate"

REASONS = (MALFORMED, UNDECODABLE, EMPTY, EQUAL, LONG, RATIO, DUPLICATE)
"""In the order in which they are looked for; a pair is counted for the first that it meets."""

NO_TEXT = (MALFORMED, UNDECODABLE, EMPTY)
"""The reasons for which even a pair of a given test set is dropped: there is nothing to translate."""

KEEP = len(REASONS)
"""The verdict of a pair that stays; any other verdict is the index of its reason."""

SHORT = 20
"""A pair with both sides shorter than this, in characters, has no length ratio worth judging."""


@dataclass(frozen=True)
class Cleaning:
    """What a pair must satisfy.

    Attributes:
        max_characters: longest side. Here and below characters, of which wide ones count twice (see `text.width`).
        max_ratio: longest side over shortest side; pairs with both sides under 20 are exempt.
        unicode: Unicode normalisation form of every sentence.
    """

    max_characters: int = 1000
    max_ratio: float = 4.0
    unicode: Form = "NFC"

    def __post_init__(self) -> None:
        if self.max_characters < 1:
            raise ValueError(f"max_characters must be at least 1. Received: {self.max_characters}")
        if not self.max_ratio >= 1:
            raise ValueError(f"max_ratio must be at least 1. Received: {self.max_ratio}")
        if self.unicode not in ("NFC", "NFKC"):
            raise ValueError(f"unicode must be NFC or NFKC. Received: {self.unicode!r}")


def verdicts(
    source_lengths: np.ndarray,
    target_lengths: np.ndarray,
    equal: np.ndarray,
    *,
    faults: Sequence[Fault],
    limits: Cleaning | None,
) -> np.ndarray:
    """For every pair, the index of the reason to drop it, or KEEP.

    Args:
        source_lengths: `text.width` of each clean source.
        target_lengths: and of each clean target.
        equal: whether the two are the same text.
        faults: rows that hold no pair at all.
        limits: what a pair must satisfy; None keeps whatever has text on both sides.
    """
    longer = np.maximum(source_lengths, target_lengths)
    shorter = np.minimum(source_lengths, target_lengths)
    verdict = np.full(len(longer), KEEP, np.uint8)
    if limits is not None:
        verdict[(longer > limits.max_ratio * shorter) & (longer >= SHORT)] = REASONS.index(RATIO)
        verdict[longer > limits.max_characters] = REASONS.index(LONG)
        verdict[equal] = REASONS.index(EQUAL)
    verdict[shorter == 0] = REASONS.index(EMPTY)
    for fault in faults:
        verdict[fault.row] = REASONS.index(fault.reason)
    return verdict
