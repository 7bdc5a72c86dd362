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


class Sources(NamedTuple):
    """What is known of B sources before the first step."""

    state: Any
    """What hypotheses start from, a nest of tensors that start with B."""
    memory: Any
    """What all hypotheses of a source share and no step changes, likewise."""
    mask: tf.Tensor
    """True at source pieces, (B, S)."""


class BeamState(NamedTuple):
    """What goes round the loop."""

    t: tf.Tensor  # ()
    rows: tf.Tensor  # (B,) which rows these are of those that the search began with
    tokens: tf.Tensor  # (B, K) the last piece of each hypothesis
    log_probs: tf.Tensor  # (B, K)
    lengths: tf.Tensor  # (B, K) pieces, end of sentence included
    done: tf.Tensor  # (B, K) ended, at the row's limit, or in a row that has stopped
    coverage: tf.Tensor  # (B, K, S) attention so far; 1 at padding
    memory: Any  # nest of (B, ...)
    model: Any  # nest of (B K, ...)
    past: Any  # what constraints remember of each hypothesis, nest of (B K, ...); () without constraints
    record: Record


class Outcome(NamedTuple):
    """What has become of each row once it stopped."""

    log_probs: tf.Tensor  # (B, K)
    lengths: tf.Tensor  # (B, K)
    coverage: tf.Tensor  # (B, K, S)
    met: Any  # (B, K, C) as in `Past`; () without constraints
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
    """x[b, choice[b, k]] for (B, M) and (B, K)."""
    return take(x, flat(choice, tf.shape(x)[1]), tf.shape(choice))


def flat(choice: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Where x[b, choice[b, k]] stands in a flattened (B, width), (B K,); batched gathers do not convert to LiteRT."""
    return tf.reshape(tf.expand_dims(tf.range(tf.shape(choice)[0]) * width, 1) + choice, (-1,))


def take(x: tf.Tensor, places: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
    """What stands at these `places` of x, whatever its shape, in this `shape`."""
    return tf.reshape(tf.gather(tf.reshape(x, (-1,)), places), shape)


def by_row(x: tf.Tensor, batch: tf.Tensor, beam: tf.Tensor) -> tf.Tensor:
    """(B K, S) to (B, K, S)."""
    return tf.reshape(x, tf.stack([batch, beam, tf.shape(x)[1]]))


def append(buffer: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
    """The buffer (T, B, K) with `row` (B, K) at its end, and without its first one.

    A buffer sized beforehand that is filled so costs LiteRT two copies a step; a scattered write costs six passes.
    """
    rest = tf.slice(buffer, [1, 0, 0], tf.shape(buffer) - [1, 0, 0])
    return tf.ensure_shape(tf.concat([rest, tf.expand_dims(row, 0)], axis=0), buffer.shape)


def prepend(buffer: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
    """The buffer (T, B, K) with `row` (B, K) at its beginning, and without its last one."""
    rest = tf.slice(buffer, [0, 0, 0], tf.shape(buffer) - [1, 0, 0])
    return tf.ensure_shape(tf.concat([tf.expand_dims(row, 0), rest], axis=0), buffer.shape)


def in_order(buffer: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """What `append` was called with `count` times, at the beginning of the buffer."""
    total = tf.shape(buffer)[0]
    return tf.gather(buffer, tf.math.floormod(tf.range(total) + total - count, total))


def top(x: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The `count` largest of each row, where they stand, (N, count) each of (N, V), and the logsumexp, (N, 1).

    The largest stand in the groups with the largest maxima, so only so many groups are looked through. The maxima
    take one pass of a vector unit, and serve the logsumexp too; `tf.math.top_k` looks at V numbers one by one.
    """
    size = next((size for size in range(64, 15, -1) if x.shape[-1] % size == 0), 0)
    if not size or x.shape[-1] < 16 * size:
        return *tf.math.top_k(x, count), tf.reduce_logsumexp(x, axis=-1, keepdims=True)
    groups = x.shape[-1] // size
    grouped = tf.reshape(x, (-1, groups, size))
    maxima = tf.reduce_max(grouped, axis=2)
    best, where = tf.math.top_k(maxima, tf.minimum(count, groups))
    rows = tf.expand_dims(tf.range(tf.shape(x)[0]), 1) + tf.zeros_like(where)
    looked = tf.gather_nd(grouped, tf.stack([rows, where], axis=2))  # (N, count, size)
    values, places = tf.math.top_k(tf.reshape(looked, tf.stack([tf.shape(x)[0], -1])), count)
    best = best[:, :1]
    shares = tf.exp(grouped - tf.expand_dims(best, 2))  # from here on x itself is not used, so reshaping it is no copy
    total = best + tf.math.log(tf.reduce_sum(tf.reduce_sum(shares, axis=2), axis=1, keepdims=True))
    return values, pick(where, places // size) * size + places % size, total
