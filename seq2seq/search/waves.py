"""Rows that have stopped leave the loop, so that the others go on in a smaller batch.

It owns who leaves and what is kept of them; it does not know why a row has stopped.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from seq2seq.search.state import BeamState, Options, Outcome, Record, by_row, in_order


def loop(going: Any, wave: Any, now: BeamState, outcome: Outcome) -> Outcome:
    """`wave` after wave, each in a batch as large as `now` is by then."""
    any_size = tf.nest.map_structure(lambda x: tf.TensorShape([None] * min(x.shape.rank, 1)) + x.shape[1:], now)
    record = Record(*(tf.TensorShape([None, None, None]) for _ in now.record))
    shapes = any_size._replace(record=record), tf.nest.map_structure(lambda x: x.shape, outcome)
    return tf.while_loop(going, wave, (now, outcome), shape_invariants=shapes)[1]


def stopped(now: BeamState) -> tf.Tensor:
    """Whether a row has nothing left to do, (B,)."""
    return tf.reduce_all(now.done, axis=1)


def of_rows(options: Options, rows: tf.Tensor) -> Options:
    """The options of these rows (N,)."""

    def part(x: tf.Tensor) -> tf.Tensor:
        return tf.gather(x, rows) if x.shape.rank else x

    mine = options._replace(max_length=part(options.max_length))
    if options.constraints is not None:
        mine = mine._replace(constraints=type(options.constraints)(*map(part, options.constraints)))
    if options.sampling is not None:
        uniform = options.sampling.uniform
        columns = tf.minimum(_hypotheses(rows, options.beam), tf.shape(uniform)[1] - 1)
        mine = mine._replace(sampling=options.sampling._replace(uniform=tf.gather(uniform, columns, axis=1)))
    return mine


def going(now: BeamState) -> BeamState:
    """The rows that have not stopped; the first one when all have, for no tensor should be empty."""
    leaves = stopped(now)
    first = tf.range(tf.size(now.rows)) < 1
    stays = tf.where(tf.reduce_all(leaves), first, tf.logical_not(leaves))
    rows = tf.cast(tf.reshape(tf.where(stays), (-1,)), tf.int32)
    hypotheses = _hypotheses(rows, tf.shape(now.tokens)[1])

    def of(places: tf.Tensor, nest: Any, axis: int = 0) -> Any:
        return tf.nest.map_structure(lambda x: tf.ensure_shape(tf.gather(x, places, axis=axis), x.shape), nest)

    fields = {name: of(rows, getattr(now, name)) for name in ROWS}
    return BeamState(
        t=now.t,
        **fields,
        model=of(hypotheses, now.model),
        past=of(hypotheses, now.past),
        record=of(rows, now.record, 1),
    )


def kept(before: Outcome, now: BeamState) -> Outcome:
    """`before`, with what has become of the rows that have stopped now."""
    every = tf.range(tf.shape(before.lengths)[0])
    here = tf.logical_and(tf.equal(tf.expand_dims(every, 1), now.rows), stopped(now))  # (B, N)
    leaves = tf.reduce_any(here, axis=1)
    places = tf.reduce_sum(tf.cast(here, tf.int32) * tf.range(tf.size(now.rows)), axis=1)

    def chosen(old: tf.Tensor, new: tf.Tensor, axis: int = 0) -> tf.Tensor:
        shape = [-1 if each == axis else 1 for each in range(new.shape.rank)]
        return tf.ensure_shape(tf.where(tf.reshape(leaves, shape), tf.gather(new, places, axis=axis), old), old.shape)

    after = outcome(now)
    record = Record(*(chosen(*each, 1) for each in zip(before.record, after.record, strict=True)))
    fields = {
        name: tf.nest.map_structure(chosen, getattr(before, name), getattr(after, name))
        for name in Outcome._fields
        if name != "record"
    }
    return Outcome(**fields, record=record)


ROWS = ("rows", "tokens", "log_probs", "lengths", "done", "coverage", "memory")
"""The fields of `BeamState` whose first axis is that of rows."""


def outcome(now: BeamState) -> Outcome:
    """What has become of every row by now; before the first step, room for what will have."""
    batch, beam = tf.shape(now.tokens)[0], tf.shape(now.tokens)[1]
    tokens, parents, log_probs = (in_order(each, now.t) for each in now.record)
    taken = tf.reshape(tf.range(tf.shape(tokens)[0]) < now.t, (-1, 1, 1))
    return Outcome(
        log_probs=now.log_probs,
        lengths=now.lengths,
        coverage=now.coverage,
        met=by_row(now.past.met, batch, beam) if now.past else (),
        record=Record(tokens, parents, tf.where(taken, log_probs, tf.expand_dims(now.log_probs, 0))),
    )


def _hypotheses(rows, beam):
    """Where the hypotheses of rows (N,) stand among those of all, (N K,)."""
    return tf.reshape(tf.expand_dims(rows * beam, 1) + tf.range(beam), (-1,))
