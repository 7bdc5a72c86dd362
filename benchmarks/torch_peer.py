"""What every peer in PyTorch does: random weights, so many threads, answers until there are no more requests.

It owns how such a process is called, `python peer_X.py SIZES THREADS` to decode and `... learn` to be trained; the
network, its search and its loss are the peer's.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch
import workers
from workers import Ids

Search = Callable[[Any, list[Ids], int, int], list[list[int]]]
"""Translates one batch: network, sources, beam, steps."""
Loss = Callable[[Any, Sequence[tuple[Ids, Ids]], float], Any]
"""The mean loss of a target piece of a batch of pairs, to be followed downhill: network, pairs, label smoothing."""
SMOOTHING, CLIP = 0.1, 1.0


def serve(build: Callable[..., Any], search: Search, loss: Loss, version: str) -> None:
    """Builds the network of the sizes on the command line, and serves its search, or steps of its training."""
    sizes, threads = json.loads(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    network = build(**sizes)
    about = {"version": version, "parameters": sum(each.numel() for each in network.parameters())}
    if sys.argv[3:] == ["learn"]:
        workers.teach(_learner(network.train(), loss), **about)
        return
    network.eval()
    workers.serve(lambda sources, beam, steps: search(network, sources, beam, steps), most=64, **about)


def _learner(network: Any, loss: Loss) -> workers.Learn:
    """Adam and a clipped gradient, as ours are trained."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)

    def learn(pairs: list[tuple[Ids, Ids]]) -> float:
        optimizer.zero_grad()
        value = loss(network, pairs, SMOOTHING)
        value.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        return value.item()

    return learn
