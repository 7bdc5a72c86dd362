"""Pieces to vectors: what the first LSTM layer of a side reads.

It owns the scale of the embeddings and what is left out of them; it does not know which side reads.
"""

from __future__ import annotations

import keras
import tensorflow as tf

from seq2seq.dropout import Rates


class Lookup(keras.layers.Layer):
    """sqrt(E) times the embedding of every piece, less whole pieces and then single units in training.

    The root gives a table small enough for logits inputs of size one, which the gates can tell apart (Vaswani et al.
    2017, 3.4).

    Arguments:
        table: a `keras.layers.Embedding`, (V, E).
        rates: what is left out, in training only.

    Call arguments:
        pieces: ids, (B, T); or (B,), one step without an axis of time.

    Returns:
        (B, T, E), or (B, E).
    """

    def __init__(self, table: keras.layers.Embedding, rates: Rates, **kwargs) -> None:
        super().__init__(**kwargs)
        self.table = table
        self.words = rates.words(self.dtype_policy)
        self.units = rates.units(rates.embedding, self.dtype_policy)

    def call(self, pieces: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        x = self.table(pieces) * self.table.output_dim**0.5
        return self.units(self.words(x, training=training), training=training)
