"""Whether two sides are parallel: translations pass, shuffled and shifted ones do not, sorted corpora included."""

from __future__ import annotations

import functools
import random
from pathlib import Path

import numpy as np
import pytest

from seq2seq.corpus.alignment import Aligner, Alignment

Pairs = list[tuple[str, str]]


@functools.cache
def translations(count: int, seed: int = 1) -> Pairs:
    """Pairs as like in length, numbers and questions as real ones: their lengths correlate by about 0.87."""
    draw = random.Random(seed)
    pairs = []
    for _ in range(count):
        source = ["a" * draw.randint(2, 7) for _ in range(draw.randint(2, 14))]
        target = ["b" * max(1, len(word) + draw.randint(-2, 4)) for word in source]
        target = target[: max(1, len(source) - draw.randint(0, 2))]
        if draw.random() < 0.05:
            source[0] = target[0] = str(draw.randint(1, 2000))
        end = "?" if draw.random() < 0.1 else "."
        pairs.append((" ".join(source) + end, " ".join(target) + end))
    return pairs


def judged(sources: list[str], targets: list[str], block: int = 1000) -> Alignment:
    aligner = Aligner()
    for begin in range(0, len(sources), block):
        sides = [("\n".join(side[begin : begin + block]) + "\n").encode() for side in (sources, targets)]
        aligner.add(np.arange(begin + 1, begin + 1 + len(sources[begin : begin + block])), *sides)
    return aligner.result()


def sides(pairs: Pairs) -> tuple[list[str], list[str]]:
    return [source for source, _ in pairs], [target for _, target in pairs]


@pytest.mark.parametrize("count", [20, 300, 10_000])
def test_translations_pass(count: int) -> None:
    found = judged(*sides(translations(count)))
    assert found.correlation is not None
    assert found.correlation > 0.8
    assert found.related
    assert not found.spans


@pytest.mark.parametrize("count", [50, 300, 10_000])
def test_a_shuffled_side_does_not(count: int) -> None:
    sources, targets = sides(translations(count))
    np.random.RandomState(2).shuffle(targets)
    found = judged(sources, targets)
    assert found.correlation is not None
    assert abs(found.correlation) < 0.3
    assert not found.related


def test_a_lost_line_is_found_with_its_direction() -> None:
    sources, targets = sides(translations(20_000))
    found = judged(sources[:9_000] + sources[9_001:] + ["x"], targets)  # from there on the target is late
    assert [span.shift for span in found.spans if span.shift] == [1]
    last = found.spans[-1]
    assert 8_000 < last.first < 13_000
    assert last.last == 20_000
    assert [span.shift for span in judged(sources, targets[3:] + ["x"] * 3).spans] == [-3]


def test_in_a_corpus_sorted_by_length_the_lengths_alone_would_not_tell() -> None:
    sources, targets = sides(sorted(translations(20_000), key=lambda pair: len(pair[0])))
    assert not judged(sources, targets).spans
    late = judged(sources[1:], targets[:-1])
    assert late.correlation is not None
    assert late.correlation > 0.8
    assert [span.shift for span in late.spans] == [1]


def test_sides_that_were_sorted_apart_correlate_and_are_found_all_the_same() -> None:
    sources, targets = (sorted(side, key=len) for side in sides(translations(20_000)))
    found = judged(sources, targets)
    assert found.correlation is not None
    assert found.correlation > 0.95
    assert [(span.first, span.shift) for span in found.spans] == [(1, 0)]
    assert found.spans[0].last > 16_000


def test_a_shuffled_stretch_is_named() -> None:
    sources, targets = sides(translations(20_000))
    part = targets[8192:12288]
    np.random.RandomState(2).shuffle(part)
    found = judged(sources, targets[:8192] + part + targets[12288:])
    assert [(span.first, span.last, span.shift) for span in found.spans] == [(8193, 12288, 0)]


def test_texts_all_of_one_length_say_nothing() -> None:
    found = judged(["abc"] * 500, ["xyz"] * 500)
    assert found == Alignment(None, True, ())


def test_too_few_pairs_say_nothing() -> None:
    assert judged(["a", "bcd"], ["efgh", "i"]) == Alignment(None, True, ())
    assert Aligner().result() == Alignment(None, True, ())


def test_blocks_make_no_difference() -> None:
    pairs = sides(translations(6_000))
    one, other = judged(*pairs, block=6_000), judged(*pairs, block=77)
    assert one.correlation == pytest.approx(other.correlation)
    assert one.spans == other.spans


@pytest.mark.parametrize(
    ("stem", "source", "target"),
    [
        ("tatoeba/en-de/train", "en", "de"),
        ("tatoeba/en-fr/train", "en", "fr"),
        ("tatoeba/en-es/train", "en", "es"),
        ("multi30k/train", "en", "de"),
        ("multi30k/train", "de", "fr"),
    ],
)
def test_real_corpora(corpora: Path, stem: str, source: str, target: str) -> None:
    sources, targets = (
        (corpora / f"{stem}.{name}").read_text(encoding="utf-8").split("\n")[:20_000] for name in (source, target)
    )
    assert judged(sources, targets).related
    assert not judged(sources, targets).spans
    for shift in (1, 2, 5):
        assert {span.shift for span in judged(sources[shift:], targets[:-shift]).spans} == {shift}
        assert {span.shift for span in judged(sources[:-shift], targets[shift:]).spans} == {-shift}
    np.random.RandomState(1).shuffle(targets)
    assert not judged(sources, targets).related
