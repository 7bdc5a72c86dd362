"""Our network written in PyTorch, as a process that decodes or learns: python peer_pytorch.py SIZES THREADS [learn].

It owns that network and a batched beam search; its weights are random, so each batch takes as many steps as it is told.
Bidirectional LSTM encoder, attention asked by the decoder's first LSTM and read by those above it, tied embeddings;
`torch.nn.LSTM` and whole-batch tensor operations throughout, as one would write it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
import torch_peer
from torch import Tensor, nn
from workers import Ids

PAD, BOS, EOS = 0, 2, 3


class Network(nn.Module):
    """See the module; the arguments are the fields of a model's configuration."""

    def __init__(
        self,
        *,
        vocabulary: int,
        embedding: int,
        units: int,
        encoder_layers: int,
        decoder_layers: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.encoder = nn.LSTM(embedding, units // 2, encoder_layers, bidirectional=True, batch_first=True)
        self.key = nn.Linear(units, units, bias=False)
        widths = [embedding, *[2 * units] * (decoder_layers - 1)]
        self.cells = nn.ModuleList(nn.LSTM(width, units, batch_first=True) for width in widths)
        self.readout = nn.Linear(2 * units, embedding)
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def encode(self, source: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        lengths = (source != PAD).sum(1)
        packed = nn.utils.rnn.pack_padded_sequence(
            self.dropout(self.embedding(source)), lengths, batch_first=True, enforce_sorted=False
        )
        outputs, last = self.encoder(packed)
        values, _ = nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True)
        h, c = (torch.cat([each[-2], each[-1]], -1)[None] for each in last)
        return values, h, c

    def decode(self, tokens: Tensor, memory: tuple[Tensor, Tensor, Tensor], states: list) -> tuple[Tensor, list]:
        """Logits of the piece after each of these, (B, T, V), and the states after the last."""
        values, keys, mask = memory
        a, state = self.cells[0](self.dropout(self.embedding(tokens)), states[0])
        after = [state]
        scores = (a @ keys.transpose(1, 2)).masked_fill(mask, -1e9)
        context = torch.softmax(scores, -1) @ values
        for cell, before in zip(self.cells[1:], states[1:], strict=True):
            b, state = cell(self.dropout(torch.cat([a, context], -1)), before)
            after.append(state)
            a = a + b
        y = torch.tanh(self.readout(self.dropout(torch.cat([a, context], -1))))
        return y @ self.embedding.weight.T + self.bias, after


def padded(rows: Iterable[list[int]]) -> Tensor:
    return nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=PAD)


def loss(network: Network, pairs: Sequence[tuple[Ids, Ids]], smoothing: float) -> Tensor:
    """Label-smoothed cross-entropy of a target piece."""
    source = padded([*read, EOS] for read, _ in pairs)
    before, after = padded([BOS, *said] for _, said in pairs), padded([*said, EOS] for _, said in pairs)
    values, h, c = network.encode(source)
    memory = (values, network.key(values), (source == PAD)[:, None])
    logits, _ = network.decode(before, memory, [(h, c)] * len(network.cells))
    cross_entropy = nn.functional.cross_entropy
    return cross_entropy(logits.flatten(0, 1), after.flatten(), ignore_index=PAD, label_smoothing=smoothing)


@torch.inference_mode()
def search(network: Network, sources: list[Ids], beam: int, steps: int) -> list[list[int]]:
    """Beam search for exactly `steps` pieces."""
    source = padded([*each, EOS] for each in sources)
    values, h, c = network.encode(source)
    count = len(sources)
    repeated = [each.repeat_interleave(beam, 0) for each in (values, network.key(values), (source == PAD)[:, None])]
    memory = (repeated[0], repeated[1], repeated[2])
    states = [tuple(each.repeat_interleave(beam, 1) for each in (h, c))] * len(network.cells)
    scores = torch.full((count, beam), -1e9)
    scores[:, 0] = 0
    tokens = torch.full((count * beam, 1), BOS)
    said = torch.empty((count * beam, 0), dtype=torch.long)
    first = torch.arange(count)[:, None] * beam
    for _ in range(steps):
        logits, states = network.decode(tokens, memory, states)
        best, ids = torch.log_softmax(logits[:, 0], -1).topk(beam, -1)
        scores, chosen = (scores[:, :, None] + best.view(count, beam, beam)).view(count, -1).topk(beam, -1)
        parents = (first + chosen // beam).view(-1)
        tokens = ids.view(count, -1).gather(1, chosen).view(-1, 1)
        said = torch.cat([said[parents], tokens], 1)
        states = [tuple(each[:, parents] for each in state) for state in states]
    return said.view(count, beam, steps)[:, 0].tolist()


if __name__ == "__main__":
    torch_peer.serve(Network, search, loss, f"PyTorch {torch.__version__}")
