"""Guided attention: given word alignments as a target for where the decoder looks.

It owns how links of words become links of pieces, and what looking elsewhere costs; it does not know files or steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from seq2seq.batches import Batch, Side
from seq2seq.tokenizer import EOS, PAD, Tokenizer

LINKS = "links"
TINY = 1e-30  # keeps the logarithm of 0 finite, and its slope within float32


class Links:
    """Word alignments of pairs, ready to be given to the batches these stand in, as a `batches.Hint`.

    Words are what stands between blanks. The pieces of a word begin with one that begins with "▁", so the ids of a
    batch tell which pieces a word has, however they were split in this epoch.

    Arguments:
        words: the links of each pair, as `read` gives them: a source word and a target word in turn, from 0.
        tables: of the source and of the target vocabulary, True at pieces that begin a word, as `beginnings` gives it.
    """

    def __init__(self, words: Side, tables: tuple[np.ndarray, np.ndarray]) -> None:
        self._words, self._tables = words, tables

    @property
    def guided(self) -> int:
        """Pairs that have links."""
        return int(np.count_nonzero(self._words.lengths))

    @property
    def signature(self) -> Mapping[str, tf.TensorSpec]:
        return {LINKS: tf.TensorSpec((None, None, None), tf.bool)}

    def take(self, rows: np.ndarray) -> Links:
        """The links of these rows, in their order."""
        return Links(self._words.take(rows), self._tables)

    def of(self, rows: np.ndarray, batch: Batch) -> Mapping[str, np.ndarray]:
        """Whether a target piece is linked to a source piece, (B, T, S); pieces of linked words are, all to all."""
        source = word_numbers(batch.source, self._tables[0])
        target = word_numbers(batch.target_out, self._tables[1])
        mine = self._words.take(rows)
        row = np.repeat(np.arange(len(rows)), mine.lengths // 2)
        words = np.concatenate([np.zeros(0, np.int32), *(mine[place] for place in range(len(mine)))])
        linked = np.zeros((len(rows), target.max() + 1, source.max() + 1), bool)
        linked[row, words[1::2] + 1, words[::2] + 1] = True
        every = np.arange(len(rows))[:, None, None]
        return {LINKS: linked[every, target[:, :, None], source[:, None, :]]}


def beginnings(tokenizer: Tokenizer) -> np.ndarray:
    """True at the pieces that begin a word, (V,)."""
    return np.array([piece.startswith("\u2581") for piece in tokenizer.pieces(range(len(tokenizer)))])


def word_numbers(ids: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Which word of its row each piece belongs to, from 1; 0 at EOS and padding. (B, S) to (B, S)."""
    return np.where((ids == PAD) | (ids == EOS), 0, np.cumsum(table[ids], axis=1))


def read(lines: Sequence[str]) -> Side:
    """Lines such as "0-0 1-2" as the numbers in them, one after the other.

    >>> read(["0-0 1-2", "", "3-1"])
    Side(ids=array([0, 0, 1, 2, 3, 1], dtype=int32), starts=array([0, 4, 4]), lengths=array([4, 0, 2], dtype=int32))
    """
    numbers = " ".join(lines).replace("-", " ")
    ids = np.fromstring(numbers, np.int32, sep=" ") if numbers.strip() else np.zeros(0, np.int32)
    return Side.of(ids, [2 * line.count("-") for line in lines])


def links(
    given: Side,
    texts: tuple[Sequence[str], Sequence[str]],
    sides: tuple[Side, Side],
    tables: tuple[np.ndarray, np.ndarray],
) -> Links:
    """The links of all pairs that can guide.

    A pair has none where a side is one word, as a sentence of a script without spaces is: it says nothing about where
    to look. Nor where the tokenizer sees other words than stand in the text, as it does around soft hyphens.

    Args:
        given: of every pair the links of words, as `read` gives them.
        texts: the clean sentences, one space between words.
        sides: the same sentences as pieces.
        tables: as for `Links`.
    """
    useful = np.ones(len(given), bool)
    for sentences, side, table in zip(texts, sides, tables, strict=True):
        words = np.fromiter((sentence.count(" ") + 1 for sentence in sentences), np.int64, len(sentences))
        seen = np.concatenate([[0], np.cumsum(table[side.ids])])
        useful &= (words > 1) & (words == seen[side.starts + side.lengths] - seen[side.starts])
    lengths = np.where(useful, given.lengths, 0)
    kept = given.ids[np.repeat(useful, given.lengths)]
    return Links(Side.of(kept, lengths), tables)


def cost(attention: tf.Tensor, linked: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of where each target piece looked against the source pieces it is linked to.

        cost_t = - sum over s of g_ts log a_ts,  g_ts = 1 / n_t at the n_t linked pieces and 0 elsewhere

    Args:
        attention: a, (B, T, S).
        linked: bool, (B, T, S).
        target: piece ids, (B, T); 0 is padding and costs nothing, nor does a piece without links.

    Returns:
        (B, T) in nats, float32.

    Source: Chen et al. 2016 (Guided Alignment Training for Topic-Aware Neural Machine Translation);
    Mi, Wang and Ittycheriah 2016 (Supervised Attentions for Neural Machine Translation).
    """
    share = tf.cast(linked, tf.float32)
    nats = -tf.reduce_sum(share * tf.math.log(tf.cast(attention, tf.float32) + TINY), axis=-1)
    return tf.cast(tf.not_equal(target, PAD), tf.float32) * tf.math.divide_no_nan(nats, tf.reduce_sum(share, axis=-1))
