"""A student is told what its teacher holds likely at each place of the text, and shares its pieces."""

from __future__ import annotations

import random
from pathlib import Path

import keras
import numpy as np
import pytest

pytest.importorskip("tensorflow")

import tensorflow as tf
from safetensors.numpy import save

from seq2seq import batches, bundle, card, config, export, pipeline, release, step, teacher
from seq2seq.batches import Pairs, Side
from seq2seq.config import ModelConfig, TrainingConfig
from seq2seq.model import Seq2Seq
from seq2seq.objective import Teaching, smoothed_cross_entropy
from seq2seq.tokenizer import Tokenizer, train

V = 20
SETTINGS = {
    "source_language": "en",
    "target_language": "de",
    "model": {"embedding": 12, "units": 16, "decoder_layers": 1},
    "tokenizer": {"vocabulary": 280},
    "training": {"epochs": 1},
}


def side(*rows: list[int]) -> Side:
    return Side(
        np.array([piece for row in rows for piece in (*row, 2)], np.int32),
        np.cumsum([0, *(len(row) + 1 for row in rows)]),
    )


def pairs() -> Pairs:
    return Pairs(side([5, 6], [7], [8, 9, 10]), side([11], [12, 13, 14], [15, 16]))


def network() -> Seq2Seq:
    keras.utils.set_random_seed(1)
    return Seq2Seq(ModelConfig(embedding=6, units=8), V)


def test_what_a_teacher_says_is_its_softmax_at_the_place_of_each_piece():
    model, text = network(), pairs()
    pieces, shares = teacher.ask(model, text)
    batch = batches.batch(text, np.array([2, 0]))
    hint = teacher.opinions(pieces, shares, text).of(np.array([2, 0]), batch)
    wanted = tf.nn.softmax(model((batch.source, batch.target_in))).numpy()
    there = batch.target_out != 0
    likeliest = np.argsort(-wanted, axis=-1)[..., : teacher.KEPT]
    np.testing.assert_array_equal(hint[teacher.PIECES][there], likeliest[there])
    kept = np.take_along_axis(wanted, likeliest, axis=-1)
    np.testing.assert_allclose(hint[teacher.SHARES][there], (kept / kept.sum(-1, keepdims=True))[there], atol=1e-3)


def test_rows_that_are_taken_keep_what_was_said_of_them():
    model, text = network(), pairs()
    pieces, shares = teacher.ask(model, text)
    hinted = Pairs(text.source, text.target, (teacher.opinions(pieces, shares, text),))
    taken = hinted.take(np.array([2, 1, 2]))
    for row, origin in enumerate((2, 1, 2)):
        one, other = (batches.batch(each, np.array([place])).hints for each, place in ((taken, row), (hinted, origin)))
        for name in (teacher.PIECES, teacher.SHARES):
            np.testing.assert_array_equal(one[name], other[name])


def test_a_dataset_carries_what_a_teacher_says():
    text = pairs()
    hinted = Pairs(text.source, text.target, (teacher.opinions(*teacher.ask(network(), text), text),))
    (batch,) = batches.dataset(hinted, [np.array([0, 2])])
    assert batch.hints[teacher.PIECES].shape == (2, 4, teacher.KEPT)
    assert batch.hints[teacher.SHARES].dtype == tf.float32


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_the_cross_entropy_against_text_and_teacher(smoothing):
    random_ = np.random.default_rng(0)
    logits = tf.constant(random_.normal(size=(2, 3, V)).astype(np.float32))
    target = tf.constant([[4, 5, 2], [6, 2, 0]])
    pieces = random_.permuted(np.tile(np.arange(V), (2, 3, 1)), axis=-1)[..., :4]
    shares = random_.dirichlet(np.ones(4), size=(2, 3)).astype(np.float32)
    labels = 0.3 * ((1 - smoothing) * np.eye(V)[target.numpy()] + smoothing / V)
    np.put_along_axis(labels, pieces, np.take_along_axis(labels, pieces, -1) + 0.7 * shares, -1)
    log_probs = tf.nn.log_softmax(logits).numpy()
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss, likelihood = smoothed_cross_entropy(
            logits, target, smoothing, teaching=Teaching(tf.constant(pieces, tf.int32), tf.constant(shares), 0.7)
        )
    mask = target.numpy() != 0
    np.testing.assert_allclose(loss, -(labels * log_probs).sum(-1) * mask, rtol=1e-5)
    plain = np.take_along_axis(log_probs, target.numpy()[..., None], -1)[..., 0]
    np.testing.assert_allclose(likelihood, -plain * mask, rtol=1e-4)
    np.testing.assert_allclose(tape.gradient(loss, logits), (np.exp(log_probs) - labels) * mask[..., None], atol=1e-5)


def test_a_student_of_nothing_but_a_teacher_comes_to_say_the_same():
    text = pairs()
    pieces, shares = teacher.ask(network(), text)
    sure = np.zeros_like(shares)
    sure[:, 0] = 1.0
    hinted = Pairs(text.source, text.target, (teacher.opinions(pieces, sure, text),))
    keras.utils.set_random_seed(2)
    student = Seq2Seq(ModelConfig(embedding=6, units=8, dropout=0, embedding_dropout=0, readout_dropout=0), V)
    batch = tf.nest.map_structure(tf.constant, batches.batch(hinted, np.arange(3)))
    adam = keras.optimizers.Adam(0.02)
    for _ in range(60):
        with tf.GradientTape() as tape:
            loss, _ = step.losses(student, batch, TrainingConfig(teacher_weight=1.0))
        adam.apply(
            tape.gradient(loss, [each.value for each in student.trainable_variables]), student.trainable_variables
        )
    said = np.argmax(student((batch.source, batch.target_in)), axis=-1)
    there = batch.target_out.numpy() != 0
    np.testing.assert_array_equal(said[there], batch.hints[teacher.PIECES].numpy()[..., 0][there])


