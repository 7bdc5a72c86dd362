"""Attention: a query looks up a weighted mean of the memory.

It owns the memory of one source and the three ways to score it; it does not know who asks or what for.
"""

from __future__ import annotations

from typing import NamedTuple

import keras
import tensorflow as tf


class Memory(NamedTuple):
    """What the decoder attends to, computed once per source."""

    values: tf.Tensor
    """Encoder outputs, (B, S, D)."""
    keys: tf.Tensor
    """What queries are compared with, (B, S, D)."""
    mask: tf.Tensor
    """True at source tokens, False at padding, (B, S)."""


class Attention(keras.layers.Layer):
    """Base of the three kinds; a subclass says what `keys` are and how a query is compared with them.

        weights = softmax(score(query, keys))   over the source, padding excluded
        context = weights @ values

    Call arguments:
        query: (N, T, D), where N is B or a multiple of it: the K hypotheses of a sentence share its memory. (N, D)
            asks for one step without an axis of time, which the results then lack too.
        memory: the `Memory` of B sources.

    Returns:
        The context (N, T, D) and the weights (N, T, S); a row of weights sums to 1 and is 0 at padding.
    """

    def __init__(self, units: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.units = units

    def build(self, *_: object) -> None:
        self.built = True

    def memory(self, values: tf.Tensor, mask: tf.Tensor) -> Memory:
        """Encoder outputs (B, S, D) and their mask (B, S), made ready to be asked."""
        return Memory(values, self.keys(values), mask)

    def keys(self, values: tf.Tensor) -> tf.Tensor:
        raise NotImplementedError

    def score(self, query: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
        raise NotImplementedError

    def call(self, query: tf.Tensor, memory: Memory) -> tuple[tf.Tensor, tf.Tensor]:
        values, keys, mask = memory
        sources, shape = tf.shape(values)[0], tf.shape(query)[:-1]
        together = tf.reshape(query, tf.stack([sources, -1, query.shape[-1]]))  # (B, K T, D)
        scores = tf.cast(self.score(together, keys), tf.float32)  # (B, K T, S)
        blocked = tf.expand_dims(tf.cast(mask, tf.float32) - 1.0, 1) * 1e9
        weights = tf.nn.softmax(scores + blocked)
        context = tf.matmul(tf.cast(weights, values.dtype), values)
        context = tf.reshape(context, tf.concat([shape, [values.shape[-1]]], axis=0))
        return context, tf.reshape(weights, tf.concat([shape, [tf.shape(values)[1]]], axis=0))


class DotAttention(Attention):
    """score = query . value / sqrt(D) (Luong, Pham and Manning 2015; the scale is from Vaswani et al. 2017).

    The scale keeps the scores of D products near the size of one, where the softmax is not saturated.
    """

    def keys(self, values: tf.Tensor) -> tf.Tensor:
        return values

    def score(self, query: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
        return tf.matmul(query, keys, transpose_b=True) * self.units**-0.5


class GeneralAttention(DotAttention):
    """score = query . (W value) / sqrt(D) (Luong, Pham and Manning 2015)."""

    def build(self, *_: object) -> None:
        self.key = keras.layers.Dense(self.units, use_bias=False, name="key", dtype=self.dtype_policy)
        self.key.build((None, None, self.units))
        self.built = True

    def keys(self, values: tf.Tensor) -> tf.Tensor:
        return self.key(values)


class AdditiveAttention(Attention):
    """score = v . tanh(W_q query + W_k value) (Bahdanau, Cho and Bengio 2015)."""

    def build(self, *_: object) -> None:
        self.query = keras.layers.Dense(self.units, name="query", dtype=self.dtype_policy)
        self.key = keras.layers.Dense(self.units, use_bias=False, name="key", dtype=self.dtype_policy)
        self.energy = keras.layers.Dense(1, use_bias=False, name="energy", dtype=self.dtype_policy)
        for layer in (self.query, self.key, self.energy):
            layer.build((None, None, self.units))
        self.built = True

    def keys(self, values: tf.Tensor) -> tf.Tensor:
        return self.key(values)

    def score(self, query: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
        both = tf.expand_dims(self.query(query), 2) + tf.expand_dims(keys, 1)  # (B, T, S, D)
        return tf.squeeze(self.energy(tf.tanh(both)), -1)
