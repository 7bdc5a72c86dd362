"""The whole river through the command line: it learns, it survives being killed, what it ships is what it trained."""

from __future__ import annotations

import dataclasses
import itertools
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

from seq2seq import batches, bundle, config, holding, inference, pipeline, precision, training  # noqa: E402
from seq2seq.cli import run  # noqa: E402
from seq2seq.holding import held  # noqa: E402
from seq2seq.pipeline import material  # noqa: E402
from seq2seq.pipeline import run as run_module  # noqa: E402
from seq2seq.pipeline.alone import alone  # noqa: E402
from seq2seq.pipeline.judge import Judge  # noqa: E402
from seq2seq.pipeline.start import start  # noqa: E402
from seq2seq.pipeline.train import _best as best  # noqa: E402
from seq2seq.pipeline.train import _describe as describe  # noqa: E402
from seq2seq.tokenizer import Tokenizer, TokenizerError  # noqa: E402

SMALL = ["model.embedding=32", "model.units=64", "model.decoder_layers=1", "training.average=2"]


def corpus(folder: Path, count: int, seed: int = 0) -> list[str]:
    """Digits and the same digits backwards."""
    draw = random.Random(seed)
    rows = sorted({tuple(draw.choices("0123456789", k=draw.randint(2, 6))) for _ in range(count)})
    draw.shuffle(rows)
    (folder / "a.en").write_text("".join(" ".join(row) + "\n" for row in rows))
    (folder / "a.de").write_text("".join(" ".join(reversed(row)) + "\n" for row in rows))
    return ["--source", str(folder / "a.en"), "--target", str(folder / "a.de")]


def assigned(*settings: str) -> list[str]:
    return [part for setting in (*SMALL, *settings) for part in ("--set", setting)]


def train(folder: Path, *arguments: str) -> list[str]:
    given = ["--no-preflight", *corpus(folder, 300), *assigned("training.epochs=2", *arguments)]
    return ["train", "--output", str(folder / "run"), *given]


@pytest.fixture(scope="module")
def learned(tmp_path_factory) -> Path:
    """A run that has learned to write digits backwards."""
    folder = tmp_path_factory.mktemp("digits")
    settings = ("training.epochs=18", "training.learning_rate=0.01", "training.batch_tokens=1000", "model.dropout=0.1")
    settings += ("model.embedding_dropout=0.0", "model.readout_dropout=0.0", "training.warmup_steps=50")
    arguments = corpus(folder, 6000)
    assert run(["train", "--output", str(folder / "run"), *arguments, *assigned(*settings)]) == 0
    return folder / "run"


@pytest.mark.slow
def test_it_learns_to_reverse_digits(learned, capsys, tmp_path):
    data = learned / "data"
    sources = (data / "test.en").read_text()
    (tmp_path / "in").write_text(sources)
    assert run(["translate", str(learned), "--input", str(tmp_path / "in"), "--output", str(tmp_path / "out")]) == 0
    wanted = (data / "test.de").read_text().splitlines()
    said = (tmp_path / "out").read_text().splitlines()
    assert np.mean([one == other for one, other in zip(said, wanted, strict=True)]) > 0.95


@pytest.mark.slow
def test_a_run_folder_holds_what_it_promises(learned):
    assert {path.name for path in learned.iterdir()} == {
        "data", "config.yaml", "tokenizer.model", "checkpoints", "training.log", "tensorboard", "curve.png", "model",
        "report.html", "samples.json",
    }  # fmt: skip
    model = bundle.load(learned)
    assert {"model.tflite", "weights.safetensors", "tokenizer.model", "README.md"} == set(model.files)
    assert {(row["test"], row["engine"], row["beam"]) for row in model.scores} == {
        (test, engine, beam)
        for test in ("valid", "test")
        for engine in ("litert-int8", "tensorflow-float32")
        for beam in (1, 5)
    }
    log = (learned / "training.log").read_text()
    assert log.count("epoch ") >= 10 and log.count("    reference") == 3 * log.count("epoch ")
    assert [line.split(",")[1] for line in log.splitlines() if line.startswith("report card")] == [" valid", " test"]


