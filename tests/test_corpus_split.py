"""Groups of pairs that share sentences, and draws from them that never leak."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.corpus import CorpusError
from seq2seq.corpus.keys import among, keys_of, mixed, repeats
from seq2seq.corpus.split import groups, hold_out


def connected(pairs: list[tuple[int, int]]) -> list[int]:
    """For each pair the first pair of its group, the slow and obvious way."""
    label = list(range(len(pairs)))
    changed = True
    while changed:
        changed = False
        for i, one in enumerate(pairs):
            for j, other in enumerate(pairs):
                if (one[0] == other[0] or one[1] == other[1]) and label[i] != label[j]:
                    label[i] = label[j] = min(label[i], label[j])
                    changed = True
    return label


few = st.integers(0, 12)


@given(pairs=st.lists(st.tuples(few, few), min_size=1, max_size=30))
@settings(max_examples=150, deadline=None)
def test_groups_are_the_connected_components(pairs: list[tuple[int, int]]) -> None:
    source, target = np.array(pairs, np.int64).T
    assert groups(source, target).tolist() == connected(pairs)


def test_a_long_chain_is_one_group() -> None:
    count = 50_000
    order = np.random.RandomState(3).permutation(count)
    chain = np.arange(count)
    assert not groups((chain // 2)[order], ((chain + 1) // 2)[order]).any()


@given(
    pairs=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=10, max_size=200), seed=st.integers(0, 9)
)
@settings(max_examples=100, deadline=None)
def test_nothing_that_is_held_out_stands_elsewhere(pairs: list[tuple[int, int]], seed: int) -> None:
    source, target = np.array(pairs, np.int64).T
    try:
        purpose = hold_out(groups(source, target), [7, 5], seed=seed)
    except CorpusError:
        return
    for side in (source, target):
        parts = [set(side[purpose == number].tolist()) for number in range(3)]
        assert not parts[0] & parts[1]
        assert not parts[0] & parts[2]
        assert not parts[1] & parts[2]
    tenth = len(pairs) // 10
    assert np.bincount(purpose, minlength=3)[1] <= min(7, tenth)
    assert np.bincount(purpose, minlength=3)[2] <= min(5, tenth)


def test_sizes_are_met_where_sentences_differ() -> None:
    every = np.arange(1000)
    assert np.bincount(hold_out(every, [30, 60], seed=1)).tolist() == [910, 30, 60]
    assert np.bincount(hold_out(every, [500, 500], seed=1)).tolist() == [800, 100, 100]
    assert np.bincount(hold_out(every, [0, 7], seed=1)).tolist() == [993, 0, 7]
    assert not hold_out(every[:9], [5, 5], seed=1).any()


def test_the_seed_decides_the_draw() -> None:
    every = np.arange(1000)
    assert hold_out(every, [50, 50], seed=4).tolist() == hold_out(every, [50, 50], seed=4).tolist()
    assert hold_out(every, [50, 50], seed=4).tolist() != hold_out(every, [50, 50], seed=5).tolist()


def test_large_groups_are_left_to_train() -> None:
    group = np.arange(1000)
    group[:400] = 0
    for seed in range(20):
        purpose = hold_out(group, [50, 50], seed=seed)
        assert not purpose[:400].any()
        assert np.bincount(purpose).tolist() == [900, 50, 50]


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(CorpusError) as caught:
        hold_out(np.zeros(100, np.int64), [10, 10], seed=1)
    assert str(caught.value) == (
        "A corpus must fall into groups without common sentences to hold some out; "
        "give validation and test files, or ask for none. Received: 100 pairs in 1 groups"
    )


def test_keys_tell_texts_and_pairs_apart() -> None:
    one, other = keys_of(["a", "b", "a"]), keys_of(["b", "a", "b"])
    assert one[0] == one[2] == other[1]
    assert mixed(one, other)[0] == mixed(one, other)[2] != mixed(one, other)[1]


@given(keys=st.lists(few, max_size=30), known=st.lists(few, max_size=30))
@settings(max_examples=100, deadline=None)
def test_membership_and_repeats_are_those_of_sets(keys: list[int], known: list[int]) -> None:
    found = among(np.array(keys, np.int64), np.array(known, np.int64))
    assert found.tolist() == [key in known for key in keys]
    again, first = repeats(np.array(keys, np.int64))
    assert dict(zip(again.tolist(), first.tolist(), strict=True)) == {
        index: keys.index(key) for index, key in enumerate(keys) if keys.index(key) < index
    }
