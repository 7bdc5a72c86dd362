"""What a served graph refuses, written into the graph itself: calls that are empty, too large or not of this model.

It owns the limits and their words; it does not know what a graph computes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from seq2seq.engine import MAX_SOURCE
from seq2seq.search import LONGEST_REPEAT

MAX_ROWS = 512
"""Sentences of a call."""
MAX_TARGET = 8 * (MAX_SOURCE + 1) + 10
"""Pieces of a translation: what the largest `max_ratio` allows the longest source."""
MAX_BEAM = 64
MAX_HYPOTHESES = 10 * MAX_ROWS
"""Sentences times beam: it bounds the memory of a call."""
MAX_EXPLAINED = 32 * MAX_ROWS
"""Pieces, padding included, on either side of what is explained: each has all logits, or all gates and states."""
MAX_PHRASES = 64
"""Phrases of a sentence that must be said, or must not."""
MAX_COMPARED = 64_000_000
"""What the phrases of all hypotheses are compared with at a step: it bounds the memory of that."""

PHRASES = ("required", "forbidden")
"""Inputs with several phrases of each sentence."""
BY_ROW = ("max_length", "min_length", "prefix", "target", *PHRASES)
"""Inputs with a row for each sentence."""
BY_PIECE = ("attention_bias", "present")
"""Inputs with a number for each of its pieces."""


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
    checks = [*_source(named["source"], pieces[0]), *_alike(named), *_settings(named)]
    for name in ("target", "prefix", "required", "forbidden"):
        if name in named:
            checks += _pieces(named[name], name, pieces[1])
    if "beam" in named:
        checks += search(named["source"], named["beam"], named["n_best"])
        checks += _compared(named) if "required" in named else []
    if "target" in named:
        checks += explained(named["source"], "source") + explained(named["target"], "target")
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


def demanded(text: tf.Tensor, words: Mapping[str, tf.Tensor]) -> list[Any]:
    """Checks that demands, strings (B,) or (B, C) by name, are for as many sentences, and not too many for each."""
    checks = []
    for name, each in words.items():
        checks += [_of_rows(text, each, name), *_phrases(each, name)]
    return checks


def lengths(pieces: tf.Tensor, name: str) -> list[Any]:
    """Checks of how many pieces a demand has."""
    return within(pieces, 0, MAX_TARGET, f"The pieces of {name}")


def explained(ids: tf.Tensor, name: str) -> list[Any]:
    """Checks of the pieces (B, S) or (B, T) that are explained at once."""
    return within(tf.size(ids), 0, MAX_EXPLAINED, f"Sentences times the pieces of {name}")


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


def _alike(named: Mapping[str, tf.Tensor]) -> list[Any]:
    """Checks that what is said of one sentence, or of one of its pieces, is said of all."""
    source = named["source"]
    by_row = [_of_rows(source, named[name], name) for name in BY_ROW if name in named]
    return by_row + [
        tf.debugging.assert_equal(tf.shape(named[name]), tf.shape(source), f"{name} must have the shape of source")
        for name in BY_PIECE
        if name in named
    ]


def _of_rows(rows: tf.Tensor, each: tf.Tensor, name: str) -> Any:
    return tf.debugging.assert_equal(
        tf.shape(each)[0], tf.shape(rows)[0], f"The rows of {name} must be as many as the sentences"
    )


def _settings(named: Mapping[str, tf.Tensor]) -> list[Any]:
    """Checks of numbers that the search is told."""
    checks = within(named["max_length"], 1, MAX_TARGET, "A max_length") if "max_length" in named else []
    if "no_repeat" in named:
        checks += [
            *within(named["no_repeat"], 0, LONGEST_REPEAT, "A no_repeat"),
            tf.debugging.assert_positive(named["top_p"], "A top_p must be more than 0"),
            tf.debugging.assert_less_equal(named["top_p"], 1.0, "A top_p must be at most 1"),
            tf.debugging.assert_non_negative(named["top_k"], "A top_k must be at least 0"),
            tf.debugging.assert_non_negative(named["temperature"], "A temperature must be at least 0"),
        ]
    return checks


def _pieces(ids: tf.Tensor, name: str, pieces: int) -> list[Any]:
    longest = lengths(tf.shape(ids)[-1], name)
    return [*longest, *_phrases(ids, name), *within(ids, 0, pieces - 1, f"An id in {name}")]


def _phrases(each: tf.Tensor, name: str) -> list[Any]:
    """Checks of how many phrases (B, C, ...) there are of each sentence, if it is phrases."""
    return within(tf.shape(each)[1], 0, MAX_PHRASES, f"The phrases in {name}") if name in PHRASES else []


def _compared(named: Mapping[str, tf.Tensor]) -> list[Any]:
    """Checks of what phrases are compared with: what was said, and the required ones each other and all candidates."""
    rows, beam = (tf.cast(each, tf.int64) for each in (tf.shape(named["source"])[0], named["beam"]))
    checks = []
    for name in PHRASES:
        _, phrases, width = tf.unstack(tf.shape(named[name], tf.int64))
        each = width + phrases + beam if name == "required" else 1
        what = f"Sentences times beam times the pieces of {name} times what each is compared with"
        checks += within(rows * beam * phrases * width * each, 0, MAX_COMPARED, what)
    return checks
