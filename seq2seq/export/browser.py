"""The signature `browser`: one sentence in shapes that never change, for a runtime that allows no others.

It owns these shapes; it does not know how a translation is found.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from seq2seq.config import SearchConfig
from seq2seq.engine import MAX_SOURCE, batching
from seq2seq.inference import TRANSLATE, Inference

SOURCE = MAX_SOURCE + 1
"""Pieces of the source, end of sentence included, then padding."""
ASKED = {"source": tf.TensorSpec((1, SOURCE), tf.int32, "source")} | {
    name: tf.TensorSpec((1,), tf.int32, name) for name in ("max_length", "beam")
}


def longest(search: SearchConfig) -> int:
    """The most pieces of a translation that a model's own settings allow, end of sentence included."""
    return int(batching.basic_inputs([[0] * MAX_SOURCE], search)["max_length"][0])


def signature(graph: Inference, search: SearchConfig) -> Any:
    """The best translation of one sentence, and where it looked.

    Takes source (1, 257), padded with 0; max_length and beam (1,); the penalties are those of `search`. Returns tokens
    (1, T), end of sentence included, then padding, T being `longest(search)`; length, score, finished (1,); log_probs
    (1, T) and attention (1, T, 257), 0 where nothing was said.
    """
    most = longest(search)
    settings = [(getattr(search, name),) for name in list(TRANSLATE)[4:]]

    def browser(source: tf.Tensor, max_length: tf.Tensor, beam: tf.Tensor) -> dict[str, tf.Tensor]:
        pieces = tf.math.count_nonzero(source, dtype=tf.int32)
        source = tf.slice(source, [0, 0], tf.stack([1, pieces]))
        limit = tf.minimum(max_length, most)
        found = graph.translate(source, limit, beam, tf.constant([1]), *map(tf.constant, settings))
        best = {name: found[name][:, 0] for name in ("tokens", "lengths", "scores", "finished")}
        target = tf.slice(best["tokens"], [0, 0], tf.stack([1, best["lengths"][0]]))
        told = graph.explain(source, target, tf.zeros(tf.shape(source)), tf.constant([1]))
        return {
            "tokens": _filled(target, 1, most),
            "length": best["lengths"],
            "score": best["scores"],
            "finished": best["finished"],
            "log_probs": _filled(told["log_probs"], 1, most),
            "attention": _filled(told["attention"], 1, most, SOURCE),
        }

    return tf.function(browser, list(ASKED.values()), autograph=False)


def _filled(x: tf.Tensor, *shape: int) -> tf.Tensor:
    """With zeros behind what there is, to a shape that is known beforehand."""
    behind = tf.constant(shape) - tf.shape(x)
    return tf.reshape(tf.pad(x, tf.stack([tf.zeros_like(behind), behind], axis=1)), shape)
