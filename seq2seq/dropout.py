"""Dropout: how much of what is left out while training, and which of it together.

It owns the shapes of the masks; it does not know what the numbers mean that are left out.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras


class Rates(NamedTuple):
    """The shares that are left out."""

    embedding: float = 0.0
    """Of the units of the embeddings."""
    layers: float = 0.0
    """Of the units that recurrent layers read from others."""
    readout: float = 0.0
    """Of the units that the readout reads."""
    word: float = 0.0
    """Of all pieces, the whole embedding of each."""
    variational: bool = True
    """Whether a unit is left out at all steps of a sequence or at none, instead of step by step."""

    def units(self, rate: float, policy: Any) -> keras.layers.Dropout:
        """Leaves out units of (B, T, D).

        With one mask for all steps the network is one and the same smaller network while it reads a sequence, and what
        its cells take up is not blurred by a noise that changes under them (Gal and Ghahramani 2016, "A theoretically
        grounded application of dropout in recurrent neural networks"). It also takes a T-th of the random numbers.
        """
        return keras.layers.Dropout(rate, noise_shape=(None, 1, None) if self.variational else None, dtype=policy)

    def words(self, policy: Any) -> keras.layers.Dropout:
        """Leaves out whole pieces of (B, T, D)."""
        return keras.layers.Dropout(self.word, noise_shape=(None, None, 1), dtype=policy)


NONE = Rates()
"""Nothing is left out."""
