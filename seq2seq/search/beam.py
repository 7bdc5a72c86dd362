"""The loop of the search, step by step.

It owns the order of things; what may be said is `constraints`', how hypotheses compare `penalties`', chance
`sampling`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from seq2seq.search import constraints as rules
from seq2seq.search import penalties, sampling, waves
from seq2seq.search.state import (
    BOS,
    EOS,
    NEVER,
    PAD,
    BeamState,
    Hypotheses,
    Options,
    Outcome,
    Record,
    Sources,
    Step,
    append,
    by_row,
    flat,
    pick,
    prepend,
    take,
    top,
)


def beam_search(step: Callable[[tf.Tensor, Any, Any], Step], sources: Sources, options: Options) -> Hypotheses:
    """The K most probable hypotheses that a beam of K finds.

        1. every hypothesis is continued by its K best pieces; an ended one stays as it is
        2. of these K * K, the K with the highest log-probability go on
        3. a row stops when all have ended, or when `n_best` have ended with scores that no other can reach any more;
           it leaves, and the others go on in a smaller batch
        4. they are ranked by
           log-probability / ((5 + length) / 6)^alpha + gamma length + beta * sum_s log min(1, sum_t attention(t, s))

    Step 3 loses nothing: what is still unended can at most reach `penalties.bound`, so the best hypothesis is never
    worse than that of a loop that goes on until all have ended. A row's result does not depend on what stands beside
    it in the batch.

    Args:
        step: scores the next piece of B K hypotheses, from their last pieces (B K,), the state and the memory.
        sources: what the search starts from.
        options: sizes, penalties, and what must or must not be said.

    Returns:
        `Hypotheses`.
    """

    def going(now: BeamState, _: Outcome) -> tf.Tensor:
        return tf.logical_not(tf.reduce_all(waves.stopped(now)))

    def most_going(now: BeamState) -> tf.Tensor:
        return 4 * tf.reduce_sum(tf.cast(waves.stopped(now), tf.int32)) < tf.size(now.rows)

    def wave(now: BeamState, outcome: Outcome) -> tuple[BeamState, Outcome]:
        """Steps until some row has stopped."""
        own = waves.of_rows(options, now.rows)
        (now,) = tf.while_loop(most_going, lambda now: (_advance(step, now, own),), (now,))
        return waves.going(now), waves.kept(outcome, now)

    start = _first(sources, options)
    return _ranked(waves.loop(going, wave, start, waves.outcome(start)), options)


def _first(sources: Sources, options: Options) -> BeamState:
    total = tf.reduce_max(options.max_length)
    batch, beam = tf.shape(sources.mask)[0], options.beam
    shape = tf.stack([batch, beam])
    places = tf.range(beam)
    empty = tf.zeros(tf.stack([total, batch, beam]), tf.int32)
    rows = _rows(batch, beam)
    alike = tf.cast(tf.minimum(places, 1), tf.float32) * NEVER  # all start alike: keep one
    if options.sampling is not None:
        alike = tf.where(options.sampling.temperature > 0, tf.zeros_like(alike), alike)
    return BeamState(
        t=tf.constant(0),
        rows=tf.range(batch),
        tokens=tf.fill(shape, BOS),
        log_probs=tf.zeros(shape) + alike,
        lengths=tf.zeros(shape, tf.int32),
        done=tf.fill(shape, total < 1),
        coverage=by_row(tf.gather(1.0 - tf.cast(sources.mask, tf.float32), rows), batch, beam),
        memory=sources.memory,
        model=tf.nest.map_structure(lambda x: tf.gather(x, rows), sources.state),
        past=() if options.constraints is None else rules.first(options.constraints, total, rows),
        record=Record(empty, empty + places, tf.cast(empty, tf.float32)),
    )


def _advance(step, now: BeamState, options: Options) -> BeamState:
    batch, beam = tf.shape(now.tokens)[0], options.beam
    said = step(tf.reshape(now.tokens, (-1,)), now.model, now.memory)
    pieces, log_probs, met = _continuations(said.logits, now, options)  # (B, K, M), and (B K, M, C)
    choice = _choose(log_probs, met, options)
    each = tf.shape(pieces)[2]
    parents = choice // each
    shape, chosen = tf.stack([batch, beam]), flat(choice, beam * each)
    tokens, log_probs = (take(x, chosen, shape) for x in (pieces, log_probs))
    rows = flat(parents, beam)
    was_done = take(now.done, rows, shape)
    lengths = take(now.lengths, rows, shape) + tf.cast(tf.logical_not(was_done), tf.int32)
    at_limit = now.t + 1 >= tf.expand_dims(options.max_length, 1)
    done = tf.logical_or(tf.logical_or(was_done, tf.equal(tokens, EOS)), at_limit)
    seen = by_row(said.attention, batch, beam) * tf.expand_dims(tf.cast(tf.logical_not(now.done), tf.float32), -1)

    def inherited(x: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.gather(x, rows), x.shape)

    coverage = tf.reshape(now.coverage + seen, tf.stack([batch * beam, -1]))
    coverage = tf.ensure_shape(by_row(inherited(coverage), batch, beam), now.coverage.shape)
    return now._replace(
        t=now.t + 1,
        tokens=tokens,
        log_probs=log_probs,
        lengths=lengths,
        done=_stopped(done, log_probs, lengths, coverage, options),
        coverage=coverage,
        model=tf.nest.map_structure(inherited, said.state),
        past=_remembered(now.past, tokens, met, (choice, rows)),
        record=Record(*map(append, now.record, (tokens, parents, log_probs))),
    )


def _continuations(logits, now: BeamState, options: Options):
    """The best next pieces of each hypothesis and the log-probability with them, (B, K, M) each.

    M is K, or V where the vocabulary is smaller; with constraints each required phrase adds the piece it waits for,
    and `Past.met` after each candidate is returned too, (B K, M, C).
    """
    vocabulary = logits.shape[-1]
    allowed, met = logits, ()
    rows = _rows(tf.shape(now.tokens)[0], options.beam)
    if options.constraints is not None:
        allowed = rules.restrict(logits, now.t, now.past, rows, options.constraints)
    # PAD, UNK and BOS are never said. They are put last among some more pieces, which is less than to mask them in all.
    best, pieces, total = top(allowed, tf.minimum(options.beam + EOS, vocabulary))
    if options.constraints is not None:
        total = top(logits, 1)[2]  # what is not allowed keeps its share of the probability
    best, order = tf.math.top_k(best + NEVER * tf.cast(pieces < EOS, tf.float32), tf.minimum(options.beam, vocabulary))
    pieces = pick(pieces, order)
    if options.sampling is not None:
        best, pieces = _drawn(allowed, best, pieces, now.t, options)
    if options.constraints is not None:
        best, pieces = _with_needed(allowed, best, pieces, now.past, options)
        met = rules.after(now.past, pieces, rows, options.constraints)
        early = tf.logical_and(tf.equal(pieces, EOS), tf.logical_not(rules.all_met(met, rows, options.constraints)))
        best = best + NEVER * tf.cast(early, tf.float32)
    shape = tf.concat([tf.shape(now.tokens), [-1]], axis=0)
    gain, pieces = tf.reshape(best - total, shape), tf.reshape(pieces, shape)
    # An ended hypothesis has one continuation: itself.
    done = tf.expand_dims(now.done, -1)
    stay = tf.cast(tf.minimum(tf.range(tf.shape(pieces)[2]), 1), tf.float32) * NEVER
    gain = tf.where(done, stay + tf.zeros_like(gain), gain)
    return tf.where(done, PAD, pieces), gain + tf.expand_dims(now.log_probs, -1), met


def _drawn(allowed, best, pieces, t, options: Options):
    """Where pieces are drawn, each hypothesis has one continuation."""

    def drawn():
        piece = tf.expand_dims(sampling.draw(allowed, t, options.sampling), 1)
        others = tf.cast(tf.minimum(tf.range(tf.shape(pieces)[1]), 1), tf.float32) * NEVER
        return pick(allowed, piece) + others, piece + tf.zeros_like(pieces)

    return tf.cond(options.sampling.temperature > 0, drawn, lambda: (best, pieces))


def _with_needed(allowed, best, pieces, past, options: Options):
    """Adds the piece that each required phrase waits for, unless it is there already."""
    needed = rules.needed(past, _rows(tf.shape(allowed)[0] // options.beam, options.beam), options.constraints)
    twice = tf.reduce_any(tf.equal(tf.expand_dims(needed, 2), tf.expand_dims(pieces, 1)), axis=2)
    order = tf.range(tf.shape(needed)[1])
    earlier = tf.expand_dims(order, 1) > tf.expand_dims(order, 0)
    again = tf.logical_and(tf.equal(tf.expand_dims(needed, 2), tf.expand_dims(needed, 1)), earlier)
    twice = tf.logical_or(twice, tf.reduce_any(again, axis=2))  # two phrases may begin alike
    useless = tf.cast(tf.logical_or(twice, tf.equal(needed, PAD)), tf.float32)
    value = pick(allowed, needed) + NEVER * useless
    return tf.concat([best, value], axis=1), tf.concat([pieces, needed], axis=1)


def _choose(log_probs, met, options: Options):
    """The places of the K continuations that go on, (B, K) in (B, K M)."""
    batch, beam, each = (tf.shape(log_probs)[axis] for axis in range(3))
    keys = tf.reshape(log_probs, tf.stack([batch, beam * each]))
    if options.sampling is not None:
        behind = tf.tile(tf.minimum(tf.range(each), beam), [beam])  # candidates of a parent come best first
        keys -= options.sampling.diversity * tf.cast(behind, tf.float32)
    if options.constraints is None:
        return tf.math.top_k(keys, beam)[1]
    banks = tf.reshape(tf.reduce_sum(met, axis=2), tf.shape(keys))
    shape = tf.shape(options.constraints.required)
    return rules.share(keys, banks, beam, shape[1] * shape[2])


def _stopped(done, log_probs, lengths, coverage, options: Options):
    """`done`, with all of a row done where no unended hypothesis can still come among the `n_best`."""
    ended = tf.where(done, penalties.score(log_probs, lengths, coverage, options), 2 * NEVER)
    worst = tf.math.top_k(ended, options.n_best)[0][:, -1:]
    hope = tf.where(done, 2 * NEVER, penalties.bound(log_probs, lengths, options))
    return tf.logical_or(done, worst >= tf.reduce_max(hope, axis=1, keepdims=True))


def _remembered(past, tokens, met, chosen):
    if not past:
        return past
    choice, rows = chosen
    candidates, phrases = tf.shape(met)[1], tf.shape(met)[2]
    each_row = tf.shape(tokens)[1] * candidates
    places = flat(choice, each_row)
    said = tf.gather(past.said, rows)
    return rules.Past(
        tf.concat([said[:, 1:], tf.reshape(tokens, (-1, 1))], axis=1),
        tf.gather(tf.reshape(met, tf.stack([-1, phrases])), places),
    )


def _ranked(last: Outcome, options: Options) -> Hypotheses:
    batch, beam = tf.shape(last.lengths)[0], options.beam
    scores = penalties.score(last.log_probs, last.lengths, last.coverage, options)
    keys = scores
    if options.constraints is not None:  # what was cut before it said what is required comes last
        met = rules.all_met(last.met, tf.range(batch), options.constraints)
        keys += NEVER * tf.cast(tf.logical_not(met), tf.float32)
    order = tf.math.top_k(keys, beam)[1]
    tokens = _replay(last.record, order)
    finished = tf.reduce_any(tf.equal(tokens, EOS), axis=-1)
    places = flat(order, beam)
    coverage = tf.gather(tf.reshape(last.coverage, tf.stack([-1, tf.shape(last.coverage)[2]])), places)
    return Hypotheses(
        tokens=tokens,
        lengths=pick(last.lengths, order),
        scores=pick(scores, order),
        log_probs=pick(last.log_probs, order),
        finished=tf.cast(finished, tf.int32),
        coverage=by_row(coverage, batch, beam),
        record=last.record,
    )


def _replay(record: Record, order):
    """Follows every final hypothesis back through the record, (B, K, T)."""

    shape = tf.shape(order)

    def body(t, at, tokens):
        said, parents = (tf.squeeze(tf.gather(each, tf.reshape(t, (1,))), 0) for each in record[:2])
        places = flat(at, shape[1])
        return t - 1, take(parents, places, shape), prepend(tokens, take(said, places, shape))

    start = (tf.shape(record.tokens)[0] - 1, order, tf.zeros_like(record.tokens))
    _, _, tokens = tf.while_loop(lambda t, *_: t >= 0, body, start)
    return tf.transpose(tokens, (1, 2, 0))


def _rows(batch, beam):
    """The row of each of B K hypotheses."""
    return tf.range(batch * beam) // beam
