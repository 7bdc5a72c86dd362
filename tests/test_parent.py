"""A model that is trained further keeps what it is, begins with its weights, and says where it comes from."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import numpy as np
import pytest
import yaml

pytest.importorskip("tensorflow")

from safetensors.numpy import load as weights_of
from safetensors.numpy import save

from seq2seq import bundle, card, checkpoint, config, export, pipeline, release
from seq2seq.config import Config
from seq2seq.model import Seq2Seq
from seq2seq.pipeline import judge, parent
from seq2seq.tokenizer import Tokenizer, train

MODEL = {"embedding": 12, "units": 16, "decoder_layers": 1}
SETTINGS = {
    "source_language": "en",
    "target_language": "de",
    "model": MODEL,
    "tokenizer": {"vocabulary": 280},
    "training": {"sampling": 0.2},
    "search": {"beam": 3},
}
FACTS = {"pairs": 1234, "licence": "cc0-1.0"}


@pytest.fixture(scope="module")
def text() -> list[str]:
    draw = random.Random(0)
    return sorted({" ".join(draw.choices("0123456789", k=draw.randint(2, 6))) for _ in range(150)})


@pytest.fixture
def files(text, tmp_path) -> tuple[Path, Path]:
    (tmp_path / "a.en").write_text("".join(line + "\n" for line in text))
    (tmp_path / "a.de").write_text("".join(line[::-1] + "\n" for line in text))
    return tmp_path / "a.en", tmp_path / "a.de"


@pytest.fixture(scope="module")
def model(text, tmp_path_factory) -> bundle.Bundle:
    """A folder of random weights, as training would write it."""
    pieces = train(text, vocabulary=280)
    settings = config.build(SETTINGS, {"tokenizer": {"vocabulary": len(Tokenizer(pieces))}})
    network = Seq2Seq(settings.model, len(Tokenizer(pieces)))
    arrays = {weight.path: weight.numpy().astype(np.float16) for weight in network.weights}
    content = {"tokenizer.model": pieces, "weights.safetensors": save(arrays)}
    folder = tmp_path_factory.mktemp("parent") / "mother" / "model"
    return bundle.write(folder, config=settings, files=content, provenance=FACTS, scores=[])


def further(run, files, model, output, *arguments):
    text = ("--source", files[0], "--target", files[1])
    return run("train", *text, "--output", output, "--init-from", model.path.parent, "--no-preflight", *arguments)


def test_a_child_begins_with_the_weights_and_keeps_the_rest(run, files, model, tmp_path, weights_alone):
    small = ("--set", "training.learning_rate=1e-9", "--set", "training.epochs=1", "--set", "model.dropout=0.0")
    code, _, said = further(run, files, model, tmp_path / "child", *small)
    assert code == 0, said
    assert "going on from mother: valid BLEU " in said
    child = bundle.load(tmp_path / "child")
    assert child.read("tokenizer.model") == model.read("tokenizer.model")
    before, after = (weights_of(each.read("weights.safetensors")) for each in (model, child))
    for name, array in before.items():
        np.testing.assert_allclose(after[name], array, atol=1e-3)
    made = child.config
    assert (made.model.units, made.model.dropout, made.search.beam) == (16, 0.0, 3)
    assert (made.training.sampling, made.training.warmup_steps, made.training.epochs) == (0.2, 10, 1)
    assert child.provenance["parent"]["name"] == "mother"
    assert child.provenance["parent"]["digest"] == model.digest
    assert child.provenance["parent"]["bleu"] >= 0
    page = child.read("README.md").decode()
    assert (
        f"It went on from the weights of mother (licence: cc0-1.0; digest of its manifest: {model.digest[:16]})."
        in page
    )
    assert "The model that it went on from was trained on: 1,234 sentence pairs of the one who trained it." in page
    arguments = ("--resume", "--init-from", model.path)
    assert run("train", "--output", tmp_path / "child", *arguments)[0] == 0
    code, _, said = run("train", "--output", tmp_path / "child", "--resume", "--init-from", tmp_path / "child")
    assert code == 1
    assert "A resumed run keeps the model that it began with; another one needs a new folder. Received: " in said


def test_a_single_file_of_pairs_has_the_languages_of_the_parent(run, text, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("pairs.tsv").touch()
    seen: list[tuple] = []
    monkeypatch.setattr(pipeline, "train", lambda files, output, **rest: seen.append((files, rest["settings"])))
    assert run("train", "--source", "pairs.tsv", "--output", tmp_path / "x", "--init-from", model.path)[0] == 0
    assert seen == [(pipeline.Files(Path("pairs.tsv"), parent=model.path), {})]


@pytest.mark.parametrize(
    ("settings", "change"),
    [
        ({"model": {"units": 64}}, "model.units=64"),
        ({"tokenizer": {"vocabulary": 999}}, "tokenizer.vocabulary=999"),
        ({"corpus": {"unicode": "NFKC"}}, "corpus.unicode=NFKC"),
    ],
)
def test_what_contradicts_the_parent_is_refused(model, settings, change):
    with pytest.raises(pipeline.PipelineError) as error:
        parent.load(model.path, settings)
    sentence = "A model that is trained further keeps its tokenizers and sizes. Received: "
    assert str(error.value) == f"{sentence}{change}, for {model.path}"


@pytest.mark.parametrize(
    ("languages", "must", "told"),
    [
        (("en_GB", "de"), "--source-lang must be en", "en_GB"),
        (("en", "fr"), "--target-lang must be de", "fr"),
        (("de", "en"), "--source-lang must be en and --target-lang must be de", "de and en"),
    ],
)
def test_other_languages_are_refused_with_the_flag_to_change(model, languages, must, told):
    with pytest.raises(pipeline.PipelineError) as error:
        parent.load(model.path, dict(zip(("source_language", "target_language"), languages, strict=True)))
    sentence = f"A model that is trained further keeps its languages; {must}. Received: {told}, for {model.path}"
    assert str(error.value) == sentence


def test_it_is_refused_before_anything_is_written(run, files, model, tmp_path):
    code, _, said = further(run, files, model, tmp_path / "child", "--set", "model.units=64")
    assert code == 1 and "keeps its tokenizers and sizes" in said
    assert not (tmp_path / "child").exists()
    assert (
        run("train", "--source", files[1], "--target", files[0], "--output", tmp_path / "x", "--init-from", model.path)[
            0
        ]
        == 1
    )


def test_dropout_may_differ(model):
    assert parent.load(model.path, {"model": {"dropout": 0.4, "word_dropout": 0.1}}) == model


def test_an_ensemble_is_refused(model, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "litert", lambda graph: b"graph")
    both = release.ensemble([model, model], tmp_path / "both", say=lambda line: None)
    with pytest.raises(pipeline.PipelineError) as error:
        parent.load(both.path, {})
    assert str(error.value) == (
        "An ensemble cannot be trained further, only its members can, or a student of it (seq2seq distill). "
        f"Received: {both.path}, an ensemble of 2"
    )


def test_a_run_without_a_parent_adopts_nothing(tmp_path):
    assert parent.adopt(pipeline.Run(tmp_path), None, judge=lambda model: {}, say=print) == {}


def test_weights_of_another_network_are_refused(model, tmp_path):
    run = pipeline.Run(tmp_path)
    parent.inherit(model, run, {}, 100)
    other = Seq2Seq(config.build({"model": {**MODEL, "units": 14}}).model, 280)
    with pytest.raises(checkpoint.CheckpointError, match="must have shape"):
        parent.adopt(run, other, judge=lambda model: {}, say=print)


def test_a_child_that_is_worse_than_its_parent_says_so(run, files, model, tmp_path, weights_alone, monkeypatch):
    judged = iter([50.0, 40.0, 40.0])
    monkeypatch.setattr(judge.Judge, "__call__", lambda self, network: {"bleu": next(judged)})
    code, _, said = further(run, files, model, tmp_path / "child", "--set", "training.epochs=1")
    assert code == 0, said
    assert "note: on the validation set the model that it went on from is better, BLEU 50.0 to 40.0" in said


@pytest.mark.parametrize(("pairs", "tokens"), [(300, 400), (20_000, 1200), (200_000, 1200)])
def test_batches_are_never_larger_than_the_parents_or_than_suits_the_text(pairs, tokens):
    settings = config.fine_tuning(Config(), pairs)["training"]
    assert settings["batch_tokens"] == tokens
    assert settings["learning_rate"] == pytest.approx(Config().training.learning_rate / 10)
    assert settings["epochs"] <= Config().training.epochs


def test_a_child_holds_out_as_many_pairs_as_usual_whatever_its_parent_did():
    student = config.build({"corpus": {"valid": 7, "test": 0, "weights": [1.0, 2.0], "unicode": "NFKC"}})
    child = config.build(msgspec.to_builtins(student), config.fine_tuning(student, 100)).corpus
    assert child == config.CorpusConfig(unicode="NFKC")


def test_a_child_gathers_no_batches_and_computes_in_what_its_own_machine_does():
    mother = config.build({"training": {"accumulate": 8, "precision": "float32"}})
    child = config.fine_tuning(mother, 100)["training"]
    assert (child["accumulate"], child["precision"]) == (1, "auto")


def test_a_child_falls_by_a_cosine_and_needs_no_alignments():
    mother = config.build({"training": {"schedule": "plateau", "guided_attention": 0.5}})
    child = config.build(msgspec.to_builtins(mother), config.fine_tuning(mother, 300)).training
    assert (child.schedule, child.final_learning_rate, child.guided_attention) == ("cosine", 1e-5, 0.0)


def test_a_parent_of_wide_batches_is_trained_further_in_those_that_suit_the_text():
    wide = config.build({"training": {"batch_tokens": 2400}})
    sizes = [config.fine_tuning(wide, pairs)["training"]["batch_tokens"] for pairs in (300, 5000, 20_000, 200_000)]
    assert sizes == [400, 600, 1200, 2400]


@pytest.mark.parametrize(("pairs", "epochs", "warmup"), [(10, 60, 10), (300, 20, 15), (1000, 6, 50), (200_000, 6, 50)])
def test_a_few_corrections_are_read_so_often_that_something_moves(pairs, epochs, warmup):
    settings = config.fine_tuning(Config(), pairs)["training"]
    assert (settings["epochs"], settings["warmup_steps"]) == (epochs, warmup)
    assert settings["patience"] >= epochs  # the BLEU of a few sentences stands still for long


@pytest.mark.parametrize("licence", ["cc-by-2.0", "CC BY 4.0: not for sale", "MIT # x", "- ?", "{licence}", "no"])
def test_the_front_of_a_card_is_yaml_whatever_the_licence_and_the_languages(licence):
    norwegian = config.build({"source_language": "no", "target_language": "en"})
    made = card.write(norwegian, {"parameters": 1, "version": "1", "licence": licence}, scores=[])
    front = yaml.safe_load(made.split("---\n")[1])
    assert front == {
        "license": licence, "language": ["no", "en"], "library_name": "seq2seq", "pipeline_tag": "translation",
    }  # fmt: skip


def test_a_card_without_a_parent_speaks_of_none():
    facts = {"parameters": 1, "version": "1"}
    assert "went on" not in card.write(config.build(SETTINGS), facts, scores=[])
