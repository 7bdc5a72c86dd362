"""What training minimises: label-smoothed cross-entropy.

It owns the loss of logits against pieces; it does not know where either came from.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

PAD = 0


def smoothed_cross_entropy(logits: tf.Tensor, target: tf.Tensor, smoothing: float = 0.0) -> tuple[tf.Tensor, tf.Tensor]:
    """Cross-entropy of each piece against a target that gives `smoothing` of its mass to all pieces alike.

        loss = logsumexp(z) - (1 - e) z_y - e mean(z)

    Args:
        logits: z, (..., V).
        target: piece ids y, (...); 0 is padding and costs nothing.
        smoothing: e.

    Returns:
        The loss and the plain negative log-likelihood, both (...) in nats, float32, 0 at padding. Gradients flow
        through the loss alone. With smoothing the likelihood is read off the slope: exact to 1e-7 of the probability,
        and of a piece less probable than 1e-9 it says 20.7.

    Source: Szegedy et al. 2016, section 7.
    """
    mask = tf.cast(tf.not_equal(target, PAD), tf.float32)
    pieces = logits.shape[-1]
    rest = smoothing / pieces
    labels = tf.one_hot(tf.reshape(target, (-1,)), pieces, on_value=1.0 - smoothing + rest, off_value=rest)

    @tf.custom_gradient
    def loss(z: tf.Tensor) -> Any:
        # One kernel gives the loss and its slope, softmax(z) - labels: over V this large each pass counts.
        flat = tf.reshape(z, (-1, pieces))
        values, slope = tf.raw_ops.SoftmaxCrossEntropyWithLogits(features=flat, labels=labels)

        def gradient(upstream: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
            return tf.reshape(slope * tf.reshape(upstream * mask, (-1, 1)), tf.shape(z))

        probability = tf.gather(slope, tf.reshape(target, (-1, 1)), batch_dims=1)[:, 0] + 1.0 - smoothing + rest
        likelihood = values if smoothing == 0.0 else -tf.math.log(tf.maximum(probability, 1e-9))
        return tuple(tf.reshape(each, tf.shape(target)) * mask for each in (values, likelihood)), gradient

    smoothed, likelihood = loss(tf.cast(logits, tf.float32))
    return smoothed, tf.stop_gradient(likelihood)


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
