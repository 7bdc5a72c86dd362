"""The preflight: a sound network passes it, and each way to be unsound is named with what to change."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

from seq2seq import batches, checkpoint, config, preflight  # noqa: E402
from seq2seq.batches import Pairs, Side  # noqa: E402
from seq2seq.model import Seq2Seq  # noqa: E402
from seq2seq.preflight import PreflightError  # noqa: E402

V = 20
HOUR = 3600.0
"""Time enough on a machine that is busy with something else."""
SETTINGS = {
    "model": {"embedding": 16, "units": 24, "decoder_layers": 1, "dropout": 0.5},
    "training": {"learning_rate": 0.02, "precision": "float32"},
}


def side(*sentences: list[int]) -> Side:
    rows = [np.array([*sentence, 3], np.int32) for sentence in sentences]
    return Side.of(np.concatenate(rows), [len(row) for row in rows])


def corpus(count: int, seed: int = 0) -> Pairs:
    """Sentences and the same ones backwards, all different."""
    random = np.random.default_rng(seed)
    rows = [random.integers(4, V, random.integers(3, 6)).tolist() for _ in range(count)]
    return Pairs(side(*rows), side(*(row[::-1] for row in rows)))


def settings(**training: object) -> config.Config:
    return config.build(SETTINGS, {"training": training})


def network(kind: type[Seq2Seq] = Seq2Seq) -> Seq2Seq:
    keras.utils.set_random_seed(1)
    rates = dict.fromkeys(("embedding_dropout", "dropout", "readout_dropout"), 0.0)
    return kind(config.build(SETTINGS, {"model": rates}).model, V, dtype="float32")


def batch() -> batches.Batch:
    return batches.batch(corpus(6), np.arange(6))


def test_a_sound_network_passes():
    passed = preflight.check(settings(), corpus(50), (V, None), seconds=HOUR)
    assert passed.pairs == 32
    assert passed.likelihood <= preflight.LEARNED
    assert str(passed).startswith("preflight, ")
    assert "learns 32 pairs by heart in" in str(passed)


def test_fewer_pairs_are_tried_too():
    assert preflight.check(settings(), corpus(5), (V, None), seconds=HOUR).pairs == 5


def test_two_vocabularies_and_other_losses_pass_too():
    chosen = settings(r_drop=1.0, label_smoothing=0.2, moving_average=0.9)
    assert preflight.check(chosen, corpus(3), (V, V + 1)).pairs == 3


def test_pairs_that_share_a_side_are_not_taken_twice():
    again = Pairs(side([5], [5], [6], [7]), side([8], [9], [9], [10]))
    chosen = preflight.choose(again, 1)
    assert len({chosen.source[row].tobytes() for row in range(len(chosen))}) == len(chosen)
    assert len({chosen.target[row].tobytes() for row in range(len(chosen))}) == len(chosen)


def test_short_pairs_are_taken_where_there_are_enough():
    rows = [[piece] * (40 if piece % 2 else 3) for piece in range(4, V)]
    chosen = preflight.choose(Pairs(side(*rows), side(*rows)), 1, count=6)
    assert chosen.source.lengths.tolist() == [4] * 6


@pytest.mark.parametrize("count", [0, 1])
def test_less_than_two_pairs_is_one_sentence(count):
    with pytest.raises(PreflightError, match=rf"There must be two pairs .* training\.max_tokens\. Received: {count}$"):
        preflight.choose(corpus(3).keep(np.arange(3) < count), 1)


def test_one_target_for_all_sources_is_refused():
    sources = side(*([piece] for piece in range(4, V)))
    targets = side(*([7] for _ in range(4, V)))
    with pytest.raises(PreflightError, match=r"Different sources must have different targets.* Received: 16 pairs"):
        preflight.choose(Pairs(sources, targets), 1)


def test_a_rate_too_high_is_named():
    with pytest.raises(
        PreflightError, match=r"by heart; lower training.learning_rate, at 1 it comes further. Received"
    ):
        preflight.check(settings(learning_rate=10.0), corpus(32), (V, None), seconds=HOUR)


def test_a_rate_too_low_is_named():
    with pytest.raises(PreflightError, match=r"must let the training move its weights; raise it.* Received: 1e-09 for"):
        preflight.check(settings(learning_rate=1e-9), corpus(3), (V, None))


def test_batches_that_make_one_step_count_as_one():
    pairs, learned = corpus(12), preflight.Learned(1.0, 100, 3.0, 0.05, True)
    config = settings(epochs=3, batch_tokens=16).training
    planned = len(batches.plan(pairs, config.batch_tokens))
    config = msgspec.structs.replace(config, learning_rate=6 / (3 * planned))
    preflight._refuse_standstill(config, pairs, learned)
    with pytest.raises(PreflightError, match=f" for {3 * -(-planned // 2)} steps, where 100 steps"):
        preflight._refuse_standstill(msgspec.structs.replace(config, accumulate=2), pairs, learned)


def test_a_network_too_small_is_named(monkeypatch):
    monkeypatch.setattr(preflight, "STEPS", 30)
    monkeypatch.setattr(preflight, "SLOWEST", 0.0)
    chosen = config.build(SETTINGS, {"model": {"units": 2, "embedding": 1}, "training": {"learning_rate": 1e-3}})
    with pytest.raises(PreflightError, match=r"raise model.units or training.learning_rate, which is 0.001. Received"):
        preflight.check(chosen, corpus(32), (V, None), seconds=HOUR)


def test_where_time_is_up_being_on_the_way_is_enough():
    learned = preflight.learn_by_heart(network(), batch(), settings(warmup_steps=0).training, seconds=0.0, steps=9)
    assert learned.steps == 2
    assert not learned.failed
    assert "is learning 6 pairs by heart (2.50 nats" in str(preflight.Report(6, 2, 2.5, 1.0))


@pytest.mark.parametrize(
    ("first", "likelihood", "steps", "in_time", "failed"),
    [
        (3.0, 0.05, 50, False, False),
        (3.0, 0.5, 1000, True, True),
        (3.0, 1.4, 200, False, False),
        (3.0, 1.6, 200, False, True),
        (3.0, 2.9, 20, False, False),
        (3.0, 3.1, 20, False, True),
        (3.0, float("nan"), 20, False, True),
    ],
)
def test_what_counts_as_learned(first, likelihood, steps, in_time, failed):
    assert preflight.Learned(0.1, steps, first, likelihood, in_time).failed is failed


class MindsPadding(Seq2Seq):
    def call(self, inputs, training=False):
        return super().call(inputs, training=training) + tf.cast(tf.shape(inputs[0])[1], tf.float32) * self.decoder.bias

    def build_bias(self):
        self.decoder.bias.assign(np.linspace(0, 1, V))
        return self


class SeesTheFuture(Seq2Seq):
    def call(self, inputs, training=False):
        logits = super().call(inputs, training=training)
        return logits + logits[:, ::-1]


class IsBlind(Seq2Seq):
    def call(self, inputs, training=False):
        source, target = inputs
        return super().call((tf.ones_like(source[:, :1]) * 5, target), training=training)


class ReadsTooFarInTraining(Seq2Seq):
    def call(self, inputs, training=False):
        source, target = inputs
        return super().call((source, tf.roll(target, -1, axis=1) if training else target), training=training)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: network(MindsPadding).build_bias(), "must not depend on padding; look at"),
        (lambda: network(SeesTheFuture), "must not depend on later pieces of the target; look at"),
        (lambda: network(ReadsTooFarInTraining), "must not depend on later pieces of the target; look at"),
        (lambda: network(IsBlind), "must depend on the source; look at"),
    ],
    ids=["padding", "future", "future in training", "source"],
)
def test_an_unsound_network_is_named(make, sentence):
    with pytest.raises(PreflightError, match=sentence + ".*Received: "):
        preflight.check_network(make(), batch())


def test_a_sound_network_is_sound_untrained():
    preflight.check_network(network(), batch())


def halve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes checkpoints lose half of every weight."""
    saved = checkpoint.save

    def halved(path, variables, state=None):
        saved(path, {name: value.numpy() / 2 for name, value in variables.items()}, state)

    monkeypatch.setattr(checkpoint, "save", halved)


def test_a_file_that_loses_weights_is_named(monkeypatch):
    halve(monkeypatch)
    with pytest.raises(PreflightError, match=r"A loaded network must score as the saved one.*Received: "):
        preflight.check_file(network(), network, batch())


def test_what_is_unsound_does_not_pass_the_whole(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(preflight, "Seq2Seq", SeesTheFuture)  # learning by heart does not use `call`
        with pytest.raises(PreflightError, match="must not depend on later pieces"):
            preflight.check(settings(), corpus(3), (V, None), seconds=HOUR)
    halve(monkeypatch)
    with pytest.raises(PreflightError, match="A loaded network must score as the saved one"):
        preflight.check(settings(), corpus(3), (V, None), seconds=HOUR)


def test_a_full_disk_is_named(monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(PreflightError, match=r"must be saved and loaded; look at the disk.*Received: .*No space left"):
        preflight.check_file(network(), network, batch())
