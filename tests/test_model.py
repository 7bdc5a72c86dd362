"""The network as a whole: masks, the equality of one call with many, attention, and what it must not see."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

from seq2seq import attention, objective  # noqa: E402
from seq2seq.config import DROPOUTS, ModelConfig  # noqa: E402
from seq2seq.model import Seq2Seq  # noqa: E402

V, S, T = 23, 5, 4
SOURCE = np.array([[4, 5, 6, 7, 3], [8, 9, 3, 0, 0]], np.int32)
TARGET = np.array([[2, 10, 11, 12], [2, 13, 14, 0]], np.int32)
SIZES = {"embedding": 6, "units": 10}


def network(**sizes) -> Seq2Seq:
    keras.utils.set_random_seed(1)
    return Seq2Seq(ModelConfig(**{**SIZES, **sizes}), V)


KINDS = ["additive", "general", "dot"]


@pytest.mark.parametrize("kind", KINDS)
def test_many_target_steps_equal_many_calls_of_one(kind):
    model = network(attention=kind, decoder_layers=3)
    memory, state = model.encode(SOURCE)
    whole = model.decode(TARGET, state, memory)
    for t in range(T):
        step = model.decode(TARGET[:, t : t + 1], state, memory)
        state = step.state
        np.testing.assert_allclose(step.logits[:, 0], whole.logits[:, t], atol=1e-5)
        np.testing.assert_allclose(step.attention[:, 0], whole.attention[:, t], atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [1, 2])
def test_padding_and_company_change_nothing(kind, layers):
    model = network(attention=kind, encoder_layers=layers)
    together = model((SOURCE, TARGET)).numpy()
    alone = model((SOURCE[1:, :3], TARGET[1:, :3])).numpy()
    np.testing.assert_allclose(together[1:, :3], alone, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_attention_rows_sum_to_one_and_are_zero_on_padding(kind):
    model = network(attention=kind)
    memory, state = model.encode(SOURCE)
    weights = model.decode(TARGET, state, memory).attention.numpy()
    np.testing.assert_allclose(weights.sum(-1), 1.0, atol=1e-6)
    assert (weights[1, :, 3:] == 0).all()
    assert (weights[0] > 0).all()


def test_it_cannot_see_the_future_and_does_see_the_source():
    model = network()
    base = model((SOURCE, TARGET)).numpy()
    later = TARGET.copy()
    later[0, 3] = 20
    changed = model((SOURCE, later)).numpy()
    np.testing.assert_array_equal(changed[0, :3], base[0, :3])
    assert (changed[0, 3] != base[0, 3]).any()
    other = SOURCE.copy()
    other[0, 0] = 15
    assert (model((other, TARGET)).numpy()[0] != base[0]).any()
    np.testing.assert_array_equal(model((other, TARGET)).numpy()[1], base[1])


def test_several_hypotheses_share_the_memory_of_their_source():
    model = network()
    memory, state = model.encode(SOURCE)
    spread = tuple(type(each)(*(tf.repeat(x, 3, axis=0) for x in each)) for each in state)
    shared = model.decode(np.repeat(TARGET, 3, axis=0), spread, memory)
    for row in range(2):
        single = model.decode(TARGET, state, memory)
        np.testing.assert_allclose(shared.logits[3 * row + 2], single.logits[row], atol=1e-5)


def test_dot_attention_by_hand():
    values = tf.constant([[[1.0, 0.0], [0.0, 1.0], [5.0, 5.0]]])
    layer = attention.DotAttention(2)
    memory = layer.memory(values, tf.constant([[True, True, False]]))
    context, weights = layer(tf.constant([[[2**0.5 * np.log(3.0), 0.0]]], tf.float32), memory)
    np.testing.assert_allclose(weights, [[[0.75, 0.25, 0.0]]], atol=1e-6)
    np.testing.assert_allclose(context, [[[0.75, 0.25]]], atol=1e-6)


def test_tying_shares_one_table():
    def tables(model):
        return sorted(weight.path for weight in model.weights if "embeddings" in weight.path)

    assert tables(network()) == ["embedding/embeddings"]
    keras.utils.set_random_seed(1)
    apart = Seq2Seq(ModelConfig(**SIZES), V, 29)
    assert tables(apart) == ["embedding/embeddings", "target_embedding/embeddings"]
    assert apart((SOURCE, TARGET)).shape[-1] == 29
    assert len(tables(network(tied=False))) == 3


def test_dropout_acts_in_training_only():
    model = network(dropout=0.5, word_dropout=0.5)
    plain = model((SOURCE, TARGET)).numpy()
    np.testing.assert_array_equal(model((SOURCE, TARGET)).numpy(), plain)
    assert (model((SOURCE, TARGET), training=True).numpy() != plain).any()


@pytest.mark.parametrize(
    ("side", "name"),
    [
        *((side, name) for side in ("encoder", "decoder") for name in ("embedding_dropout", "dropout", "word_dropout")),
        ("decoder", "readout_dropout"),
    ],
)
def test_each_dropout_alone_acts(side, name):
    model = network(encoder_layers=2, **dict.fromkeys(DROPOUTS, 0.0) | {name: 0.5})
    memory, state = model.encode(SOURCE)

    def said(training: bool) -> np.ndarray:  # of the first row, which has no padding
        if side == "encoder":
            return model.encode(SOURCE, training=training)[0].values[0].numpy()
        return model.decode(TARGET, state, memory, training=training).logits[0].numpy()

    assert np.abs(said(True) - said(False)).max() > 1e-2


def test_word_dropout_drops_whole_words():
    model = network(word_dropout=0.5, embedding_dropout=0.0)
    x = model.encoder.lookup(np.tile(SOURCE[:1], (20, 1)), training=True).numpy()
    words = (x != 0).sum(-1)
    assert set(np.unique(words)) == {0, SIZES["embedding"]}


@pytest.mark.parametrize("variational", [True, False])
def test_variational_dropout_drops_a_unit_at_all_steps_of_a_sentence_or_at_none(variational):
    model = network(embedding_dropout=0.5, variational_dropout=variational)
    ones = np.ones((20, 7, 10), np.float32)
    masks = [
        model.encoder.lookup(np.tile(SOURCE[:1], (20, 1)), training=True),
        model.decoder.lookup(SOURCE, training=True),
    ]
    masks += [layer(ones, training=True) for layer in (model.decoder.dropout, model.decoder.readout_dropout)]
    for dropped in (mask.numpy() == 0 for mask in masks):
        assert (dropped == dropped[:, :1]).all() == variational
        assert (dropped[0] != dropped[1]).any() and dropped.mean() < 0.7


def test_compile_and_fit_learn():
    model = network()
    model.compile(keras.optimizers.Adam(1e-2), loss=objective.Smoothed(0.0))
    target_out = np.array([[10, 11, 12, 3], [13, 14, 3, 0]], np.int32)
    history = model.fit((SOURCE, TARGET), target_out, epochs=30, verbose=0).history["loss"]
    assert history[-1] < 0.7 * history[0]


def test_initial_forget_gate_is_open():
    """Keras' unit_forget_bias: without it a new cell forgets half of what it holds at every step."""
    model = network()
    bias = model.decoder.cells[0].weights[2].numpy().reshape(4, -1)
    np.testing.assert_array_equal(bias[1], 1.0)
    np.testing.assert_array_equal(bias[[0, 2, 3]], 0.0)


