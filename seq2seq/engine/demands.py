"""What is asked of one translation beyond the settings of the search, and the graph's inputs for it.

It knows the names and the padding of those inputs; it does not know what runs the graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq.config import SearchConfig

Ids = tuple[int, ...]
Arrays = dict[str, np.ndarray]

PAD = 0


@dataclass(frozen=True)
class Demands:
    """What one translation must and must not say, as piece ids."""

    prefix: Ids = ()
    """What it begins with; an end of sentence in it ends the translation."""
    required: tuple[Ids, ...] = ()
    """Phrases that it says somewhere. Their pieces share the beam, which should be wider than they are many."""
    forbidden: tuple[Ids, ...] = ()
    """Phrases that it says nowhere; parts of one that it must say do not count."""
    attention_bias: tuple[float, ...] = ()
    """What is added to the attention scores of each source piece, EOS included; empty adds nothing."""


NOTHING = Demands()


def is_plain(search: SearchConfig, demands: Demands) -> bool:
    """Whether the smaller signature, `translate`, can do what is wanted."""
    more = (search.min_length, search.min_ratio, search.no_repeat, search.diversity, search.temperature)
    return demands == NOTHING and not any(more)


def pieces(demands: Demands) -> int:
    """How many pieces are demanded."""
    return len(demands.prefix) + sum(map(len, demands.required))


def inputs(sources: Sequence[Sequence[int]], search: SearchConfig, wanted: Sequence[Demands], steps: int) -> Arrays:
    """What the signature `constrained` takes beyond `translate`, for a batch of at most `steps` pieces."""
    drawn = search.n_best if search.temperature else 0
    return {
        "min_length": np.array([shortest(source, search) for source in sources], np.int32),
        "prefix": _block([[each.prefix] for each in wanted])[:, 0],
        "forbidden": _block([_possible(each) for each in wanted], left=True),
        "required": _block([each.required for each in wanted]),
        "no_repeat": np.array([search.no_repeat], np.int32),
        "temperature": np.array([search.temperature], np.float32),
        "top_k": np.array([search.top_k], np.int32),
        "top_p": np.array([search.top_p], np.float32),
        "diversity": np.array([search.diversity], np.float32),
        "uniform": _uniform(sources, search.seed, steps, drawn) if drawn else np.zeros((1, 1), np.float32),
        "attention_bias": biases(sources, [each.attention_bias for each in wanted]),
        "present": np.ones((len(sources), max(map(len, sources)) + 1), np.float32),
    }


def biases(sources: Sequence[Sequence[int]], wanted: Sequence[Sequence[float]]) -> np.ndarray:
    """What is added to the attention scores, (B, S) with EOS."""
    block = np.zeros((len(sources), max(map(len, sources)) + 1), np.float32)
    for row, bias in zip(block, wanted, strict=True):
        row[: len(bias)] = bias
    return block


def shortest(source: Sequence[int], search: SearchConfig) -> int:
    """Fewest pieces of a translation before its end."""
    return max(search.min_length, int(search.min_ratio * (len(source) + 1)))


def _possible(wanted: Demands) -> list[Ids]:
    """What is forbidden without parts of what is required, which could not be said then; and there is no end before."""

    def holds(phrase: Ids, part: Ids) -> bool:
        return any(phrase[start : start + len(part)] == part for start in range(len(phrase) - len(part) + 1))

    return [each for each in wanted.forbidden if not any(holds(phrase, each) for phrase in wanted.required)]


def _block(rows: Sequence[Sequence[Ids]], *, left: bool = False) -> np.ndarray:
    """Phrases of every row, (B, C, L), padded; C is at least 1 and L at least 2, for graphs dislike empty axes."""
    count = max(1, *map(len, rows))
    width = max(2, *(len(phrase) for row in rows for phrase in row), 0)
    block = np.full((len(rows), count, width), PAD, np.int32)
    for place, row in enumerate(rows):
        for number, phrase in enumerate(row):
            if phrase:
                block[place, number, slice(-len(phrase), None) if left else slice(len(phrase))] = phrase
    return block


def _uniform(sources: Sequence[Sequence[int]], seed: int, steps: int, drawn: int) -> np.ndarray:
    """Random numbers (T, B K) that depend on the seed and on each source, not on what stands beside it."""
    columns = [np.random.default_rng([seed, *source]).random((steps, drawn), np.float32) for source in sources]
    return np.concatenate(columns, axis=1)
