"""What the search is given, what goes round its loop and what it returns, shape by shape.

It owns names and layouts; it does not know how a hypothesis is chosen.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

PAD, UNK, BOS, EOS = 0, 1, 2, 3
NEVER = -1e9


class Step(NamedTuple):
    """What the scored function says of one more piece."""

    logits: tf.Tensor
    """Scores of every piece before the softmax, (B K, V)."""
    attention: tf.Tensor
    """Where it looked, (B K, S)."""
    state: Any
    """A nest of tensors that start with B K."""


class Options(NamedTuple):
    """What every search needs."""

    max_length: tf.Tensor
    """Most pieces of each row's hypotheses, end of sentence included, (B,)."""
    beam: tf.Tensor
    """K, (); 1 is greedy search."""
    n_best: tf.Tensor
    """How many hypotheses are wanted, (); at most K. A row may stop when it has so many that none can beat."""
    length_penalty: tf.Tensor
    """alpha, ()."""
    word_reward: tf.Tensor
    """gamma, ()."""
    coverage_penalty: tf.Tensor
    """beta, ()."""
    constraints: Any = None
    """`Constraints`, or None: a graph without them is a smaller one."""
    sampling: Any = None
    """`Sampling`, or None likewise."""


class Record(NamedTuple):
    """Every hypothesis that was ever kept, step by step; the beam can be replayed from it."""

    tokens: tf.Tensor
    """The piece that was added, PAD where nothing was, (T, B, K)."""
    parents: tf.Tensor
    """The place in the beam before that it came from, (T, B, K)."""
    log_probs: tf.Tensor
    """Its log-probability so far, (T, B, K)."""


class BeamState(NamedTuple):
    """What goes round the loop."""

    t: tf.Tensor  # ()
    tokens: tf.Tensor  # (B, K) the last piece of each hypothesis
    log_probs: tf.Tensor  # (B, K)
    lengths: tf.Tensor  # (B, K) pieces, end of sentence included
    done: tf.Tensor  # (B, K) ended, at the row's limit, or in a row that has stopped
    coverage: tf.Tensor  # (B, K, S) attention so far; 1 at padding
    model: Any  # nest of (B K, ...)
    past: Any  # what constraints remember of each hypothesis, nest of (B K, ...); () without constraints
    record: Record


class Hypotheses(NamedTuple):
    """The K hypotheses of each row, best first."""

    tokens: tf.Tensor
    """Pieces, end of sentence included, then PAD, (B, K, T)."""
    lengths: tf.Tensor
    """Pieces, end of sentence included, (B, K)."""
    scores: tf.Tensor
    """What they are ranked by, (B, K)."""
    log_probs: tf.Tensor
    """Sum of the log-probabilities of the pieces, (B, K)."""
    finished: tf.Tensor
    """1 where the end of sentence was reached, 0 where a limit or the stop of the row cut, (B, K)."""
    coverage: tf.Tensor
    """How much each source piece was looked at in all; 1 at padding, (B, K, S)."""
    record: Record


def pick(x: tf.Tensor, choice: tf.Tensor) -> tf.Tensor:
    """x[b, choice[b, k]] for (B, M) and (B, K); flat, because batched gathers do not convert to LiteRT."""
    width = tf.shape(x)[1]
    rows = tf.expand_dims(tf.range(tf.shape(x)[0]) * width, 1) + choice
    return tf.reshape(tf.gather(tf.reshape(x, (-1,)), tf.reshape(rows, (-1,))), tf.shape(choice))


def by_row(x: tf.Tensor, batch: tf.Tensor, beam: tf.Tensor) -> tf.Tensor:
    """(B K, S) to (B, K, S)."""
    return tf.reshape(x, tf.stack([batch, beam, tf.shape(x)[1]]))


def write(buffer: tf.Tensor, row: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
    """The buffer with `row` at place `t` of its first axis."""
    return tf.tensor_scatter_nd_update(buffer, tf.reshape(t, (1, 1)), tf.expand_dims(row, 0))
