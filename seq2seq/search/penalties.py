"""How hypotheses of different length are compared, and the best score that an unended one can still reach.

It owns the ranking; it does not know how a hypothesis came about.
"""

from __future__ import annotations

import tensorflow as tf

from seq2seq.search.state import Options


def score(log_probs: tf.Tensor, lengths: tf.Tensor, coverage: tf.Tensor, options: Options) -> tf.Tensor:
    """log-probability / ((5 + length) / 6)^alpha + gamma length + beta sum_s log min(1, coverage_s), (B, K).

    Source: Wu et al. 2016 (GNMT), equation 14; the word reward gamma is from He et al. 2016.
    """
    ranked = log_probs / length_penalty(lengths, options.length_penalty)
    ranked += options.word_reward * tf.cast(lengths, tf.float32)
    return ranked + coverage_penalty(coverage, options.coverage_penalty)


def bound(log_probs: tf.Tensor, lengths: tf.Tensor, options: Options) -> tf.Tensor:
    """What `score` can be at most after any continuation of a hypothesis, (B, K).

    Each piece adds a log-probability of at most 0, the length penalty of the longest is the largest, and so the
    kindest to what is negative; the coverage penalty is at most 0; the reward grows or shrinks with the length. So it
    is no less than what `score` says of the hypothesis as it is, should nothing come after it.
    """
    limit = tf.expand_dims(options.max_length, 1)
    kindest = log_probs / length_penalty(limit, options.length_penalty)
    most = tf.maximum(options.word_reward, 0.0) * tf.cast(limit, tf.float32)
    least = tf.minimum(options.word_reward, 0.0) * tf.cast(lengths, tf.float32)
    return kindest + most + least


def length_penalty(length: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
    """((5 + length) / 6)^alpha (Wu et al. 2016)."""
    return tf.pow((5.0 + tf.cast(length, tf.float32)) / 6.0, alpha)


def coverage_penalty(coverage: tf.Tensor, beta: tf.Tensor) -> tf.Tensor:
    """beta * sum_s log min(1, coverage_s): 0 where every source piece was looked at, (..., S) to (...)."""
    return beta * tf.reduce_sum(tf.math.log(tf.clip_by_value(coverage, 1e-6, 1.0)), axis=-1)
