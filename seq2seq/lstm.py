"""The memory cell in the open: gates i, f, g, o, cell state c, hidden state h, one step at a time.

It owns the recurrence forwards and backwards in time, over the weights of a `keras.layers.LSTM`; it does not know
whether the sequence is a source or a target.
"""

from __future__ import annotations

from typing import NamedTuple

import keras
import tensorflow as tf

SATURATED = 1e4
"""What a gate is moved by to be 0 or 1 to the last bit."""


class State(NamedTuple):
    """What an LSTM layer hands from one step to the next."""

    h: tf.Tensor
    """Hidden state, (B, D)."""
    c: tf.Tensor
    """Cell state, (B, D)."""


class Trace(NamedTuple):
    """Everything a layer did, at one step or at many; all fields have one shape, (..., D)."""

    i: tf.Tensor
    f: tf.Tensor
    g: tf.Tensor
    o: tf.Tensor
    c: tf.Tensor
    h: tf.Tensor


def cell(z: tf.Tensor, state: State) -> Trace:
    """One step of the memory cell.

    With z = W x_t + U h_{t-1} + b split into four:

        i = sigmoid(z_i)            input gate: how much of the candidate is written
        f = sigmoid(z_f)            forget gate: how much of the cell state is kept
        g = tanh(z_g)               candidate
        o = sigmoid(z_o)            output gate: how much of the cell state is shown
        c_t = f * c_{t-1} + i * g   cell state
        h_t = o * tanh(c_t)         hidden state

    Args:
        z: the four pre-activations side by side in the order i, f, g, o, (B, 4 D).
        state: h_{t-1} and c_{t-1}, (B, D) each.

    Returns:
        A `Trace` of one step, (B, D) each.

    Source: Hochreiter and Schmidhuber 1997; the forget gate is from Gers, Schmidhuber and Cummins 2000.
    """
    z_i, z_f, z_g, z_o = tf.split(z, 4, axis=-1)
    i = tf.sigmoid(z_i)
    f = tf.sigmoid(z_f)
    g = tf.tanh(z_g)
    o = tf.sigmoid(z_o)
    c = f * state.c + i * g
    h = o * tf.tanh(c)
    return Trace(i, f, g, o, c, h)


class Slopes(NamedTuple):
    """The derivatives inside one step that need no later step, and so are computed for all steps at once."""

    c_by_h: tf.Tensor
    """dc_t per dh_t: o (1 - tanh(c)^2)."""
    i_by_c: tf.Tensor
    """dz_i per dc_t."""
    f_by_c: tf.Tensor
    """dz_f per dc_t."""
    g_by_c: tf.Tensor
    """dz_g per dc_t."""
    o_by_h: tf.Tensor
    """dz_o per dh_t."""
    forget: tf.Tensor
    """dc_{t-1} per dc_t: the forget gate."""


def slopes(step: Trace, before: tf.Tensor) -> Slopes:
    """The local derivatives of `cell` where it did `step` from the cell state `before`; any leading axes."""
    i, f, g, o, c, _ = step
    shown = tf.tanh(c)
    by_c = g * i * (1 - i), before * f * (1 - f), i * (1 - g * g)
    return Slopes(o * (1 - shown * shown), *by_c, shown * o * (1 - o), f)


def cell_backward(dh: tf.Tensor, dc: tf.Tensor, slope: Slopes) -> tuple[tf.Tensor, tf.Tensor]:
    """One step of `cell` backwards: derivatives by h_t and c_t become derivatives by z and c_{t-1}.

    The path through c is a product with the forget gate and nothing else: where f is near 1 a gradient passes
    through any number of steps unharmed, which is what the cell was invented for.

    Args:
        dh: derivative by h_t, (B, D).
        dc: derivative by c_t that comes from later steps, (B, D).
        slope: what `slopes` gave for this step.

    Returns:
        The derivatives by z, (B, 4 D), and by c_{t-1}, (B, D).
    """
    dc = dc + dh * slope.c_by_h
    dz = tf.concat([dc * slope.i_by_c, dc * slope.f_by_c, dc * slope.g_by_c, dh * slope.o_by_h], axis=-1)
    return dz, dc * slope.forget