@pytest.mark.slow
def test_engines_exports_and_a_new_process_say_the_same(learned, tmp_path):
    lines = (learned / "data" / "test.en").read_text()
    said = {}
    for engine in ("litert", "tensorflow"):
        command = [sys.executable, "-m", "seq2seq", "translate", str(learned), "--engine", engine]
        said[engine] = subprocess.run(command, input=lines, capture_output=True, text=True, check=True).stdout
    again = subprocess.run(
        [sys.executable, "-m", "seq2seq", "translate", str(learned)], input=lines, capture_output=True, text=True
    )
    assert again.stdout == said["litert"]
    agreement = np.mean([a == b for a, b in zip(*(said[e].splitlines() for e in said), strict=True)])
    assert agreement > 0.9  # 8-bit weights word a few sentences differently


def test_a_folder_in_use_is_refused(tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("keep")
    assert run(train(tmp_path)) == 1
    assert "A new run needs a new folder, or --resume to go on with the old one. Received: " in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["mine.txt"]


def test_resuming_nothing_is_refused(tmp_path, capsys):
    assert run([*train(tmp_path), "--resume"]) == 1
    assert "There must be a run to resume; leave --resume out to start one. Received: " in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(("place", "goes_on"), [("vocabulary.learn", False), ("material.encode", True)])
def test_who_stops_a_run_before_its_first_step_is_told_how_it_goes_on(tmp_path, capsys, monkeypatch, place, goes_on):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"seq2seq.pipeline.{place}", stop)
    assert run(train(tmp_path)) == 130
    folder = tmp_path / "run"
    assert (folder / "config.yaml").exists() == goes_on
    told = f"stopped; everything is saved. Continue with the same command and --resume, in {folder}"
    assert f"seq2seq: note: {told if goes_on else 'interrupted'}\n" in capsys.readouterr().err


def test_a_resumed_run_keeps_its_settings(learned, capsys):
    before = (learned / "config.yaml").read_bytes()
    assert run(["train", "--output", str(learned), "--resume", "--set", "training.epochs=99"]) == 1
    message = "A resumed run keeps its settings; other ones need a new folder. Received: training.epochs=99"
    assert message in capsys.readouterr().err
    assert (learned / "config.yaml").read_bytes() == before


def test_a_run_that_is_finished_stays_as_it_is(learned, capsys):
    before = {path: path.stat().st_mtime_ns for path in learned.rglob("*")}
    assert run(["train", "--output", str(learned), "--resume"]) == 0
    model = learned / "model"
    assert capsys.readouterr() == (f"{model}\n", f"the run is finished already; its model is in {model}\n")
    assert {path: path.stat().st_mtime_ns for path in learned.rglob("*")} == before


