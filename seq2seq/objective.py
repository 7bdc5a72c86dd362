"""What training minimises: label-smoothed cross-entropy.

It owns the loss of logits against pieces; it does not know where either came from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

PAD = 0
LEAST = 1e-37
"""The least probability that has a logarithm: what is smaller may have been rounded to 0."""
ALIGNED = 8
"""What a row's length should be a multiple of, for the products of processors and GPUs in 16 bits."""


def smoothed_cross_entropy(logits: tf.Tensor, target: tf.Tensor, smoothing: float = 0.0) -> tuple[tf.Tensor, tf.Tensor]:
    """Cross-entropy of each piece against a target that gives `smoothing` of its mass to all pieces alike.

        loss = logsumexp(z) - (1 - e) z_y - e mean(z)

    Args:
        logits: z, (..., V).
        target: piece ids y, (...); 0 is padding and costs nothing.
        smoothing: e.

    Returns:
        The loss and the plain negative log-likelihood, both (...) in nats, float32, 0 at padding. Gradients flow
        through the loss alone. Of a piece less probable than 1e-37 the likelihood says 85.

    Source: Szegedy et al. 2016, section 7.
    """
    pieces = logits.shape[-1]

    @tf.custom_gradient
    def loss(z: tf.Tensor) -> Any:
        flat = tf.reshape(z, (-1, pieces))
        judged = _judge(flat, tf.reduce_mean(flat, axis=1), target, smoothing)

        def gradient(upstream: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
            return tf.reshape((judged.slope - smoothing / pieces) * tf.expand_dims(upstream, -1), tf.shape(z))

        return (judged.loss, judged.likelihood), gradient

    return _outside_padding(loss(tf.cast(logits, tf.float32)), target)


def smoothed_cross_entropy_of(
    y: tf.Tensor, table: tf.Tensor, bias: tf.Tensor, target: tf.Tensor, smoothing: float = 0.0
) -> tuple[tf.Tensor, tf.Tensor]:
    """`smoothed_cross_entropy` of the logits y E^T + b, in a third of the time, for training.

    Of all that is as large as the logits only their softmax is kept, in the dtype of `y`. It becomes the slope where it
    stands, and what each piece's share of it is multiplied by goes to `y`, which is V / E times smaller:

        dL/dy = u (S E),  dL/dE = S^T (u y),  dL/db = S^T u,   S = softmax(z) - (1 - e) onehot(y) - e / V

    The bias is one more column of the table, to which `y` has a 1.

    Args:
        y: what the logits are made from, (..., E).
        table: E, (V, E), float32.
        bias: b, (V,), float32.
        target: piece ids, (...); 0 is padding and costs nothing.
        smoothing: e.

    Returns:
        As `smoothed_cross_entropy`.
    """
    pieces, width = table.shape
    more = [[0, 0], [0, ALIGNED - 1]]

    @tf.custom_gradient
    def loss(y: tf.Tensor, table: tf.Tensor, bias: tf.Tensor) -> Any:
        asked = tf.concat([y, tf.pad(tf.ones_like(y[:, :1]), more)], axis=1)
        wide = tf.cast(tf.concat([table, tf.pad(tf.expand_dims(bias, 1), more)], axis=1), y.dtype)
        of_all = tf.reduce_mean(table, axis=0)
        mean = tf.linalg.matvec(tf.cast(y, tf.float32), of_all) + tf.reduce_mean(bias)
        judged = _judge(tf.matmul(asked, wide, transpose_b=True), mean, target, smoothing)

        def gradient(upstream: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            upstream = tf.expand_dims(upstream, -1)
            weighted = tf.cast(asked, tf.float32) * upstream
            by_wide = tf.matmul(judged.slope, tf.cast(weighted, y.dtype), transpose_a=True)
            by_wide = tf.cast(by_wide, tf.float32) - smoothing / pieces * tf.reduce_sum(weighted, axis=0)
            by_y = tf.cast(tf.matmul(judged.slope, wide)[:, :width], tf.float32)
            by_y = (by_y - smoothing * of_all) * upstream
            return tf.cast(by_y, y.dtype), by_wide[:, :width], by_wide[:, width]

        return (judged.loss, judged.likelihood), gradient

    return _outside_padding(loss(tf.reshape(y, (-1, width)), table, bias), target)


class _Judged(NamedTuple):
    """What is known of N predictions once their softmax is."""

    loss: tf.Tensor
    """(N,) in nats."""
    likelihood: tf.Tensor
    """Negative and logarithmic, without smoothing, (N,) in nats."""
    slope: tf.Tensor
    """Of the loss by the logits, but for the share of the smoothing that all pieces have alike, (N, V)."""


def _judge(z: tf.Tensor, mean: tf.Tensor, target: tf.Tensor, smoothing: float) -> _Judged:
    """Each pass over V this large counts: `mean` is that of each row of z, and the softmax changes in N places."""
    softmax, target = tf.nn.softmax(z), tf.reshape(target, (-1,))
    places = tf.stack([tf.range(tf.size(target)), target], axis=1)
    probability, own = (tf.cast(tf.gather_nd(each, places), tf.float32) for each in (softmax, z))
    likelihood = -tf.math.log(tf.maximum(probability, LEAST))  # and logsumexp(z) = likelihood + z_y
    slope = tf.tensor_scatter_nd_sub(softmax, places, tf.fill(tf.shape(target), tf.cast(1.0 - smoothing, z.dtype)))
    return _Judged(likelihood + smoothing * (own - mean), likelihood, slope)


def _outside_padding(values: Sequence[tf.Tensor], target: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Loss and likelihood in the shape of the target, 0 where it is padding; the likelihood has no gradient."""
    mask = tf.cast(tf.not_equal(target, PAD), tf.float32)
    loss, likelihood = (tf.reshape(each, tf.shape(target)) * mask for each in values)
    return loss, tf.stop_gradient(likelihood)


def disagreement(first: tf.Tensor, second: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """How far two predictions of each piece are apart: KL(p || q) + KL(q || p) = sum (p - q) (log p - log q).

    Args:
        first, second: the logits of p and of q, (..., V).
        target: piece ids, (...); 0 is padding and costs nothing.

    Returns:
        (...) in nats, float32.
    """

    @tf.custom_gradient
    def apart(a: tf.Tensor, b: tf.Tensor) -> Any:
        log_p, log_q = tf.nn.log_softmax(a), tf.nn.log_softmax(b)
        p, q, ratio = tf.exp(log_p), tf.exp(log_q), log_p - log_q

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            upstream = tf.expand_dims(upstream, -1)
            by_a, by_b = (x * (ratio - tf.reduce_sum(x * ratio, axis=-1, keepdims=True)) for x in (p, q))
            return upstream * (p - q + by_a), upstream * (q - p - by_b)

        return tf.reduce_sum((p - q) * ratio, axis=-1), gradient

    mask = tf.cast(tf.not_equal(target, PAD), tf.float32)
    return mask * apart(tf.cast(first, tf.float32), tf.cast(second, tf.float32))


@keras.saving.register_keras_serializable("seq2seq")
class Smoothed(keras.losses.Loss):
    """`smoothed_cross_entropy` for `compile`: the mean over the pieces that are not padding."""

    def __init__(self, smoothing: float = 0.1, name: str = "smoothed_cross_entropy") -> None:
        super().__init__(name=name)
        self.smoothing = smoothing

    def call(self, y_true, y_pred):
        target = tf.cast(y_true, tf.int32)
        loss, _ = smoothed_cross_entropy(y_pred, target, self.smoothing)
        pieces = tf.reduce_sum(tf.cast(tf.not_equal(target, PAD), tf.float32))
        return loss * tf.cast(tf.size(target), tf.float32) / tf.maximum(1.0, pieces)  # Keras takes the mean over all

    def get_config(self):
        return {"smoothing": self.smoothing, "name": self.name}


def perplexity(nats: float, pieces: int) -> float:
    """exp of the mean negative log-likelihood a piece; infinity where that overflows."""
    mean = nats / max(1, pieces)
    return math.exp(mean) if mean < 700 else math.inf
