"""The gradient carried backwards by hand against the tape, on every path, for every kind of attention."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

from seq2seq import linear, lstm  # noqa: E402
from seq2seq.config import ModelConfig  # noqa: E402
from seq2seq.inference import Inference, Runner  # noqa: E402
from seq2seq.model import Seq2Seq  # noqa: E402

SOURCE, TARGET = np.array([[5, 6, 7, 8, 9, 3]]), np.array([[8, 9, 4, 11, 3]])
BIAS = np.array([[0.0, 0.5, -2.0, 0.0, 1.0, 0.0]], np.float32)


def network(attention: str, *, embedding: int = 8, residual: bool = True) -> Seq2Seq:
    keras.utils.set_random_seed(3)
    sizes = {"embedding": embedding, "units": 10, "encoder_layers": 2, "decoder_layers": 3}
    model = Seq2Seq(ModelConfig(**sizes, attention=attention, residual=residual), 20)
    for weight in model.weights:
        weight.assign(0.4 * tf.random.normal(weight.shape))
    return model


def over_time(layer: Any, x: Any, state: lstm.State, tape: Any, reverse: bool = False) -> tuple[Any, lstm.State, list]:
    """A layer one step at a time with every state watched: outputs, last state, and (c, h) of each step."""
    kernel, recurrent, bias = (weight.value for weight in layer.weights)
    steps = tf.unstack(x, axis=1)
    states = []
    for step in reversed(steps) if reverse else steps:
        gates = lstm.cell(tf.matmul(step, kernel) + bias + tf.matmul(state.h, recurrent), state)
        c = gates.f * state.c + gates.i * gates.g
        tape.watch(c)
        h = gates.o * tf.tanh(c)
        tape.watch(h)
        state = lstm.State(h, c)
        states.append((c, h))
    states = states[::-1] if reverse else states
    return tf.stack([h for _, h in states], axis=1), state, states


def by_tape(model: Seq2Seq, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Norms of the derivatives of log p(TARGET[step]): (L, 2, 2, S) and (L, 2, T)."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        zeros = lstm.State(*[tf.zeros((1, 5))] * 2)
        x, read, written = model.encoder.lookup(SOURCE), [], []
        for pair in model.encoder.pairs:
            sides = [over_time(layer, x, zeros, tape, bool(place)) for place, layer in enumerate(pair)]
            read.append([states for _, _, states in sides])
            y = tf.concat([h for h, _, _ in sides], axis=-1)
            x = x + y if x.shape[-1] == y.shape[-1] else y
            start = lstm.State(
                *(tf.concat(both, axis=-1) for both in zip(*(last for _, last, _ in sides), strict=True))
            )
        memory = model.decoder.attention.memory(x, SOURCE != 0, tf.constant(BIAS))
        before = np.concatenate([[[2]], TARGET[:, :-1]], axis=1)
        a, _, states = over_time(model.decoder.cells[0], model.decoder.lookup(before), start, tape)
        written.append(states)
        context, _ = model.decoder.attention(a, memory)
        for layer in model.decoder.cells[1:]:
            h, _, states = over_time(layer, tf.concat([a, context], axis=-1), start, tape)
            written.append(states)
            a = a + h if model.decoder.residual else h
        logits = model.decoder.logits(model.decoder.readout(tf.concat([a, context], axis=-1)))
        said = tf.nn.log_softmax(logits)[0, step, int(TARGET[0, step])]
    flat = tf.nest.flatten([read, written])
    norms = [float(tf.norm(each)) for each in tape.gradient(said, flat, unconnected_gradients="zero")]
    encoder, decoder = np.array(norms[: 2 * 2 * 6 * 2]), np.array(norms[2 * 2 * 6 * 2 :])
    return encoder.reshape(2, 2, 6, 2).swapaxes(2, 3), decoder.reshape(3, 5, 2).swapaxes(1, 2)


@pytest.mark.parametrize(
    ("attention", "embedding", "residual"),
    [("general", 8, True), ("additive", 10, True), ("dot", 8, False)],  # 10: the first encoder layer is residual too
)
def test_the_gradient_is_that_of_the_tape(attention: str, embedding: int, residual: bool) -> None:
    model = network(attention, embedding=embedding, residual=residual)
    runner = Runner(Inference(model))
    for step in (1, 4):
        found = runner.gradient(source=SOURCE, target=TARGET, attention_bias=BIAS, step=[step])
        encoder, decoder = by_tape(model, step)
        assert encoder.max() > 0.05
        np.testing.assert_allclose(found["encoder"][:, :, :, 0], encoder, atol=1e-5)
        np.testing.assert_allclose(found["decoder"][:, :, 0], decoder, atol=1e-5)
        assert not found["decoder"][..., step + 1 :].any()


def test_through_time_is_the_gradient_of_run() -> None:
    from seq2seq import flow

    keras.utils.set_random_seed(1)
    layer = keras.layers.LSTM(7, return_sequences=True, return_state=True)
    layer.build((None, None, 4))
    x, wanted = tf.random.normal((1, 5, 4)), tf.random.normal((1, 5, 7))
    start = lstm.State(*(tf.random.normal((1, 7)) for _ in range(2)))
    with tf.GradientTape() as tape:
        tape.watch([x, *start])
        h, last = lstm.run(layer, x, state=start, training=True)
        loss = tf.reduce_sum(h * wanted) + tf.reduce_sum(last.c * last.c)
    expected = tape.gradient(loss, [x, *start])
    trace = lstm.trace(layer, x, state=start)
    after = lstm.State(tf.zeros((1, 7)), 2 * last.c)
    found, dx, before = flow.through_time(layer, trace, start, wanted, after)
    for ours, theirs in zip([dx, *before], expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert found.c.shape == found.h.shape == (1, 5, 7)


def test_a_product_backwards() -> None:
    kernel, dy = tf.random.normal((3, 5)), tf.random.normal((2, 4, 5))
    found = linear.backward(dy, lambda x: tf.matmul(x, kernel), 3)
    np.testing.assert_allclose(found, tf.einsum("bto,io->bti", dy, kernel), atol=1e-5)