@pytest.mark.parametrize("left", ["no model", "no scores", "half a file"])
def test_a_run_without_a_whole_model_is_not_finished(learned, tmp_path, monkeypatch, capsys, left):
    folder = tmp_path / "run"
    shutil.copytree(learned, folder, ignore=shutil.ignore_patterns("checkpoints", "tensorboard"))
    assert pipeline.Run(folder).finished
    if left == "no model":
        shutil.rmtree(folder / "model")
    elif left == "no scores":
        bundle.write(folder / "model", **bundle.load(folder).contents() | {"scores": []})
    else:
        os.truncate(folder / "model" / "weights.safetensors", 99)
    monkeypatch.setattr(material, "encode", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    assert run(["train", "--output", str(folder), "--resume"]) == 130
    assert "finished" not in capsys.readouterr().err


def test_a_run_goes_on_in_the_numbers_that_it_began_in(tmp_path, monkeypatch):
    run_ = pipeline.Run(tmp_path / "run")
    corpus(tmp_path, 300)
    files = pipeline.Files(tmp_path / "a.en", tmp_path / "a.de")
    monkeypatch.setattr(precision, "computes_bfloat16", lambda: True)
    start(files, run_, {"model": {"embedding": 8, "units": 8}}, lambda line: None)
    monkeypatch.setattr(precision, "computes_bfloat16", lambda: False)  # it is resumed elsewhere
    resolved = run_.resolved
    assert resolved.training.precision == "bfloat16"
    run_module.check_settings(resolved, {"training": {"precision": "auto"}})
    with pytest.raises(pipeline.PipelineError, match=r"Received: training\.precision=float32$"):
        run_module.check_settings(resolved, {"training": {"precision": "float32"}})
    sides, said = material.tokenizers(run_, resolved), []
    model = material.network(resolved, sides)
    assert model.dtype_policy.name == "mixed_bfloat16" and precision.policy("auto") == "float32"
    pairs, *_ = material.encode(run_, resolved, sides, lambda line: None)
    describe(resolved, model, pairs, said.append)
    assert said[0].endswith(", mixed_bfloat16, which this machine computes by way of float32")


def test_a_resumed_run_keeps_its_other_text_too(tmp_path):
    begun = pipeline.Run(tmp_path / "run")
    corpus(tmp_path, 300)
    text = pipeline.Files(tmp_path / "a.en", tmp_path / "a.de")
    with_valid = dataclasses.replace(text, valid_source=tmp_path / "a.en", valid_target=tmp_path / "a.de")
    start(with_valid, begun, {}, lambda line: None)
    run_module.check_text(begun, with_valid)
    run_module.check_text(begun, pipeline.Files(Path("-")))  # as of --resume alone
    elsewhere = tmp_path / "elsewhere"
    run_module.check_text(begun, pipeline.Files(elsewhere / "a.en", elsewhere / "a.de"))
    other = dataclasses.replace(with_valid, valid_source=Path("v.en"), valid_target=Path("v.de"))
    more = dataclasses.replace(text, more=((Path("b.en"), Path("b.de")),))
    tested = dataclasses.replace(text, test_source=Path("t.en"), test_target=Path("t.de"))
    for files, told in (
        (other, "validation text; .*: v.en and v.de, begun with a.en and a.de"),
        (more, "text; .*: a.en and a.de and b.en and b.de, begun with a.en and a.de"),
        (tested, "test text; .*: t.en and t.de, begun with none"),
    ):
        with pytest.raises(pipeline.PipelineError, match=rf"^A resumed run keeps its {told}$"):
            run_module.check_text(begun, files)


@pytest.mark.parametrize("preflight", [(), ("--no-preflight",)], ids=["usual", "no preflight"])
def test_text_of_which_nothing_is_short_enough_is_one_sentence(tmp_path, capsys, preflight):
    text = corpus(tmp_path, 300)
    for side in ("en", "de"):
        lines = (tmp_path / f"a.{side}").read_text().splitlines()
        (tmp_path / f"a.{side}").write_text("".join(f"{line} {line} {line}\n" for line in lines))
    output = ["--output", str(tmp_path / "run"), *preflight]
    assert run(["train", *text, *output, *assigned("training.max_tokens=4")]) == 1
    said = capsys.readouterr().err
    assert "There must be pairs to train on; look at training.max_tokens. Received: none" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_training_that_goes_astray_leaves_what_it_had_learned(tmp_path, monkeypatch, capsys):
    kept = tmp_path / "run" / "checkpoints"

    def in_step(loss, norm):
        return "The loss must stay finite." if len(list(kept.glob("epoch-*.safetensors"))) == 2 else None

    monkeypatch.setattr(training.divergence, "in_step", in_step)
    assert run(train(tmp_path, "training.epochs=9")) == 1
    folder = tmp_path / "run" / "model"
    said = capsys.readouterr()
    assert f"last good checkpoint is {kept / 'latest.safetensors'}" in said.err
    assert said.err.endswith(f"; what it had learned by then is in {folder}\n") and not said.out
    made = bundle.load(folder)
    assert made.provenance["epochs"] == 2 and made.scores
    assert made.provenance["astray"].startswith("The loss must stay finite.")
    assert not pipeline.Run(tmp_path / "run").finished  # for --seeds and --teachers


def test_a_training_that_goes_astray_at_once_says_so_in_its_folder(tmp_path, monkeypatch, capsys):
    sentence = "The loss must stay finite; lower training.learning_rate."
    monkeypatch.setattr(training.divergence, "in_step", lambda loss, norm: sentence)
    assert run([*train(tmp_path), "--no-preflight"]) == 1
    said = capsys.readouterr()
    assert sentence in said.err and not said.out
    log = (tmp_path / "run" / "training.log").read_text().splitlines()
    assert len(log) == 1 and log[0].startswith(sentence)
    page = (tmp_path / "run" / "report.html").read_text()
    assert "went astray: 0 of at most" in page and sentence in page and "in training" not in page


@pytest.mark.slow
def test_a_resumed_run_keeps_its_text(learned, tmp_path, capsys):
    for name in ("b.en", "b.de"):
        (tmp_path / name).write_text("one\n")
    other = ["--source", str(tmp_path / "b.en"), "--target", str(tmp_path / "b.de")]
    assert run(["train", "--output", str(learned), "--resume", *other]) == 1
    message = (
        "A resumed run keeps its text; other text needs a new folder. Received: b.en and b.de, begun with a.en and a.de"
    )
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("begun", "flags", "sentence"),
    [
        ("config.yaml", ["--teachers", "2"], "as it was begun, without --teachers. Received: "),
        ("config.yaml", ["--seeds", "1,2"], "as it was begun, without --seeds. Received: "),
        ("seed-1/config.yaml", [], "as it was begun, with --seeds. Received: "),
        ("teachers/seed-1/config.yaml", [], "as it was begun, with --teachers. Received: "),
        ("mine.txt", [], "There must be a run to resume. Received: "),
    ],
)
def test_a_run_is_resumed_as_what_it_is(begun, flags, sentence, tmp_path, capsys):
    path = tmp_path / "run" / begun
    path.parent.mkdir(parents=True)
    path.write_text("")
    assert run(["train", "--output", str(tmp_path / "run"), "--resume", *corpus(tmp_path, 9), *flags]) == 1
    assert sentence in capsys.readouterr().err
    assert [each for each in (tmp_path / "run").rglob("*") if each.is_file()] == [path]


