"""The gradient of one piece's log-probability, carried backwards through a network by hand.

It owns the order of the backward steps; what one step of the cell, the attention or a product does backwards is theirs.
Written out because LiteRT has no operation for the gradient of a loop.
"""

from __future__ import annotations

from typing import NamedTuple

import keras
import tensorflow as tf

from seq2seq import linear, lstm
from seq2seq.attention import Memory
from seq2seq.decoder import Decoder
from seq2seq.encoder import Encoder
from seq2seq.lstm import State, Trace


class Flow(NamedTuple):
    """The derivatives by the states of one layer at every step, on all paths; (B, T, D) each."""

    c: tf.Tensor
    h: tf.Tensor


def decoder_flow(
    decoder: Decoder,
    traces: list[Trace],
    start: tuple[State, ...],
    memory: Memory,
    *,
    piece: tf.Tensor,
    step: tf.Tensor,
) -> tuple[list[Flow], tf.Tensor, State]:
    """From the log-probability of `piece` at `step` back to every decoder layer, the encoder's outputs and last state.

    Args:
        decoder: what said it.
        traces: what its layers did, (B, T, D).
        start: what they started from.
        memory: what it attended to; no row may have padding.
        piece: the piece, (B,).
        step: where, ().

    Returns:
        A `Flow` for each layer, the derivatives by the values of the memory (B, S, D), and by the start, (B, D) each.
    """
    query = traces[0].h
    top = query
    for trace in traces[1:]:
        top = top + trace.h if decoder.residual else trace.h
    context, weights = decoder.attention(query, memory)
    at_step = tf.reshape(tf.one_hot(step, tf.shape(query)[1]), (1, -1, 1))
    da, dcontext = (_at(each, step) for each in (top, context))
    da, dcontext = (tf.expand_dims(each, 1) * at_step for each in _readout(decoder, da, dcontext, piece))
    flows, dstart = [], State(tf.zeros_like(start[0].h), tf.zeros_like(start[0].c))
    for layer, trace, before in reversed(list(zip(decoder.cells[1:], traces[1:], start[1:], strict=True))):
        flow, dx, back = through_time(layer, trace, before, da)
        below, looked = tf.split(dx, 2, axis=-1)
        da = da + below if decoder.residual else below
        dcontext = dcontext + looked
        flows.append(flow)
        dstart = State(dstart.h + back.h, dstart.c + back.c)
    dquery, dvalues = decoder.attention.backward(query, memory, weights, dcontext)
    flow, _, back = through_time(decoder.cells[0], traces[0], start[0], da + dquery)
    return [*flows, flow][::-1], dvalues, State(dstart.h + back.h, dstart.c + back.c)


def encoder_flow(encoder: Encoder, traces: list[list[Trace]], dvalues: tf.Tensor, dlast: State) -> list[list[Flow]]:
    """From the derivatives by outputs (B, S, D) and last state (B, D) back to both directions of every layer."""
    flows: list[list[Flow]] = []
    dy, last = dvalues, [State(*pair) for pair in zip(*(tf.split(each, 2, axis=-1) for each in dlast), strict=True)]
    for number, (pair, done) in reversed(list(enumerate(zip(encoder.pairs, traces, strict=True)))):
        found = []
        for place, (layer, trace, seen) in enumerate(zip(pair, done, tf.split(dy, 2, axis=-1), strict=True)):
            found.append(_one_direction(layer, trace, seen, None if flows else last[place], reverse=bool(place)))
        flows.append([flow for flow, _ in found])
        dx = found[0][1] + found[1][1]
        dy = dx + dy if number and dx.shape[-1] == dy.shape[-1] else dx
    return flows[::-1]


