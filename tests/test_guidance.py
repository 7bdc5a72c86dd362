"""Guided attention: links of words become links of pieces however these are split, and attention learns to follow."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

from stopping import Stop  # noqa: E402

from seq2seq import batches, config, distribution, guidance, pipeline, progress, step  # noqa: E402
from seq2seq.batches import Pairs, Side  # noqa: E402
from seq2seq.config import ModelConfig, TrainingConfig  # noqa: E402
from seq2seq.model import Seq2Seq  # noqa: E402
from seq2seq.pipeline import guiding, material  # noqa: E402
from seq2seq.pipeline.start import start  # noqa: E402
from seq2seq.tokenizer import EOS, Tokenizer, train  # noqa: E402
from seq2seq.training import Interrupted, Trainer  # noqa: E402

SOURCES = ["the little cat sat down", "a <name> saw (cats, dogs)", "naïve cafés 東京 now", "sit down , please !"]
TARGETS = ["die kleine Katze setzte sich", "<name> sah (Katzen, Hunde) <name>", "naive Cafés jetzt", "bitte setzen !"]
LINES = ["0-0 1-1 2-2 3-3 3-4 4-4", "1-0 1-4 2-1 3-2 4-3", "0-0 1-1 3-2", ""]
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
V = 14
NO_DROPOUT = dict.fromkeys(("dropout", "embedding_dropout", "readout_dropout"), 0.0)


@pytest.fixture(scope="module", params=["unigram", "bpe"])
def tokenizer(request) -> Tokenizer:
    return Tokenizer(train([*SOURCES, *TARGETS] * 9, vocabulary=296, kind=request.param, symbols=["<name>"]))


def pairs_of(sources: list[str], targets: list[str], lines: list[str], tokenizer: Tokenizer, alpha: float = 0) -> Pairs:
    """These pairs with their links, the sources split at random with `alpha`."""
    usual, target = batches.encode(sources, tokenizer), batches.encode(targets, tokenizer)
    table = guidance.beginnings(tokenizer)
    links = guidance.links(guidance.read(lines), (sources, targets), (usual, target), (table, table))
    drawn = [[*tokenizer.sample(text, alpha, seed=row), EOS] for row, text in enumerate(sources)]
    return Pairs(Side.of(np.concatenate(drawn), [len(row) for row in drawn]), target, (links,))


def spelt(ids: np.ndarray, tokenizer: Tokenizer) -> list[int]:
    """The word of each piece of a sentence, read off the characters; -1 at EOS and padding."""
    found, words = [], -1
    for number in ids.tolist():
        words += number > EOS and tokenizer.pieces([number])[0].startswith("▁")
        found.append(words if number > EOS else -1)
    return found


@pytest.mark.parametrize("alpha", [0, 0.5])
def test_pieces_of_linked_words_are_linked_and_no_others(tokenizer, alpha):
    pairs = pairs_of(SOURCES, TARGETS, LINES, tokenizer, alpha)
    rows = np.array([2, 0, 1, 3])
    made = batches.batch(pairs, rows)
    linked = made.hints["links"]
    assert linked.shape == (*made.target_out.shape, made.source.shape[1])
    for place, row in enumerate(rows):
        words = {tuple(map(int, link.split("-"))) for link in LINES[row].split()}
        source, target = spelt(made.source[place], tokenizer), spelt(made.target_out[place], tokenizer)
        assert max(source) == len(SOURCES[row].split()) - 1 and max(target) == len(TARGETS[row].split()) - 1
        for (t, to), (s, of) in itertools.product(enumerate(target), enumerate(source)):
            assert linked[place, t, s] == ((of, to) in words)


def test_links_follow_rows_that_are_taken_kept_and_repeated(tokenizer):
    pairs = pairs_of(SOURCES, TARGETS, LINES, tokenizer)
    again = pairs.take(np.array([2, 0, 0, 3])).keep(np.array([True, False, True, True]))
    one, other = batches.batch(again, np.arange(3)), batches.batch(pairs, np.array([2, 0, 3]))
    np.testing.assert_array_equal(one.hints["links"], other.hints["links"])


def test_sentences_that_say_nothing_about_where_to_look_guide_nothing(tokenizer):
    sources = ["東京は日本です", "two words", "the cat", "hy\u00adphen \u00ad cat"]
    targets = ["the cat", "日本です", "die Katze", "die Katze"]
    pairs = pairs_of(sources, targets, ["0-0 0-1", "0-0 1-0", "0-0 1-1", "0-0 2-1"], tokenizer)
    linked = batches.batch(pairs, np.arange(4)).hints["links"]
    assert linked.any(axis=(1, 2)).tolist() == [False, False, True, False]
    assert pairs.hints[0].guided == 1


def test_a_corpus_without_any_links_guides_nothing(tokenizer):
    pairs = pairs_of(SOURCES, TARGETS, [""] * 4, tokenizer)
    assert not batches.batch(pairs, np.arange(4)).hints["links"].any()


def test_the_cost_is_the_cross_entropy_of_the_linked_pieces():
    attention = tf.constant([[[0.5, 0.25, 0.25, 0.0], [0.1, 0.2, 0.7, 0.0], [0.25, 0.25, 0.5, 0.0], [1.0, 0, 0, 0]]])
    linked = tf.constant(np.array([[[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0]]], bool))
    target = tf.constant([[7, 8, 9, 0]])
    nats = guidance.cost(attention, linked, target)
    np.testing.assert_allclose(nats, [[(np.log(2) + np.log(4)) / 2, -np.log(0.7), 0.0, 0.0]], rtol=1e-6)


def test_a_piece_that_is_not_looked_at_at_all_pulls_with_a_finite_gradient():
    scores = tf.constant([[[200.0, 0.0, -90.0]]])
    with tf.GradientTape() as tape:
        tape.watch(scores)
        nats = guidance.cost(tf.nn.softmax(scores), tf.constant([[[False, True, False]]]), tf.constant([[5]]))
    assert 60 < nats.numpy().item() < 80
    assert np.isfinite(tape.gradient(nats, scores)).all()


def backwards(count: int, seed: int = 0) -> Pairs:
    """Sentences and the same words backwards; every piece is a word."""
    random = np.random.default_rng(seed)
    rows = [random.integers(4, V, random.integers(2, 7)).astype(np.int32) for _ in range(count)]
    lengths = [len(row) + 1 for row in rows]
    source, target = (
        Side.of(np.concatenate([np.append(row[::way], np.int32(EOS)) for row in rows]), lengths) for way in (1, -1)
    )
    lines = [" ".join(f"{len(row) - 1 - n}-{n}" for n in range(len(row))) for row in rows]
    table = np.arange(V) > EOS
    return Pairs(source, target, (guidance.Links(guidance.read(lines), (table, table)),))


def network(rates: Mapping[str, float] = NO_DROPOUT) -> Seq2Seq:
    keras.utils.set_random_seed(1)
    return Seq2Seq(ModelConfig(embedding=12, units=24, decoder_layers=1, **rates), V)


def trainer(folder: Path, weight: float, *, callbacks=(), rates=NO_DROPOUT, **changes) -> Trainer:
    made = TrainingConfig(**{"batch_tokens": 200, "warmup_steps": 5, "guided_attention": weight, **changes})
    scores = iter(range(1000))
    return Trainer(
        network(rates), made, folder, evaluate=lambda _: {"bleu": float(next(scores))}, callbacks=list(callbacks)
    )


def share_on_links(model: Seq2Seq, pairs: Pairs) -> float:
    """How much of the attention of the linked pieces lies on what they are linked to."""
    batch = batches.batch(pairs, np.arange(len(pairs)))
    memory, state = model.encode(batch.source)
    attention = model.decode(batch.target_in, state, memory).attention.numpy()
    linked = batch.hints["links"]
    return float((attention * linked).sum() / linked.any(axis=-1).sum())


def test_attention_learns_to_look_where_the_links_point(tmp_path):
    pairs, held_out = backwards(300), backwards(50, seed=1)
    shares = []
    for weight in (0.0, 1.0):
        made = trainer(tmp_path / str(weight), weight, epochs=8, learning_rate=0.02)
        standing = made.run(pairs, backwards(20, seed=2))
        shares.append(share_on_links(made.model, held_out))
    assert shares[1] > 0.65 and shares[1] > shares[0] + 0.25, shares
    assert standing.history[-1]["perplexity"] < standing.history[0]["perplexity"]


def test_links_move_the_weights_of_the_attention_and_a_weight_of_0_does_not():
    model, pairs = network(), backwards(4)
    batch = tf.nest.map_structure(tf.constant, batches.batch(pairs, np.arange(4)))
    bare = batch._replace(hints={})
    totals, gradients, likelihoods = [], [], []
    for each, weight in ((batch, 2.0), (batch, 0.0), (bare, 2.0)):
        with tf.GradientTape() as tape:
            loss, nats = step.losses(model, each, TrainingConfig(guided_attention=weight))
        likelihoods.append(nats.numpy())
        totals.append(float(tf.reduce_sum(loss)))
        gradients.append(tape.gradient(loss, model.decoder.attention.trainable_variables[0].value).numpy())
    assert totals[1] == totals[2] < totals[0]
    np.testing.assert_array_equal(likelihoods[0], likelihoods[1])
    np.testing.assert_array_equal(gradients[1], gradients[2])
    assert np.abs(gradients[0] - gradients[1]).max() > 1e-4
    plain = step.losses(model, batch, TrainingConfig(guided_attention=2.0))[0]
    twice = step.losses(model, batch, TrainingConfig(guided_attention=2.0, r_drop=3.0))[0]
    np.testing.assert_allclose(plain, twice, atol=1e-5)


def test_a_device_without_rows_pays_nothing():
    pairs = backwards(3)
    stand_in = tf.nest.map_structure(tf.constant, distribution.share(pairs, np.array([1]), 1, 2))
    loss, _ = step.losses(network(), stand_in, TrainingConfig(guided_attention=1.0))
    assert float(tf.reduce_sum(loss)) == 0.0


@pytest.mark.parametrize("changes", [{}, {"accumulate": 3, "r_drop": 1.0, "rates": {}}], ids=["plain", "gathered"])
def test_a_resumed_run_ends_with_the_same_weights(tmp_path, changes):
    pairs, valid = backwards(60), backwards(9, seed=2)
    whole = trainer(tmp_path / "whole", 0.7, epochs=2, **changes)
    history = whole.run(pairs, valid).history
    with pytest.raises(Interrupted):
        trainer(tmp_path / "parts", 0.7, epochs=2, callbacks=[Stop(2)], **changes).run(pairs, valid)
    resumed = trainer(tmp_path / "parts", 0.7, epochs=2, **changes)
    again = resumed.run(pairs, valid, resume=True).history
    assert [entry["loss"] for entry in history] == [entry["loss"] for entry in again]
    for one, other in zip(whole.model.weights, resumed.model.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def toy(folder: Path, name: str, count: int, *, start: int = 0) -> tuple[list[Path], list[str]]:
    """Source, target and alignment files of numbers spelt forwards and backwards, and the lines of the last."""
    sides: tuple[list[str], ...] = ([], [], [])
    for number in range(start, start + count):
        words = [DIGITS[int(digit)] for digit in str(number)]
        words = [name, *words]
        sides[0].append(" ".join(words))
        sides[1].append(" ".join(word[::-1] for word in reversed(words)))
        sides[2].append(" ".join(f"{len(words) - 1 - n}-{n}" for n in range(len(words))))
    paths = [folder / f"{name}.{ending}" for ending in ("en", "de", "links")]
    for path, lines in zip(paths, sides, strict=True):
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return paths, sides[2]


@pytest.mark.parametrize("sampling", [0.0, 0.3])
def test_a_run_gives_its_batches_the_links_of_their_pairs(tmp_path, sampling):
    first, second = (toy(tmp_path, name, count, start=100)[0] for name, count in (("cat", 80), ("dog", 60)))
    files = pipeline.Files(*first[:2], more=((second[0], second[1]),), alignments=(first[2], second[2]))
    run = pipeline.Run(tmp_path / "run")
    run.folder.mkdir()
    settings = {
        "corpus": {"weights": [1, 2], "valid": 5, "test": 5},
        "training": {"sampling": sampling, "max_tokens": 40},
        "tokenizer": {"vocabulary": 290},
    }
    start(files, run, settings, lambda line: None)
    resolved = config.build(config.load(run.config))
    assert resolved.training.guided_attention == guiding.USUAL
    said: list[str] = []
    sides = material.tokenizers(run, resolved)
    _, valid, draw = material.encode(run, resolved, sides, said.append)
    assert said[0].startswith("guided attention: 130 of 130 pairs")
    assert not valid.hints
    pairs = draw(1)
    assert len(pairs) > 180
    for rows in batches.plan(pairs, 400, seed=1)[:5]:
        made = batches.batch(pairs, rows)
        for place in range(len(rows)):
            source, target = spelt(made.source[place], sides[0]), spelt(made.target_out[place], sides[1])
            last = max(source)
            for t, to in enumerate(target):
                wanted = [to >= 0 and of == last - to for of in source]
                assert made.hints["links"][place, t].tolist() == wanted


def test_what_a_run_needs_for_guided_attention(tmp_path):
    first, second = (toy(tmp_path, name, 40)[0] for name in ("cat", "dog"))
    run, weighed = pipeline.Run(tmp_path / "run"), {"training": {"guided_attention": 0.3}}
    run.folder.mkdir()
    with pytest.raises(pipeline.PipelineError, match="needs the word alignments of the corpus.*Received: 0.3 without"):
        start(pipeline.Files(*first[:2]), run, weighed, print)
    several = pipeline.Files(*first[:2], more=((second[0], second[1]),), alignments=(first[2],))
    with pytest.raises(pipeline.PipelineError, match="an alignment for each corpus, or none. Received: 1, for 2"):
        start(several, run, {}, print)
    assert guiding.asked(pipeline.Files(*first[:2], alignments=(first[2],)), weighed) == weighed
    start(
        pipeline.Files(*first[:2], alignments=(first[2],)), run, {"tokenizer": {"vocabulary": 290}}, lambda line: None
    )
    (run.data / "train.align").unlink()
    resolved = config.build(config.load(run.config))
    with pytest.raises(pipeline.PipelineError, match="must keep its alignment. Received: no .*train.align"):
        material.encode(run, resolved, material.tokenizers(run, resolved), print)


def test_the_command_line_says_what_is_wrong_with_an_alignment(tmp_path, run):
    (source, target, links), lines = toy(tmp_path, "cat", 40)
    given = ["train", "--output", tmp_path / "run", "--source", source, "--target", target]
    code, _, told = run(*given, "--alignment", links, "--alignment", links)
    assert code == 2 and "--alignment must be given for each --source, or for none. Received: 2, for 1" in told
    code, _, told = run(*given, "--alignment", tmp_path / "missing")
    assert code == 3 and f"Received: {tmp_path / 'missing'} (it does not exist)" in told
    for wrong, sentence in (
        ([*lines[:-1], "0-0 x"], f"Received: {links}:40, '0-0 x'"),
        ([*lines[:-1], "0-9"], f"Received: {links}:40, 0-9, for 3 and 3 words"),
        (lines[:-1], f"Received: {links} with 39, for 40 pairs"),
    ):
        links.write_text("".join(line + "\n" for line in wrong), encoding="utf-8")
        code, _, told = run(*given, "--alignment", links)
        assert code == 3 and sentence in told, told
        assert not (tmp_path / "run" / "data" / "train.en").exists()


@pytest.mark.slow
def test_a_run_with_alignments_is_trained_stopped_and_resumed(tmp_path, run, monkeypatch, weights_alone):
    (source, target, links), _ = toy(tmp_path, "cat", 300)
    given = ["train", "--source", source, "--target", target, "--no-preflight", "--set", "training.epochs=2"]
    for setting in ("embedding=16", "units=32", "decoder_layers=1"):
        given += ["--set", f"model.{setting}"]
    given += ["--set", "training.sampling=0.2", "--set", "tokenizer.vocabulary=290"]
    code, _, told = run(*given, "--alignment", links, "--output", tmp_path / "whole")
    assert code == 0 and "guided attention: " in told
    bar = progress.Bar
    monkeypatch.setattr(progress, "Bar", lambda: Stop(5))
    code, _, told = run(*given, "--alignment", links, "--output", tmp_path / "parts")
    assert code == 130
    monkeypatch.setattr(progress, "Bar", bar)
    code, _, told = run("train", "--resume", "--output", tmp_path / "parts")
    assert code == 0 and "preflight, " not in told  # which a run that has a checkpoint has passed
    one, other = ((tmp_path / name / "model" / "weights.safetensors").read_bytes() for name in ("whole", "parts"))
    assert one == other
