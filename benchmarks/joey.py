"""The recurrent model of Joey NMT that ours are compared with, as its configuration says it.

It owns those settings, for decoding, for steps and for a whole training alike; it needs nothing of Joey NMT itself.
Joey NMT cannot tie its output layer to narrower embeddings, so the decoder gets a layer less than ours: a similar size.
"""

from __future__ import annotations

from typing import Any

IDS = {"unk_id": 0, "pad_id": 1, "bos_id": 2, "eos_id": 3}
"""The order of its own lists."""
NAMES = {"unk_token": "<unk>", "pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}


def network(
    *, embedding: int, units: int, encoder_layers: int, decoder_layers: int, embedding_dropout: float, dropout: float
) -> dict[str, Any]:
    """A model with attention (Luong's) and input feeding, Joey NMT's own way."""
    table = {"embedding_dim": embedding, "scale": False, "dropout": embedding_dropout}
    layers = {"type": "recurrent", "rnn_type": "lstm", "embeddings": table, "dropout": dropout}
    encoder = {"hidden_size": units // 2, "bidirectional": True, "num_layers": encoder_layers}
    decoder = {"hidden_size": units, "num_layers": max(1, decoder_layers - 1), "input_feeding": True}
    decoder |= {"hidden_dropout": dropout, "init_hidden": "bridge", "attention": "luong", "freeze": False}
    return {
        "tied_embeddings": True,
        "tied_softmax": False,
        "initializer": "xavier_uniform",
        "embed_initializer": "normal",
        "encoder": layers | encoder,
        "decoder": layers | decoder,
    }
