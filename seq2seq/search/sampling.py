"""Variety: pieces drawn at random instead of the best, and beams whose hypotheses differ more.

It owns how numbers that were drawn outside become pieces, so that the graph itself holds no chance; it does not know
what is done with them.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from seq2seq.search.state import EOS, NEVER


class Sampling(NamedTuple):
    """How to draw; a temperature of 0 draws nothing."""

    temperature: tf.Tensor
    """What logits are divided by before the softmax, ()."""
    top_k: tf.Tensor
    """Draw from so many of the most probable pieces; 0 is all, ()."""
    top_p: tf.Tensor
    """Draw from the fewest pieces that hold this share of the probability, ()."""
    diversity: tf.Tensor
    """What a beam's candidate loses for each better one with the same parent (Li, Monroe and Jurafsky 2016), ()."""
    uniform: tf.Tensor
    """Numbers from 0 to 1, one for each step and hypothesis, (T, B K)."""


def draw(logits: tf.Tensor, t: tf.Tensor, sampling: Sampling) -> tf.Tensor:
    """A piece for each hypothesis, (N,) of (N, V).

    The most probable `top_k` are kept, of these the fewest that hold `top_p`, and the uniform number picks one by its
    place in their cumulated probability.

    Source: Fan, Lewis and Dauphin 2018 for top-k, Holtzman et al. 2020 for top-p.
    """
    vocabulary = tf.shape(logits)[1]
    kept = tf.where(sampling.top_k > 0, tf.minimum(sampling.top_k, vocabulary), vocabulary)
    said = logits + NEVER * tf.cast(tf.range(vocabulary) < EOS, tf.float32)
    values, pieces = tf.math.top_k(said / tf.maximum(sampling.temperature, 1e-4), kept)
    probabilities = tf.nn.softmax(values)
    before = tf.cumsum(probabilities, axis=1) - probabilities
    cumulated = tf.cumsum(tf.where(before < sampling.top_p, probabilities, 0.0), axis=1)
    mark = tf.expand_dims(sampling.uniform[tf.minimum(t, tf.shape(sampling.uniform)[0] - 1)], 1) * cumulated[:, -1:]
    place = tf.reduce_sum(tf.cast(cumulated <= mark, tf.int32), axis=1)
    flat = tf.range(tf.shape(pieces)[0]) * kept + tf.minimum(place, kept - 1)
    return tf.gather(tf.reshape(pieces, (-1,)), flat)
