"""Batches: sentence pairs as ids, sorted into length buckets, cut by a token budget, padded on the right.

It owns which pair stands in which batch, so that a run can go on at an exact batch; it does not know what the
batches are for.
"""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from seq2seq.tokenizer import BOS, EOS, PAD, Tokenizer

STEP = 4
"""Lengths are padded to a multiple of this, so that the number of shapes stays small."""
_BLOCK = 1 << 12  # sentences that are encoded before they are put away


class Batch(NamedTuple):
    """One training step's worth of pairs, int32, right padded with 0."""

    source: np.ndarray
    """Pieces and EOS, (B, S)."""
    target_in: np.ndarray
    """BOS and pieces, (B, T)."""
    target_out: np.ndarray
    """Pieces and EOS, (B, T)."""
    hints: Mapping[str, np.ndarray] = {}
    """What else a loss may ask for, by name; the first axis of each is B."""


class Hint(Protocol):
    """What else is known of every pair, such as links of words, batch by batch."""

    @property
    def signature(self) -> Mapping[str, tf.TensorSpec]:
        """Shapes and types of what `of` gives, by name."""

    def take(self, rows: np.ndarray) -> Hint:
        """That of the pairs of these rows, in their order."""

    def of(self, rows: np.ndarray, batch: Batch) -> Mapping[str, np.ndarray]:
        """That of the pairs of these rows, which stand in this batch."""


IDS: Any = tf.TensorSpec((None, None), tf.int32)
BARE = Batch(IDS, IDS, IDS, {})
"""Shapes and types of a batch of pairs of which nothing else is known."""


@dataclass(frozen=True)
class Side:
    """Sentences of one language, each somewhere in one long row of pieces."""

    ids: np.ndarray
    """Pieces of every sentence, each ended by EOS, int32; of a corpus in a run they lie in a file."""
    starts: np.ndarray
    """Where each sentence begins in `ids`, int64."""
    lengths: np.ndarray
    """How many pieces each has, EOS included, int32."""

    @classmethod
    def of(cls, ids: np.ndarray, lengths: Sequence[int] | np.ndarray) -> Side:
        """Sentences that stand one after the other."""
        sizes = np.asarray(lengths, np.int32)
        starts = np.cumsum(sizes, dtype=np.int64)
        starts -= sizes
        return cls(ids, starts, sizes)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.ids[self.starts[index] : self.starts[index] + self.lengths[index]]

    def take(self, rows: np.ndarray) -> Side:
        """The sentences of these rows, in their order; a row may stand there several times. No piece is copied."""
        return Side(self.ids, self.starts[rows], self.lengths[rows])


@dataclass(frozen=True)
class Pairs:
    """A corpus as ids."""

    source: Side
    target: Side
    hints: tuple[Hint, ...] = ()

    def __len__(self) -> int:
        return len(self.source)

    @property
    def signature(self) -> Batch:
        """Shapes and types of the batches of these pairs."""
        hints: Any = {name: spec for hint in self.hints for name, spec in hint.signature.items()}
        return BARE._replace(hints=hints)

    def keep(self, chosen: np.ndarray) -> Pairs:
        """The pairs where `chosen` is True."""
        return self if chosen.all() else self.take(np.flatnonzero(chosen))

    def take(self, rows: np.ndarray) -> Pairs:
        """The pairs of these rows, in their order; a row may stand there several times."""
        hints = tuple(hint.take(rows) for hint in self.hints)
        return replace(self, source=self.source.take(rows), target=self.target.take(rows), hints=hints)


