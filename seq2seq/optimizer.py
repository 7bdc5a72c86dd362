"""How weights follow their gradients: Adam under a schedule, and the moving average of where they have been.

It owns the update of weights; it does not know what they are weights of or where gradients come from.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from seq2seq.config import TrainingConfig
from seq2seq.schedule import WarmUp

EVERY = 8
"""Steps between two updates of a moving average: each reads all weights, and eight at once are worth the same."""


class FusedAdam(keras.optimizers.Adam):
    """Keras' Adam with TensorFlow's one-kernel update: the same numbers, read and written once instead of ten times.

    It is made for `step_function`, which sums gradients over devices itself; `fit` wants Keras' own.
    """

    schedule: WarmUp

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations.value + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
            lr=tf.cast(learning_rate, tf.float32),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.convert_to_tensor(gradient),
        )

    def _all_reduce_sum_gradients(self, grads_and_vars: Iterable[Any]) -> Iterable[Any]:
        return grads_and_vars  # a step sums them over devices before it clips them; Keras would sum them again


def adam(config: TrainingConfig, steps: int) -> FusedAdam:
    """Adam under the schedule of `config`, for a run of this many steps."""
    schedule = WarmUp(
        config.learning_rate,
        min(config.learning_rate, config.final_learning_rate),
        warmup=min(config.warmup_steps, max(1, steps // 4)),
        total=steps,
        decay=config.schedule,
    )
    made = FusedAdam(schedule, beta_2=0.998, epsilon=1e-8)
    made.schedule = schedule
    return made


class Gathered:
    """The gradients of the batches since the last step, so that N batches do what one of all their pairs would do.

        g = sum of n_i g_i / sum of n_i over the batches i, of n_i target tokens each

    Arguments:
        weights: Keras variables.
    """

    def __init__(self, weights: Iterable[keras.Variable]) -> None:
        zeros = [keras.ops.zeros(weight.shape, "float32") for weight in weights]
        self.variables = [
            keras.Variable(zero, trainable=False, name=f"gathered_{place}", dtype="float32")
            for place, zero in enumerate([*zeros, keras.ops.zeros((), "float32")])
        ]

    def add(self, gradients: Sequence[tf.Tensor], tokens: tf.Tensor) -> None:
        """Takes the gradients of the mean loss of a token of a batch."""
        for variable, gradient in zip(self.variables, [*gradients, 1.0], strict=True):
            tf.raw_ops.AssignAddVariableOp(resource=variable.value.handle, value=tokens * gradient)

    def mean(self, gradients: Sequence[tf.Tensor], tokens: tf.Tensor) -> list[tf.Tensor]:
        """The gradients of all that was taken and of this last batch, as of one; then it holds nothing."""
        *sums, counted = (variable.value.read_value() for variable in self.variables)
        for variable in self.variables:
            tf.raw_ops.AssignVariableOp(resource=variable.value.handle, value=tf.zeros(variable.shape))
        total = counted + tokens
        return [(before + tokens * gradient) / total for before, gradient in zip(sums, gradients, strict=True)]


class MovingAverage:
    """The exponential moving average of weights w over the steps of training.

        a = m a + (1 - m) w,  m = min(decay, (1 + t) / (10 + t)) after t steps, so that the start is soon forgotten

    It translates better than the weights of any one step, for it is at rest while they still jump about.

    Arguments:
        weights: Keras variables.
        decay: of one step; 0.999 looks back a thousand steps.
    """

    def __init__(self, weights: Iterable[keras.Variable], decay: float) -> None:
        self._weights, self._decay = list(weights), decay
        self.variables = [
            keras.Variable(weight.numpy(), trainable=False, name=f"average_{place}", dtype=weight.dtype)
            for place, weight in enumerate(self._weights)
        ]

    def update(self, steps: tf.Tensor) -> None:
        """Follows the weights; `steps` have been done, and each of the first eight counts, then every eighth one."""

        def follow() -> tf.Tensor:
            t = tf.cast(steps, tf.float32)
            since = tf.where(steps > EVERY, float(EVERY), 1.0)
            rate = 1.0 - tf.minimum(self._decay, (1.0 + t) / (10.0 + t)) ** since
            for average, weight in zip(self.variables, self._weights, strict=True):
                value = average.value
                tf.raw_ops.ResourceApplyGradientDescent(var=value.handle, alpha=rate, delta=value - weight.value)
            return tf.constant(True)

        tf.cond((steps < EVERY) | tf.equal(steps % EVERY, 0), follow, lambda: tf.constant(False))

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """While entered, the weights are their average."""
        own = [weight.numpy() for weight in self._weights]
        for weight, average in zip(self._weights, self.variables, strict=True):
            weight.assign(average.value)
        try:
            yield
        finally:
            for weight, value in zip(self._weights, own, strict=True):
                weight.assign(value)
