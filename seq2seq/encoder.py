"""The encoder: embedding and bidirectional LSTM layers over the source.

It owns what the source becomes; it does not know attention or the target.
"""

from __future__ import annotations

import keras
import tensorflow as tf

from seq2seq import dropout, lstm
from seq2seq.dropout import Rates
from seq2seq.embedding import Lookup
from seq2seq.lstm import State


class Encoder(keras.layers.Layer):
    """Reads the source in both directions.

        1. look up every piece
        2. for each layer: [forward LSTM; backward LSTM], added to the layer below where both have the same width
        3. the two last states of the top layer, side by side, start the decoder

    Arguments:
        embedding: the `keras.layers.Embedding` of the source, (V, E).
        units: D, the width of the output; each direction has D / 2.
        layers: how many bidirectional layers.
        rates: what is left out, in training only.

    Call arguments:
        source: piece ids, (B, S), right padded.
        mask: True at pieces, (B, S), at least one a row.
        present: what the embedding of each piece is multiplied by, (B, S): 0 hides it. None is 1 everywhere.

    Returns:
        The outputs (B, S, D) and the `State` after reading, (B, D).
    """

    def __init__(
        self,
        embedding: keras.layers.Embedding,
        *,
        units: int,
        layers: int = 1,
        rates: Rates = dropout.NONE,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.lookup = Lookup(embedding, rates, name="lookup", dtype=self.dtype_policy)
        self.pairs = [
            [
                keras.layers.LSTM(
                    units // 2,
                    return_sequences=True,
                    return_state=True,
                    name=f"{direction}_{number}",
                    dtype=self.dtype_policy,
                )
                for direction in ("forward", "backward")
            ]
            for number in range(layers)
        ]
        self.dropout = rates.units(rates.layers, self.dtype_policy)

    def build(self, *_):
        width = self.lookup.table.output_dim
        for pair in self.pairs:
            for layer in pair:
                layer.build((None, None, width))
            width = self.units
        self.built = True

    def call(
        self, source: tf.Tensor, mask: tf.Tensor, *, training: bool = False, present: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, State]:
        x = self.lookup(source, training=training)
        x = x if present is None else x * tf.expand_dims(tf.cast(present, x.dtype), -1)
        for number in range(len(self.pairs)):
            x = self.dropout(x, training=training) if number else x
            y, state = self._layer(number, x, mask, training)
            x = x + y if x.shape[-1] == y.shape[-1] else y
        return x, state

    def trace(self, source: tf.Tensor, mask: tf.Tensor) -> list[list[lstm.Trace]]:
        """Every gate and state of every layer and direction, (B, S, D / 2) each."""
        x, traces = self.lookup(source), []
        for forward, backward in self.pairs:
            traces.append([lstm.trace(forward, x, mask), lstm.trace(backward, x, mask, reverse=True)])
            y = tf.concat([each.h for each in traces[-1]], axis=-1)
            x = x + y if x.shape[-1] == y.shape[-1] else y
        return traces

    def _layer(self, number, x, mask, training):
        forward, backward = self.pairs[number]
        forth, left = lstm.run(forward, x, mask, training=training)
        back, right = lstm.run(backward, x, mask, reverse=True, training=training)
        state = State(*(tf.concat(both, axis=-1) for both in zip(left, right, strict=True)))
        return tf.concat([forth, back], axis=-1), state
