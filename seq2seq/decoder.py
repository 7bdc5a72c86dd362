"""The decoder: embedding, LSTM layers, attention and readout, for any number of target steps.

It owns how target pieces become scores of the next piece; it does not know how the next piece is chosen.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from seq2seq import dropout, lstm
from seq2seq.attention import Attention, Memory
from seq2seq.dropout import Rates
from seq2seq.embedding import Lookup
from seq2seq.lstm import State


class Decoded(NamedTuple):
    """What the decoder says of T target steps."""

    logits: tf.Tensor
    """Scores of the next piece before the softmax, (B, T, V)."""
    attention: tf.Tensor
    """Where each step looked, (B, T, S)."""
    state: tuple[State, ...]
    """The state of every layer after the last step."""
    readout: Any = ()
    """What the logits are made from, (B, T, E); () where many made them."""


class Decoder(keras.layers.Layer):
    """Writes the target with attention queried from its first layer (the arrangement of Wu et al. 2016, GNMT).

        1. a = LSTM_1(what is looked up of the piece before)
        2. context = attention(a, memory)
        3. for each later layer: a = LSTM_l([a; context]) + a
        4. logits = tanh(W [a; context]) @ embedding^T + b

    No step feeds anything but LSTM states to the next, so T steps at once equal T calls of one step.

    Arguments:
        embedding: the `keras.layers.Embedding` of the target, (V, E).
        output: the `keras.layers.Embedding` whose transposed table makes the logits; the same one when tied.
        attention: an `Attention` over D.
        units: D, also the width of the memory.
        layers: how many LSTM layers.
        rates: what is left out, in training only.
        residual: whether step 3 adds the layer below.

    Call arguments:
        tokens: the pieces before, (N, T); N = B, or K hypotheses a source. (N,) is one step without an axis of time,
            which everything that is returned then lacks too.
        state: one `State` a layer, (N, D).
        memory: `Memory` of B sources.

    Returns:
        `Decoded`.
    """

    def __init__(
        self,
        embedding: keras.layers.Embedding,
        output: keras.layers.Embedding,
        attention: Attention,
        *,
        units: int,
        layers: int = 2,
        rates: Rates = dropout.NONE,
        residual: bool = True,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.output_embedding, self.attention = output, attention
        self.units, self.residual = units, residual
        self.lookup = Lookup(embedding, rates, name="lookup", dtype=self.dtype_policy)
        self.cells = [
            keras.layers.LSTM(
                units, return_sequences=True, return_state=True, name=f"lstm_{number}", dtype=self.dtype_policy
            )
            for number in range(layers)
        ]
        self.readout = keras.layers.Dense(
            embedding.output_dim, activation="tanh", name="readout", dtype=self.dtype_policy
        )
        self.dropout = rates.units(rates.layers, self.dtype_policy)
        self.readout_dropout = rates.units(rates.readout, self.dtype_policy)

    def build(self, *_):
        width = self.lookup.table.output_dim
        for layer in self.cells:
            layer.build((None, None, width))
            width = 2 * self.units
        self.attention.build()
        self.readout.build((None, None, 2 * self.units))
        size = self.output_embedding.input_dim
        self.bias = self.add_weight(name="bias", shape=(size,), initializer="zeros", autocast=False)  # like the logits
        self.built = True

    def start(self, state: State) -> tuple[State, ...]:
        """Every layer starts from what the encoder ended with."""
        return (state,) * len(self.cells)

    def call(self, tokens: tf.Tensor, state: tuple[State, ...], memory: Memory, *, training: bool = False) -> Decoded:
        x = self.lookup(tokens, training=training)
        a, first = lstm.run(self.cells[0], x, state=state[0], training=training)
        context, weights = self.attention(a, memory)
        states = [first]
        for layer, before in zip(self.cells[1:], state[1:], strict=True):
            x = self.dropout(beside(a, context), training=training)
            b, after = lstm.run(layer, x, state=before, training=training)
            a = a + b if self.residual else b
            states.append(after)
        y = self.readout(self.readout_dropout(beside(a, context), training=training))
        return Decoded(self.logits(y), weights, tuple(states), y)

    def logits(self, y: tf.Tensor) -> tf.Tensor:
        """The readout, (N, T, E), to scores, (N, T, V)."""
        table = tf.cast(known(self.output_embedding.embeddings), y.dtype)
        flat = tf.matmul(tf.reshape(y, (-1, y.shape[-1])), table, transpose_b=True)
        scores = tf.cast(flat, tf.float32) + self.bias
        return (
            scores
            if y.shape.rank == 2
            else tf.reshape(scores, tf.stack([*tf.unstack(tf.shape(y)[:2]), table.shape[0]]))
        )

    def trace(self, tokens: tf.Tensor, state: tuple[State, ...], memory: Memory) -> list[lstm.Trace]:
        """Every gate and state of every layer, (B, T, D) each."""
        traces = [lstm.trace(self.cells[0], self.lookup(tokens), state=state[0])]
        a = traces[0].h
        context, _ = self.attention(a, memory)
        for layer, before in zip(self.cells[1:], state[1:], strict=True):
            traces.append(lstm.trace(layer, beside(a, context), state=before))
            a = a + traces[-1].h if self.residual else traces[-1].h
        return traces


def beside(a: tf.Tensor, context: tf.Tensor) -> tf.Tensor:
    """Side by side along the last axis, which has its number here: in a loop, converters do not know -1."""
    return tf.concat([a, context], axis=a.shape.rank - 1)


def known(table: Any) -> tf.Tensor:
    """A table whose shape is said again: in a loop, converters do not know it, and lose that it is transposed."""
    return tf.ensure_shape(tf.convert_to_tensor(table), table.shape)
