"""What training minimises: label-smoothed cross-entropy, and the learning rate it is followed at.

It owns the loss of logits against pieces; it does not know where either came from.
"""

from __future__ import annotations

import math

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
    loss, likelihood = _cross_entropy(tf.cast(logits, tf.float32), target, smoothing)
    return loss, tf.stop_gradient(likelihood)


def _cross_entropy(logits, target, smoothing):
    mask = tf.cast(tf.not_equal(target, PAD), tf.float32)

    @tf.custom_gradient
    def loss(z):
        # One kernel gives -log p(y) and softmax(z) - onehot(y); the smoothing is a correction to both.
        flat, y = tf.reshape(z, (-1, z.shape[-1])), tf.reshape(target, (-1,))
        plain, slope = tf.raw_ops.SparseSoftmaxCrossEntropyWithLogits(features=flat, labels=y)
        rows = tf.stack([tf.range(tf.size(y)), tf.cast(y, tf.int32)], axis=-1)
        of_target = tf.gather_nd(flat, rows)
        total = plain + smoothing * (of_target - tf.reduce_mean(flat, axis=-1))
        plain, total = (tf.reshape(each, tf.shape(target)) * mask for each in (plain, total))

        def gradient(upstream, _):
            weight = tf.reshape(upstream * mask, (-1, 1))
            dz = (slope - smoothing / z.shape[-1]) * weight
            dz = tf.tensor_scatter_nd_add(dz, rows, smoothing * weight[:, 0])
            return tf.reshape(dz, tf.shape(z))

        return (total, plain), gradient

    return loss(logits)


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


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up from 0 to `peak`, then the given decay until `total` steps.

    Arguments:
        peak, final: learning rates.
        warmup, total: steps.
        decay: "cosine" falls to `final` at `total`; "inverse_sqrt" falls as 1 / sqrt(step); "constant" stays.
    """

    def __init__(self, peak: float, final: float, *, warmup: int, total: int, decay: str = "cosine") -> None:
        self.peak, self.final, self.warmup, self.total, self.decay = peak, final, warmup, total, decay

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        warmup = float(max(1, self.warmup))
        rise = tf.minimum(1.0, (step + 1.0) / warmup)
        if self.decay == "constant":
            return self.peak * rise
        if self.decay == "inverse_sqrt":
            return tf.maximum(self.final, self.peak * rise * tf.sqrt(warmup / tf.maximum(step, warmup)))
        done = tf.clip_by_value((step - warmup) / max(1.0, self.total - warmup), 0.0, 1.0)
        return rise * (self.final + (self.peak - self.final) * 0.5 * (1.0 + tf.cos(math.pi * done)))

    def get_config(self):
        return {name: getattr(self, name) for name in ("peak", "final", "warmup", "total", "decay")}
