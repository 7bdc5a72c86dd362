"""The learning rate, step by step.

It owns how it rises and falls; it does not know what is learned at it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
import tensorflow as tf


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


@keras.saving.register_keras_serializable("seq2seq")
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