def through_time(
    layer: keras.layers.LSTM, trace: Trace, before: State, dh_seen: tf.Tensor, last: State | None = None
) -> tuple[Flow, tf.Tensor, State]:
    """`lstm.run` backwards over time.

    Args:
        layer: whose weights.
        trace: what it did, (B, T, D).
        before: the state before the first step.
        dh_seen: derivative by every hidden state from what reads it, (B, T, D).
        last: derivatives by the state after the last step; None is 0.

    Returns:
        The derivatives by every state, by the inputs (B, T, E), and by the state before the first step.
    """
    kernel, recurrent, _ = (tf.convert_to_tensor(weight) for weight in layer.weights)
    units, timed = layer.units, Trace(*(tf.transpose(each, (1, 0, 2)) for each in trace))
    slope = lstm.slopes(timed, tf.concat([tf.expand_dims(before.c, 0), timed.c[:-1]], axis=0))
    known = tf.concat([tf.transpose(dh_seen, (1, 0, 2)), *slope], axis=-1)  # (T, B, 7 D)
    steps, batch = tf.shape(known)[0], tf.shape(known)[1]
    square = tf.matmul(linear.unit(units, known), recurrent)  # read off, as in `linear.backward`

    def body(t: tf.Tensor, dh: tf.Tensor, dc: tf.Tensor, rows: tf.Tensor):
        now = tf.squeeze(tf.slice(known, tf.stack([t, 0, 0]), tf.stack([1, batch, known.shape[2]])), 0)
        seen, *parts = tf.split(now, 1 + len(slope), axis=-1)
        here = lstm.Slopes(*parts)
        dh = dh + seen
        dc_here = dc + dh * here.c_by_h
        dz, dc = lstm.cell_backward(dh, dc, here)
        row = tf.expand_dims(tf.concat([dc_here, dh, dz], axis=-1), 0)
        kept = tf.slice(rows, [0, 0, 0], tf.stack([steps - 1, batch, rows.shape[2]]))
        dh = tf.ensure_shape(tf.matmul(dz, square, transpose_b=True), before.h.shape)
        rows = tf.ensure_shape(tf.concat([row, kept], axis=0), rows.shape)
        return t - 1, dh, tf.ensure_shape(dc, before.c.shape), rows

    rows = tf.ensure_shape(tf.zeros(tf.stack([steps, batch, 6 * units])), (None, None, 6 * units))
    ends = last or State(tf.zeros_like(before.h), tf.zeros_like(before.c))
    _, dh, dc, rows = tf.while_loop(lambda t, *_: t >= 0, body, (steps - 1, *ends, rows))
    by_c, by_h, dz = tf.split(tf.transpose(rows, (1, 0, 2)), [units, units, 4 * units], axis=-1)
    dx = linear.backward(dz, lambda x: tf.matmul(x, kernel), kernel.shape[0])
    return Flow(by_c, by_h), dx, State(dh, dc)


def norms(flow: Flow) -> tf.Tensor:
    """Over the units: of c and of h, (2, B, T)."""
    return tf.stack([tf.sqrt(tf.reduce_sum(each * each, axis=-1)) for each in flow])


def _one_direction(layer, trace, seen, last, *, reverse):
    """One encoder direction; no row may have padding, so the end of the backward one is the first position."""
    zeros = State(*[tf.zeros_like(trace.h[:, 0])] * 2)
    if not reverse:
        flow, dx, _ = through_time(layer, trace, zeros, seen, last)
        return flow, dx
    turned = Trace(*(each[:, ::-1] for each in trace))
    flow, dx, _ = through_time(layer, turned, zeros, seen[:, ::-1], last)
    return Flow(flow.c[:, ::-1], flow.h[:, ::-1]), dx[:, ::-1]


def _readout(decoder: Decoder, a: tf.Tensor, context: tf.Tensor, piece: tf.Tensor) -> list[tf.Tensor]:
    """The derivatives of log p(piece) by top layer and context, (B, D) each."""
    y = decoder.readout(tf.concat([a, context], axis=-1))
    table = tf.convert_to_tensor(decoder.output_embedding.embeddings)
    logits = tf.matmul(y, table, transpose_b=True) + decoder.bias
    dlogits = tf.one_hot(piece, table.shape[0]) - tf.nn.softmax(logits)
    dy = linear.backward(dlogits, lambda x: tf.matmul(x, table, transpose_b=True), y.shape[-1])
    kernel = tf.convert_to_tensor(decoder.readout.kernel)
    both = linear.backward(dy * (1 - y * y), lambda x: tf.matmul(x, kernel), kernel.shape[0])
    return tf.split(both, 2, axis=-1)


def _at(x: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
    """x[:, step] of (B, T, D)."""
    return tf.squeeze(tf.gather(x, tf.reshape(step, (1,)), axis=1), 1)
