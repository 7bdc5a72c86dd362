"""Batches: nothing lost, nothing doubled, budgets kept, the same seed the same plan."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from seq2seq import batches
from seq2seq.batches import Pairs, Side
from seq2seq.tokenizer import BOS, EOS


def side(sentences) -> Side:
    rows = [np.array([*sentence, EOS], np.int32) for sentence in sentences]
    return Side.of(np.concatenate(rows), [len(row) for row in rows])


def corpus(count=200, longest=23) -> Pairs:
    random = np.random.default_rng(0)
    sides = ([random.integers(4, 50, random.integers(0, longest)) for _ in range(count)] for _ in range(2))
    return Pairs(*map(side, sides))


def test_a_batch_by_hand():
    pairs = Pairs(side([[10, 11, 12, 13], [14]]), side([[20], [21, 22, 23]]))
    made = batches.batch(pairs, np.array([1, 0]))
    assert made.source.tolist() == [[14, EOS, 0, 0, 0, 0, 0, 0], [10, 11, 12, 13, EOS, 0, 0, 0]]
    assert made.target_in.tolist() == [[BOS, 21, 22, 23], [BOS, 20, 0, 0]]
    assert made.target_out.tolist() == [[21, 22, 23, EOS], [20, EOS, 0, 0]]


@pytest.mark.parametrize("seed", [None, 1])
def test_every_pair_is_in_one_batch_within_the_budget(seed):
    pairs = corpus()
    plan = batches.plan(pairs, 120, seed=seed)
    assert sorted(np.concatenate(plan).tolist()) == list(range(len(pairs)))
    for rows in plan:
        made = batches.batch(pairs, rows)
        assert made.source.size <= 120 and made.target_out.size <= 120


@pytest.mark.parametrize("budget", [1, 40, 120, 10_000])
def test_a_batch_ends_where_one_pair_more_would_not_fit(budget):
    pairs = corpus()
    plan = batches.plan(pairs, budget)
    for rows, after in itertools.pairwise(plan):
        more = batches.batch(pairs, np.array([*rows, after[0]]))
        assert max(more.source.size, more.target_out.size) > budget


def test_padding_is_little():
    pairs = corpus(5000)
    made = [batches.batch(pairs, rows) for rows in batches.plan(pairs, 2000, seed=1)]
    used = sum(np.count_nonzero(batch.target_out) for batch in made)
    assert used / sum(batch.target_out.size for batch in made) > 0.8


def test_a_seed_decides_the_plan():
    pairs = corpus()

    def plan(seed):
        return [rows.tolist() for rows in batches.plan(pairs, 200, seed=seed)]

    assert plan(5) == plan(5)
    assert plan(5) != plan(6)


def test_an_epoch_mixes_lengths_and_the_next_has_other_companions():
    pairs = corpus(2000)
    one, other = (batches.plan(pairs, 200, seed=seed) for seed in (5, 6))
    widths = [int(batches.padded(pairs.target.lengths[rows].max())) for rows in one]
    assert widths != sorted(widths)
    assert {tuple(sorted(rows.tolist())) for rows in one} != {tuple(sorted(rows.tolist())) for rows in other}


def test_a_pair_longer_than_the_budget_is_a_batch_of_its_own():
    pairs = Pairs(side([[9] * 50, [9]]), side([[9], [9]]))
    assert sorted(len(rows) for rows in batches.plan(pairs, 20)) == [1, 1]


def test_within_leaves_out_long_pairs_on_either_side():
    pairs = Pairs(side([[9], [9] * 9, [8]]), side([[7], [7], [7] * 9]))
    kept = pairs.keep(batches.within(pairs, 5))
    assert len(kept) == 1
    assert kept.source[0].tolist() == [9, EOS] and kept.target[0].tolist() == [7, EOS]


def test_the_dataset_gives_the_planned_batches_in_order():
    pairs = corpus(40)
    plan = batches.plan(pairs, 100, seed=2)
    for made, rows in zip(batches.dataset(pairs, plan[3:]), plan[3:], strict=True):
        np.testing.assert_array_equal(made.source, batches.batch(pairs, rows).source)
