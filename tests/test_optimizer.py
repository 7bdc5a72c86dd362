"""Adam and the moving average against their definitions."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

from seq2seq.optimizer import EVERY, FusedAdam, MovingAverage  # noqa: E402


def test_fused_adam_is_adam():
    random = np.random.default_rng(0)
    gradients = [random.normal(size=(3, 4)).astype("float32") for _ in range(10)]
    ends = []
    for kind in (keras.optimizers.Adam, FusedAdam):
        variable = keras.Variable(np.ones((3, 4), "float32"))
        made = kind(1e-2, beta_2=0.998, epsilon=1e-8)
        made.build([variable])
        for gradient in gradients:
            made.apply([tf.constant(gradient)], [variable])
        ends.append(variable.numpy())
    np.testing.assert_allclose(ends[1], ends[0], atol=1e-5)


def test_the_moving_average_follows_its_definition_at_first_and_then_every_eighth_step():
    weight = keras.Variable(np.zeros(3, "float32"))
    average = MovingAverage([weight], decay=0.9)
    update = tf.function(average.update)
    expected = np.zeros(3)
    for step in range(1, 4 * EVERY + 1):
        weight.assign(np.full(3, float(step)))
        update(tf.constant(step))
        if step <= EVERY or step % EVERY == 0:
            kept = min(0.9, (1 + step) / (10 + step)) ** (1 if step <= EVERY else EVERY)
            expected = kept * expected + (1 - kept) * step
            np.testing.assert_allclose(average.variables[0].numpy(), expected, rtol=1e-5)
    np.testing.assert_allclose(average.variables[0].numpy(), expected, rtol=1e-5)


def test_the_average_is_in_place_only_for_a_while():
    weight = keras.Variable(np.ones(2, "float32"))
    average = MovingAverage([weight], decay=0.5)
    weight.assign([5.0, 6.0])
    with pytest.raises(RuntimeError), average.in_place():
        np.testing.assert_array_equal(weight.numpy(), [1.0, 1.0])
        raise RuntimeError
    np.testing.assert_array_equal(weight.numpy(), [5.0, 6.0])
