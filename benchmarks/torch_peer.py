"""What every peer in PyTorch does: random weights, so many threads, answers until there are no more requests.

It owns how such a process is called, `python peer_X.py SIZES THREADS`; the network and its search are the peer's.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import torch
import workers
from workers import Ids

Search = Callable[[Any, list[Ids], int, int], list[list[int]]]
"""Translates one batch: network, sources, beam, steps."""


def serve(build: Callable[..., Any], search: Search, version: str) -> None:
    """Builds the network of the sizes on the command line, and serves its search."""
    sizes, threads = json.loads(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    network = build(**sizes).eval()
    workers.serve(
        lambda sources, beam, steps: search(network, sources, beam, steps),
        most=64,
        version=version,
        parameters=sum(each.numel() for each in network.parameters()),
    )