def test_predict_takes_one_sentence_and_several():
    model = Seq2Seq(ModelConfig(embedding=5, units=6), 11)
    source, target = np.array([[5, 6, 3]], np.int32), np.array([[2, 7]], np.int32)
    one = model.predict((source, target), verbose=0)
    three = model.predict((np.repeat(source, 3, 0), np.repeat(target, 3, 0)), verbose=0)
    assert one.shape == (1, 2, 11)
    np.testing.assert_allclose(three, np.repeat(one, 3, 0), atol=1e-5)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_saved_model_is_the_same_when_it_is_loaded(tmp_path, policy):
    model = Seq2Seq(ModelConfig(**SIZES, attention="additive", encoder_layers=2), V, V + 4, dtype=policy)
    model.compile("adam", loss=objective.Smoothed(0.2))
    model.fit((SOURCE, TARGET), TARGET[:, ::-1], verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded((SOURCE, TARGET)), model((SOURCE, TARGET)))
    assert loaded.dtype_policy.name == policy and loaded.loss.smoothing == 0.2
    assert [weight.path for weight in loaded.weights] == [weight.path for weight in model.weights]
    loaded.fit((SOURCE, TARGET), TARGET, verbose=0)


def test_in_bfloat16_the_bias_of_a_piece_keeps_its_digits():
    model = Seq2Seq(ModelConfig(**SIZES), V, dtype="mixed_bfloat16")
    before = model((SOURCE, TARGET))  # op by op, outside any graph
    assert before.dtype == tf.float32
    model.decoder.bias.assign(np.full(V, 9.02, np.float32))
    moved = tf.function(lambda: model((SOURCE, TARGET)))() - before
    np.testing.assert_allclose(moved, 9.02, atol=1e-2)
    assert abs(float(tf.reduce_mean(moved)) - 9.02) < 5e-3  # in bfloat16 it would be 9.0
