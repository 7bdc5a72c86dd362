"""Beam search over `step(tokens, state) -> Step(logits, attention, state)`.

It owns which hypotheses are kept, how they are ranked and when to stop; it knows no Keras and no model, only a
function that scores the next piece.
"""

from __future__ import annotations

from collections.abc import Callable
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
    """What the caller may choose."""

    max_length: tf.Tensor
    """Most pieces of each row's hypotheses, end of sentence included, (B,)."""
    beam: tf.Tensor
    """K, (); 1 is greedy search."""
    min_length: tf.Tensor
    """Fewest pieces before the end of sentence, ()."""
    length_penalty: tf.Tensor
    """alpha, ()."""
    coverage_penalty: tf.Tensor
    """beta, ()."""


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
    done: tf.Tensor  # (B, K) ended, or at the row's limit
    coverage: tf.Tensor  # (B, K, S) attention so far; 1 at padding
    model: Any  # nest of (B K, ...)
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
    """1 where the end of sentence was reached, 0 where the limit cut, (B, K)."""
    record: Record


def beam_search(step: Callable[[tf.Tensor, Any], Step], state: Any, mask: tf.Tensor, options: Options) -> Hypotheses:
    """The K most probable hypotheses that a beam of K finds.

        1. every hypothesis is continued by its K best pieces; an ended one stays as it is
        2. of these K * K, the K with the highest log-probability go on
        3. when all have ended, they are ranked by
           log-probability / ((5 + length) / 6)^alpha + beta * sum_s log min(1, sum_t attention(t, s))

    A row's result does not depend on what stands beside it in the batch.

    Args:
        step: scores the next piece of B K hypotheses.
        state: what `step` starts from, a nest of tensors that start with B.
        mask: True at source pieces, (B, S).
        options: sizes and penalties.

    Returns:
        `Hypotheses`.

    Source: Wu et al. 2016 (GNMT), equation 14, for the ranking.
    """
    total = tf.reduce_max(options.max_length)
    first = _first(state, mask, options, total)

    def going(now: BeamState) -> tf.Tensor:
        return tf.logical_and(now.t < total, tf.logical_not(tf.reduce_all(now.done)))

    def body(now: BeamState) -> tuple[BeamState]:
        return (_advance(step, now, options),)

    (last,) = tf.while_loop(going, body, (first,))
    return _ranked(last, options)


