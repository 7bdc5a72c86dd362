"""The trace of one translation: everything that is known of it, and its JSON form.

It owns the fields and the version; what stands inside the larger ones is their own modules'.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from seq2seq.explanation.beam import Node
from seq2seq.explanation.influence import Influence
from seq2seq.explanation.memory import Cells, Gradient
from seq2seq.explanation.numbers import decimals, floats

VERSION = 2
"""Of the JSON form; one more whenever a field changes its meaning."""

_NUMBERS = ("log_probs", "entropy", "attention", "attention_bias")
_PARTS: dict[str, Any] = {"cells": Cells, "gradient": Gradient, "influence": Influence, "saliency": Influence}
_LISTS = ("source", "target", "flags", "warnings")
_SPACE = "\u2581"
_SPECIAL = re.compile("<(pad|unk|s|/s|0x[0-9A-F]{2})>")


class ExplanationError(ValueError):
    """Text is not the JSON form of an explanation, or a piece cannot be demanded."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """The trace of one sentence: computed afterwards with the chosen translation forced, so exact for any beam.

    Source and target positions include the end of sentence, `</s>`. Spans are [start, end) in characters; see
    docs/explanation.md for all of it.

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
        alternatives: the most probable pieces at each target position, with their log-probability.
        source_spans: where each source piece stands in the text, (S).
        target_spans: where each target piece stands in the translation, (T).
        log_prob: natural logarithm of the probability of the translation, end of sentence included.
        forced: whether the translation was given.
        attention_bias: what was added to the attention scores of each source piece, (S,); None is nothing.
        flags: what is wrong with the translation, by name.
        warnings: the same as sentences, and what the graph of an older model cannot tell.
        search: the settings of the search.
        beam: the search as a tree, if asked for.
        cells: gates and states, if asked for.
        gradient: what flows back through time, if asked for.
        influence: what the source pieces do, by hiding them, if asked for.
        saliency: the same by gradients, if asked for.
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
    source_spans: tuple[tuple[int, int], ...] = ()
    target_spans: tuple[tuple[int, int], ...] = ()
    log_prob: float = 0.0
    forced: bool = False
    attention_bias: np.ndarray | None = None
    flags: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    search: Mapping[str, Any] = field(default_factory=dict)
    beam: tuple[Node, ...] | None = None
    cells: Cells | None = None
    gradient: Gradient | None = None
    influence: Influence | None = None
    saliency: Influence | None = None

    @property
    def coverage(self) -> np.ndarray:
        """Attention that each source piece got in all, (S,)."""
        return self.attention.sum(axis=0)

    def instead(self, position: int, piece: str) -> str:
        """The beginning of a translation that says this piece at a target position: what a prefix must be.

        Raises:
            ExplanationError: there is no such position, or the piece is a byte or the end, which no prefix can say.
        """
        if not 0 <= position < len(self.target):
            raise ExplanationError(f"A position must be from 0 to {len(self.target) - 1}. Received: {position}")
        if _SPECIAL.fullmatch(piece):
            raise ExplanationError(f"A prefix must be text, and no special piece. Received: {piece}")
        return (self.translation[: self.target_spans[position][0]] + piece.replace(_SPACE, " ")).lstrip(" ")

    def to_json(self) -> str:
        """One line of JSON that `from_json` turns back without loss."""
        plain: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        plain |= {name: decimals(plain[name]) for name in _NUMBERS if plain[name] is not None}
        plain |= {name: plain[name].to_plain() for name in _PARTS if plain[name] is not None}
        if self.beam is not None:
            plain["beam"] = [vars(node) for node in self.beam]
        plain |= {"search": dict(self.search), "coverage": decimals(self.coverage)}
        return json.dumps({"version": VERSION, **plain}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Explanation:
        """The explanation that `to_json` wrote.

        Raises:
            ExplanationError: the text is something else, or of another version.
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
            return cls(**_fields({each.name: plain[each.name] for each in fields(cls)}))
        except (KeyError, TypeError, ValueError) as error:
            raise ExplanationError(f"An explanation must have all its fields. Received: {error}") from None


def _fields(plain: dict[str, Any]) -> dict[str, Any]:
    """The fields of an explanation from those of its JSON."""
    plain |= {name: floats(plain[name]) for name in _NUMBERS if plain[name] is not None}
    plain |= {name: kind.from_plain(plain[name]) for name, kind in _PARTS.items() if plain[name] is not None}
    plain |= {name: tuple(plain[name]) for name in _LISTS}
    plain |= {name: tuple((start, end) for start, end in plain[name]) for name in ("source_spans", "target_spans")}
    plain["alternatives"] = tuple(tuple((piece, value) for piece, value in each) for each in plain["alternatives"])
    if plain["beam"] is not None:
        plain["beam"] = tuple(Node(**node) for node in plain["beam"])
    return plain
