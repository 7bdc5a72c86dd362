"""Sentences split into pieces anew for each epoch, at random: subword regularisation.

It owns the choice among splits; which there are, and how likely each is, the tokenizer says.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np

from seq2seq.batches import Side
from seq2seq.tokenizer import EOS, Tokenizer


class Splits:
    """Sentences with all ways to split them, so that a draw takes moments instead of a tenth of an epoch.

    They take some 5 kB of memory a sentence of 25 pieces.

    A unigram tokenizer draws one of the best splits x with probability in proportion to P(x) ** alpha (Kudo 2018), a
    BPE tokenizer leaves out each merge with probability alpha (Provilkov et al. 2020), sentence by sentence.

    Arguments:
        sentences: text.
        tokenizer: splits it.
        alpha: 0.1 to 0.3 is usual.
        longest: most pieces, EOS included; splits with more are not drawn, but for the usual one of a sentence.
    """

    def __init__(self, sentences: Sequence[str], tokenizer: Tokenizer, alpha: float, *, longest: int) -> None:
        self._sentences, self._tokenizer, self._alpha, self._longest = sentences, tokenizer, alpha, longest
        self._unigram = not sentences or bool(tokenizer.splits(sentences[0])[0])
        if not self._unigram:
            return
        ids, sizes, scores, counts = array("H"), array("i"), array("d"), array("i")  # of every split of every sentence
        for sentence in sentences:
            splits, chances = tokenizer.splits(sentence)
            kept = [place for place, split in enumerate(splits) if len(split) < longest or not place]
            ids.extend(piece for place in kept for piece in (*splits[place], EOS))
            sizes.extend(len(splits[place]) + 1 for place in kept)
            scores.extend(chances[place] for place in kept)
            counts.append(len(kept))
        self._ids, self._sizes, self._scores, self._counts = map(np.asarray, (ids, sizes, scores, counts))

    def draw(self, seed: int) -> Side:
        """The sentences as ids, each ended by EOS; the same seed splits them so again."""
        return self._chosen(seed) if self._unigram else self._merged(seed)

    def _chosen(self, seed: int) -> Side:
        """The largest of log-probability plus Gumbel noise is a draw from the softmax."""
        if not len(self._counts):
            return Side.of(np.zeros(0, np.int32), [])
        noise = np.random.default_rng(seed).gumbel(size=len(self._scores))
        keys = self._alpha * self._scores + noise
        firsts = np.cumsum(self._counts) - self._counts
        best = np.repeat(np.maximum.reduceat(keys, firsts), self._counts)
        chosen = np.zeros(len(keys), bool)
        chosen[np.flatnonzero(keys == best)] = True
        return Side.of(self._ids[np.repeat(chosen, self._sizes)].astype(np.int32), self._sizes[chosen])

    def _merged(self, seed: int) -> Side:
        ids = []
        for place, sentence in enumerate(self._sentences):
            split = self._tokenizer.sample(sentence, self._alpha, seed=seed * len(self._sentences) + place)
            ids.append([*(split if len(split) < self._longest else self._tokenizer.encode(sentence)), EOS])
        return Side.of(np.array([piece for each in ids for piece in each], np.int32), [len(each) for each in ids])
