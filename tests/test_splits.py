"""Splits that are drawn anew: what they spell, how often each comes, that they come again with their seed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from seq2seq.splits import Splits
from seq2seq.tokenizer import EOS, Tokenizer, train

SENTENCES = ["the cat sat on the mat", "the dog sat", "", "a cat and a dog and a mat"] * 9


@pytest.fixture(scope="module", params=["unigram", "bpe"])
def pieces(request) -> Tokenizer:
    return Tokenizer(train(SENTENCES, vocabulary=276, kind=request.param))


def drawn(pieces: Tokenizer, seed: int, longest: int = 50) -> list[list[int]]:
    side = Splits(SENTENCES, pieces, 0.2, longest=longest).draw(seed)
    return [side[place].tolist() for place in range(len(side))]


def test_they_repeat_with_their_seed_and_spell_the_same(pieces):
    usual = [[*pieces.encode(sentence), EOS] for sentence in SENTENCES]
    assert drawn(pieces, 1) == drawn(pieces, 1) != drawn(pieces, 2)
    assert drawn(pieces, 1) != usual
    assert [pieces.decode(split) for split in drawn(pieces, 1)] == SENTENCES
    assert all(split[-1] == EOS and EOS not in split[:-1] for split in drawn(pieces, 1))
    assert drawn(pieces, 1, longest=1) == usual, "what is too long is split as usual"


def test_each_comes_as_often_as_its_probability_says():
    pieces = Tokenizer(train(SENTENCES, vocabulary=276))
    splits, scores = pieces.splits("the cat")
    side = Splits(["the cat"] * 20_000, pieces, 0.5, longest=50).draw(3)
    seen = Counter(tuple(side[place][:-1].tolist()) for place in range(len(side)))
    weights = np.exp(0.5 * np.array(scores))
    for split, weight in zip(splits, weights / weights.sum(), strict=True):
        assert seen[tuple(split)] / 20_000 == pytest.approx(weight, abs=0.02)


def test_no_sentences_are_no_sentences(pieces):
    assert len(Splits([], pieces, 0.2, longest=9).draw(1)) == 0
