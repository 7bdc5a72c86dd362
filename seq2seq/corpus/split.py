"""Pairs held out for validation and testing so that none of their sentences stands in train, on either side.

It owns the groups of pairs that share a sentence; it sees sentences only as 64-bit keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seq2seq.corpus.errors import CorpusError
from seq2seq.corpus.keys import repeats

SHARE = 10
"""At most one pair in this many is held out for each purpose."""


Files = tuple[str | Path, str | Path | None]
"""Two aligned files, or one file of pairs and None."""


@dataclass(frozen=True)
class Holdout:
    """What is kept from training, to validate and to test.

    Attributes:
        valid: most pairs held out for validation; at most a tenth of the corpus.
        test: and for testing.
        seed: of the draw.
        valid_files: files of validation pairs to take instead.
        test_files: files of test pairs to take instead.
    """

    valid: int = 2000
    test: int = 2000
    seed: int = 1
    valid_files: Files | None = None
    test_files: Files | None = None

    def __post_init__(self) -> None:
        for name in ("valid", "test", "seed"):
            if not 0 <= getattr(self, name) < 2**32:
                raise ValueError(f"{name} must be at least 0 and under 2 ** 32. Received: {getattr(self, name)}")


def groups(*sides: np.ndarray) -> np.ndarray:
    """Joins pairs that share a key on any side, directly or through other pairs.

    >>> groups(np.array([7, 8, 7, 9]), np.array([1, 2, 3, 2]))
    array([0, 1, 0, 1], dtype=int32)

    Args:
        sides: for each side the keys of its sentences, one a pair.

    Returns:
        For each pair the index of the first pair of its group.
    """
    count = len(sides[0])
    root = np.arange(count, dtype=np.int32 if count < 2**31 else np.int64)
    settled = False
    while not settled:
        settled = True
        for keys in sides:
            settled &= _join(root, *repeats(keys))
    return root


def hold_out(group: np.ndarray, sizes: Sequence[int], *, seed: int) -> np.ndarray:
    """Draws whole groups at random for every purpose in turn.

    Args:
        group: for each pair its group, as `groups` gives it.
        sizes: most pairs for each purpose; at most a tenth of all pairs is taken for each.
        seed: the same seed and groups give the same draw.

    Returns:
        For each pair 0, or from 1 on the purpose it is held out for.

    Raises:
        CorpusError: the groups are too large to hold any out.
    """
    count = len(group)
    pairs = np.bincount(group, minlength=count).astype(group.dtype)  # of each group
    order = np.random.RandomState(seed).permutation(np.flatnonzero(pairs).astype(group.dtype))
    purpose = np.zeros(count, np.uint8)
    for number, size in enumerate(sizes, start=1):
        quota = min(size, count // SHARE)
        if quota == 0:
            continue
        chosen = _draw(order, pairs, quota)
        if not len(chosen):
            raise CorpusError(
                "A corpus must fall into groups without common sentences to hold some out; "
                f"give validation and test files, or ask for none. Received: {count:,} pairs in {len(order):,} groups"
            )
        purpose[chosen] = number
        order = order[purpose[order] == 0]
    return purpose[group]


def _draw(order: np.ndarray, pairs: np.ndarray, quota: int) -> np.ndarray:
    """Groups from the front of the order whose pairs add up to the quota, or a little less.

    Groups of over a tenth of the quota are left to train: one of them would make much of a test set one sentence.
    """
    small = pairs[order] <= max(1, quota // 10)
    if not small.any():
        small = pairs[order] <= quota
    order = order[small]
    front = order[:quota]  # a group has a pair at least, so that more are never needed
    fitting = int(np.searchsorted(np.cumsum(pairs[front]), quota, side="right"))
    left = quota - int(pairs[front[:fitting]].sum())
    rest = order[fitting:]
    return np.concatenate((front[:fitting], rest[pairs[rest] == 1][:left]))


def _join(root: np.ndarray, one: np.ndarray, other: np.ndarray) -> bool:
    """Union-find over whole arrays: hangs the later root of every edge under the earlier, then flattens all paths.

    Returns whether there was nothing to do.
    """
    rounds = 0
    while True:
        ones, others = root[one], root[other]
        open_ = ones != others
        if not open_.any():
            return rounds == 0
        rounds += 1
        one, other, ones, others = one[open_], other[open_], ones[open_], others[open_]
        np.minimum.at(root, np.maximum(ones, others), np.minimum(ones, others))
        while True:
            above = root[root]
            if np.array_equal(above, root):
                break
            root[:] = above
