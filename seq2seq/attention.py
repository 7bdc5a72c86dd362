"""Attention: a query looks up a weighted mean of the memory.

It owns the memory of one source and the three ways to score it; it does not know who asks or what for.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from seq2seq import linear


class Memory(NamedTuple):
    """What the decoder attends to, computed once per source."""

    values: tf.Tensor
    """Encoder outputs, (B, S, D)."""
    keys: tf.Tensor
    """What queries are compared with, (B, S, D)."""
    mask: tf.Tensor
    """True at source tokens, False at padding, (B, S)."""
    bias: Any = ()
    """What is added to the scores of each source token, (B, S); () adds nothing, and is no tensor of a loop."""


class Attention(keras.layers.Layer):
    """Base of the three kinds; a subclass says what `keys` are and how a query is compared with them.

        weights = softmax(score(query, keys) + bias)   over the source, padding excluded
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

    def memory(self, values: tf.Tensor, mask: tf.Tensor, bias: Any = ()) -> Memory:
        """Encoder outputs (B, S, D), their mask (B, S) and a bias (B, S) or (), made ready to be asked."""
        return Memory(values, self.keys(values), mask, bias)

    def keys(self, values: tf.Tensor) -> tf.Tensor:
        raise NotImplementedError

    def score(self, query: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
        raise NotImplementedError

    def call(self, query: tf.Tensor, memory: Memory) -> tuple[tf.Tensor, tf.Tensor]:
        values, keys, mask, bias = memory
        sources, shape = tf.shape(values)[0], tf.shape(query)[:-1]
        together = tf.reshape(query, tf.stack([sources, -1, query.shape[-1]]))  # (B, K T, D)
        scores = tf.cast(self.score(together, keys), tf.float32)  # (B, K T, S)
        blocked = tf.expand_dims(tf.cast(mask, tf.float32) - 1.0, 1) * 1e9
        scores = scores if isinstance(bias, tuple) else scores + tf.cast(tf.expand_dims(bias, 1), scores.dtype)
        weights = tf.nn.softmax(scores + blocked)
        context = tf.matmul(tf.cast(weights, values.dtype), values)
        context = tf.reshape(context, tf.concat([shape, [values.shape[-1]]], axis=0))
        return context, tf.reshape(weights, tf.concat([shape, [tf.shape(values)[1]]], axis=0))

    def backward(
        self, query: tf.Tensor, memory: Memory, weights: tf.Tensor, dcontext: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """`call` backwards, for one hypothesis a source: the derivatives by the query (B, T, D) and values (B, S, D).

        Arguments:
            query, memory: what `call` was given.
            weights: what it returned, (B, T, S).
            dcontext: derivative by the context, (B, T, D).
        """
        dweights = tf.matmul(dcontext, memory.values, transpose_b=True)
        dscores = weights * (dweights - tf.reduce_sum(weights * dweights, axis=-1, keepdims=True))
        dquery, dvalues = self.score_backward(query, memory.keys, dscores)
        return dquery, dvalues + tf.matmul(weights, dcontext, transpose_a=True)

    def score_backward(self, query: tf.Tensor, keys: tf.Tensor, dscores: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """`score` and `keys` backwards: from the derivative by the scores (B, T, S) those by query and values."""
        raise NotImplementedError


class DotAttention(Attention):
    """score = query . value / sqrt(D) (Luong, Pham and Manning 2015; the scale is from Vaswani et al. 2017).

    The scale keeps the scores of D products near the size of one, where the softmax is not saturated.
    """

    def keys(self, values: tf.Tensor) -> tf.Tensor:
        return values

    def score(self, query: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
        return _products(query, keys)

    def score_backward(self, query: tf.Tensor, keys: tf.Tensor, dscores: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return _products_backward(query, keys, dscores)


class GeneralAttention(Attention):
    """score = query . (W value) / sqrt(D) (Luong, Pham and Manning 2015)."""

    def build(self, *_: object) -> None:
        self.key = keras.layers.Dense(self.units, use_bias=False, name="key", dtype=self.dtype_policy)
        self.key.build((None, None, self.units))
        self.built = True

    def keys(self, values: tf.Tensor) -> tf.Tensor:
        return self.key(values)

    def score(self, query: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
        return _products(query, keys)

    def score_backward(self, query: tf.Tensor, keys: tf.Tensor, dscores: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        dquery, dkeys = _products_backward(query, keys, dscores)
        return dquery, _dense_backward(dkeys, self.key)


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

    def score_backward(self, query: tf.Tensor, keys: tf.Tensor, dscores: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        both = tf.tanh(tf.expand_dims(self.query(query), 2) + tf.expand_dims(keys, 1))
        by_energy = tf.reshape(tf.convert_to_tensor(self.energy.kernel), (-1,))
        dboth = tf.expand_dims(dscores, -1) * by_energy * (1 - both * both)  # (B, T, S, D)
        return (
            _dense_backward(tf.reduce_sum(dboth, axis=2), self.query),
            _dense_backward(tf.reduce_sum(dboth, axis=1), self.key),
        )


def _products(query: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
    """query . key / sqrt(D), (B, T, S)."""
    return tf.matmul(query, keys, transpose_b=True) * query.shape[-1] ** -0.5


def _products_backward(query: tf.Tensor, keys: tf.Tensor, dscores: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """From the derivative by the products (B, T, S) those by query and keys."""
    dscores = dscores * query.shape[-1] ** -0.5
    return tf.matmul(dscores, keys), tf.matmul(dscores, query, transpose_a=True)


def _dense_backward(dy: tf.Tensor, layer: keras.layers.Dense) -> tf.Tensor:
    kernel = tf.convert_to_tensor(layer.kernel)
    return linear.backward(dy, lambda x: tf.matmul(x, kernel), kernel.shape[0])