@pytest.fixture(scope="module")
def text() -> list[str]:
    draw = random.Random(0)
    return sorted({" ".join(draw.choices("0123456789", k=draw.randint(2, 6))) for _ in range(150)})


@pytest.fixture
def files(text, tmp_path) -> tuple[str, ...]:
    (tmp_path / "a.en").write_text("".join(line + "\n" for line in text))
    (tmp_path / "a.de").write_text("".join(line[::-1] + "\n" for line in text))
    return "--source", tmp_path / "a.en", "--target", tmp_path / "a.de"


def folder(path: Path, text: list[str], vocabulary: int = 280) -> Path:
    """A model folder of random weights."""
    pieces = train(text, vocabulary=vocabulary)
    settings = config.build(SETTINGS, {"tokenizer": {"vocabulary": len(Tokenizer(pieces))}})
    made = Seq2Seq(settings.model, len(Tokenizer(pieces)))
    content = {
        "tokenizer.model": pieces,
        "weights.safetensors": save({weight.path: weight.numpy().astype(np.float16) for weight in made.weights}),
    }
    facts = {"pairs": 1234, "licence": "cc0-1.0", "data": "numbers"}
    return bundle.write(path, config=settings, files=content, provenance=facts, scores=[]).path


@pytest.fixture(scope="module")
def master(text, tmp_path_factory) -> Path:
    return folder(tmp_path_factory.mktemp("teacher") / "master", text)


@pytest.fixture
def quick(monkeypatch):
    """No compiled graph and no scores, which take most of the time."""
    monkeypatch.setattr(export, "litert", lambda graph, quantised: b"graph")
    monkeypatch.setattr(release, "_measured", lambda *arguments: [])


SMALL = ("--no-preflight", "--set", "training.epochs=1", "--set", "model.embedding=12", "--set", "model.units=16")


def test_a_student_has_the_pieces_of_its_teacher_and_says_where_it_learned(run, files, master, tmp_path, quick):
    code, _, said = run("train", *files, "--output", tmp_path / "run", "--teacher", master, *SMALL)
    assert code == 0, said
    assert "asking the teacher, master, about " in said
    student = bundle.load(tmp_path / "run")
    assert student.read("tokenizer.model") == bundle.load(master).read("tokenizer.model")
    assert student.config.training.teacher_weight == 0.7
    assert student.provenance["teacher"]["digest"] == bundle.load(master).digest
    written = card.write(student.config, student.provenance, [])
    assert "learned from what master would say (licence: cc0-1.0" in written
    assert "The model that it learned from was trained on: numbers" in written


def test_a_resumed_run_keeps_its_teacher(run, files, master, text, tmp_path, quick):
    output = tmp_path / "run"
    arguments = ("train", *files, "--output", output, *SMALL)
    assert run(*arguments, "--teacher", master)[0] == 0
    other = folder(tmp_path / "other", text, vocabulary=275)
    code, _, said = run(*arguments, "--teacher", other, "--resume")
    assert code == 1
    assert f"keeps the teacher that it began with; another one needs a new folder. Received: {other}" in said
    (output / "teacher.safetensors").unlink()
    code, _, said = run(*arguments, "--resume")
    assert code == 1
    assert "--teacher must name the model to learn from again. Received: none" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--set", "training.teacher_weight=0.5"), "needs a model to learn from; give --teacher. Received: 0.5"),
        (
            ("--teacher", "{master}", "--set", "tokenizer.kind=bpe"),
            "the tokenizers of its teacher. Received: tokenizer.ki",
        ),
        (("--teacher", "{master}", "--target-lang", "fr"), "the tokenizers of its teacher. Received: target_"),
        (("--teacher", "{master}", "--init-from", "{other}"), "have the tokenizers of its teacher, byte for byte. Rec"),
    ],
)
def test_what_does_not_fit_is_refused(run, files, master, text, tmp_path, arguments, sentence):
    other = folder(tmp_path / "other", text, vocabulary=275)
    given = [each.format(master=master, other=other) for each in arguments]
    code, _, said = run("train", *files, "--output", tmp_path / "run", *given)
    assert code in (1, 2)
    assert sentence in said
    assert not (tmp_path / "run").exists()


def test_the_weight_is_a_share():
    with pytest.raises(config.ConfigError, match=r"training.teacher_weight must be .* Received: 1.5"):
        config.build({"training": {"teacher_weight": 1.5}})


def test_a_run_that_lost_its_text_is_refused(tmp_path, text, master):
    from seq2seq import checkpoint
    from seq2seq.pipeline import teaching
    from seq2seq.pipeline.run import Run

    run = Run(tmp_path)
    checkpoint.save(run.teacher, {"pieces": np.zeros((1, 16), np.uint16), "shares": np.zeros((1, 16), np.float16)})
    resolved = config.build({"training": {"teacher_weight": 0.5}})
    with pytest.raises(pipeline.PipelineError, match="must keep the text that its teacher was asked about"):
        teaching.taught(run, resolved, pairs())
