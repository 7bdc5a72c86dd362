"""What a hypothesis must and must not say: prefixes, required and forbidden phrases, repeats, a shortest length.

It owns which pieces may come next and how the beam is shared among hypotheses that have met more or fewer of the
required phrases; it does not know how pieces are scored.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from seq2seq.search.state import EOS, NEVER, PAD, pick

LONGEST_REPEAT = 8
"""Largest n of `no_repeat`; the tests of all shorter ones are part of the graph."""


class Constraints(NamedTuple):
    """What the caller may demand, row by row. PAD fills what is shorter; a row of PAD demands nothing."""

    min_length: tf.Tensor
    """Fewest pieces before the end of sentence, (B,)."""
    prefix: tf.Tensor
    """What every hypothesis begins with, (B, P), padded on the right. An EOS in it ends the hypothesis."""
    forbidden: tf.Tensor
    """Phrases that must not be said, (B, F, L), padded on the left."""
    required: tf.Tensor
    """Phrases that must be said before the end of sentence, (B, C, L), padded on the right."""
    no_repeat: tf.Tensor
    """n: no n pieces in a row are said twice; 0 allows repeats, ()."""


class Past(NamedTuple):
    """What has been said of each hypothesis."""

    said: tf.Tensor
    """Its pieces, the latest on the right, PAD before the first, (B K, H)."""
    met: tf.Tensor
    """How many leading pieces of each required phrase the latest pieces are, the most there can be, and all of them
    once it is met, (B K, C)."""


def first(constraints: Constraints, total: tf.Tensor, rows: tf.Tensor) -> Past:
    """Nothing said and nothing met, for B K hypotheses and at most `total` pieces."""
    hypotheses = tf.size(rows)
    width = total + tf.shape(constraints.forbidden)[2] + tf.shape(constraints.required)[2] + LONGEST_REPEAT
    phrases = tf.shape(constraints.required)[1]
    return Past(tf.zeros([hypotheses, width], tf.int32), tf.zeros([hypotheses, phrases], tf.int32))


def restrict(logits: tf.Tensor, t: tf.Tensor, past: Past, rows: tf.Tensor, constraints: Constraints) -> tf.Tensor:
    """The logits (B K, V) with NEVER added where a piece must not come next.

    Args:
        logits: scores of the next piece.
        t: how many pieces have been said.
        past: what they were.
        rows: the row of each hypothesis, (B K,).
        constraints: what is demanded; a prefix overrules everything else.
    """
    short = tf.gather(t < constraints.min_length, rows)
    banned = [
        tf.expand_dims(tf.where(short, EOS, PAD), 1),
        _ends_of_forbidden(past.said, tf.gather(constraints.forbidden, rows)),
        _ends_of_repeats(past.said, constraints.no_repeat),
    ]
    allowed = logits + NEVER * _marked(tf.concat(banned, axis=1), tf.shape(logits))
    length = tf.shape(constraints.prefix)[1]
    now = tf.gather(constraints.prefix, tf.minimum(t, length - 1), axis=1)
    now = tf.gather(tf.where(t < length, now, PAD), rows)
    free = tf.expand_dims(tf.equal(now, PAD), 1)

    def forced() -> tf.Tensor:
        other = tf.not_equal(tf.expand_dims(tf.range(tf.shape(logits)[1]), 0), tf.expand_dims(now, 1))
        return tf.where(free, allowed, logits + NEVER * tf.cast(other, tf.float32))

    return tf.cond(tf.reduce_all(free), lambda: allowed, forced)


def needed(past: Past, rows: tf.Tensor, constraints: Constraints) -> tf.Tensor:
    """The piece that each required phrase waits for, PAD where it is met, (B K, C)."""
    required = tf.gather(constraints.required, rows)
    padded = tf.concat([required, tf.zeros_like(required[:, :, :1])], axis=2)  # what is met waits for PAD
    width = tf.shape(padded)[2]
    places = tf.reshape(tf.range(tf.size(past.met)), tf.shape(past.met)) * width + past.met
    return tf.reshape(tf.gather(tf.reshape(padded, (-1,)), tf.reshape(places, (-1,))), tf.shape(past.met))


def after(past: Past, pieces: tf.Tensor, rows: tf.Tensor, constraints: Constraints) -> tf.Tensor:
    """`Past.met` of each hypothesis after each of its candidate pieces, (B K, M, C) of (B K, M).

    A candidate may go on with what was begun, or with a shorter beginning that the latest pieces are as well: of
    "5 5 6" the latest two of "5 5 5" are said.
    """
    piece = tf.expand_dims(pieces, 2)
    required = tf.gather(constraints.required, rows)
    fits = tf.logical_and(
        tf.expand_dims(_begun(past.said, required), 1),
        tf.equal(tf.expand_dims(piece, 3), tf.expand_dims(required, 1)),
    )  # (B K, M, C, L)
    moved = tf.reduce_max(tf.cast(fits, tf.int32) * (1 + tf.range(tf.shape(required)[2])), axis=3)
    before = tf.expand_dims(past.met, 1) + tf.zeros_like(piece)
    wanted = tf.expand_dims(needed(past, rows, constraints), 1)
    return tf.where(tf.logical_or(tf.equal(wanted, PAD), tf.equal(piece, PAD)), before, moved)


def _begun(said: tf.Tensor, required: tf.Tensor) -> tf.Tensor:
    """Whether the latest l pieces (N, H) are the first l of each phrase (N, C, L), for l from 0 to L - 1, (N, C, L)."""
    length = tf.shape(required)[2]
    count = tf.expand_dims(tf.range(length), 1)  # l of each row, beside the place in the phrase
    place = tf.expand_dims(tf.range(length), 0)
    at = tf.minimum(tf.shape(said)[1] - count + place, tf.shape(said)[1] - 1)
    latest = tf.gather(said, tf.reshape(at, (-1,)), axis=1)
    latest = tf.reshape(latest, tf.stack([tf.shape(said)[0], 1, length * length]))
    phrase = tf.tile(required, tf.stack([1, 1, length]))  # (N, C, L L), as the latest pieces are
    same = tf.logical_or(tf.equal(latest, phrase), tf.reshape(place >= count, (-1,)))
    return tf.reduce_all(tf.reshape(same, tf.stack([-1, tf.shape(required)[1], length, length])), axis=3)


def all_met(met: tf.Tensor, rows: tf.Tensor, constraints: Constraints) -> tf.Tensor:
    """Whether every required phrase is met, (B K, M) of (B K, M, C)."""
    lengths = tf.reduce_sum(tf.cast(tf.not_equal(constraints.required, PAD), tf.int32), axis=2)
    return tf.reduce_all(tf.equal(met, tf.expand_dims(tf.gather(lengths, rows), 1)), axis=2)


def share(keys: tf.Tensor, banks: tf.Tensor, beam: tf.Tensor, most: tf.Tensor) -> tf.Tensor:
    """The places of the candidates that go on, (B, K): the best of each bank in turn, the fullest bank first.

    Without the turns, hypotheses that have said a required phrase, improbable as it may be, would be crowded out by
    those that put it off.

    Args:
        keys: what candidates are compared by, (B, M).
        banks: how many required pieces each has said, (B, M).
        beam: K.
        most: an upper bound of `banks`.

    Source: Post and Vilar 2018, dynamic beam allocation.
    """
    ordered, order = tf.math.top_k(keys, tf.shape(keys)[1])
    bank = pick(banks, order)
    one_hot = tf.cast(tf.equal(tf.expand_dims(bank, 2), tf.range(most + 1)), tf.float32)
    better = tf.cast(tf.reduce_sum((tf.cumsum(one_hot, axis=1) - one_hot) * one_hot, axis=2), tf.int32)
    turn = better * (most + 1) + most - bank
    dead = tf.cast(ordered < 0.5 * NEVER, tf.int32) * 1_000_000
    _, chosen = tf.math.top_k(-tf.cast(turn + dead, tf.float32), beam)
    return pick(order, chosen)


def _ends_of_forbidden(said, forbidden):
    """The last piece of each forbidden phrase whose other pieces were just said, else PAD, (N, F)."""
    before = tf.shape(forbidden)[2] - 1
    latest = tf.expand_dims(said[:, tf.shape(said)[1] - before :], 1)
    begun = forbidden[:, :, :-1]
    fits = tf.reduce_all(tf.logical_or(tf.equal(begun, PAD), tf.equal(begun, latest)), axis=2)
    return tf.where(fits, forbidden[:, :, -1], PAD)


def _ends_of_repeats(said, n):
    """Every piece that once followed the n - 1 pieces just said, else PAD, (N, H)."""
    width = tf.shape(said)[1]
    fits = tf.logical_and(tf.not_equal(said, PAD), n > 0)
    for back in range(1, LONGEST_REPEAT):
        latest = tf.expand_dims(said[:, width - back], 1)
        earlier = tf.concat([tf.zeros_like(said[:, :back]), said[:, : width - back]], axis=1)
        fits = tf.logical_and(fits, tf.logical_or(tf.equal(earlier, latest), back >= n))
    return tf.where(fits, said, PAD)


def _marked(ids, shape):
    """1 at the pieces (N, M) of each hypothesis, (N, V); a mark on PAD means nothing."""
    places = tf.expand_dims(tf.range(shape[0]) * shape[1], 1) + ids
    flat = tf.reshape(places, (-1, 1))
    marks = tf.scatter_nd(flat, tf.ones_like(flat[:, 0], tf.float32), tf.expand_dims(shape[0] * shape[1], 0))
    return tf.minimum(tf.reshape(marks, shape), 1.0)
