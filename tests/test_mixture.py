"""Corpora with weights: how often a pair is seen in an epoch, and that another epoch draws anew."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from seq2seq import config, pipeline
from seq2seq.batches import Pairs, Side
from seq2seq.pipeline import material, mixture
from seq2seq.pipeline.start import start


def test_whole_weights_are_exact_and_fractions_are_drawn_by_the_seed():
    often = np.repeat([2.0, 0.25], [10, 4000])
    rows = mixture.rows(often, seed=3)
    assert rows[:20].tolist() == np.repeat(np.arange(10), 2).tolist()
    assert 900 < len(rows) - 20 < 1100 and len(set(rows[20:])) == len(rows) - 20
    np.testing.assert_array_equal(rows, mixture.rows(often, seed=3))
    assert rows[20:].tolist() != mixture.rows(often, seed=4)[20:].tolist()


def test_pairs_are_taken_by_row_as_often_as_asked():
    side = Side.of(np.array([7, 3, 8, 9, 3, 3], np.int32), [2, 3, 1])
    taken = Pairs(side, side).take(np.array([1, 0, 1, 2]))
    assert [taken.target[row].tolist() for row in range(4)] == [[8, 9, 3], [7, 3], [8, 9, 3], [3]]
    assert len(side.take(np.zeros(0, np.int64))) == 0


@pytest.mark.parametrize("sampling", [0.0, 0.2])
def test_a_run_sees_each_corpus_by_its_weight(tmp_path, sampling):
    files = []
    for name, count, shift in (("a", 60, 0), ("b", 40, 100)):
        for language in ("en", "de"):
            files.append(tmp_path / f"{name}.{language}")
            texts = [f"{name} {language} {n + shift:03d}{' x' * 40 * (n % 10 == 0)}\n" for n in range(count)]
            files[-1].write_text("".join(texts), encoding="utf-8")
    run = pipeline.Run(tmp_path / "run")
    run.folder.mkdir()
    settings = {
        "corpus": {"weights": [1, 2.5], "valid": 5, "test": 5},
        "training": {"sampling": sampling, "max_tokens": 20},
    }
    start(pipeline.Files(*files[:2], more=((files[2], files[3]),)), run, settings, lambda line: None)
    resolved = config.build(config.load(run.config))
    sides = material.tokenizers(run, resolved)
    kept, _, draw = material.encode(run, resolved, sides, lambda line: None)
    first, again, second = (
        [sides[1].decode(pairs.target[row][:-1].tolist()) for row in range(len(pairs))]
        for pairs in (draw(0), draw(0), draw(1))
    )
    assert first == again != second
    lines = run.text("train", "de")
    texts = [text for text in lines if " x" not in text]  # the long ones are left out
    assert len(kept) == len(texts) < len(lines)
    pairs = draw(0)
    for row in range(len(pairs)):
        source, target = (
            side.decode(ids[row][:-1].tolist()) for side, ids in zip(sides, (pairs.source, pairs.target), strict=True)
        )
        assert source.replace(" en ", " de ") == target
    if sampling:
        assert draw(0).source.ids.tolist() != draw(1).source.ids.tolist()
    for text in texts:
        times = first.count(text)
        assert times == 1 if text.startswith("a") else times in (2, 3), text
    assert {first.count(text) for text in texts if text.startswith("b")} == {2, 3}


def test_what_several_corpora_are_validated_on_is_said(tmp_path):
    paths = [tmp_path / f"{name}.{language}" for name in "ab" for language in ("en", "de")]
    for path in paths:
        path.write_text("".join(f"{path.name} {n:03d}\n" for n in range(60)), encoding="utf-8")
    files = pipeline.Files(*paths[:2], more=((paths[2], paths[3]),))
    given = dataclasses.replace(files, valid_source=paths[0], valid_target=paths[1])
    for number, (each, said) in enumerate(((files, 1), (given, 0), (pipeline.Files(*paths[:2]), 0))):
        lines: list[str] = []
        start(each, pipeline.Run(tmp_path / f"run-{number}"), {}, lines.append)
        assert sum("note: pairs to validate on are drawn from all corpora alike" in line for line in lines) == said


def test_a_weight_for_each_corpus(tmp_path):
    files = pipeline.Files(tmp_path / "a.en", tmp_path / "a.de")
    with pytest.raises(pipeline.PipelineError) as error:
        start(files, pipeline.Run(tmp_path / "run"), {"corpus": {"weights": [1, 2]}}, lambda line: None)
    assert str(error.value) == "There must be a weight for each corpus. Received: 2, for 1 corpora"
