"""A recurrent model of Joey NMT as a process that decodes or learns: python peer_joeynmt.py SIZES THREADS [learn].

It owns the settings of that model; encoder, decoder, search and loss are Joey NMT's. Its weights are random, so the
shortest and the longest output are both set to the number of steps that a batch is told.
Joey NMT cannot tie its output layer to narrower embeddings, so it gets a decoder layer less than ours: a similar size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import metadata
from types import SimpleNamespace
from typing import Any

import torch
import torch_peer
from joeynmt.batch import Batch
from joeynmt.model import build_model
from joeynmt.search import search
from joeynmt.vocabulary import Vocabulary
from workers import Ids

BOS, EOS = 2, 3


def model(
    *, vocabulary: int, embedding: int, units: int, encoder_layers: int, decoder_layers: int, dropout: float = 0.0
) -> Any:
    """A model with attention (Luong's) and input feeding, Joey NMT's own way."""
    names = {"pad_token": "<pad>", "unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "sep_token": None}
    numbers = {"pad_id": 1, "unk_id": 0, "bos_id": BOS, "eos_id": EOS}  # the order of its own lists
    pieces = Vocabulary(
        [str(number) for number in range(4, vocabulary)], SimpleNamespace(**names, **numbers, lang_tags=[])
    )
    table = {"embedding_dim": embedding, "scale": False, "dropout": dropout}
    encoder = {
        "type": "recurrent",
        "rnn_type": "lstm",
        "embeddings": table,
        "hidden_size": units // 2,
        "dropout": dropout,
    }
    decoder = {"type": "recurrent", "rnn_type": "lstm", "embeddings": table, "hidden_size": units, "dropout": dropout}
    settings = {
        "tied_embeddings": True,
        "initializer": "xavier_uniform",
        "embed_initializer": "normal",
        "encoder": encoder | {"bidirectional": True, "num_layers": encoder_layers},
        "decoder": decoder
        | {"num_layers": max(1, decoder_layers - 1), "input_feeding": True, "init_hidden": "bridge"}
        | {"attention": "luong", "freeze": False, "hidden_dropout": dropout},
    }
    return build_model(settings, pieces, pieces)


def batched(network: Any, sources: Iterable[Ids], targets: Iterable[Ids] | None = None) -> Batch:
    rows = [torch.tensor([*source, EOS]) for source in sources]

    def padded(tensors: list[torch.Tensor]) -> torch.Tensor:
        return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=network.pad_index)

    return Batch(
        src=padded(rows),
        src_length=torch.tensor([len(row) for row in rows]),
        src_prompt_mask=None,
        trg=None if targets is None else padded([torch.tensor([BOS, *target, EOS]) for target in targets]),
        trg_prompt_mask=None,
        indices=torch.arange(len(rows)),
        device=torch.device("cpu"),
        pad_index=network.pad_index,
        eos_index=network.eos_index,
        is_train=targets is not None,
    )


def decode(network: Any, sources: list[Ids], beam: int, steps: int) -> list[list[int]]:
    batch = batched(network, sources)
    back = batch.sort_by_src_length()
    found, _, _ = search(network, batch, steps, beam, 1.0, min_output_length=steps)
    return found[back].tolist()


def loss(network: Any, pairs: Sequence[tuple[Ids, Ids]], smoothing: float) -> torch.Tensor:
    """As Joey NMT's own step of training takes it, with `normalization: tokens`."""
    if network.loss_function is None:
        network.loss_function = ("crossentropy", smoothing)
    batch = batched(network, *zip(*pairs, strict=True))
    batch.sort_by_src_length()
    total, *_ = network(return_type="loss", **vars(batch))
    return batch.normalize(total, "tokens")


if __name__ == "__main__":
    torch_peer.serve(model, decode, loss, f"Joey NMT {metadata.version('joeynmt')}, PyTorch {torch.__version__}")
