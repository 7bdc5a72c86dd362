"""How long a translation may be follows from the training text."""

from __future__ import annotations

import random

import numpy as np
import pytest

from seq2seq import bundle, config, pipeline
from seq2seq.cli import run as command
from seq2seq.engine import batching
from seq2seq.pipeline import material
from seq2seq.pipeline.start import start

WHEN = {"今日": "today", "明日": "tomorrow", "毎日": "every day", "昨夜": "last night"}
COLOURS = {"赤い": "red", "青い": "blue", "白い": "white", "小さい": "small", "大きい": "big"}
ANIMALS = {"犬": "dog", "猫": "cat", "鳥": "bird", "馬": "horse", "魚": "fish"}
VERBS = {"眠る": "sleeps", "食べる": "eats", "走る": "runs", "歌う": "sings"}


def pairs(count):
    """Clauses written without spaces, of which a small vocabulary makes whole pieces, and what they mean."""
    rng = random.Random(1)

    def clause():
        (now, when), (akai, red), (inu, dog), (neru, sleeps) = (
            rng.choice(list(words.items())) for words in (WHEN, COLOURS, ANIMALS, VERBS)
        )
        return f"{now}{akai}{inu}は{neru}", f"{when} the {red} {dog} {sleeps}"

    for _ in range(count):
        (first, one), (second, two) = clause(), clause()
        yield f"{first}が{second}。", f"{one} but {two}."


@pytest.fixture
def begun(tmp_path):
    rows = list(pairs(800))

    def begin(name, languages=("ja", "en"), **search):
        sides = rows if languages == ("ja", "en") else [row[::-1] for row in rows]
        (tmp_path / "a.tsv").write_text("".join("\t".join(row) + "\n" for row in sides), encoding="utf-8")
        run = pipeline.Run(tmp_path / name)
        run.folder.mkdir()
        settings = dict(zip(("source_language", "target_language"), languages, strict=True)) | {"search": search}
        start(pipeline.Files(tmp_path / "a.tsv", None), run, settings, lambda line: None)
        return run

    return begin


def limits(run, name="train"):
    """The most pieces that each translation may have, and how many its reference has."""
    resolved = run.resolved
    source, target = (
        [tokenizer.encode(text) for text in texts]
        for tokenizer, texts in zip(material.tokenizers(run, resolved), run.pair(name, resolved), strict=True)
    )
    return batching.basic_inputs(source, resolved.search)["max_length"], np.array([len(ids) + 1 for ids in target])


def test_short_sources_may_have_long_translations(begun):
    run = begun("run")
    assert run.resolved.search.max_ratio > 2.5
    for name in ("train", "valid", "test"):
        most, said = limits(run, name)
        assert len(most) and np.mean(said > most) < 0.002
    most, said = limits(begun("usual", max_ratio=2.0))
    assert np.mean(said > most) > 0.1  # so there was something to mend


def test_it_is_never_less_than_usual(begun):
    assert begun("run", languages=("en", "ja")).resolved.search == config.SearchConfig()


@pytest.mark.parametrize("asked", [0.5, 2.0, 6.0])
def test_what_is_asked_for_stays(begun, asked):
    assert begun("run", max_ratio=asked).resolved.search.max_ratio == asked


@pytest.mark.slow
def test_text_without_spaces_is_translated_to_its_end(tmp_path):
    (tmp_path / "a.tsv").write_text("".join("\t".join(row) + "\n" for row in pairs(1500)), encoding="utf-8")
    languages = ["--source-lang", "ja", "--target-lang", "en"]
    arguments = ["--source", str(tmp_path / "a.tsv"), "--output", str(tmp_path / "run"), *languages]
    assert command(["train", *arguments, "--no-preflight", "--set", "training.epochs=6"]) == 0
    assert min(row["bleu"] for row in bundle.load(tmp_path / "run").scores) > 80
    assert (tmp_path / "run" / "training.log").read_text(encoding="utf-8").count("    cut: 0 of ") == 2