def test_a_refused_tokenizer_leaves_its_folder_free(tmp_path, capsys):
    assert run([*train(tmp_path), "--set", "tokenizer.vocabulary=9000"]) == 3
    assert "supports a vocabulary of at most" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_network_that_does_not_fit_into_memory_is_one_sentence(tmp_path, capsys, monkeypatch):
    def full(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr("seq2seq.pipeline.material.network", full)
    assert run(train(tmp_path)) == 1
    assert "seq2seq: error: there is not enough memory for this\n" in capsys.readouterr().err


def test_sentences_longer_than_a_source_may_be_do_not_stop_validation(tmp_path):
    chosen = pipeline.Run(tmp_path)
    chosen.data.mkdir()
    for side in ("en", "de"):
        (chosen.data / f"valid.{side}").write_text(f"{'7 ' * 300}\none\n")
    settings = config.build({"source_language": "en", "target_language": "de"})
    lengths = batches.Side.of(np.full(304, 9, np.int32), [301, 3])
    judge = Judge(chosen, settings, None, batches.Pairs(lengths, lengths))
    assert judge._texts == ["one"] and len(judge._sources) == 1


def test_a_validation_set_of_nothing_else_is_one_sentence(tmp_path):
    chosen = pipeline.Run(tmp_path)
    chosen.data.mkdir()
    for side in ("en", "de"):
        (chosen.data / f"valid.{side}").write_text("7 " * 300)
    settings = config.build({"source_language": "en", "target_language": "de"})
    long = batches.Side.of(np.full(301, 9, np.int32), [301])
    with pytest.raises(pipeline.PipelineError, match=r"a source of at most 256 pieces\. Received: 1, all longer$"):
        Judge(chosen, settings, None, batches.Pairs(long, long))


def test_validation_looks_at_sentences_from_all_over_the_set(tmp_path):
    chosen = pipeline.Run(tmp_path)
    chosen.data.mkdir()
    for side in ("en", "de"):
        (chosen.data / f"valid.{side}").write_text("".join(f"{row}\n" for row in range(2500)))
    settings = config.build({"source_language": "en", "target_language": "de"})
    lengths = batches.Side.of(np.full(5000, 9, np.int32), [2] * 2500)
    rows = [int(text) for text in Judge(chosen, settings, None, batches.Pairs(lengths, lengths))._texts]
    assert len(rows) == 1000 and rows[0] == 0 and rows[-1] == 2497
    assert {after - before for before, after in itertools.pairwise(rows)} == {2, 3}


def test_gates_have_their_names(tmp_path):
    chosen = pipeline.Run(tmp_path)
    chosen.data.mkdir()
    for side in ("en", "de"):
        (chosen.data / f"valid.{side}").write_text("one\n")
    settings = config.build({"source_language": "en", "target_language": "de"})
    row = batches.Side.of(np.array([7, 3], np.int32), [2])
    judge, order = Judge(chosen, settings, None, batches.Pairs(row, row)), np.arange(6.0)  # i f g o c h
    judge._said = [[7]]
    arrays = {
        "attention": np.zeros((1, 2, 2)),
        "encoder": np.stack([order, 10 + order]).reshape(1, 2, 6, 1, 1, 1),
        "decoder": (20 + order).reshape(1, 6, 1, 1, 1),
    }
    judge._runner = SimpleNamespace(explain=lambda **_: arrays)
    told = {name: float(values.ravel()[0]) for name, values in judge._look(0).gates.items()}
    layers, gates = {"encoder 1 forward": 0, "encoder 1 backward": 10, "decoder 1": 20}, "input forget  output"
    assert told == {
        f"{layer}/{gate}": base + at
        for layer, base in layers.items()
        for at, gate in enumerate(gates.split(" "))
        if gate
    }


@pytest.mark.parametrize(
    ("mean", "alone", "said"), [(31.0, 30.0, "average of epochs 1, 2"), (30.0, 31.0, "those of epoch 2")]
)
def test_the_mean_of_the_best_epochs_ships_where_it_scores_higher(monkeypatch, mean, alone, said):
    weight = keras.Variable(np.zeros(1, "float32"))
    standing = training.Standing(history=[{"bleu": bleu, "valid_perplexity": 9.0} for bleu in (20.0, 25.0)])
    averaged = SimpleNamespace(standing=standing, averaged=lambda epochs: {weight.path: np.full(1, float(len(epochs)))})
    monkeypatch.setattr(inference, "build", lambda *_: SimpleNamespace(weights=[weight]))

    def judge(network):
        return {"bleu": mean if weight.numpy()[0] == 2 else alone}

    arrays, phrase, bleu = best(averaged, judge, config.build({"training": {"average": 2}}))
    assert said in phrase and bleu == 31.0
    assert arrays[weight.path].dtype == np.float16


def test_a_corpus_of_three_lines_is_refused(tmp_path, capsys):
    for name in ("a.en", "a.de"):
        (tmp_path / name).write_text("one\ntwo\nthree\n")
    arguments = ["--source", str(tmp_path / "a.en"), "--target", str(tmp_path / "a.de")]
    assert run(["train", "--output", str(tmp_path / "run"), *arguments]) == 3
    assert "Received: " in capsys.readouterr().err


def test_a_vocabulary_nobody_asked_for_gives_way(tmp_path):
    corpus(tmp_path, 300)
    files = pipeline.Files(tmp_path / "a.en", tmp_path / "a.de")
    run_ = pipeline.Run(tmp_path / "run")
    said: list[str] = []
    start(files, run_, {}, said.append)
    assert any(line.startswith("tokenizer.model: ") for line in said)
    with pytest.raises(TokenizerError, match="supports a vocabulary of at most"):
        start(files, pipeline.Run(tmp_path / "other"), {"tokenizer": {"vocabulary": 9000}}, said.append)
    assert not (tmp_path / "other" / "config.yaml").exists()


def test_runs_of_other_seeds_hold_out_the_same_pairs_unless_asked(tmp_path):
    corpus(tmp_path, 300)
    files = pipeline.Files(tmp_path / "a.en", tmp_path / "a.de")
    held_out = []
    for number, settings in enumerate(({}, {"training": {"seed": 2}}, {"corpus": {"seed": 2}})):
        begun = pipeline.Run(tmp_path / f"run-{number}")
        start(files, begun, settings, lambda line: None)
        held_out.append([begun.text(name, "en") for name in ("valid", "test")])
    assert held_out[0] == held_out[1] != held_out[2]
    tokenizers = [(tmp_path / f"run-{number}" / "tokenizer.model").read_bytes() for number in range(2)]
    assert tokenizers[0] == tokenizers[1]  # so `seq2seq ensemble` takes their models


@pytest.mark.slow
def test_a_run_goes_on_in_one_process_at_a_time(learned, capsys, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in learned.rglob("*")}
    with held(learned):
        assert run(["train", "--output", str(learned), "--resume"]) == 1
    assert f"in one process at a time. Received: {learned}, in use" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in learned.rglob("*")} == before
    new = tmp_path / "new" / "run"
    with alone(new), pytest.raises(pipeline.PipelineError, match="in use$"), alone(new):
        pass
    assert not new.parent.exists()