def encode(sentences: Iterable[str], tokenizer: Tokenizer, folder: Path | None = None) -> Side:
    """Sentences as ids, each ended by EOS.

    Arguments:
        folder: where there is room for a file without a name that holds the ids. In memory they take 4 bytes a piece,
            so a corpus larger than the memory wants it; without, they are held in memory.
    """
    lengths = array("i")
    blocks: list[np.ndarray] = []
    with tempfile.TemporaryFile(dir=folder) if folder else contextlib.nullcontext() as file:
        rest = iter(sentences)
        while block := [(*tokenizer.encode(sentence), EOS) for sentence in itertools.islice(rest, _BLOCK)]:
            lengths.extend(map(len, block))
            ids = np.fromiter(itertools.chain.from_iterable(block), np.int32)
            if file is None:
                blocks.append(ids)
            else:
                file.write(ids.tobytes())
        if file is not None and lengths:
            file.flush()
            blocks = [
                np.asarray(np.memmap(file, np.int32, mode="r"))
            ]  # plain, for slices of a memmap take thrice the time
    joined = blocks[0] if len(blocks) == 1 else np.concatenate([np.zeros(0, np.int32), *blocks])
    return Side.of(joined, np.array(lengths, np.int32))


def within(pairs: Pairs, max_tokens: int) -> np.ndarray:
    """True at the pairs of which neither side, EOS included, is longer than `max_tokens`."""
    return np.maximum(pairs.source.lengths, pairs.target.lengths) <= max_tokens


def epoch_seed(seed: int, epoch: int) -> int:
    """The seed of what is drawn anew in an epoch (from 0) of a run with this seed."""
    return seed * 100_003 + epoch


def plan(pairs: Pairs, batch_tokens: int, *, seed: int | None = None) -> list[np.ndarray]:
    """Which pairs go together: one array of row numbers a batch.

    Pairs are shuffled, sorted by padded length, cut where a batch would hold more than `batch_tokens` tokens on a
    side, padding included, and the batches are shuffled again; the same seed gives the same plan. Without a seed
    nothing is shuffled.
    """
    source, target = (padded(side.lengths) for side in (pairs.source, pairs.target))
    order = np.arange(len(pairs), dtype=np.int32 if len(pairs) < 2**31 else np.int64)
    random = np.random.default_rng(seed)
    if seed is not None:
        random.shuffle(order)
    order = order[np.lexsort((source[order], target[order]))]
    widths = np.maximum(source, target)[order]
    most = batch_tokens // STEP + 1  # pairs that are too many for a batch, however short they are
    batches: list[np.ndarray] = []
    first = 0
    while first < len(order):
        widest = np.maximum.accumulate(widths[first : first + most])
        full = widest * np.arange(1, len(widest) + 1) > batch_tokens
        full[0] = False
        end = first + (int(full.argmax()) or len(full))
        batches.append(order[first:end])
        first = end
    if seed is not None:
        random.shuffle(batches)
    return batches


def batch(pairs: Pairs, rows: np.ndarray) -> Batch:
    """The pairs at `rows`, padded to the longest of them, rounded up to a multiple of `STEP`."""
    source = _rectangle([pairs.source[row] for row in rows])
    out = _rectangle([pairs.target[row] for row in rows])
    into = np.zeros_like(out)
    into[:, 1:] = out[:, :-1]
    into[:, 0] = BOS
    into[into == EOS] = PAD
    bare = Batch(source, into, out)
    return bare._replace(hints={name: block for hint in pairs.hints for name, block in hint.of(rows, bare).items()})


def dataset(pairs: Pairs, rows: Sequence[np.ndarray]) -> tf.data.Dataset:
    """The planned batches in turn, made ready while the step before runs."""
    made = tf.data.Dataset.from_generator(
        lambda: (batch(pairs, each) for each in rows), output_signature=pairs.signature
    )
    return made.prefetch(4)


def padded(lengths):
    """The widths that sentences of these lengths take in a batch, as few different ones as may be."""
    return -(-lengths // STEP) * STEP


def _rectangle(sentences):
    width = int(padded(max(len(sentence) for sentence in sentences)))
    block = np.full((len(sentences), width), PAD, dtype=np.int32)
    for row, sentence in enumerate(sentences):
        block[row, : len(sentence)] = sentence
    return block
