"""Sentences as 64-bit numbers, so that millions can be compared in memory.

It owns the numbers and how equal ones are found; it does not know what makes two sentences equal. The numbers are
Python's own string hashes: they differ from process to process, so none is ever stored, and nothing but equality may be
read from them. Among n sentences two different ones share a number with a chance of n * n / 3.7e19.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def keys_of(texts: Sequence[str]) -> np.ndarray:
    """A key for every text; equal texts have equal keys."""
    return np.fromiter(map(hash, texts), np.int64, len(texts))


def mixed(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """A key for every pair of keys; the order of the two matters."""
    return (one.view(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + other.view(np.uint64)).view(np.int64)


def repeats(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where a key stands that stood before, and for each of these where it stands first.

    >>> repeats(np.array([7, 8, 7, 9, 7]))
    (array([2, 4], dtype=int32), array([0, 0], dtype=int32))
    """
    index = np.int32 if len(keys) < 2**31 else np.int64
    order = np.argsort(keys, kind="stable").astype(index)
    ordered = keys[order]
    again = np.zeros(len(keys), bool)
    np.equal(ordered[1:], ordered[:-1], out=again[1:])
    del ordered
    start = np.arange(len(keys), dtype=index)
    start[again] = 0
    np.maximum.accumulate(start, out=start)
    return order[again], order[start[again]]


def among(keys: np.ndarray, known: np.ndarray) -> np.ndarray:
    """For every key whether it is among the known ones; quick and small where either side is."""
    if not len(keys) or not len(known):
        return np.zeros(len(keys), bool)
    if len(keys) < len(known):
        found = np.unique(keys)
        present = np.zeros(len(found), bool)
        for begin in range(0, len(known), 1 << 18):
            part = known[begin : begin + (1 << 18)]
            place = np.minimum(np.searchsorted(found, part), len(found) - 1)
            present[place[found[place] == part]] = True
        return present[np.searchsorted(found, keys)]
    ordered = np.unique(known)
    place = np.minimum(np.searchsorted(ordered, keys), len(ordered) - 1)
    return ordered[place] == keys
