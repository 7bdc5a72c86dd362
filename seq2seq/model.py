"""The network: `Seq2Seq(keras.Model)`, an encoder, an attention and a decoder made from a `ModelConfig`.

It owns how the parts are joined; it does not know losses, search or files.
"""

from __future__ import annotations

from typing import Any

import keras
import msgspec
import tensorflow as tf

from seq2seq import attention
from seq2seq.attention import Memory
from seq2seq.config import ModelConfig
from seq2seq.decoder import Decoded, Decoder
from seq2seq.dropout import Rates
from seq2seq.encoder import Encoder
from seq2seq.lstm import State, Trace

PAD = 0

ATTENTIONS = {
    "additive": attention.AdditiveAttention,
    "general": attention.GeneralAttention,
    "dot": attention.DotAttention,
}


@keras.saving.register_keras_serializable("seq2seq")
class Seq2Seq(keras.Model):
    """An LSTM encoder-decoder with attention.

    Arguments:
        config: sizes and rates.
        source_vocabulary: V of the source.
        target_vocabulary: V of the target; None means the source's, and one table for both.

    Call arguments:
        inputs: source ids (B, S) and the target ids before each step (B, T), both right padded with 0.

    Returns:
        Logits of the next piece, (B, T, V).

    It trains with plain `compile` and `fit` too:

        model = Seq2Seq(ModelConfig(), 8000)
        model.compile("adam", loss=objective.Smoothed(0.1))
        model.fit((source, target_in), target_out)
    """

    def __init__(
        self, config: ModelConfig, source_vocabulary: int, target_vocabulary: int | None = None, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        self._made_of = {"source_vocabulary": source_vocabulary, "target_vocabulary": target_vocabulary}
        self._config, policy = config, self.dtype_policy

        def table(vocabulary: int, name: str) -> keras.layers.Embedding:
            initializer = keras.initializers.RandomNormal(stddev=config.embedding**-0.5)
            made = keras.layers.Embedding(
                vocabulary, config.embedding, embeddings_initializer=initializer, name=name, dtype=policy
            )
            made.build()
            return made

        joint = target_vocabulary is None and config.tied
        size = target_vocabulary or source_vocabulary
        source = table(source_vocabulary, "embedding")
        target = source if joint else table(size, "target_embedding")
        output = target if config.tied else table(size, "output_embedding")
        rates = Rates(
            embedding=config.embedding_dropout,
            layers=config.dropout,
            readout=config.readout_dropout,
            word=config.word_dropout,
            variational=config.variational_dropout,
        )
        self.encoder = Encoder(
            source,
            units=config.units,
            layers=config.encoder_layers,
            rates=rates,
            name="encoder",
            dtype=policy,
        )
        self.decoder = Decoder(
            target,
            output,
            ATTENTIONS[config.attention](config.units, name="attention", dtype=policy),
            units=config.units,
            layers=config.decoder_layers,
            rates=rates,
            residual=config.residual,
            name="decoder",
            dtype=policy,
        )
        self.encoder.build()
        self.decoder.build()
        self.built = True

    def encode(
        self, source: tf.Tensor, *, training: bool = False, present: tf.Tensor | None = None, bias: Any = ()
    ) -> tuple[Memory, tuple[State, ...]]:
        """Source ids (B, S) to the memory the decoder attends to and the states it starts from.

        Arguments:
            source: ids.
            training: whether dropout is wanted.
            present: 0 hides a piece, 1 is as usual, (B, S).
            bias: what is added to the attention scores of each piece, (B, S).
        """
        mask = tf.not_equal(source, PAD)
        values, state = self.encoder(source, mask, training=training, present=present)
        return self.decoder.attention.memory(values, mask, bias), self.decoder.start(state)

    def decode(self, tokens: tf.Tensor, state: tuple[State, ...], memory: Memory, *, training: bool = False) -> Decoded:
        """The pieces before each step, (N, T), to the scores of the next ones; any T."""
        return self.decoder(tokens, state, memory, training=training)

    def trace(
        self, source: tf.Tensor, tokens: tf.Tensor, state: tuple[State, ...], memory: Memory
    ) -> tuple[list[list[Trace]], list[Trace]]:
        """Every gate and state of encoder and decoder, for a source (B, S) and the pieces before each step (B, T)."""
        return self.encoder.trace(source, memory.mask), self.decoder.trace(tokens, state, memory)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "config": msgspec.to_builtins(self._config), **self._made_of}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Seq2Seq:
        return cls(**{**config, "config": msgspec.convert(config["config"], ModelConfig)})

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor], training: bool = False) -> tf.Tensor:
        source, target = inputs
        memory, state = self.encode(source, training=training)
        return self.decode(target, state, memory, training=training).logits
