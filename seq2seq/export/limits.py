"""What a served graph refuses, written into the graph itself: calls that are empty, too large or not of this model.

It owns the limits and their words; it does not know what a graph computes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from seq2seq.engine import MAX_SOURCE

MAX_ROWS = 512
"""Sentences of a call."""
MAX_TARGET = 8 * (MAX_SOURCE + 1) + 10
"""Pieces of a translation: what the largest `max_ratio` allows the longest source."""
MAX_BEAM = 64
MAX_HYPOTHESES = 10 * MAX_ROWS
"""Sentences times beam: it bounds the memory of a call."""
MAX_PHRASES = 64
"""Phrases of a sentence that must be said, or must not."""


def guarded(function: Any, specs: Mapping[str, tf.TensorSpec], pieces: tuple[int, int]) -> Any:
    """A signature that refuses first and computes then; what it refuses is an InvalidArgument with one sentence.

    Args:
        function: takes the tensors of `specs`, in their order.
        specs: the inputs by name, named as in `inference`.
        pieces: the sizes of the source's and the target's vocabulary.
    """

    def call(*given: tf.Tensor) -> Any:
        return function(*checked(dict(zip(specs, given, strict=True)), pieces).values())

    return tf.function(call, list(specs.values()), autograph=False)


def checked(named: Mapping[str, tf.Tensor], pieces: tuple[int, int]) -> dict[str, tf.Tensor]:
    """The same tensors, which are there once all that is known of their names has been checked."""
    checks = []
    if "source" in named:
        checks += _source(named["source"], pieces[0])
    for name in ("target", "prefix", "required", "forbidden"):
        if name in named:
            checks += _pieces(named[name], name, pieces[1])
    if "beam" in named:
        checks += search(named["source"], named["beam"], named["n_best"])
    if "max_length" in named:
        checks += within(named["max_length"], 1, MAX_TARGET, "A max_length")
    if "k" in named:
        checks += within(named["k"], 1, pieces[1], "A number of alternatives")
    with tf.control_dependencies(checks):
        return {name: tf.identity(value) for name, value in named.items()}


def search(rows: tf.Tensor, beam: tf.Tensor, n_best: tf.Tensor) -> list[Any]:
    """Checks of a beam (1,) for as many sentences as there are rows."""
    return [
        *within(beam, 1, MAX_BEAM, "A beam"),
        *within(n_best, 1, MAX_BEAM, "An n_best"),
        tf.debugging.assert_less_equal(n_best, beam, "An n_best must be at most the beam"),
        *within(tf.shape(rows)[0] * beam, 1, MAX_HYPOTHESES, "Sentences times beam"),
    ]


def rows(tensor: tf.Tensor) -> list[Any]:
    """Checks of how many sentences (B, ...) there are."""
    return within(tf.shape(tensor)[0], 1, MAX_ROWS, "The sentences of a call")


def within(values: tf.Tensor, least: int, most: int, what: str) -> list[Any]:
    """Checks that all values lie between two numbers."""
    message = f"{what} must be from {least} to {most}"
    low, high = (tf.constant(bound, values.dtype) for bound in (least, most))
    return [
        tf.debugging.assert_greater_equal(values, low, message),
        tf.debugging.assert_less_equal(values, high, message),
    ]


def _source(source: tf.Tensor, pieces: int) -> list[Any]:
    there = tf.reduce_any(tf.not_equal(source, 0), axis=1)
    return [
        *rows(source),
        *within(tf.shape(source)[1], 1, MAX_SOURCE + 1, "The pieces of a sentence, end of sentence included,"),
        tf.debugging.assert_equal(there, tf.ones_like(there), "A sentence must have a piece, if only its end"),
        *within(source, 0, pieces - 1, "An id of a piece"),
    ]


def _pieces(ids: tf.Tensor, name: str, pieces: int) -> list[Any]:
    shape = tf.shape(ids)
    phrases = within(shape[1], 0, MAX_PHRASES, f"The phrases in {name}") if ids.shape.rank == 3 else []
    return [
        *within(shape[-1], 0, MAX_TARGET, f"The pieces of {name}"),
        *phrases,
        *within(ids, 0, pieces - 1, f"An id in {name}"),
    ]