def test_where_a_disk_cannot_hold_a_folder_it_is_used_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(holding, "fcntl", None)
    with alone(tmp_path / "run"), alone(tmp_path / "run"):
        (tmp_path / "run" / "file").touch()
    assert (tmp_path / "run" / "file").exists()


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    def cut(descriptor: int) -> None:
        assert os.fstat(descriptor).st_size == 3
        raise OSError(5, "Input/output error")

    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", cut)
    with pytest.raises(pipeline.PipelineError, match=r"\(Input/output error\)$"):
        run_module.replace(tmp_path / "a", b"new")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_without_pairs_to_validate_on_nothing_is_read(tmp_path):
    files = pipeline.Files(tmp_path / "absent.en", tmp_path / "absent.de")
    with pytest.raises(pipeline.PipelineError, match=r"corpus\.valid must be at least 1\. Received: 0$"):
        start(files, pipeline.Run(tmp_path / "run"), {"corpus": {"valid": 0}}, lambda line: None)


def test_text_of_two_letters_has_a_vocabulary_too(tmp_path):
    lines = [" ".join(f"{number:b}".replace("0", "a").replace("1", "b")) for number in range(20, 220)]
    (tmp_path / "a.en").write_text("\n".join(lines) + "\n")
    (tmp_path / "a.de").write_text("\n".join(line[::-1] for line in lines) + "\n")
    start(pipeline.Files(tmp_path / "a.en", tmp_path / "a.de"), pipeline.Run(tmp_path / "run"), {}, lambda line: None)
    assert config.build(config.load(tmp_path / "run" / "config.yaml")).tokenizer.vocabulary < 270


