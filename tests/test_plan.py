"""Before a training: a budget chooses a network that ends in time, a plan shows what it would be and leaves nothing."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")
import itertools

import keras

from seq2seq import config, pipeline, preflight, release
from seq2seq.batches import Pairs, Side
from seq2seq.config import Config
from seq2seq.model import Seq2Seq
from seq2seq.pipeline import budget, fitting, measurement
from seq2seq.pipeline.budget import Budget, Cost
from seq2seq.pipeline.plan import SPLIT, memory, parameters
from seq2seq.pipeline.run import PipelineError

HOUR = 3600.0


def corpus(folder: Path, count: int) -> list[Path]:
    """Digits and the same digits backwards."""
    draw = np.random.default_rng(0)
    rows = sorted({tuple(draw.integers(0, 10, draw.integers(2, 6))) for _ in range(count)})
    sides = {"a.en": rows, "a.de": [row[::-1] for row in rows]}
    for name, lines in sides.items():
        (folder / name).write_text("".join(" ".join(map(str, line)) + "\n" for line in lines))
    return [folder / name for name in sides]


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def candidates(pairs: int = 30_000, **training: object) -> list[Config]:
    return budget.rungs(pairs, {"training": training} if training else {}, {})


def costs(scale: float, clock: Clock | None = None) -> Callable[[Config], Cost]:
    """A machine on which the default network needs `scale` seconds an epoch; measuring takes ten seconds."""
    largest = budget.work(candidates()[0])

    def measure(resolved: Config) -> Cost:
        if clock:
            clock.now += 10
        measured.append(resolved)
        return Cost(epoch=scale * budget.work(resolved) / largest, validation=5.0, around=60.0, rate=1000.0)

    measured: list[Config] = []
    measure.measured = measured
    return measure


def limit(seconds: float, clock: Clock | None = None) -> Budget:
    return Budget(seconds, 0.0, clock or Clock())


def test_each_rung_costs_about_half_of_the_one_above():
    works = [budget.work(each) for each in candidates()]
    assert len(works) == len(budget.LADDER) + 1
    assert all(0.35 < after / before < 0.65 for before, after in itertools.pairwise(works))


def test_a_small_corpus_has_fewer_rungs_all_below_its_default():
    found = candidates(1000)
    assert [each.model.units for each in found] == [256, 192, 128]
    assert all(each.tokenizer.vocabulary <= 800 for each in found)


def test_what_the_user_says_stands_on_every_rung():
    settings = {"model": {"units": 300}, "tokenizer": {"vocabulary": 3000}, "training": {"learning_rate": 0.005}}
    for each in budget.rungs(30_000, settings, {"source_language": "en"}):
        assert (each.model.units, each.tokenizer.vocabulary, each.training.learning_rate) == (300, 3000, 0.005)
        assert each.source_language == "en"


def test_where_the_default_network_fits_only_epochs_change():
    measure = costs(100.0)
    choice = budget.choose(candidates(), measure, limit(0.5 * HOUR))
    assert not choice.reduced
    assert choice.epochs == int((0.5 * HOUR * budget.MARGIN - 60) // 105) == 14
    assert len(measure.measured) == 1


def test_a_long_budget_gives_at_most_half_as_many_epochs_again():
    assert budget.choose(candidates(), costs(100.0), limit(100 * HOUR)).epochs == 36
    assert budget.choose(candidates(100_000), costs(100.0), limit(100 * HOUR)).epochs == 18


def test_six_epochs_of_a_smaller_network_go_before_two_of_a_large_one():
    measure = costs(200.0)
    choice = budget.choose(candidates(), measure, limit(12 * 60.0))
    assert choice.reduced
    assert choice.epochs >= budget.EPOCHS
    assert choice.cost.total(choice.epochs) <= 12 * 60


def test_hopeless_rungs_are_not_measured():
    measure = costs(2000.0)
    budget.choose(candidates(), measure, limit(0.5 * HOUR))
    assert len(measure.measured) < len(candidates())


def test_measuring_counts():
    clock = Clock()
    choice = budget.choose(candidates(), costs(200.0, clock), limit(12 * 60.0, clock))
    assert clock.now + choice.cost.total(choice.epochs) <= 12 * 60


def test_the_smallest_network_may_have_fewer_epochs():
    choice = budget.choose(candidates(), costs(2000.0), limit(10 * 60.0))
    assert choice.reduced
    assert 1 <= choice.epochs < budget.EPOCHS


def test_epochs_that_were_asked_for_are_kept():
    choice = budget.choose(candidates(epochs=20), costs(100.0), limit(0.5 * HOUR), epochs=20)
    assert choice.epochs == 20
    assert choice.reduced


@pytest.mark.parametrize(("epochs", "sentence"), [(None, "for 1 epoch of"), (30, "for 30 epochs of")])
def test_a_budget_that_cannot_work_is_refused_with_what_would(epochs, sentence):
    with pytest.raises(PipelineError, match=sentence + r" the smallest network, about .* here. Received: 30 seconds"):
        budget.choose(candidates(), costs(500.0), limit(30.0), epochs=epochs)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.26, "0.3 seconds"), (90, "90 seconds"), (600, "10 minutes"), (8 * HOUR, "8.0 hours")]
)
def test_times_are_for_people(seconds, said):
    assert budget.say_time(seconds) == said


def test_what_was_measured_last_is_what_its_tokenizers_are_of():
    learned, said = [], []

    def learn(each: Config) -> Config:
        learned.append(each.model.units)
        return config.build({"model": {"units": each.model.units}, "tokenizer": {"vocabulary": 777}})

    scale = costs(200.0)
    chosen = fitting.fit(
        pipeline.Run(Path("nowhere")),
        candidates(),
        limit(12 * 60.0),
        learn=learn,
        epochs=None,
        say=said.append,
        measure=lambda run, each: scale(candidates()[[c.model.units for c in candidates()].index(each.model.units)]),
    )
    assert chosen.model.units == learned[-1] < 512
    assert chosen.tokenizer.vocabulary == 777
    assert said[0].startswith(f"budget of 12 minutes: {chosen.training.epochs} epochs of a smaller network (embedding ")


def test_parameters_are_all_of_them_once():
    model = Seq2Seq(config.ModelConfig(embedding=5, units=8, encoder_layers=2), 12)
    counts = parameters(model)
    assert sum(counts.values()) == model.count_params()
    assert next(iter(counts)) == "embedding"
    assert {"encoder/forward_0", "encoder/backward_1", "decoder/lstm_1", "decoder/attention"} <= set(counts)


SMALL = {
    "model": {"embedding": 16, "units": 16, "decoder_layers": 1},
    "tokenizer": {"vocabulary": 280},
    "training": {"epochs": 1, "batch_tokens": 2000, "learning_rate": 0.02, "precision": "float32"},
}


@pytest.fixture
def files(tmp_path) -> pipeline.Files:
    return pipeline.Files(*corpus(tmp_path, 200))


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(measurement, "SECONDS", 0.0)
    monkeypatch.setattr(measurement, "SENTENCES", 2)


def test_a_plan_shows_everything_and_leaves_nothing(files, tmp_path, monkeypatch, quick):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    before = sorted(tmp_path.rglob("*"))
    made = pipeline.plan(files, settings=SMALL, say=lambda line: None)
    assert sorted(tmp_path.rglob("*")) == before
    text = str(made)
    for name in ("pairs read", "train", "tokenizer.model, pieces", "embedding", "in all", "target pieces a second"):
        assert f"\n  {name}  " in text
    assert "activations, largest batch" in text
    assert "in all, 1 epoch at most" in text
    assert "units: 16" in text
    assert made.memory["weights"] == 4 * sum(made.parameters.values())
    assert made.cost.rate > 0


def test_a_plan_tells_pairs_that_are_seen_again_from_pairs_that_are_left_out(files, tmp_path, quick):
    for name, words in (("en", "nine eight"), ("de", "neun acht")):
        (tmp_path / f"more.{name}").write_text(
            "".join(f"{words} {n} " * (1 + 9 * (n % 4 == 0)) + "\n" for n in range(40))
        )
    both = dataclasses.replace(files, more=((tmp_path / "more.en", tmp_path / "more.de"),))
    usual = SMALL["training"] | {"max_tokens": 20}
    made = {
        weight: pipeline.plan(
            both, settings=SMALL | {"training": usual, "corpus": {"weights": (1.0, weight)}}, say=lambda line: None
        )
        for weight in (1.0, 3.0)
    }
    assert made[1.0].left_out == made[3.0].left_out and made[3.0].pieces > made[1.0].pieces
    (count,) = made[1.0].left_out.values()
    assert 0 < count < made[1.0].report["splits"]["train"]


def test_averages_and_wide_batches_need_memory():
    side = Side.of(np.full(160, 5, np.int32), [4] * 40)
    pairs = Pairs(side, side)
    model = Seq2Seq(config.ModelConfig(embedding=5, units=8), 20, dtype="float32")
    plain, more = (
        memory(model, config.build({"training": training}), pairs, 40)
        for training in ({"batch_tokens": 20}, {"batch_tokens": 200, "moving_average": 0.9})
    )
    assert more["moving average"] == more["weights"]
    assert more["activations, largest batch"] > 4 * plain["activations, largest batch"]
    assert more["in all"] == sum(size for name, size in more.items() if name != "in all")


def test_subword_sampling_needs_memory_for_all_splits():
    side = Side.of(np.full(160, 5, np.int32), [4] * 40)
    model = Seq2Seq(config.ModelConfig(embedding=5, units=8), 20, dtype="float32")

    def needed(alpha: float, kind: str = "unigram") -> dict[str, int]:
        resolved = config.build({"training": {"sampling": alpha}, "tokenizer": {"kind": kind}})
        return memory(model, resolved, Pairs(side, side), kept=20)

    plain, sampled = needed(0.0), needed(0.3)
    assert sampled["in all"] - plain["in all"] == sampled["splits of the source"] == SPLIT * 20 * 4
    assert needed(0.1, "bpe") == needed(0.0)


def test_an_epoch_is_reckoned_longer_than_its_steps(files, tmp_path, monkeypatch, quick):
    monkeypatch.setattr(measurement, "pace", lambda *_, **__: measurement.Pace(compiling=1.0, piece=0.25))
    made = pipeline.plan(files, settings=SMALL, say=lambda line: None)
    assert made.cost.epoch == pytest.approx(made.pieces * 0.25 * measurement.LOOP) and measurement.LOOP > 1


def test_neither_preflight_nor_budget_changes_the_weights(files, tmp_path, monkeypatch, quick):
    ends: list[dict[str, np.ndarray]] = []
    monkeypatch.setattr(release, "release", lambda path, resolved, arrays, **_: ends.append(arrays))
    said: list[str] = []
    usual = pipeline.Before(preflight=False)
    for name, before in (("a", pipeline.Before(budget=Budget(HOUR, 0.0, Clock()))), ("b", usual)):
        keras.utils.set_random_seed(ord(name))
        pipeline.train(files, tmp_path / name, settings=SMALL, before=before, say=said.append)
    assert sum(line.startswith("preflight, ") for line in said) == 1
    assert sum(line.startswith("budget of 60 minutes: 1 epoch of the network that suits") for line in said) == 1
    for name, array in ends[0].items():
        np.testing.assert_array_equal(array, ends[1][name])
    configs = [config.load(tmp_path / name / "config.yaml") for name in "ab"]
    assert configs[0] == configs[1]
    assert not list((tmp_path / "a").glob("*preflight*"))


@pytest.mark.parametrize("refused", ["preflight", "budget"])
def test_what_is_refused_leaves_its_folder_free(refused, files, tmp_path, monkeypatch):
    def refuse(*_):
        raise preflight.PreflightError("The rate must be lower. Received: 9")

    monkeypatch.setattr(preflight, "check", refuse)
    monkeypatch.setattr(measurement, "measure", lambda *_: Cost(9.0, 9.0, 9.0, 9.0))
    limits = {"preflight": None, "budget": limit(1.0)}
    said: list[str] = []
    with pytest.raises(ValueError, match="Received: "):
        pipeline.train(
            files, tmp_path / "run", settings=SMALL, before=pipeline.Before(budget=limits[refused]), say=said.append
        )
    assert any(line.startswith("tokenizer.model: ") for line in said)
    assert not (tmp_path / "run").exists()


def test_a_cost_is_the_sum_of_its_parts():
    cost = Cost(epoch=10.0, validation=2.0, around=30.0, rate=1.0)
    assert cost.total(3) == 66.0
    assert dataclasses.replace(cost, around=0.0).total(1) == 12.0