def run(
    layer: keras.layers.LSTM,
    x: tf.Tensor,
    mask: tf.Tensor | None = None,
    state: State | None = None,
    *,
    reverse: bool = False,
    training: bool = False,
) -> tuple[tf.Tensor, State]:
    """A layer over time: what `layer(x, mask=mask, initial_state=state)` computes, faster on a CPU.

    Training on a GPU runs the Keras layer itself, and so cuDNN. Elsewhere an open loop runs over the same weights,
    with the input product done for all steps at once before it and the weight gradients after it.

    Args:
        layer: a built `keras.layers.LSTM` with `return_sequences` and `return_state`.
        x: inputs, (B, T, E); or (B, E), one step without an axis of time, which the output then lacks too.
        mask: True at tokens, False at right padding, (B, T), a token in every row; what is returned at padding
            means nothing. None: no padding.
        state: the state before the first step; None is zeros.
        reverse: read every row from its last token to its first; outputs keep the order of `x`.
        training: whether gradients will be asked for.

    Returns:
        The hidden states (B, T, D), and the state after the last token read.
    """
    if x.shape.rank == 2:
        step = _one_step(layer, x, state)
        return step.h, State(step.h, step.c)
    x = _reversed(x, mask) if reverse else x
    if training and tf.config.get_visible_devices("GPU"):
        h, *last = layer(x, mask=mask, initial_state=None if state is None else list(state))
    elif training:
        h, c = _over_time(layer, x, state, _with_gradient)
        last = _at_end(h, mask), _at_end(c, mask)
    else:
        h, c = _over_time(layer, x, state, _hidden, mask)
        last = _at_end(h, mask), c[:, 0]
    return (_reversed(h, mask) if reverse else h), State(*last)


def trace(
    layer: keras.layers.LSTM,
    x: tf.Tensor,
    mask: tf.Tensor | None = None,
    state: State | None = None,
    *,
    reverse: bool = False,
) -> Trace:
    """What `run` does inside: every gate and state at every step, (B, T, D) each, in the order of `x`."""
    steps = _over_time(layer, _reversed(x, mask) if reverse else x, state, _everything)
    return Trace(*((_reversed(each, mask) for each in steps) if reverse else steps))


def _over_time(layer, x, state, loop, mask=None):
    """Prepares the products that need no loop, runs `loop` time-major, returns its records batch-major.

    With a mask the input gate is shut and the forget gate open at padding, so that the cell state stays what it was.
    """
    kernel, recurrent, bias = _weights(layer, x.dtype)
    start, batch = _start(layer, x, state), tf.shape(x)[0]
    x = tf.transpose(x, (1, 0, 2))
    z = tf.nn.bias_add(tf.matmul(tf.reshape(x, (-1, x.shape[-1])), kernel), bias)
    if mask is not None:
        keep = tf.repeat(tf.constant([-SATURATED, SATURATED, 0.0, 0.0], z.dtype), layer.units)
        z += tf.reshape(1 - tf.cast(tf.transpose(mask), z.dtype), (-1, 1)) * keep
    z = tf.reshape(z, (-1, batch, 4 * layer.units))  # (T, B, 4 D)
    return [tf.transpose(each, (1, 0, 2)) for each in loop(z, recurrent, *start)]


def _one_step(layer, x, state):
    kernel, recurrent, bias = _weights(layer, x.dtype)
    state = _start(layer, x, state)
    return cell(tf.matmul(x, kernel) + bias + tf.matmul(state.h, recurrent), state)


def _weights(layer, dtype):
    return (tf.cast(tf.convert_to_tensor(weight), dtype) for weight in layer.weights)


def _start(layer, x, state):
    return State(*[tf.zeros((tf.shape(x)[0], layer.units), x.dtype)] * 2) if state is None else state


