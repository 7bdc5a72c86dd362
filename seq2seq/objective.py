"""What training minimises: label-smoothed cross-entropy, and the learning rate it is followed at.

It owns the loss of logits against pieces; it does not know where either came from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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
        through the loss alone.

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


def divergence(first: tf.Tensor, second: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
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


class Smoothed(keras.losses.Loss):
    """`smoothed_cross_entropy` for `compile`: the mean over the pieces that are not padding."""

    def __init__(self, smoothing: float = 0.1, name: str = "smoothed_cross_entropy") -> None:
        super().__init__(name=name, reduction="sum")
        self.smoothing = smoothing

    def call(self, y_true, y_pred):
        target = tf.cast(y_true, tf.int32)
        loss, _ = smoothed_cross_entropy(y_pred, target, self.smoothing)
        return loss / tf.maximum(1.0, tf.reduce_sum(tf.cast(tf.not_equal(target, PAD), tf.float32)))


def perplexity(nats: float, pieces: int) -> float:
    """exp of the mean negative log-likelihood a piece; infinity where that overflows."""
    mean = nats / max(1, pieces)
    return math.exp(mean) if mean < 700 else math.inf


def plateaus(perplexities: Sequence[float], patience: int, *, warm: int = 0) -> int:
    """How often a perplexity by epoch has not fallen below its best for `patience` epochs, the first `warm` left out.

    >>> plateaus([9, 8, 8, 8, 7, 8, 9, 9, 9], 2)
    3
    """
    best, waited, count = math.inf, 0, 0
    for epoch, value in enumerate(perplexities, start=1):
        waited = 0 if value < best or epoch <= warm else waited + 1
        best = min(best, value)
        if waited == patience:
            waited, count = 0, count + 1
    return count


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up from 0 to `peak`, then the given decay until `total` steps.

    Arguments:
        peak, final: learning rates.
        warmup, total: steps.
        decay: "cosine" falls to `final` at `total`; "inverse_sqrt" falls as 1 / sqrt(step); "constant" stays; "plateau"
            stays until someone assigns another `scale`, never below `final`.
    """

    def __init__(self, peak: float, final: float, *, warmup: int, total: int, decay: str = "cosine") -> None:
        self.peak, self.final, self.warmup, self.total, self.decay = peak, final, warmup, total, decay
        self.scale = tf.Variable(1.0, trainable=False) if decay == "plateau" else None

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        warmup = float(max(1, self.warmup))
        rise = tf.minimum(1.0, (step + 1.0) / warmup)
        if self.decay == "constant":
            return self.peak * rise
        if self.scale is not None:
            return rise * tf.maximum(self.final, self.peak * self.scale)
        if self.decay == "inverse_sqrt":
            return tf.maximum(self.final, self.peak * rise * tf.sqrt(warmup / tf.maximum(step, warmup)))
        done = tf.clip_by_value((step - warmup) / max(1.0, self.total - warmup), 0.0, 1.0)
        return rise * (self.final + (self.peak - self.final) * 0.5 * (1.0 + tf.cos(math.pi * done)))

    def get_config(self):
        return {name: getattr(self, name) for name in ("peak", "final", "warmup", "total", "decay")}
