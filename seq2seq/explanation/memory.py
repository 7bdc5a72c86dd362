"""Gates and states of the memory cells, what they say about memory, and what flows back through time.

It owns the axes and the numbers that follow from them; it does not know how a cell computes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from seq2seq.explanation.numbers import decimals, floats, packed, unpacked

CELL = ("i", "f", "g", "o", "c", "h")
"""The axis of six: input gate, forget gate, candidate, output gate, cell state, hidden state."""
DIRECTIONS = ("forward", "backward")
"""The encoder's axis of two."""
SHUT, OPEN = 0.1, 0.9
"""A gate below the one or above the other is saturated (Karpathy, Johnson and Fei-Fei 2015)."""
LONGEST = 10_000.0
"""The half-life of a cell that forgets nothing, in steps."""

_GATES = [CELL.index(name) for name in ("i", "f", "o")]
_LEAST = 1e-30  # of a forget gate, so that its logarithm is a number


@dataclass(frozen=True, eq=False)
class Cells:
    """The memory cells at every position.

    c = f * c_before + i * g and h = o * tanh(c) hold everywhere. The encoder starts from 0, the decoder from `start`.

    Arguments:
        encoder: those that read, axes as in `DIRECTIONS` and `CELL`, (L, 2, 6, S, D / 2); of an ensemble, here and in
            `decoder`, those of its first member.
        decoder: those that write, (L, 6, T, D).
    """

    encoder: np.ndarray
    decoder: np.ndarray

    @property
    def start(self) -> np.ndarray:
        """What every decoder layer starts from, c and h, (2, D): the ends of both directions of the top encoder."""
        forward, backward = self.encoder[-1, :, CELL.index("c") :]
        return np.concatenate([forward[:, -1], backward[:, 0]], axis=-1)

    def to_plain(self) -> dict[str, Any]:
        """As JSON has it, with half-lives and shares of saturated gates."""
        sides = {"encoder": self.encoder, "decoder": self.decoder}
        return {
            **{side: packed(array) for side, array in sides.items()},
            "half_life": {side: decimals(half_life(array)) for side, array in sides.items()},
            "saturated": {side: decimals(saturated(array)) for side, array in sides.items()},
        }

    @classmethod
    def from_plain(cls, plain: Any) -> Cells:
        """`to_plain` backwards."""
        return cls(unpacked(plain["encoder"]), unpacked(plain["decoder"]))


@dataclass(frozen=True, eq=False)
class Gradient:
    """How strongly the log-probability of one target piece depends on each state: norms over the units.

    Arguments:
        step: the target position, from 0.
        encoder: (L, 2, 2, S), the second axis of two being by c and by h.
        decoder: (L, 2, T), likewise; 0 after `step`.
    """

    step: int
    encoder: np.ndarray
    decoder: np.ndarray

    def to_plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"step": self.step, "encoder": decimals(self.encoder), "decoder": decimals(self.decoder)}

    @classmethod
    def from_plain(cls, plain: Any) -> Gradient:
        """`to_plain` backwards."""
        return cls(plain["step"], floats(plain["encoder"]), floats(plain["decoder"]))


def half_life(cells: np.ndarray) -> np.ndarray:
    """Steps until half of a cell's content is left, by the product of its forget gates: -ln 2 / mean ln f.

    Arguments:
        cells: (..., 6, T, D).

    Returns:
        Of each unit, (..., D), at most `LONGEST`.
    """
    forget = np.clip(cells[..., CELL.index("f"), :, :].astype(np.float64), _LEAST, 1.0)
    fading = -np.log(forget).mean(axis=-2)
    return math.log(2) / np.maximum(fading, math.log(2) / LONGEST)


def saturated(cells: np.ndarray) -> np.ndarray:
    """Share of the values of i, f and o that are nearly shut and nearly open, (..., 3, 2) of (..., 6, T, D)."""
    gates = cells[..., _GATES, :, :]
    return np.stack([(gates < SHUT).mean(axis=(-2, -1)), (gates > OPEN).mean(axis=(-2, -1))], axis=-1)