def length_penalty(length: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
    """((5 + length) / 6)^alpha (Wu et al. 2016)."""
    return tf.pow((5.0 + tf.cast(length, tf.float32)) / 6.0, alpha)


def coverage_penalty(coverage: tf.Tensor, beta: tf.Tensor) -> tf.Tensor:
    """beta * sum_s log min(1, coverage_s): 0 where every source piece was looked at, (..., S) to (...)."""
    return beta * tf.reduce_sum(tf.math.log(tf.clip_by_value(coverage, 1e-6, 1.0)), axis=-1)


def _first(state, mask, options, total) -> BeamState:
    batch, beam = tf.shape(mask)[0], options.beam
    shape = tf.stack([batch, beam])
    places = tf.range(beam)
    empty = tf.zeros(tf.stack([total, batch, beam]), tf.int32)
    rows = tf.range(batch * beam) // beam
    unseen = 1.0 - tf.cast(mask, tf.float32)
    return BeamState(
        t=tf.constant(0),
        tokens=tf.fill(shape, BOS),
        log_probs=tf.zeros(shape) + tf.cast(tf.minimum(places, 1), tf.float32) * NEVER,  # all start alike: keep one
        lengths=tf.zeros(shape, tf.int32),
        done=tf.zeros(shape, tf.bool),
        coverage=_by_row(tf.gather(unseen, rows), batch, beam),
        model=tf.nest.map_structure(lambda x: tf.gather(x, rows), state),
        record=Record(empty, empty + places, tf.cast(empty, tf.float32)),
    )


def _advance(step, now: BeamState, options: Options) -> BeamState:
    batch, beam = tf.shape(now.tokens)[0], options.beam
    said = step(tf.reshape(now.tokens, (-1,)), now.model)
    pieces, log_probs = _continuations(said.logits, now, options)
    log_probs, choice = tf.math.top_k(log_probs, beam)  # (B, K) of (B, K K)
    parents = choice // (tf.shape(pieces)[1] // beam)
    tokens = _pick(pieces, choice)
    was_done = _pick(now.done, parents)
    lengths = _pick(now.lengths, parents) + tf.cast(tf.logical_not(was_done), tf.int32)
    at_limit = now.t + 1 >= tf.expand_dims(options.max_length, 1)
    seen = _by_row(said.attention, batch, beam) * tf.expand_dims(tf.cast(tf.logical_not(now.done), tf.float32), -1)
    rows = tf.reshape(tf.expand_dims(tf.range(batch) * beam, 1) + parents, (-1,))

    def chosen(x: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.gather(x, rows), x.shape)

    coverage = now.coverage + seen
    return BeamState(
        t=now.t + 1,
        tokens=tokens,
        log_probs=log_probs,
        lengths=lengths,
        done=tf.logical_or(tf.logical_or(was_done, tf.equal(tokens, EOS)), at_limit),
        coverage=_by_row(chosen(tf.reshape(coverage, (-1, tf.shape(coverage)[2]))), batch, beam),
        model=tf.nest.map_structure(chosen, said.state),
        record=Record(*(_write(*each, now.t) for each in zip(now.record, (tokens, parents, log_probs), strict=True))),
    )


def _continuations(logits, now: BeamState, options: Options):
    """The K best next pieces of each hypothesis and the log-probability with them, (B, K K) each.

    Where the vocabulary is smaller than the beam, all pieces.
    """
    vocabulary = logits.shape[-1]
    each = tf.minimum(options.beam, vocabulary)
    total = tf.reduce_logsumexp(logits, axis=-1, keepdims=True)
    best, pieces = tf.math.top_k(logits + _forbidden(vocabulary, now.t, options), each)
    shape = tf.stack([tf.shape(now.tokens)[0], options.beam, each])
    gain, pieces = tf.reshape(best - total, shape), tf.reshape(pieces, shape)
    # An ended hypothesis has one continuation: itself.
    done = tf.expand_dims(now.done, -1)
    stay = tf.cast(tf.minimum(tf.range(each), 1), tf.float32) * NEVER
    gain = tf.where(done, stay + tf.zeros_like(gain), gain)
    pieces = tf.where(done, PAD, pieces)
    flat = tf.stack([shape[0], options.beam * each])
    return tf.reshape(pieces, flat), tf.reshape(gain + tf.expand_dims(now.log_probs, -1), flat)


def _forbidden(vocabulary, t, options):
    """What keeps PAD, UNK and BOS out of every hypothesis, and EOS out of one that is too short, (V,)."""
    ids = tf.range(vocabulary)
    special = tf.logical_and(ids < EOS, ids >= PAD)
    early = tf.logical_and(tf.equal(ids, EOS), t < options.min_length)
    return tf.cast(tf.logical_or(special, early), tf.float32) * NEVER


def _ranked(last: BeamState, options: Options) -> Hypotheses:
    scores = last.log_probs / length_penalty(last.lengths, options.length_penalty)
    scores = scores + coverage_penalty(last.coverage, options.coverage_penalty)
    scores, order = tf.math.top_k(scores, options.beam)
    lengths = _pick(last.lengths, order)
    tokens = _replay(last, order)
    finished = tf.reduce_any(tf.equal(tokens, EOS), axis=-1)
    return Hypotheses(tokens, lengths, scores, _pick(last.log_probs, order), tf.cast(finished, tf.int32), last.record)


def _replay(last: BeamState, order):
    """Follows every final hypothesis back through the record, (B, K, T)."""

    def body(t, places, tokens):
        row = tf.expand_dims(_pick(last.record.tokens[t], places), 0)
        tokens = tf.tensor_scatter_nd_update(tokens, tf.reshape(t, (1, 1)), row)
        return t - 1, _pick(last.record.parents[t], places), tokens

    start = (last.t - 1, order, tf.zeros_like(last.record.tokens))
    _, _, tokens = tf.while_loop(lambda t, *_: t >= 0, body, start)
    return tf.transpose(tokens, (1, 2, 0))


def _pick(x, choice):
    """x[b, choice[b, k]] for (B, M) and (B, K); flat, because batched gathers do not convert to LiteRT."""
    width = tf.shape(x)[1]
    rows = tf.expand_dims(tf.range(tf.shape(x)[0]) * width, 1) + choice
    return tf.reshape(tf.gather(tf.reshape(x, (-1,)), tf.reshape(rows, (-1,))), tf.shape(choice))


def _by_row(x, batch, beam):
    """(B K, S) to (B, K, S)."""
    return tf.reshape(x, tf.stack([batch, beam, tf.shape(x)[1]]))


def _write(buffer, row, t):
    return tf.tensor_scatter_nd_update(buffer, tf.reshape(t, (1, 1)), tf.expand_dims(row, 0))