def _loop(z, recurrent, state, record, width):
    """The recurrence: what `record` keeps of each step, (T, B, width), and the last cell state.

    The latest step enters a buffer sized beforehand at its end and the oldest row leaves at its beginning, so after T
    steps all stand in order: two copies of the buffer a step in LiteRT, where a scattered write is six passes over it
    and `z[t]` copies number by number.
    """
    steps, batch = tf.shape(z)[0], tf.shape(z)[1]

    def body(t, h, c, rows):
        now = tf.squeeze(tf.slice(z, tf.stack([t, 0, 0]), tf.stack([1, batch, z.shape[2]])), 0)
        step = cell(now + tf.matmul(h, recurrent), State(h, c))
        row = tf.expand_dims(tf.concat(record(step), axis=-1), 0)
        rest = tf.slice(rows, [1, 0, 0], tf.stack([steps - 1, batch, width]))
        state = (tf.ensure_shape(new, before.shape) for new, before in ((step.h, h), (step.c, c)))
        return t + 1, *state, tf.ensure_shape(tf.concat([rest, row], axis=0), rows.shape)

    rows = tf.zeros(tf.stack([steps, batch, width]), z.dtype)
    _, _, last, rows = tf.while_loop(lambda t, *_: t < steps, body, (0, *state, rows))
    return rows, last


def _hidden(z, recurrent, h, c):
    """The hidden states, (T, B, D), and the last cell state, (1, B, D): half of what both would copy at each step."""
    rows, last = _loop(z, recurrent, State(h, c), lambda step: (step.h,), h.shape[-1])
    return rows, tf.expand_dims(last, 0)


def _everything(z, recurrent, h, c):
    return tf.split(_loop(z, recurrent, State(h, c), tuple, 6 * h.shape[-1])[0], 6, axis=-1)


@tf.custom_gradient
def _with_gradient(z, recurrent, h, c):
    """Hidden and cell states, (T, B, D) each, with backpropagation through time written out.

    It records in a TensorArray, which costs a third less than `_loop` does but cannot be exported to LiteRT. Where the
    products are in 16 bits the cells between them are in 32 on the way forwards: what c adds up is not rounded, and a
    processor that has only products in 16 bits does the rest by way of 32 anyway.
    """
    steps, units, dtype = tf.shape(z)[0], h.shape[-1], z.dtype
    rows = tf.TensorArray(dtype, steps, element_shape=(None, 6 * units))

    def forward(t, h, c, rows):
        step = cell(_exact(z[t]) + _exact(tf.matmul(h, recurrent)), State(h, c))
        return t + 1, tf.cast(step.h, dtype), step.c, rows.write(t, tf.cast(tf.concat(step, axis=-1), dtype))

    rows = tf.while_loop(lambda t, *_: t < steps, forward, (0, h, _exact(c), rows))[-1]
    done = Trace(*tf.split(rows.stack(), 6, axis=-1))  # (T, B, D) each

    def gradient(dh_seen, dc_seen):
        h_before = tf.concat([tf.expand_dims(h, 0), done.h[:-1]], axis=0)
        slope = slopes(done, tf.concat([tf.expand_dims(c, 0), done.c[:-1]], axis=0))
        transposed = tf.transpose(recurrent)
        rows = tf.TensorArray(dtype, steps, element_shape=(None, 4 * units))

        def backward(t, dh, dc, rows):
            dz, dc = cell_backward(dh + dh_seen[t], dc + dc_seen[t], Slopes(*(each[t] for each in slope)))
            return t - 1, tf.matmul(dz, transposed), dc, rows.write(t, dz)

        start = (steps - 1, tf.zeros_like(h), tf.zeros_like(c), rows)
        _, dh, dc, rows = tf.while_loop(lambda t, *_: t >= 0, backward, start)
        dz = rows.stack()
        flat = tf.reshape(dz, (-1, 4 * units))
        return dz, tf.matmul(tf.reshape(h_before, (-1, units)), flat, transpose_a=True), dh, dc

    return (done.h, done.c), gradient


def _exact(x):
    return tf.cast(x, tf.float32)


def _lengths(mask):
    return tf.reduce_sum(tf.cast(mask, tf.int32), axis=-1)


def _reversed(x, mask):
    """Rows in reverse order, padding left where it is."""
    return x[:, ::-1] if mask is None else tf.reverse_sequence(x, _lengths(mask), seq_axis=1, batch_axis=0)


def _at_end(x, mask):
    """The value at each row's last token, (B, D)."""
    if mask is None:
        return x[:, -1]
    batch, steps = tf.shape(x)[0], tf.shape(x)[1]
    return tf.gather(tf.reshape(x, (-1, x.shape[-1])), tf.range(batch) * steps + _lengths(mask) - 1)
