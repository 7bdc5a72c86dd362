"""The memory cell against keras.layers.LSTM, forwards and backwards."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

from seq2seq import lstm  # noqa: E402
from seq2seq.config import ModelConfig  # noqa: E402
from seq2seq.model import Seq2Seq  # noqa: E402

B, T, E, D = 3, 5, 4, 7
LENGTHS = [5, 2, 1]


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def layer(random):
    layer = keras.layers.LSTM(D, return_sequences=True, return_state=True)
    layer.build((None, None, E))
    layer.set_weights([random.normal(size=weight.shape) for weight in layer.weights])
    return layer


def inputs(random):
    x = tf.constant(random.normal(size=(B, T, E)).astype("float32"))
    state = lstm.State(*(tf.constant(random.normal(size=(B, D)).astype("float32")) for _ in range(2)))
    return x, tf.sequence_mask(LENGTHS, T), state


def keras_run(layer, x, mask, state, reverse=False):
    twin = keras.layers.LSTM(D, return_sequences=True, return_state=True, go_backwards=reverse)
    twin.build((None, None, E))
    twin.set_weights(layer.get_weights())
    h, *last = twin(x, mask=mask, initial_state=list(state))
    return (h[:, ::-1] if reverse else h), last


def at_tokens(h, mask):
    return h.numpy()[mask.numpy()]


def test_one_step_by_hand():
    z = tf.constant([[0.0, np.log(3.0), 0.5, -np.log(3.0)]])  # gates 1/2, 3/4, tanh(0.5), 1/4
    step = lstm.cell(z, lstm.State(h=tf.zeros((1, 1)), c=tf.constant([[2.0]])))
    assert step.i.numpy().item() == pytest.approx(0.5)
    assert step.f.numpy().item() == pytest.approx(0.75)
    assert step.o.numpy().item() == pytest.approx(0.25)
    c = 0.75 * 2.0 + 0.5 * np.tanh(0.5)
    assert step.c.numpy().item() == pytest.approx(c)
    assert step.h.numpy().item() == pytest.approx(0.25 * np.tanh(c))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_equals_keras_with_mask_and_state(layer, random, reverse, training):
    x, mask, state = inputs(random)
    h, last = lstm.run(layer, x, mask, state, reverse=reverse, training=training)
    expected, expected_last = keras_run(layer, x, mask, state, reverse)
    np.testing.assert_allclose(at_tokens(h, mask), at_tokens(expected, mask), atol=1e-5)
    for ours, theirs in zip(last, expected_last, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_cell_counts_beyond_what_16_bits_can():
    """300 steps that add one each: in bfloat16 257 is 256, and nothing would be added any more."""
    layer = keras.layers.LSTM(1, return_sequences=True, return_state=True)
    layer.build((None, None, 1))
    open_gates = [30.0, 30.0, 30.0, 30.0]  # i, f, g, o
    layer.set_weights([np.zeros((1, 4)), np.zeros((1, 4)), np.array(open_gates)])
    x = tf.zeros((1, 300, 1), tf.bfloat16)
    _, last = lstm.run(layer, x, training=True)
    assert float(last.c[0, 0]) == pytest.approx(300, rel=0.01)
    assert last.c.dtype == tf.bfloat16  # what is handed on has the products' dtype


@pytest.mark.parametrize("reverse", [False, True])
def test_without_mask_every_step_counts(layer, random, reverse):
    x, _, state = inputs(random)
    h, last = lstm.run(layer, x, None, state, reverse=reverse)
    expected, expected_last = keras_run(layer, x, None, state, reverse)
    np.testing.assert_allclose(h, expected, atol=1e-5)
    np.testing.assert_allclose(last.c, expected_last[1], atol=1e-5)


def test_gradients_equal_keras(layer, random):
    x, mask, state = inputs(random)
    weights = [weight.value for weight in layer.weights]
    wanted = tf.constant(random.normal(size=(B, T, D)).astype("float32")) * tf.cast(mask, tf.float32)[:, :, None]

    def gradients(run):
        with tf.GradientTape() as tape:
            tape.watch([x, *state])
            h, last = run()
            loss = tf.reduce_sum(h * wanted) + tf.reduce_sum(last[0] * last[1])
        return tape.gradient(loss, [*weights, x, *state])

    ours = gradients(lambda: lstm.run(layer, x, mask, state, training=True))

    def theirs():
        h, *last = layer(x, mask=mask, initial_state=list(state))
        return h, last

    for mine, keras_own in zip(ours, gradients(theirs), strict=True):
        np.testing.assert_allclose(mine, keras_own, atol=1e-5 * max(1.0, np.abs(keras_own).max()))


class TestOnAGpu:
    """Where TensorFlow sees a GPU the Keras layer trains; here it seems to see one, and a processor computes."""

    @pytest.fixture
    def gpu(self, monkeypatch):
        monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [kind])
        monkeypatch.setattr(lstm, "_over_time", None)  # what would be called elsewhere

    @pytest.mark.parametrize("reverse", [False, True])
    def test_the_layer_says_what_the_loop_says(self, layer, random, reverse, request):
        x, mask, state = inputs(random)
        h, last = lstm.run(layer, x, mask, state, reverse=reverse, training=True)
        request.getfixturevalue("gpu")
        theirs, theirs_last = lstm.run(layer, x, mask, state, reverse=reverse, training=True)
        np.testing.assert_allclose(at_tokens(theirs, mask), at_tokens(h, mask), atol=1e-5)
        np.testing.assert_allclose(theirs_last.h, last.h, atol=1e-5)
        np.testing.assert_allclose(theirs_last.c, last.c, atol=1e-5)

    def test_every_layer_of_the_network_is_one_that_cudnn_computes(self, gpu, monkeypatch):
        rnn = importlib.import_module("keras.src.backend.tensorflow.rnn")
        right: list[bool] = []

        def kernel(inputs, h, c, kernel, recurrent_kernel, bias, mask, *rest):
            right.append(mask is None or bool(rnn._is_sequence_right_padded(mask)))
            raise NotImplementedError  # so Keras computes it itself

        monkeypatch.setattr(rnn, "_is_gpu_available", lambda: True)
        monkeypatch.setattr(rnn, "_cudnn_lstm", kernel)
        model = Seq2Seq(ModelConfig(embedding=6, units=8, encoder_layers=2, decoder_layers=2), 20)
        memory, state = model.encode(tf.constant([[5, 6, 7, 2], [8, 2, 0, 0]]), training=True)
        model.decode(tf.constant([[1, 5, 6], [1, 7, 0]]), state, memory, training=True)
        assert right == [True] * 6  # two layers of the encoder, both ways each, and two of the decoder


def test_reversing_the_source_reverses_the_backward_states(layer, random):
    x, _, _ = inputs(random)
    forward, _ = lstm.run(layer, x)
    backward, _ = lstm.run(layer, x[:, ::-1], reverse=True)
    np.testing.assert_allclose(backward[:, ::-1], forward, atol=1e-6)


def test_padding_changes_nothing(layer, random):
    x, _, _ = inputs(random)
    longer = tf.concat([x, tf.ones((B, 3, E)) * 9.0], axis=1)
    mask = tf.sequence_mask([T] * B, T + 3)
    for reverse in (False, True):
        h, last = lstm.run(layer, x, reverse=reverse)
        padded, padded_last = lstm.run(layer, longer, mask, reverse=reverse)
        # Not to the bit: a longer input may be multiplied in other blocks.
        np.testing.assert_allclose(padded[:, :T], h, rtol=0, atol=1e-6)
        np.testing.assert_allclose(padded_last.c, last.c, rtol=0, atol=1e-6)


@pytest.mark.parametrize("reverse", [False, True])
def test_trace_obeys_the_equations_and_agrees_with_run(layer, random, reverse):
    x, mask, state = inputs(random)
    trace = lstm.trace(layer, x, mask, state, reverse=reverse)
    h, _ = lstm.run(layer, x, mask, state, reverse=reverse)
    np.testing.assert_array_equal(at_tokens(trace.h, mask), at_tokens(h, mask))
    c = trace.c.numpy()
    first, rest = (-1, slice(None, -1)) if reverse else (0, slice(1, None))
    before = np.roll(c, -1 if reverse else 1, axis=1)
    before[:, first] = state.c
    row = 0  # the row without padding
    np.testing.assert_allclose(c[row], (trace.f * before + trace.i * trace.g).numpy()[row], atol=1e-6)
    np.testing.assert_allclose(trace.h, trace.o * np.tanh(c), atol=1e-6)
    assert c[row, rest].shape == (T - 1, D)


def test_many_steps_equal_many_calls_of_one(layer, random):
    x, _, state = inputs(random)
    together, last = lstm.run(layer, x, None, state)
    for t in range(T):
        h, state = lstm.run(layer, x[:, t : t + 1], None, state)
        np.testing.assert_allclose(h[:, 0], together[:, t], atol=1e-6)
    np.testing.assert_allclose(state.c, last.c, atol=1e-6)
