"""The loss and the learning rate, against numbers that can be computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

from seq2seq import objective, optimizer, schedule  # noqa: E402
from seq2seq.config import TrainingConfig  # noqa: E402


def test_uniform_logits_cost_log_v_whatever_the_smoothing():
    for smoothing in (0.0, 0.1):
        loss, likelihood = objective.smoothed_cross_entropy(tf.zeros((1, 2, 8)), [[5, 0]], smoothing)
        np.testing.assert_allclose(loss, [[math.log(8), 0.0]], atol=1e-6)
        np.testing.assert_allclose(likelihood, [[math.log(8), 0.0]], atol=1e-6)


def test_smoothing_spreads_the_target_over_all_pieces():
    random = np.random.default_rng(0)
    logits = tf.constant(random.normal(size=(2, 3, 7)).astype("float32"))
    target = tf.constant([[4, 5, 0], [6, 3, 2]])
    labels = tf.one_hot(target, 7) * 0.8 + 0.2 / 7
    mask = tf.cast(target != 0, tf.float32)

    def plain(z):
        return -tf.reduce_sum(labels * tf.nn.log_softmax(z), axis=-1) * mask

    def gradient(function):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = tf.reduce_sum(function(logits) ** 2)
        return tape.gradient(value, logits)

    ours, likelihood = objective.smoothed_cross_entropy(logits, target, 0.2)
    np.testing.assert_allclose(ours, plain(logits), atol=1e-5)
    np.testing.assert_allclose(
        gradient(lambda z: objective.smoothed_cross_entropy(z, target, 0.2)[0]), gradient(plain), atol=1e-5
    )
    expected = -tf.gather(tf.nn.log_softmax(logits), target, batch_dims=2) * mask
    np.testing.assert_allclose(likelihood, expected, atol=1e-5)


def slopes_of(dtype: str) -> dict[str, tuple]:
    """Loss, likelihood and slopes of a readout (2, 3, 5) over 11 pieces, by the logits and without them."""
    random = np.random.default_rng(4)
    given = [tf.constant(random.normal(size=shape), tf.float32) for shape in ((2, 3, 5), (11, 5), (11,))]
    target = tf.constant([[4, 5, 0], [6, 3, 2]])

    def by_logits(y, table, bias):
        return objective.smoothed_cross_entropy(tf.matmul(y, table, transpose_b=True) + bias, target, 0.2)

    def at_once(y, table, bias):
        return objective.smoothed_cross_entropy_of(tf.cast(y, dtype), table, bias, target, 0.2)

    found = {}
    for function in (by_logits, at_once):
        with tf.GradientTape() as tape:
            tape.watch(given)
            loss, likelihood = function(*given)
            total = tf.reduce_sum(loss**2) + tf.reduce_sum(likelihood)  # of which the likelihood has no slope
        found[function.__name__] = (loss, likelihood, *tape.gradient(total, given))
    return found


@pytest.mark.parametrize(("dtype", "share"), [("float32", 1e-6), ("bfloat16", 2**-6)])
def test_the_loss_of_a_readout_is_that_of_its_logits(dtype: str, share: float):
    """To a share of the largest: four units of the last bit of bfloat16, in which some processors add products up."""
    found = slopes_of(dtype)
    for plain, ours in zip(*found.values(), strict=True):
        largest = float(np.abs(plain).max())
        assert ours.dtype == tf.float32 and largest > 1
        np.testing.assert_allclose(ours, plain, rtol=0, atol=share * largest)


def test_what_is_next_to_impossible_has_a_finite_loss():
    logits = tf.constant([[0.0, 0.0, 200.0]])
    loss, likelihood = objective.smoothed_cross_entropy(logits, tf.constant([1]), 0.1)
    assert 80 < float(likelihood[0]) < 90 and 60 < float(loss[0]) < 90


def test_loss_for_compile_is_the_mean_over_pieces():
    logits = tf.random.stateless_normal((2, 3, 7), (1, 2))
    target = np.array([[4, 5, 0], [6, 0, 0]])
    rows, _ = objective.smoothed_cross_entropy(logits, tf.constant(target, tf.int32), 0.1)
    assert float(objective.Smoothed(0.1)(target, logits)) == pytest.approx(float(tf.reduce_sum(rows)) / 3)


def test_the_loss_for_compile_is_written_down_and_read_again():
    loss = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(objective.Smoothed(0.2)))
    assert isinstance(loss, objective.Smoothed) and loss.smoothing == 0.2
    assert loss.reduction == "sum_over_batch_size"  # of which Keras knows how to make one loss of several devices'


def test_the_schedule_is_written_down_and_read_again():
    made = optimizer.FusedAdam.from_config(optimizer.adam(TrainingConfig(), 100).get_config())
    assert float(made.learning_rate) == pytest.approx(float(schedule.WarmUp(1e-3, 2e-5, warmup=25, total=100)(0)))


def test_perplexity():
    assert objective.perplexity(10 * math.log(4), 10) == pytest.approx(4)
    assert objective.perplexity(1e9, 1) == math.inf


def rate(decay: str, step: int) -> float:
    return float(schedule.WarmUp(1.0, 0.1, warmup=10, total=110, decay=decay)(step))


@pytest.mark.parametrize("decay", ["cosine", "inverse_sqrt", "constant", "plateau"])
def test_a_rate_below_the_final_one_does_not_rise_to_it(decay):
    made = optimizer.adam(TrainingConfig(learning_rate=1e-6, schedule=decay, warmup_steps=10), 100).schedule
    rates = [float(made(step)) for step in (10, 50, 100)]
    assert max(rates) <= 1.001e-6 and min(rates) > 0


def test_schedules_rise_together_and_fall_as_named():
    for decay in ("cosine", "inverse_sqrt", "constant"):
        assert rate(decay, 0) == pytest.approx(0.1)
        assert rate(decay, 9) == pytest.approx(1.0)
    assert rate("cosine", 60) == pytest.approx(0.55, abs=0.01)
    assert rate("cosine", 110) == pytest.approx(0.1)
    assert rate("cosine", 10_000) == pytest.approx(0.1)
    assert rate("inverse_sqrt", 40) == pytest.approx(0.5)
    assert rate("constant", 1000) == pytest.approx(1.0)


def test_disagreement_is_that_of_the_definition_and_so_is_its_slope():
    random = np.random.default_rng(3)
    first, second = (tf.constant(random.normal(size=(2, 3, 7)), tf.float32) for _ in range(2))
    target = tf.constant([[4, 5, 6], [4, 3, 0]])

    def plain(a, b):
        p, q = tf.nn.softmax(a), tf.nn.softmax(b)
        each = p * tf.math.log(p / q) + q * tf.math.log(q / p)
        return tf.reduce_sum(each, axis=-1) * tf.cast(target > 0, tf.float32)

    slopes = []
    for function in (lambda a, b: objective.disagreement(a, b, target), plain):
        with tf.GradientTape() as tape:
            tape.watch((first, second))
            value = function(first, second)
            total = tf.reduce_sum(value * tf.range(1.0, 4.0))
        slopes.append((value, *tape.gradient(total, (first, second))))
    for ours, theirs in zip(*slopes, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert float(tf.reduce_sum(objective.disagreement(first, first, target))) == 0.0


def test_a_plateau_is_so_many_epochs_without_a_better_one_after_the_warm_up():
    assert schedule.plateaus([], 2) == 0
    assert schedule.plateaus([5, 4, 3, 2], 1) == 0
    assert schedule.plateaus([5, 5, 5, 5, 5], 2) == 2
    assert schedule.plateaus([5, 6, 4, 6, 6], 2) == 1
    assert schedule.plateaus([5, 6, 7, 8], 1) == 3
    assert schedule.plateaus([5, 6, 7, 8], 1, warm=3) == 1


def test_the_schedule_of_plateaus_is_scaled_and_never_falls_below_the_end():
    made = schedule.WarmUp(1.0, 0.3, warmup=4, total=100, decay="plateau")
    assert float(made(1)) == pytest.approx(0.5)
    assert float(made(50)) == pytest.approx(1.0)
    made.scale.assign(0.5)
    assert float(made(50)) == pytest.approx(0.5)
    made.scale.assign(0.25)
    assert float(made(99)) == pytest.approx(0.3)
