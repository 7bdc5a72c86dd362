"""What each source piece does to each target piece, beside the attention it got.

It owns the comparison of the two; it does not know how an influence is measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seq2seq.explanation.numbers import decimals, floats


@dataclass(frozen=True, eq=False)
class Influence:
    """What the source pieces do to the log-probability of each target piece; positions include the end of sentence.

    Arguments:
        method: "occlusion", the log-probability minus that without the source piece; or "gradient", the derivative
            times the input, which is the same to first order.
        engine: runtime and number format that computed it.
        translation: what it is about.
        source: pieces, (S).
        target: pieces, (T).
        values: in nats, above 0 where a source piece helps, (T, S).
        correlation: of the sizes of the values with the attention of the same row, by ranks, (T,); nan where a row has
            no order.
    """

    method: str
    engine: str
    translation: str
    source: tuple[str, ...]
    target: tuple[str, ...]
    values: np.ndarray
    correlation: np.ndarray

    @property
    def mean_correlation(self) -> float:
        """Of the rows that have an order; nan where none has."""
        known = self.correlation[np.isfinite(self.correlation)]
        return float(known.mean(dtype=np.float64)) if known.size else float("nan")

    def to_plain(self) -> dict[str, Any]:
        """As JSON has it."""
        mean = self.mean_correlation
        return {
            **vars(self),
            "values": decimals(self.values),
            "correlation": [value if np.isfinite(value) else None for value in decimals(self.correlation)],
            "mean_correlation": mean if np.isfinite(mean) else None,
        }

    @classmethod
    def from_plain(cls, plain: Any) -> Influence:
        """`to_plain` backwards."""
        kept: dict[str, Any] = {name: plain[name] for name in ("method", "engine", "translation")}
        kept |= {name: tuple(plain[name]) for name in ("source", "target")}
        numbers = [np.nan if value is None else value for value in plain["correlation"]]
        return cls(**kept, values=floats(plain["values"]), correlation=floats(numbers))


def rank_correlation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Spearman's, row by row: (T,) of two (T, S); nan where all of a row are equal.

    >>> rank_correlation(np.array([[0.1, 0.7, 0.2]]), np.array([[-1.0, 9.0, 0.0]]))
    array([1.], dtype=float32)
    """
    ranks = [np.stack([_ranks(row) for row in each]) for each in (one, other)]
    a, b = (each - each.mean(axis=1, keepdims=True) for each in ranks)
    scale = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    with np.errstate(invalid="ignore"):
        return np.where(scale > 0, (a * b).sum(axis=1) / scale, np.nan).astype(np.float32)


def _ranks(row: np.ndarray) -> np.ndarray:
    """Ranks from 0, the mean of theirs for equals."""
    _, place, count = np.unique(row, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count + 1) / 2)[place]
