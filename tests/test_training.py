"""The loop: it learns, it stops and goes on exactly, it keeps the best, it says what went wrong."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

from stopping import Stop  # noqa: E402

from seq2seq import batches, checkpoint, divergence, objective, optimizer, step, training  # noqa: E402
from seq2seq.batches import Pairs, Side  # noqa: E402
from seq2seq.config import ModelConfig, TrainingConfig  # noqa: E402
from seq2seq.model import Seq2Seq  # noqa: E402
from seq2seq.training import Interrupted, Trainer, TrainingError  # noqa: E402

V = 12


def corpus(count=60, seed=0) -> Pairs:
    """Copy the source: a task that a few steps begin to learn."""
    random = np.random.default_rng(seed)
    rows = [np.array([*random.integers(4, V, random.integers(1, 6)), 3], np.int32) for _ in range(count)]
    side = Side.of(np.concatenate(rows), [len(row) for row in rows])
    return Pairs(side, side)


def network() -> Seq2Seq:
    keras.utils.set_random_seed(1)
    return Seq2Seq(ModelConfig(embedding=5, units=8, dropout=0.3, word_dropout=0.1), V)


def settings(**changes) -> TrainingConfig:
    return TrainingConfig(**{"epochs": 3, "batch_tokens": 60, "warmup_steps": 3, "average": 2, **changes})


def trainer(folder: Path, *, callbacks=(), bleu=None, **changes) -> Trainer:
    scores = iter(bleu or range(1000))
    return Trainer(
        network(), settings(**changes), folder, evaluate=lambda _: {"bleu": float(next(scores))}, callbacks=callbacks
    )


def weights(made: Trainer) -> list[np.ndarray]:
    return [weight.numpy() for weight in made.model.weights]


PLAIN, R_DROP, ACCUMULATE = {}, {"moving_average": 0.9, "r_drop": 2.0}, {"accumulate": 3, "moving_average": 0.9}


@pytest.mark.parametrize(
    ("stops", "changes"),
    [
        ([1], PLAIN),
        ([2, 3], R_DROP),
        ([2, 3], ACCUMULATE),
        pytest.param([2, 3], PLAIN, marks=pytest.mark.whole),
        pytest.param([1], R_DROP, marks=pytest.mark.whole),
        pytest.param([1], ACCUMULATE, marks=pytest.mark.whole),
    ],
    ids=str,
)
def test_a_resumed_run_ends_with_the_same_weights(tmp_path, stops, changes):
    pairs = corpus()
    whole = trainer(tmp_path / "whole", **changes)
    history = whole.run(pairs, pairs).history
    for after in stops:
        stopped = trainer(tmp_path / "parts", callbacks=[Stop(after)], **changes)
        with pytest.raises(Interrupted):
            stopped.run(pairs, pairs, resume=True)
    keras.utils.set_random_seed(99)  # whatever another process did to the global seed must not matter
    resumed = trainer(tmp_path / "parts", **changes)
    again = resumed.run(pairs, pairs, resume=True).history
    for one, other in zip(weights(whole), weights(resumed), strict=True):
        np.testing.assert_array_equal(one, other)
    if changes:
        for one, other in zip(whole.average.variables, resumed.average.variables, strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy())
    assert [entry["loss"] for entry in history] == pytest.approx([entry["loss"] for entry in again], rel=1e-12)


def test_sigterm_stops_as_ctrl_c_does(tmp_path):
    with pytest.raises(Interrupted):
        trainer(tmp_path, callbacks=[Stop(1, signal.SIGTERM)]).run(corpus(), corpus())
    assert (tmp_path / training.LATEST).exists()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_asked_to_stop_while_the_last_epoch_is_judged_it_stops(tmp_path):
    made = trainer(tmp_path, epochs=2, bleu=[1, 2])
    judge = made.evaluate

    def asked(model):
        if made.standing.epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return judge(model)

    made.evaluate = asked
    with pytest.raises(Interrupted):
        made.run(corpus(), corpus())
    assert checkpoint.load(tmp_path / training.LATEST)[1]["epoch"] == 2


def test_loss_falls(tmp_path):
    history = trainer(tmp_path, epochs=8, learning_rate=0.01).run(corpus(), corpus(seed=1)).history
    assert history[-1]["loss"] < 0.9 * history[0]["loss"]
    assert history[-1]["valid_perplexity"] < history[0]["valid_perplexity"]


def test_it_stops_when_bleu_has_not_risen(tmp_path):
    standing = trainer(tmp_path, epochs=9, patience=2, bleu=[1, 5, 4, 3, 9]).run(corpus(), corpus())
    assert standing.epoch == 4
    assert standing.best(2) == [2, 3]


def test_the_best_epochs_are_kept_and_averaged(tmp_path):
    made = trainer(tmp_path, epochs=4, bleu=[3, 9, 1, 7])
    made.run(corpus(), corpus())
    assert sorted(file.name for file in tmp_path.glob("epoch-*")) == ["epoch-02.safetensors", "epoch-04.safetensors"]
    mean = made.averaged([2, 4])
    two, four = (checkpoint.load(tmp_path / f"epoch-{epoch:02d}.safetensors")[0] for epoch in (2, 4))
    for name, array in mean.items():
        np.testing.assert_allclose(array, (two[name] + four[name]) / 2, atol=1e-7)
    assert set(mean) == {weight.path for weight in made.model.weights}


def test_what_is_judged_and_kept_is_the_moving_average(tmp_path):
    judged = []
    made = trainer(tmp_path, epochs=1, moving_average=0.9)
    made.evaluate = lambda model: judged.append([w.numpy() for w in model.weights]) or {"bleu": 1.0}
    made.run(corpus(), corpus())
    kept = made.averaged([1])
    for weight, average, seen in zip(made.model.weights, made.average.variables, judged[0], strict=True):
        np.testing.assert_array_equal(seen, average.numpy())
        np.testing.assert_allclose(kept[weight.path], seen, atol=1e-7)
    assert any(np.abs(w.numpy() - seen).max() > 1e-4 for w, seen in zip(made.model.weights, judged[0], strict=True))


def test_r_drop_of_a_network_without_dropout_is_the_plain_loss():
    keras.utils.set_random_seed(1)
    rates = dict.fromkeys(("dropout", "embedding_dropout", "readout_dropout"), 0.0)
    model = Seq2Seq(ModelConfig(embedding=5, units=8, **rates), V)
    batch = tf.nest.map_structure(tf.constant, batches.batch(corpus(4), np.arange(4)))
    plain, twice = (step.losses(model, batch, settings(r_drop=alpha)) for alpha in (0.0, 5.0))
    for one, other in zip(plain, twice, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_r_drop_weighs_what_they_disagree_by():
    model = network()
    batch = tf.nest.map_structure(tf.constant, batches.batch(corpus(4), np.arange(4)))
    totals = []
    for alpha in (1e-9, 4.0):
        same = network()  # which sets the seed of its dropout
        same.set_weights(model.get_weights())
        totals.append(float(tf.reduce_sum(step.losses(same, batch, settings(r_drop=alpha))[0])))
    same = network()
    same.set_weights(model.get_weights())
    twice = tf.nest.map_structure(step._twice, batch)
    memory, state = same.encode(twice.source, training=True)
    first, second = tf.split(same.decode(twice.target_in, state, memory, training=True).logits, 2)
    apart = float(tf.reduce_sum(objective.disagreement(first, second, batch.target_out)))
    assert apart > 1e-3
    assert totals[1] - totals[0] == pytest.approx(4.0 / 4 * apart, rel=1e-3)


def test_a_loss_that_is_no_number_stops_with_a_sentence(tmp_path):
    made = trainer(tmp_path)
    made.model.weights[0].assign(np.full(made.model.weights[0].shape, np.nan))
    with pytest.raises(TrainingError, match=r"The loss must stay finite; lower training.learning_rate.* nan in epoch"):
        made.run(corpus(), corpus())


def test_a_gradient_that_is_no_number_stops_with_a_sentence(tmp_path):
    made = trainer(tmp_path)
    made._step = lambda signature: lambda batch, ends: (tf.ones(3), tf.constant(np.inf))
    with pytest.raises(TrainingError, match=r"norm of the gradient must stay finite; .* Received: inf in epoch 1, b"):
        made.run(corpus(), corpus())
    assert not (tmp_path / training.LATEST).exists()


def test_a_model_that_cannot_be_judged_stops_with_a_sentence_and_leaves_the_last_good_checkpoint(tmp_path):
    made, scores = trainer(tmp_path), iter([{"bleu": 1.0}])

    def evaluate(_):
        if found := next(scores, None):
            return found
        raise TrainingError("Scores must be finite. Received: NaN")

    made.evaluate = evaluate
    good = re.escape(str(tmp_path / "epoch-01.safetensors"))
    with pytest.raises(TrainingError, match=rf"Received: NaN in epoch 2; the last good checkpoint is {good}$"):
        made.run(corpus(), corpus())
    assert (tmp_path / "epoch-01.safetensors").exists()


def test_a_perplexity_far_above_its_best_stops_and_leaves_the_last_good_checkpoint(tmp_path):
    nats = iter([2.0, 1.0, 2.0, 2.5])  # perplexities e^2, e, e^2 (2.7 times the best), e^2.5 (4.5 times)
    made = trainer(tmp_path, epochs=9, warmup_steps=1, bleu=[1, 9, 2, 3])
    planned, seen = len(made._plan(corpus(), 0)), []

    def step(batch, ends):
        if len(seen) % planned == 0:
            seen.append(next(nats))
        else:
            seen.append(seen[-1])
        return tf.constant([1.0, seen[-1], 1.0]), tf.constant(1.0)

    made._step = lambda signature: step
    with pytest.raises(TrainingError) as error:
        made.run(corpus(), corpus())
    assert str(error.value) == (
        "The perplexity must not rise far above its best; lower training.learning_rate or raise training.warmup_steps, "
        f"in a new run. Received: 12.18, after 2.72 in epoch 4; the last good checkpoint is "
        f"{tmp_path / 'epoch-02.safetensors'}"
    )
    assert checkpoint.load(tmp_path / training.LATEST)[1]["epoch"] == 3


def test_a_rise_within_a_long_epoch_stops_before_anything_of_it_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(divergence, "WINDOW", 3)
    made, done = trainer(tmp_path, epochs=9, warmup_steps=1), []
    planned = len(made._plan(corpus(), 0))
    assert planned > 6

    def step(batch, ends):
        done.append(2.5 if len(done) >= planned + 3 else 1.0)  # the whole second epoch would be 2.7 times at most
        return tf.constant([1.0, done[-1], 1.0]), tf.constant(1.0)

    made._step = lambda signature: step
    good = re.escape(str(tmp_path / "epoch-01.safetensors"))
    with pytest.raises(TrainingError, match=rf"Received: 12.18, after 2.72 in epoch 2; .* checkpoint is {good}$"):
        made.run(corpus(), corpus())
    assert len(done) == planned + 6
    assert checkpoint.load(tmp_path / training.LATEST)[1]["epoch"] == 1


def test_a_resumed_epoch_is_judged_by_as_many_batches_as_one_that_was_not_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(divergence, "WINDOW", 3)
    planned = len(trainer(tmp_path / "any")._plan(corpus(), 0))
    hard = planned + 2  # one bad batch, the last of a window, in the second epoch

    def started(after: int | None = None, done: int = 0) -> Trainer:
        made = trainer(tmp_path / "run", epochs=2, warmup_steps=1, callbacks=[Stop(after)] if after else [])
        batch = iter(range(done, 2 * planned))
        scripted = lambda *_: (tf.constant([1.0, 2.5 if next(batch) == hard else 1.0, 1.0]), tf.constant(1.0))  # noqa: E731
        made._step = lambda signature: scripted
        return made

    with pytest.raises(Interrupted):
        started(after=hard).run(corpus(), corpus())
    assert started(done=hard).run(corpus(), corpus(), resume=True).epoch == 2


def test_epochs_without_a_telling_bleu_are_ranked_by_perplexity():
    entries = [(0.4, 50.0), (0.1, 40.0), (0.9, 45.0), (2.0, 60.0), (2.0, 30.0)]
    standing = training.Standing(history=[{"bleu": bleu, "valid_perplexity": each} for bleu, each in entries])
    assert standing.best(9) == [5, 4, 2, 3, 1]


def test_while_nothing_is_right_yet_patience_waits_for_the_perplexity(tmp_path, monkeypatch):
    perplexities = [9.0, 8.0, 7.0, 6.0, 6.5, 6.6]
    given = iter(perplexities)
    monkeypatch.setattr(training, "valid_perplexity", lambda likelihood, pairs: next(given))
    made = trainer(tmp_path, epochs=9, patience=2, bleu=[0.5, 0.1, 0.2, 0.3, 0.4, 0.0])
    assert made.run(corpus(), corpus()).epoch == len(perplexities)


class Callback(keras.callbacks.Callback):
    """Asks for the end after its second epoch, and counts the ends."""

    ends = 0

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch == 1

    def on_train_end(self, logs=None):
        self.ends += 1


def test_a_callback_may_end_the_training_and_hears_of_every_end(tmp_path):
    told = Callback()
    assert trainer(tmp_path / "asked", callbacks=[told], epochs=9).run(corpus(), corpus()).epoch == 2
    assert told.ends == 1
    with pytest.raises(Interrupted):
        trainer(tmp_path / "stopped", callbacks=[told, Stop(1)]).run(corpus(), corpus())
    assert told.ends == 2


def test_the_norm_of_a_table_that_is_only_looked_up_counts_each_row_once():
    keras.utils.set_random_seed(1)
    rates = dict.fromkeys(("dropout", "embedding_dropout", "readout_dropout"), 0.0)
    model, config = Seq2Seq(ModelConfig(embedding=5, units=8, tied=False, **rates), V, V), settings()
    batch = batches.batch(corpus(7), np.arange(7))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(step.losses(model, batch, config)[0]) / float(np.count_nonzero(batch.target_out))
    slopes = tape.gradient(loss, [weight.value for weight in model.trainable_variables])
    assert sum(isinstance(slope, tf.IndexedSlices) for slope in slopes) == 2
    adam = optimizer.adam(config, 10)
    adam.build(model.trainable_variables)
    _, norm = step.step_function(model, adam, config)(*batch)
    assert float(norm) == pytest.approx(float(tf.linalg.global_norm(list(map(tf.convert_to_tensor, slopes)))), rel=1e-5)


def test_a_rise_while_the_learning_rate_still_rises_is_none():
    assert divergence.in_epoch([10.0, 31.0], warm=2, chance=20.0) is None
    assert divergence.in_epoch([10.0, 31.0], warm=1, chance=20.0)
    assert divergence.in_epoch([10.0], warm=0, chance=20.0) is None


def test_a_first_epoch_may_not_end_far_above_chance():
    assert divergence.in_epoch([59.0], warm=0, chance=20.0) is None
    assert "Received: 61.00, after 20.00" in str(divergence.in_epoch([61.0], warm=0, chance=20.0))
    assert divergence.in_epoch([61.0], warm=1, chance=20.0)  # also where the learning rate still rises


def test_tokens_a_second_are_those_of_the_steps_and_the_seconds_those_of_all(tmp_path):
    steps = []

    class Timed(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            steps.append(logs["seconds"])

    made = trainer(tmp_path, callbacks=[Timed()])
    scores = made.evaluate
    made.evaluate = lambda model: time.sleep(0.3) or scores(model)
    history = made.run(corpus(), corpus()).history
    ends = [entry["seconds"] for entry in history]
    steps = np.reshape(steps, (len(history), -1))[:, -1]
    tokens = int(corpus().target.lengths.sum())
    assert np.all(ends - steps >= 0.3)
    rates = tokens / (steps - [0.0, *ends[:-1]])
    assert [entry["tokens_per_second"] for entry in history] == pytest.approx(list(rates))


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    with pytest.raises(Interrupted):
        trainer(tmp_path, callbacks=[Stop(1)]).run(corpus(), corpus())
    other = Trainer(Seq2Seq(ModelConfig(embedding=6, units=8), V), settings(), tmp_path, evaluate=lambda _: {"bleu": 0})
    with pytest.raises(checkpoint.CheckpointError, match=r"must have shape .* Received: "):
        other.run(corpus(), corpus(), resume=True)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    (tmp_path / training.LATEST).write_bytes(b"\x10\0\0\0\0\0\0\0not a checkpoint")
    with pytest.raises(checkpoint.CheckpointError, match=r"must be a whole safetensors file. Received: "):
        trainer(tmp_path).run(corpus(), corpus(), resume=True)


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "file.safetensors"
    checkpoint.save(path, {"a": np.ones(3)}, {"epoch": 1})

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(checkpoint.CheckpointError, match=r"must fit on its disk. Received: .*No space left"):
        checkpoint.save(path, {"a": np.zeros(3)}, {"epoch": 2})
    arrays, state = checkpoint.load(path)
    assert state == {"epoch": 1} and arrays["a"].tolist() == [1, 1, 1]
    assert [file.name for file in tmp_path.iterdir()] == ["file.safetensors"]


def test_valid_perplexity_is_that_of_all_pairs_whatever_the_batches():
    model, pairs = network(), corpus(20)
    likelihood = step.likelihood_function(model)
    together = training.valid_perplexity(likelihood, pairs, 4000)
    assert training.valid_perplexity(likelihood, pairs, 10) == pytest.approx(together, rel=1e-5)
    made = batches.batch(pairs, np.arange(20))
    _, nats = objective.smoothed_cross_entropy(model((made.source, made.target_in)), made.target_out)
    mean = float(tf.reduce_sum(nats)) / np.count_nonzero(made.target_out)
    assert together == pytest.approx(np.exp(mean), rel=1e-5)


def test_a_gradient_is_clipped_and_its_norm_told_as_it_was():
    taken = tf.Variable(0.0)
    adam = SimpleNamespace(apply=lambda gradients, _: taken.assign(tf.linalg.global_norm(gradients)))
    move = step.step_function(network(), adam, settings(clip_norm=0.01))
    _, norm = move(*batches.batch(corpus(7), np.arange(7)))
    assert float(norm) > 0.05
    assert float(taken) == pytest.approx(0.01, rel=1e-4)


def test_every_epoch_has_pairs_and_an_order_of_its_own(tmp_path):
    def run(resample):
        made, seen = trainer(tmp_path / str(bool(resample))), []
        made.resample, dataset = resample, made.devices.dataset
        made.devices.dataset = lambda pairs, plan: seen.append((pairs, plan)) or dataset(pairs, plan)
        made.run(corpus(), corpus())
        return seen

    drawn = [pairs.target.ids.tolist() for pairs, _ in run(lambda epoch: corpus(seed=epoch))]
    assert drawn == [corpus(seed=epoch).target.ids.tolist() for epoch in range(3)]
    one, other, _ = ([rows.tolist() for rows in plan] for _, plan in run(None))
    assert one != other


def test_while_the_rate_rises_an_epoch_is_compared_with_chance_alone(tmp_path):
    planned = len(batches.plan(corpus(), 60, seed=0))
    made, nats, seen = trainer(tmp_path, epochs=9, warmup_steps=2 * planned), iter([1.0, 2.5, *[1.0] * 7]), []

    def take(batch, ends):
        seen.append(next(nats) if len(seen) % planned == 0 else seen[-1])
        return tf.constant([1.0, seen[-1], 1.0]), tf.constant(1.0)

    made._step = lambda signature: take
    assert made.run(corpus(), corpus()).epoch == 9


def test_the_step_scales_by_tokens_not_by_padding():
    made = batches.batch(corpus(4), np.arange(4))
    wider = batches.Batch(*(np.pad(block, ((0, 0), (0, 8))) for block in made[:3]))
    rates = dict.fromkeys(("dropout", "embedding_dropout", "readout_dropout"), 0.0)
    seen = []
    for batch in (made, wider):
        keras.utils.set_random_seed(1)
        fresh, config = Seq2Seq(ModelConfig(embedding=5, units=8, **rates), V), settings()
        adam = optimizer.adam(config, 10)
        adam.build(fresh.trainable_variables)
        sums, norm = step.step_function(fresh, adam, config)(*batch)
        seen.append([*map(float, sums), float(norm)])
    np.testing.assert_allclose(*seen, rtol=1e-5)


def test_batches_gathered_are_one_large_batch():
    rates = dict.fromkeys(("dropout", "embedding_dropout", "readout_dropout"), 0.0)
    pairs, config = corpus(7), settings()
    ends = []
    for parts in ([range(7)], [range(3), range(3, 4), range(4, 7)]):
        keras.utils.set_random_seed(1)
        model = Seq2Seq(ModelConfig(embedding=5, units=8, **rates), V)
        adam = optimizer.adam(config, 10)
        adam.build(model.trainable_variables)
        gathered = optimizer.Gathered(model.trainable_variables)
        gather = step.gather_function(model, config, gathered)
        move = step.step_function(model, adam, config, gathered=gathered)
        norms, tokens = [], 0.0
        for _ in range(2):  # the second step must not count what the first one did
            *before, last = (batches.batch(pairs, np.array(rows)) for rows in parts)
            sums = [gather(*batch)[0] for batch in before]
            found, norm = move(*last)
            norms.append(float(norm))
            tokens = sum(float(each[2]) for each in [*sums, found])
        ends.append((norms, tokens, model.get_weights(), [float(abs(v.numpy()).max()) for v in gathered.variables]))
    one, several = ends
    assert several[0] == pytest.approx(one[0], rel=1e-4)
    assert several[1] == one[1] == pairs.target.lengths.sum()
    for first, second in zip(one[2], several[2], strict=True):
        np.testing.assert_allclose(second, first, atol=1e-5)
    assert set(several[3]) == {0.0}


def test_the_last_batches_of_an_epoch_are_a_step_though_they_are_few(tmp_path):
    made = trainer(tmp_path, accumulate=4, epochs=2)
    seen = []
    made.callbacks.on_train_batch_end = lambda batch, logs: seen.append(logs["gradient_norm"])
    standing = made.run(corpus(), corpus())
    assert standing.history[-1]["learning_rate"] == pytest.approx(2e-5)  # the schedule counts steps
    planned = len(batches.plan(corpus(), 60, seed=0))
    assert planned % 4 and len(seen) == 2 * planned
    assert int(made.optimizer.iterations) == 2 * -(-planned // 4)
    assert seen[:3] == [0.0] * 3 and seen[3] == seen[4] > 0


def test_a_gathered_gradient_that_is_no_number_is_not_kept(tmp_path, monkeypatch):
    made = trainer(tmp_path, accumulate=4)
    gathers = training.gather_function

    def lost_at_the_second(*arguments, **options):
        gather, norms = gathers(*arguments, **options), iter([1.0, float("nan")])
        return lambda *batch: (gather(*batch)[0], next(norms))

    monkeypatch.setattr(training, "gather_function", lost_at_the_second)
    with pytest.raises(TrainingError, match=r"norm of the gradient must stay finite.* nan in epoch 1, batch 2;"):
        made.run(corpus(), corpus())


def test_the_norm_of_a_batch_that_is_gathered_is_its_own(tmp_path):
    batch, norms = batches.batch(corpus(7), np.arange(7)), []
    for several in (False, True):
        model, chosen = network(), settings()
        gathered = optimizer.Gathered(model.trainable_variables)
        adam = optimizer.adam(chosen, 10)
        adam.build(model.trainable_variables)
        take = step.gather_function(model, chosen, gathered) if several else step.step_function(model, adam, chosen)
        norms.append(float(take(*batch)[1]))
    assert norms[1] == pytest.approx(norms[0], rel=1e-5)


def test_on_a_plateau_the_learning_rate_falls_and_a_resumed_run_goes_on_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "valid_perplexity", lambda likelihood, pairs: next(given))
    changes = {"schedule": "plateau", "epochs": 6, "learning_rate": 0.01, "final_learning_rate": 0.004}
    changes |= {"plateau_patience": 1, "plateau_factor": 0.5}
    pairs, seen = corpus(), [9.0, 9.5, 8.0, 8.0, 8.0, 7.0]
    given = iter(seen)
    whole = trainer(tmp_path / "whole", **changes)
    history = whole.run(pairs, pairs).history
    rates = [entry["learning_rate"] for entry in history]
    assert rates == pytest.approx([0.01, 0.01, 0.005, 0.005, 0.004, 0.004])
    given = iter(seen)
    planned = len(batches.plan(pairs, 60, seed=0))
    with pytest.raises(Interrupted):
        trainer(tmp_path / "parts", callbacks=[Stop(3 * planned + 1)], **changes).run(pairs, pairs)
    resumed = trainer(tmp_path / "parts", **changes)
    again = resumed.run(pairs, pairs, resume=True).history
    assert [entry["learning_rate"] for entry in again] == rates
    for one, other in zip(weights(whole), weights(resumed), strict=True):
        np.testing.assert_array_equal(one, other)
