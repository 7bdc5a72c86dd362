"""What went on in the network during one translation, as plain data with a JSON form.

It names the axes and turns arrays into text and back; it does not know how the numbers came about.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

VERSION = 1
"""Of the JSON form; one more whenever a field changes its meaning."""
CELL = ("i", "f", "g", "o", "c", "h")
"""The axis of six: input gate, forget gate, candidate, output gate, cell state, hidden state."""
DIRECTIONS = ("forward", "backward")
"""The encoder's axis of two."""

_NUMBERS = ("log_probs", "entropy", "attention")
_CELLS = ("encoder", "decoder")


class ExplanationError(ValueError):
    """Text is not the JSON form of an explanation."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """The trace of one sentence: computed afterwards with the chosen translation forced, so exact for any beam.

    Source and target positions include the end of sentence, `</s>`.

    Arguments:
        text: the sentence that was read.
        translation: what was made of it.
        score: what the search ranked the translation by.
        engine: runtime and number format that computed all this, such as "litert-int8".
        source: pieces, (S).
        target: pieces, (T).
        log_probs: natural logarithm of the probability of each target piece, (T,).
        entropy: how undecided the network was before each, in nats, (T,).
        attention: the share of each source piece in each target piece; rows sum to 1, (T, S).
        alternatives: the five most probable pieces at each target position, with their log-probability.
        encoder: the memory cells that read, axes as in `DIRECTIONS` and `CELL`, (L, 2, 6, S, D / 2); of an ensemble,
            here and in `decoder`, those of its first member.
        decoder: the memory cells that write, (L, 6, T, D).
    """

    text: str
    translation: str
    score: float
    engine: str
    source: tuple[str, ...]
    target: tuple[str, ...]
    log_probs: np.ndarray
    entropy: np.ndarray
    attention: np.ndarray
    alternatives: tuple[tuple[tuple[str, float], ...], ...]
    encoder: np.ndarray
    decoder: np.ndarray

    def to_json(self) -> str:
        """One line of JSON that `from_json` turns back without loss.

        The memory cells are many numbers; they stand as `{"shape": [...], "float32": base64 of little-endian bytes}`.
        """
        plain: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        plain |= {name: _numbers(plain[name]) for name in _NUMBERS}
        plain |= {name: _packed(plain[name]) for name in _CELLS}
        return json.dumps({"version": VERSION, **plain}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Explanation:
        """The explanation that `to_json` wrote.

        Raises:
            ExplanationError: the text is something else, or of a newer version.
        """
        try:
            plain = json.loads(text)
            version = plain.pop("version")
        except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
            raise ExplanationError(
                f"An explanation must be a JSON object with a version. Received: {text[:40]!r}"
            ) from None
        if version != VERSION:
            raise ExplanationError(f"An explanation must be of version {VERSION}. Received: version {version}")
        try:
            plain |= {name: np.array(plain[name], np.float32) for name in _NUMBERS}
            plain |= {name: _unpacked(plain[name]) for name in _CELLS}
            plain |= {name: tuple(plain[name]) for name in ("source", "target")}
            plain["alternatives"] = tuple(
                tuple((piece, value) for piece, value in five) for five in plain["alternatives"]
            )
            return cls(**plain)
        except (KeyError, TypeError, ValueError) as error:
            raise ExplanationError(f"An explanation must have all its fields. Received: {error}") from None


def _numbers(array: np.ndarray) -> Any:
    """Nested lists of the shortest decimals that mean the same float32."""
    return np.asarray(array, np.float32).astype("U32").astype(np.float64).tolist()


def _packed(array: np.ndarray) -> dict[str, Any]:
    content = np.ascontiguousarray(array, "<f4").tobytes()
    return {"shape": list(array.shape), "float32": base64.b64encode(content).decode("ascii")}


def _unpacked(plain: dict[str, Any]) -> np.ndarray:
    content = base64.b64decode(plain["float32"], validate=True)
    return np.frombuffer(content, "<f4").reshape(plain["shape"]).astype(np.float32)
