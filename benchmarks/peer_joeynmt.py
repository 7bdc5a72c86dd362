"""A recurrent model of Joey NMT as a process that decodes or learns: python peer_joeynmt.py SIZES THREADS [learn].

It owns how that model is called; its settings are those of `joey`, encoder, decoder, search and loss Joey NMT's. Its
weights are random, so the shortest and the longest output are both set to the number of steps that a batch is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import metadata
from types import SimpleNamespace
from typing import Any

import joey
import torch
import torch_peer
from joeynmt.batch import Batch
from joeynmt.model import build_model
from joeynmt.search import search
from joeynmt.vocabulary import Vocabulary
from workers import Ids

BOS, EOS = joey.IDS["bos_id"], joey.IDS["eos_id"]


def model(*, vocabulary: int, dropout: float = 0.0, **sizes: int) -> Any:
    """The network with random weights, over pieces without names."""
    tokens = SimpleNamespace(**joey.NAMES, **joey.IDS, sep_token=None, lang_tags=[])
    pieces = Vocabulary([str(number) for number in range(4, vocabulary)], tokens)
    return build_model(joey.network(**sizes, embedding_dropout=dropout, dropout=dropout), pieces, pieces)


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
