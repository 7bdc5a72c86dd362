"""The search as a tree of hypotheses, replayed from its record.

It owns which hypothesis came from which and what became of it; it does not know how the search chooses.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

ALIVE, FINISHED, PRUNED = "alive", "finished", "pruned"
PAD, EOS = 0, 3
NEVER = -1e8
"""A log-probability below this marks a place in the beam that no hypothesis took."""


@dataclass(frozen=True)
class Node:
    """One hypothesis that the search kept at one step; docs/explanation.md says what each field means."""

    id: int
    parent: int | None
    step: int
    piece: str
    log_prob: float
    cumulative: float
    normalised: float
    coverage: float = 0.0
    rank: int = 1
    state: str = ALIVE
    hypothesis: int | None = None


@dataclass(frozen=True)
class Last:
    """A hypothesis of the last beam."""

    ids: tuple[int, ...]
    """With EOS where it has one."""
    coverage: float = 0.0
    """The coverage penalty in its score."""


def tree(
    record: Mapping[str, np.ndarray],
    pieces: Callable[[Sequence[int]], Sequence[str]],
    search: Any,
    last: Sequence[Last],
) -> tuple[Node, ...]:
    """The nodes of one search, parents before children.

    Arguments:
        record: `record_tokens`, `record_parents` and `record_log_probs`, (T, K) each.
        pieces: ids to pieces.
        search: with a `length_penalty` and a `word_reward`.
        last: the hypotheses of the last beam, best first.
    """
    tokens = record["record_tokens"]
    names = pieces(tokens.reshape(-1).tolist())
    nodes = [Node(0, None, 0, "<s>", 0.0, 0.0, 0.0)]
    said: list[tuple[int, ...]] = [()]
    width = tokens.shape[1]
    places: list[int | None] = [0] * width
    for step, row in enumerate(tokens.tolist()):
        before = places
        places = []
        for place, token in enumerate(row):
            parent = before[int(record["record_parents"][step, place])]
            total = float(record["record_log_probs"][step, place])
            if token == PAD or parent is None or total < NEVER:
                places.append(parent if total >= NEVER else None)
                continue
            length = nodes[parent].step + 1
            ranked = total / ((5 + length) / 6) ** search.length_penalty + search.word_reward * length
            name = names[step * width + place]
            gain = total - nodes[parent].cumulative
            places.append(len(nodes))
            nodes.append(Node(len(nodes), parent, length, name, round(gain, 6), round(total, 6), round(ranked, 6)))
            said.append((*said[parent], token))
    return tuple(_judged(nodes, said, [place for place in places if place is not None], last))


def _judged(
    nodes: list[Node], said: Sequence[tuple[int, ...]], left: Sequence[int], last: Sequence[Last]
) -> list[Node]:
    """With rank, state and, of the last beam, the place among the n best."""
    went_on = {node.parent for node in nodes}
    waiting: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for at, hypothesis in enumerate(last):
        waiting[hypothesis.ids].append(at)
    by_step: dict[int, list[Node]] = defaultdict(list)
    for node in nodes:
        by_step[node.step].append(node)
    ranks = {
        node.id: rank
        for level in by_step.values()
        for rank, node in enumerate(sorted(level, key=lambda each: -each.cumulative), start=1)
    }
    judged = [replace(node, rank=ranks[node.id], state=ALIVE if node.id in went_on else PRUNED) for node in nodes]
    for place in dict.fromkeys(left):
        ended = said[place][-1:] == (EOS,)
        number = waiting[said[place]].pop(0) if waiting[said[place]] else None
        term = 0.0 if number is None else last[number].coverage
        judged[place] = replace(
            judged[place],
            state=FINISHED if ended else ALIVE,
            normalised=round(judged[place].normalised + term, 6),
            coverage=round(term, 6),
            hypothesis=None if number is None else number + 1,
        )
    return judged