def test_of_two_vocabularies_the_smaller_one_gives_way(tmp_path):
    lines, two = [f"Satz {k % 97} und {k % 89}" for k in range(200)], {"tokenizer": {"joint": False}}
    (tmp_path / "t.en").write_text("\n".join(line[:8] for line in lines) + "\n")
    (tmp_path / "t.de").write_text("\n".join(lines) + "\n")
    files, said = pipeline.Files(tmp_path / "t.en", tmp_path / "t.de"), []
    first = pipeline.Run(tmp_path / "run")
    start(files, first, two, said.append)
    resolved = config.load(first.config)
    again = pipeline.Run(tmp_path / "again")
    start(files, again, resolved, said.append)
    sizes = [line for line in said if line.startswith("tokenizer.")]
    assert len(set(sizes)) == 2 and sizes[:2] == sizes[2:]
    assert config.load(again.config) == resolved
    more = {"tokenizer": {"joint": False, "vocabulary": resolved["tokenizer"]["vocabulary"] + 1}}
    with pytest.raises(TokenizerError, match="supports a vocabulary of at most"):
        start(files, pipeline.Run(tmp_path / "other"), more, said.append)


def test_a_vocabulary_nobody_asked_for_has_room_for_all_characters(tmp_path):
    draw = random.Random(1)
    characters = [chr(0x4E00 + each) for each in range(1000)]
    for side in ("zh", "ja"):
        lines = ["".join(draw.choices(characters, k=12)) + "\n" for _ in range(600)]
        (tmp_path / f"a.{side}").write_text("".join(lines), encoding="utf-8")
    files = pipeline.Files(tmp_path / "a.zh", tmp_path / "a.ja")
    start(files, pipeline.Run(tmp_path / "run"), {}, lambda line: None)
    made = Tokenizer.load(tmp_path / "run" / "tokenizer.model")
    singles = sum(len(piece) == 1 for piece in made.pieces(range(len(made))))
    assert singles >= 990 and len(made) - singles - 260 > 100  # of 800 pieces there would be none left
    assert config.build(config.load(tmp_path / "run" / "config.yaml")).tokenizer.vocabulary == len(made)
    with pytest.raises(TokenizerError, match="need a vocabulary of at least"):
        start(files, pipeline.Run(tmp_path / "other"), {"tokenizer": {"vocabulary": 800}}, lambda line: None)


