"""One step of training, compiled: a batch to gradients, gradients to weights, now or when more batches have come.

It owns what is minimised and what of several batches is one step; it does not know epochs, files or who waits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from seq2seq import distribution, guidance
from seq2seq.batches import BARE, Batch
from seq2seq.config import TrainingConfig
from seq2seq.distribution import Devices
from seq2seq.model import Seq2Seq
from seq2seq.objective import disagreement, smoothed_cross_entropy, smoothed_cross_entropy_of
from seq2seq.optimizer import Gathered, MovingAverage


def losses(model: Seq2Seq, batch: Batch, config: TrainingConfig) -> tuple[tf.Tensor, tf.Tensor]:
    """Loss and negative log-likelihood of each piece of a `Batch` in training, (B, T).

    Where links of words are given the loss of a piece is that of the piece and, weighted, that of where it looked.

    With R-Drop each pair is read twice, with other dropout, and the two predictions are drawn towards each other:

        loss = (loss_1 + loss_2) / 2 + alpha / 4 * (KL(p_1 || p_2) + KL(p_2 || p_1))

    Source: Liang et al. 2021 (R-Drop), equations 1 to 3, halved so that the learning rate means the same.
    """
    source, before, target, hints = tf.nest.map_structure(_twice, batch) if config.r_drop else batch
    memory, state = model.encode(source, training=True)
    said = model.decode(before, state, memory, training=True)
    table, bias = map(tf.convert_to_tensor, (model.decoder.output_embedding.embeddings, model.decoder.bias))
    loss, likelihood = smoothed_cross_entropy_of(said.readout, table, bias, target, config.label_smoothing)
    if guidance.LINKS in hints:
        loss += config.guided_attention * guidance.cost(said.attention, hints[guidance.LINKS], target)
    if not config.r_drop:
        return loss, likelihood
    loss, likelihood = (tf.add_n(tf.split(x, 2)) / 2 for x in (loss, likelihood))
    first, second = tf.split(said.logits, 2)
    return loss + config.r_drop / 4 * disagreement(first, second, batch.target_out), likelihood


def step_function(
    model: Seq2Seq,
    adam: keras.optimizers.Optimizer,
    config: TrainingConfig,
    *,
    average: MovingAverage | None = None,
    gathered: Gathered | None = None,
    devices: Devices | None = None,
    signature: Batch = BARE,
) -> Callable[..., Any]:
    """One compiled training step: a `Batch` in; sums of loss and likelihood, tokens and gradient norm out.

    On several devices each gets a part of the batch, and what comes out is that of the whole. What was `gathered` of
    batches before counts as if all had been one batch.
    """

    def step(*batch):
        gradients, sums = _gradients(model, Batch(*batch), config)
        if gathered is not None:
            gradients = gathered.mean(gradients, sums[-1])
        gradients, norm = tf.clip_by_global_norm(gradients, config.clip_norm)
        adam.apply(gradients, model.trainable_variables)
        if average is not None:
            average.update(adam.iterations.value)
        return sums, norm

    return (devices or Devices()).function(step, signature)


def gather_function(
    model: Seq2Seq,
    config: TrainingConfig,
    gathered: Gathered,
    *,
    devices: Devices | None = None,
    signature: Batch = BARE,
) -> Callable[..., Any]:
    """A compiled step that does not move: what the next step of `step_function` should count is `gathered`.

    What comes out is that of `step_function`, the norm that of this batch's own gradient.
    """

    def gather(*batch):
        gradients, sums = _gradients(model, Batch(*batch), config)
        gathered.add(gradients, sums[-1])
        return sums, tf.linalg.global_norm(gradients)

    return (devices or Devices()).function(gather, signature)


def likelihood_function(model: Seq2Seq) -> Callable[..., tf.Tensor]:
    """Compiled: the three blocks of a bare `Batch` to the negative log-likelihood of its pieces, summed, in nats."""

    def likelihood(source, target_in, target_out):
        _, nats = smoothed_cross_entropy(model((source, target_in)), target_out)
        return tf.reduce_sum(nats)

    return tf.function(likelihood, input_signature=list(BARE[:3]), autograph=False)


def _twice(x: tf.Tensor) -> tf.Tensor:
    return tf.concat([x, x], axis=0)


def _gradients(model: Seq2Seq, batch: Batch, config: TrainingConfig) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Gradients of the mean loss of a target piece; sums of loss and likelihood, and tokens. All over all devices."""
    (tokens,) = distribution.total([tf.reduce_sum(tf.cast(tf.not_equal(batch.target_out, 0), tf.float32))])
    with tf.GradientTape() as tape:
        loss, likelihood = losses(model, batch, config)
        total = tf.reduce_sum(loss) / tokens
    weights = [weight.value for weight in model.trainable_variables]
    sums = [tf.reduce_sum(loss), tf.reduce_sum(likelihood)]
    whole = map(tf.convert_to_tensor, tape.gradient(total, weights))  # a row that was looked up twice counts as one
    *gradients, loss, likelihood = distribution.total([*whole, *sums])
    return gradients, tf.stack([loss, likelihood, tokens])
