"""Several seeds: what the runs share, what differs, and what is said of all."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("tensorflow")

from seq2seq import bundle, config, pipeline
from seq2seq.corpus import CorpusError
from seq2seq.pipeline import seeds
from seq2seq.pipeline.run import Files, Run

LANGUAGES = {"source_language": "en", "target_language": "de"}


def score(test: str, beam: int, bleu: float, chrf: float = 50.0) -> dict:
    return {"test": test, "engine": "litert-int8", "beam": beam, "bleu": bleu, "chrf": chrf}


@pytest.fixture
def trained(monkeypatch) -> list:
    """Stands in for `train`: prepares as it does where nothing is, and keeps what it was called with."""
    calls: list = []

    def train(files, output, *, settings, resume, **rest):
        run = Run(output)
        calls.append((output.name, settings["training"]["seed"], resume))
        if not run.config.exists():
            run.data.mkdir(parents=True)
            (run.data / "train.en").write_text("made by the first\n")
            (run.folder / "tokenizer.model").write_bytes(b"pieces")
            (run.folder / "parent.safetensors").write_bytes(b"weights")
            run.config.write_text(config.dump(config.build(LANGUAGES, settings)))
        resolved = config.build(config.load(run.config))
        assert resolved.training.seed == settings["training"]["seed"]
        if "stop" in rest["provenance"]:
            raise pipeline.Interrupted("stopped in seed-1")
        scores = [score("test", 5, 30.0 + resolved.training.seed)]
        return bundle.write(run.model, config=resolved, files={"a": b"1"}, provenance={}, scores=scores)

    monkeypatch.setattr(seeds, "train", train)
    return calls


def go(output: Path, *numbers: int, apart: dict | None = None, **rest) -> list[str]:
    said: list[str] = []
    arguments = {"settings": {"training": {"epochs": 2}}, "provenance": {}, "say": said.append, **rest}
    each = {number: (apart or {}).get(number, {}) for number in numbers}
    seeds.train_seeds(Files(Path("a.en")), output, each, **arguments)
    return said


def test_the_first_prepares_and_the_others_share(trained, tmp_path):
    said = go(tmp_path / "x", 3, 1, 2)
    assert trained == [("seed-3", 3, False), ("seed-1", 1, True), ("seed-2", 2, True)]
    for number in (1, 2, 3):
        run = Run(tmp_path / "x" / f"seed-{number}")
        assert (run.data / "train.en").read_text() == "made by the first\n"
        assert (run.folder / "tokenizer.model").read_bytes() == b"pieces"
        assert run.parent.read_bytes() == b"weights"
        assert config.load(run.config)["training"]["seed"] == number
        assert config.load(run.config)["training"]["epochs"] == 2
    assert (
        said[-1] == "test, litert-int8, beam 5, 3 seeds: BLEU 32.0 ± 1.0 (31.0 to 33.0), chrF 50.0 ± 0.0 (50.0 to 50.0)"
    )


def test_a_run_may_differ_in_more_than_its_seed_until_it_is_begun(trained, tmp_path):
    apart = {2: {"training": {"sampling": 0.4}, "model": {"variational_dropout": False}}}
    go(tmp_path / "x", 1, 2, 3, apart=apart)
    made = [config.build(config.load(Run(tmp_path / "x" / f"seed-{seed}").config)) for seed in (1, 2, 3)]
    assert [each.training.sampling for each in made] == [0.0, 0.4, 0.0]
    assert [each.model.variational_dropout for each in made] == [True, False, True]
    assert [(each.training.seed, each.training.epochs) for each in made] == [(1, 2), (2, 2), (3, 2)]
    trained.clear()
    go(tmp_path / "x", 1, 2, 3, 4, apart={3: apart[2], 4: apart[2]}, resume=True)
    assert trained == [("seed-4", 4, True)]
    assert config.load(Run(tmp_path / "x" / "seed-4").config)["training"]["sampling"] == 0.4


def test_a_seed_that_comes_later_shares_with_those_that_are_there(trained, tmp_path):
    go(tmp_path / "x", 1, 2)
    trained.clear()
    go(tmp_path / "x", 3, 4, resume=True)
    assert trained == [("seed-3", 3, True), ("seed-4", 4, True)]
    assert (Run(tmp_path / "x" / "seed-3").data / "train.en").read_text() == "made by the first\n"


def test_a_full_disk_is_one_sentence(trained, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(seeds.shutil, "copyfile", full)
    with pytest.raises(pipeline.PipelineError, match=r"^A run folder must be writable and have room\. .* \(No space"):
        go(tmp_path / "x", 1, 2)


def test_what_was_stopped_goes_on_and_what_is_finished_stays(trained, tmp_path):
    go(tmp_path / "x", 1)
    with pytest.raises(pipeline.Interrupted):
        go(tmp_path / "x", 1, 2, resume=True, provenance={"stop": True})
    trained.clear()
    go(tmp_path / "x", 1, 2, 3, resume=True)
    assert trained == [("seed-2", 2, True), ("seed-3", 3, True)]


def test_a_model_that_has_no_scores_yet_is_not_finished(trained, tmp_path):
    go(tmp_path / "x", 1, 2)
    made = bundle.load(tmp_path / "x" / "seed-1")
    bundle.write(made.path, config=made.config, files={"a": b"1"}, provenance={}, scores=[])
    trained.clear()
    said = go(tmp_path / "x", 1, 2, resume=True)
    assert trained == [("seed-1", 1, True)]
    assert "2 seeds: BLEU 31.5" in said[-1]


def test_what_is_finished_keeps_its_settings_too(trained, tmp_path):
    go(tmp_path / "x", 1)
    with pytest.raises(pipeline.PipelineError, match=r"keeps its settings; .* Received: training\.epochs=3$"):
        go(tmp_path / "x", 1, 2, resume=True, settings={"training": {"epochs": 3}})
    assert trained == [("seed-1", 1, False)]


def test_what_is_refused_leaves_no_folder(tmp_path):
    with pytest.raises(CorpusError, match="it does not exist"):
        go(tmp_path / "x", 1, 2)
    assert not (tmp_path / "x").exists()


def test_folders_in_use_or_missing_are_refused(trained, tmp_path):
    with pytest.raises(
        pipeline.PipelineError, match=r"^There must be a run to resume; leave --resume out to start one"
    ):
        go(tmp_path / "x", 1, resume=True)
    (tmp_path / "mine").touch()
    with pytest.raises(
        pipeline.PipelineError, match=r"^A new run needs a new folder, or --resume to go on with the old"
    ):
        go(tmp_path, 1)
    assert trained == []


def test_only_what_all_have_is_put_together():
    rows = [[score("test", 5, 30.0), score("test", 1, 28.0)], [score("test", 5, 31.0)]]
    assert [line.partition(":")[0] for line in seeds.spread(rows)] == ["test, litert-int8, beam 5, 2 seeds"]
    assert seeds.spread(rows[:1]) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--seeds", "1,x"), "--seeds must be different numbers such as 1,2,3. Received: '1,x'"),
        (("--seeds", "1,1"), "--seeds must be different numbers such as 1,2,3. Received: '1,1'"),
        (("--seeds", "1,2", "--set", "training.seed=3"), "--seeds sets training.seed. Received: both"),
        (("--seeds", "1,2", "--dry-run"), "--seeds trains whole runs on one device. Received: --seeds and --dry-run"),
        (
            ("--seeds", "1,2", "--budget", "9m"),
            "--seeds trains whole runs on one device. Received: --seeds and --budget",
        ),
        (("--seeds", "1,2", "--gpus", "2"), "--seeds trains whole runs on one device. Received: --seeds and --gpus"),
    ],
)
def test_flags_that_contradict(run, tmp_path, arguments, message):
    text = ("--source", "a.en", "--target", "a.de", "--output", tmp_path / "x")
    assert run("train", *text, *arguments) == (2, "", f"seq2seq: error: {message}\n")


@pytest.mark.parametrize("flags", [("--seeds", "1,2"), ("--teachers", "2")], ids=lambda flags: flags[0])
def test_several_machines_train_one_model(run, tmp_path, monkeypatch, flags):
    cluster = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
    code, out, said = run("train", "--source", "a.en", "--target", "a.de", "--output", tmp_path / "x", *flags)
    assert (code, out) == (2, "")
    assert said == f"seq2seq: error: {flags[0]} trains on one machine. Received: {flags[0]}, and TF_CONFIG with 2\n"
    assert not (tmp_path / "x").exists()


def test_the_command_prints_every_folder(run, tmp_path, monkeypatch):
    def train_seeds(files, output, numbers, **rest):
        return [SimpleNamespace(path=output / f"seed-{number}" / "model") for number in numbers]

    monkeypatch.setattr(pipeline, "train_seeds", train_seeds)
    out, text = tmp_path / "x", (tmp_path / "a.en", tmp_path / "a.de")
    for path in text:
        path.touch()
    code, said, _ = run("train", "--source", text[0], "--target", text[1], "--output", out, "--seeds", "4,2")
    assert (code, said) == (0, f"{out}/seed-4/model\n{out}/seed-2/model\n")