COLOURS = {"red": "赤い", "blue": "青い", "white": "白い", "black": "黒い", "small": "小さな", "big": "大きな"}
ANIMALS = {"dog": "犬", "cat": "猫", "bird": "鳥", "horse": "馬", "fish": "魚", "cow": "牛"}
VERBS = {"sleeps": "眠る", "eats": "食べる", "runs": "走る", "sings": "歌う", "waits": "待つ"}
PLACES = {"here": "ここで", "at home": "家で", "outside": "外で", "in the garden": "庭で"}


@pytest.mark.slow
def test_text_without_spaces_is_learned_and_scored(tmp_path, capsys):
    rows = [
        (f"The {colour} {animal} {verb} {place}.", f"{red}{dog}は{here}{sleeps}。")
        for colour, red in COLOURS.items() for animal, dog in ANIMALS.items()
        for verb, sleeps in VERBS.items() for place, here in PLACES.items()
    ]  # fmt: skip
    random.Random(1).shuffle(rows)
    (tmp_path / "a.tsv").write_text("".join(f"{english}\t{japanese}\n" for english, japanese in rows))
    settings = ("training.epochs=12", "training.learning_rate=0.01", "training.warmup_steps=20")
    languages = ["--source-lang", "en", "--target-lang", "ja"]
    arguments = ["--source", str(tmp_path / "a.tsv"), "--output", str(tmp_path / "run"), *languages]
    assert run(["train", *arguments, "--no-preflight", *assigned(*settings)]) == 0
    model = bundle.load(tmp_path / "run")
    scores = [row for row in model.scores if row["test"] == "test"]
    assert min(row["bleu"] for row in scores) > 60
    assert "tok:13a" not in (model.path / "README.md").read_text()
    capsys.readouterr()
    (tmp_path / "in").write_text("The red dog sleeps at home.\n")
    assert run(["translate", str(tmp_path / "run"), "--input", str(tmp_path / "in")]) == 0
    said = capsys.readouterr().out
    assert " " not in said and said.endswith("。\n")
