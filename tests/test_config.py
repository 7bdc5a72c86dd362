"""Settings: what is refused and how, what is read and written, and that every shipped configuration stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from seq2seq import bundle, config
from seq2seq.config import Config, ConfigError

CONFIGS = sorted((Path(__file__).resolve().parents[1] / "configs").glob("*.yaml"))


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("model.unit=3", "A setting must be one we know; the nearest is model.units. Received: model.unit"),
        ("modle.units=4", "A setting must be one we know; the nearest is model. Received: modle"),
        ("epochs=3", "A setting must be one we know; it is training.epochs. Received: epochs"),
        ("corpus.epoch=3", "A setting must be one we know; the nearest is training.epochs. Received: corpus.epoch"),
        (
            "tokenizer.q=3",
            "A setting must be one we know: tokenizer.kind, tokenizer.vocabulary, tokenizer.joint, tokenizer.symbols. "
            "Received: tokenizer.q",
        ),
        (
            "corpus.concatenation=0.5",  # which is not attention
            "A setting must be one we know: corpus.max_characters, corpus.max_ratio, corpus.valid, corpus.test, "
            "corpus.seed, corpus.unicode, corpus.weights. Received: corpus.concatenation",
        ),
        ("model.attention=bahdanau", "model.attention must be additive, general or dot. Received: 'bahdanau'"),
        ("model.tied=yes", "model.tied must be true or false. Received: 'yes'"),
        ("model.units=3", "model.units must be int that's a multiple of 2. Received: 3"),
        ("model.units=many", "model.units must be int. Received: 'many'"),
        ("training.label_smoothing=1", "training.label_smoothing must be float < 1.0. Received: 1"),
        ("model=3", "model must be a section of settings. Received: 3"),
        ("model.units", "An assignment must look like section.key=value. Received: 'model.units'"),
        ("training.epochs=!!int", "training.epochs must be int. Received: '!!int'"),
        ("training.epochs=2020-13-45", "training.epochs must be int. Received: '2020-13-45'"),
        ("training.learning_rate=1e999", "training.learning_rate must be a finite number. Received: inf"),
        ("training.learning_rate=nan", "training.learning_rate must be float. Received: 'nan'"),
        ("search.n_best=9", "n_best must be at most the beam. Received: n_best 9, beam 5"),
    ],
)
def test_what_is_wrong_is_said(assignment, message):
    with pytest.raises(ConfigError) as error:
        config.build(config.assignments([assignment]))
    assert str(error.value) == message


def test_an_unknown_kind_names_the_setting():
    with pytest.raises(ConfigError, match=r"model.attention must be .*Received: 'best'"):
        config.build({"model": {"attention": "best"}})


def test_a_name_of_several_lines_is_said_in_one():
    with pytest.raises(ConfigError, match=r"Received: model.'a\\nb'$"):
        config.build({"model": {"a\nb": 1}})


def test_line_breaks_of_other_systems_are_kept_in_a_symbol():
    made = config.build({"tokenizer": {"symbols": ["\x85", "\u2028", "é"]}})
    assert config.build(config.reading.yaml.safe_load(config.dump(made))) == made


def test_later_layers_win_and_others_stay():
    made = config.build({"model": {"units": 64}}, {"model": {"embedding": 32}}, {"model": {"units": 128}})
    assert (made.model.units, made.model.embedding) == (128, 32)


def test_assignments_are_read_as_yaml():
    read = config.assignments(["training.learning_rate=1e-3", "model.tied=false", "tokenizer.symbols=[a, b]"])
    assert read == {
        "training": {"learning_rate": 1e-3},
        "model": {"tied": False},
        "tokenizer": {"symbols": ["a", "b"]},
    }


def test_a_word_that_begins_like_a_truth_value_is_a_word():
    assert config.assignments(["tokenizer.symbols=[trueish, falsetto]"])["tokenizer"]["symbols"] == [
        "trueish",
        "falsetto",
    ]


def test_a_file_may_be_half_of_the_settings(tmp_path):
    (tmp_path / "c.yaml").write_text("source_language: no\ntraining:\n  learning_rate: 1e-3\nsearch: {n_best: 8}\n")
    read = config.load(tmp_path / "c.yaml")
    assert read == {"source_language": "no", "training": {"learning_rate": 1e-3}, "search": {"n_best": 8}}
    assert config.build(read, config.assignments(["search.beam=8"])).search.n_best == 8


@pytest.mark.parametrize(
    "word", ["1e5", "1e-3", "089", "-.5", "no", "On", "1:30", "0x1F", "2020-01-01", "null", "~", "1_0"]
)
def test_a_word_that_looks_like_something_else_is_loaded_as_a_word(tmp_path, word):
    made = config.build({"tokenizer": {"symbols": [word]}})
    (tmp_path / "config.yaml").write_text(config.dump(made))
    assert config.build(config.load(tmp_path / "config.yaml")) == made


def test_what_is_merged_is_not_there_twice(tmp_path):
    text = "training: &a {epochs: 3}\nmodel: {}\nsearch: &b {<<: {beam: 4}, n_best: 2}\n"
    (tmp_path / "config.yaml").write_text(text + "tokenizer: {vocabulary: 800}\n")
    assert config.load(tmp_path / "config.yaml")["search"] == {"beam": 4, "n_best": 2}


def test_a_number_is_decimal():
    found = config.assignments(["training.seed=010", "training.epochs=089", "training.batch_tokens=+64"])["training"]
    assert found == {"seed": 10, "epochs": 89, "batch_tokens": 64}
    with pytest.raises(config.ConfigError, match="training.epochs must be int.* Received: '1:30'"):
        config.build(config.assignments(["training.epochs=1:30"]))


def test_what_is_dumped_is_loaded_again(tmp_path):
    made = config.build(config.defaults(100_000), {"source_language": "en", "tokenizer": {"symbols": ["<x>"]}})
    (tmp_path / "config.yaml").write_text(config.dump(made))
    assert config.build(config.load(tmp_path / "config.yaml")) == made


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"model: [1", r"A configuration must be valid YAML. Received: .*, line 1"),
        (
            b"training:\n  seed: 3\nmodel: {}\ntraining:\n  epochs: 2\n",
            r"must be valid YAML. Received: .*config.yaml, line 4 \(training is there twice\)$",
        ),
        (b"model: !!int", r"A configuration must be valid YAML. Received: .*config.yaml$"),
        (b"model: 2020-13-45", r"A configuration must be valid YAML. Received: .*config.yaml$"),
        (b"- a\n", r"A configuration must be a mapping of sections. Received: .*, a list"),
        (b"\xff\xfe", r"A configuration must be a readable text file. Received: "),
        (b"model: {unit: 3}", r"the nearest is model.units. Received: model.unit, in .*config.yaml, line 1$"),
        (
            b"# c\nmodel:\n  units: 8\n\ntraining:\n  epochs: no\n",
            r"epochs must be int. Received: 'no', in .*, line 6$",
        ),
    ],
)
def test_a_bad_file_is_refused(tmp_path, content, message):
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        config.load(path)


def test_defaults_suit_every_size():
    for pairs in (10, 2_999, 3_000, 14_999, 15_000, 59_999, 60_000, 10_000_000):
        config.build(config.defaults(pairs))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_shipped_configuration_is_valid_and_made_the_model_of_its_name(path):
    made = config.build(config.defaults(160_000), config.load(path))
    taught = pytest.importorskip("seq2seq.pipeline.taught")
    model = Path(bundle.__file__).resolve().parents[1] / "pretrained" / path.stem
    if not model.exists():
        pytest.skip("no model of this name ships")
    shipped = bundle.load(model).config
    assert shipped == student(made, taught, epochs=shipped.training.epochs)


def student(teacher: Config, taught: Any, epochs: int) -> Config:
    """Of a teacher of this configuration; how many epochs depends on how much text it got."""
    less = {name: round(taught.DROPOUT * getattr(teacher.model, name), 3) for name in config.DROPOUTS}
    training = {"epochs": epochs, "moving_average": taught.MOVING_AVERAGE, "precision": "bfloat16"}
    return config.build(msgspec.to_builtins(teacher), {"model": less, "training": training})
