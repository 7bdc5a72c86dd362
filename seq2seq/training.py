"""The training loop: one compiled step, checkpoints, early stopping, resuming at an exact batch.

It owns the order of steps and what survives a crash; it does not know text, BLEU or how progress is shown.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from seq2seq import allocation, batches, checkpoint, divergence
from seq2seq.batches import Batch, Pairs
from seq2seq.config import TrainingConfig
from seq2seq.distribution import Devices
from seq2seq.model import Seq2Seq
from seq2seq.objective import perplexity
from seq2seq.optimizer import Gathered, MovingAverage, adam
from seq2seq.schedule import plateaus
from seq2seq.signals import StopSignals
from seq2seq.step import gather_function, likelihood_function, step_function

Evaluate = Callable[[Seq2Seq], dict[str, float]]

LATEST = "latest.safetensors"

TELLING = 1.0
"""A BLEU below this is chance, and tells less than the perplexity."""

STOP = threading.Event()
"""Set where a training runs in another thread than the main one, it stops it as SIGTERM would."""


class TrainingError(ValueError):
    """Training cannot start or go on."""


class Interrupted(Exception):
    """Someone asked training to stop; everything up to here is saved."""


@dataclass
class Standing:
    """Where training is; all that a resumed run must know besides the variables."""

    epoch: int = 0
    """Whole epochs done."""
    batch: int = 0
    """Batches of the running epoch done."""
    sums: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    """Loss, negative log-likelihood and target tokens of the running epoch."""
    judged: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    """`sums` when the running epoch was last found not to have unlearned."""
    seconds: float = 0.0
    """Time spent in training steps and in judging epochs, over all resumptions."""
    history: list[dict[str, float]] = field(default_factory=list)
    """One entry a finished epoch: loss, perplexity, valid_perplexity, bleu, learning_rate, tokens_per_second of its
    steps alone, and `seconds` when it had been judged."""

    def best(self, count: int) -> list[int]:
        """The epochs (from 1) with the highest BLEU, best first; by perplexity where it is equal or next to nothing."""

        def rank(epoch: int) -> tuple[float, float]:
            entry = self.history[epoch - 1]
            return -entry["bleu"] * (entry["bleu"] >= TELLING), entry["valid_perplexity"]

        return sorted(range(1, len(self.history) + 1), key=rank)[:count]


def valid_perplexity(likelihood: Callable[..., Any], pairs: Pairs, batch_tokens: int = 4000) -> float:
    """Perplexity a target piece over all pairs, without dropout or smoothing, by what `likelihood_function` made."""
    rows = batches.plan(pairs, batch_tokens)
    nats = sum(float(likelihood(*batches.batch(pairs, each)[:3])) for each in rows)
    return perplexity(nats, int(pairs.target.lengths.sum()))


class Trainer:
    """Trains a model on pairs, epoch by epoch, so that it can be stopped and continued anywhere.

    Arguments:
        model: what to train; its weights are overwritten when a checkpoint is resumed.
        config: the optimisation.
        folder: where checkpoints go: `latest.safetensors`, and `epoch-NN.safetensors` for the best epochs.
        evaluate: called after every epoch with the model; returns at least "bleu".
        resample: called with the number of an epoch (from 0), gives the pairs to train on in it; None means `train`.
        callbacks: Keras callbacks; batch logs hold loss, perplexity, gradient_norm, tokens; epoch logs the entry
            of the history. An epoch is the last one where one of them has set `model.stop_training`.
        devices: what the work is shared among; the model must have been made in their scope. The first machine
            writes files and calls `evaluate`.
    """

    def __init__(
        self,
        model: Seq2Seq,
        config: TrainingConfig,
        folder: Path,
        *,
        evaluate: Evaluate,
        resample: Callable[[int], Pairs] | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        devices: Devices | None = None,
    ) -> None:
        self.resample, self.devices = resample, devices or Devices()
        self.model, self.config, self.folder, self.evaluate = model, config, Path(folder), evaluate
        self.callbacks = keras.callbacks.CallbackList(list(callbacks), model=model)
        self.likelihood = likelihood_function(model)
        self.standing = Standing()

    def run(self, train: Pairs, valid: Pairs, *, resume: bool = False) -> Standing:
        """Trains to the end of the schedule or until BLEU has not risen for `patience` epochs.

        Raises:
            Interrupted: SIGINT or SIGTERM came, or STOP is set; a checkpoint was written.
            TrainingError: the loss or the gradient is no longer a number, or the perplexity is far above its best.
            CheckpointError: a checkpoint does not fit.
            DistributionError: another machine is gone, or does not read the same files.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        planned = len(self._plan(train, 0))
        steps = self.config.steps(planned)
        with self.devices.scope():
            self.optimizer = adam(self.config, steps)
            self.optimizer.build(self.model.trainable_variables)
            decay = self.config.moving_average
            self.average = MovingAverage(self.model.trainable_variables, decay) if decay else None
            self.gathered = Gathered(self.model.trainable_variables) if self.config.accumulate > 1 else None
        if resume and (self.folder / LATEST).exists():
            self._load()
        warm = -(-self.optimizer.schedule.warmup * self.config.epochs // steps)
        step = self._step(train.signature)
        with StopSignals() as stop, self.devices.watched():
            self.devices.check([steps, self.standing.epoch, self.standing.batch], "corpus and checkpoint")
            self.devices.spread(each for each in self.model.variables if each.path.endswith("seed_generator_state"))
            self.callbacks.on_train_begin({"epochs": self.config.epochs, "steps": planned * self.config.epochs})
            try:
                self._epochs(step, train, valid, stop, warm=warm)
            finally:
                self.callbacks.on_train_end({})
            self.devices.part()
        return self.standing

    def _epochs(self, step, train: Pairs, valid: Pairs, stop: StopSignals, *, warm: int) -> None:
        self.model.stop_training = False
        while self.standing.epoch < self.config.epochs and not self._stalled():
            self._lower(warm)
            self._epoch(step, train, stop, warm=warm)
            self._check_rise(warm, whole=True)
            self._finish_epoch(valid)
            if self.devices.any(stop.asked or STOP.is_set()):
                self.devices.part()
                raise Interrupted
            if self.devices.any(self.model.stop_training):
                break

    def averaged(self, epochs: Sequence[int]) -> dict[str, np.ndarray]:
        """The mean of the weights after these epochs (from 1), which must be among the best that are kept."""
        return checkpoint.average([self._file(epoch) for epoch in epochs])

    def _step(self, signature: Batch) -> Callable[..., Any]:
        """Called with a batch and whether it ends a group of `accumulate`, as the last one of an epoch does too."""
        step = step_function(
            self.model,
            self.optimizer,
            self.config,
            average=self.average,
            gathered=self.gathered,
            devices=self.devices,
            signature=signature,
        )
        if self.gathered is None:
            return lambda batch, ends: step(*batch)
        gather = gather_function(self.model, self.config, self.gathered, devices=self.devices, signature=signature)
        return lambda batch, ends: (step if ends else gather)(*batch)

    def _lower(self, warm: int) -> None:
        """Sets the learning rate of schedule "plateau"; the history alone decides, so a resumed run needs no more."""
        scale = self.optimizer.schedule.scale
        if scale is not None:
            perplexities = [entry["valid_perplexity"] for entry in self.standing.history]
            count = plateaus(perplexities, self.config.plateau_patience, warm=warm)
            scale.assign(self.config.plateau_factor**count)

    def _plan(self, pairs: Pairs, epoch: int) -> list[np.ndarray]:
        return batches.plan(pairs, self.config.batch_tokens, seed=batches.epoch_seed(self.config.seed, epoch))

    def _epoch(self, step, train: Pairs, stop: StopSignals, *, warm: int) -> None:
        now = self.standing
        train = self.resample(now.epoch) if self.resample else train
        plan = self._plan(train, now.epoch)
        self.callbacks.on_epoch_begin(now.epoch, {"batches": len(plan), "batch": now.batch})
        norm, saved = 0.0, (begun := time.monotonic())
        for batch in self.devices.dataset(train, plan[now.batch :]):
            allocation.keep_large_blocks()  # once more: TensorFlow 2.21 sets it back at the first dataset
            ends = (now.batch + 1) % self.config.accumulate == 0 or now.batch + 1 == len(plan)
            sums, length = step(batch, ends)
            sums, norm = sums.numpy().tolist(), float(length) if ends else norm
            if wrong := divergence.in_step(sums[0], float(length)):
                good = checkpoint.good([self.folder / LATEST])
                raise TrainingError(f"{wrong} in epoch {now.epoch + 1}, batch {now.batch + 1}; {good}")
            now.batch += 1
            now.sums = [a + b for a, b in zip(now.sums, sums, strict=True)]
            if now.batch % divergence.WINDOW == 0:
                self._check_rise(warm)
                now.judged = now.sums
            ended = time.monotonic()
            now.seconds, begun = now.seconds + ended - begun, ended
            logs = {"loss": now.sums[0] / now.sums[2], "perplexity": perplexity(now.sums[1], int(now.sums[2]))}
            own = {"batch_loss": sums[0] / sums[2], "batch_perplexity": perplexity(sums[1], int(sums[2]))}
            more = {"gradient_norm": norm, "tokens": sums[2], "seconds": now.seconds}
            self.callbacks.on_train_batch_end(now.batch - 1, logs | own | more)
            if self.devices.any(stop.asked or STOP.is_set()):
                self._save()
                self.devices.part()
                raise Interrupted
            if ended - saved > 60 * self.config.checkpoint_minutes:
                self._save()
                saved = begun = time.monotonic()

    def _finish_epoch(self, valid: Pairs) -> None:
        now = self.standing
        with self.average.in_place() if self.average else contextlib.nullcontext():
            entry = self.devices.told(lambda: self._judged(valid))
            now.history.append(entry)
            now.seconds = entry["seconds"]
            now.epoch, now.batch, now.sums, now.judged = now.epoch + 1, 0, [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
            if self.devices.chief and now.epoch in now.best(self.config.average):
                checkpoint.save(self._file(now.epoch), checkpoint.by_path(self.model.weights))
        self._save()
        self.callbacks.on_epoch_end(now.epoch - 1, entry)

    def _check_rise(self, warm: int, *, whole: bool = False) -> None:
        """Refuses to go on, or to keep anything, where an epoch, or its batches since the last look, has unlearned."""
        now = self.standing
        _, nats, pieces = now.sums if whole else (a - b for a, b in zip(now.sums, now.judged, strict=True))
        perplexities = [*(entry["perplexity"] for entry in now.history), perplexity(nats, int(pieces))]
        if wrong := divergence.in_epoch(perplexities, warm=warm, chance=float(self.model.decoder.bias.shape[0])):
            raise self._astray(wrong)

    def _astray(self, wrong: object) -> TrainingError:
        now = self.standing
        return TrainingError(f"{wrong} in epoch {now.epoch + 1}; {checkpoint.good(map(self._file, now.best(1)))}")

    def _judged(self, valid: Pairs) -> dict[str, float]:
        now, begun = self.standing, time.monotonic()
        try:
            scores = self.evaluate(self.model)
        except TrainingError as error:
            raise self._astray(error) from None
        return {
            "loss": now.sums[0] / now.sums[2],
            "perplexity": perplexity(now.sums[1], int(now.sums[2])),
            "valid_perplexity": valid_perplexity(self.likelihood, valid),
            **scores,
            "learning_rate": float(self.optimizer.learning_rate),
            "tokens_per_second": now.sums[2] / max(1e-9, now.seconds - sum(e["seconds"] for e in now.history[-1:])),
            "seconds": now.seconds + time.monotonic() - begun,
        }

    def _stalled(self) -> bool:
        best = self.standing.best(1)
        return bool(best) and self.standing.epoch - best[0] >= self.config.patience

    def _file(self, epoch: int) -> Path:
        return self.folder / f"epoch-{epoch:02d}.safetensors"

    def _variables(self) -> dict[str, Any]:
        # model.variables, not weights: the states of the dropout seeds are what makes a resumed run exact.
        more = [variable for each in (self.average, self.gathered) if each for variable in each.variables]
        return checkpoint.by_place([*self.model.variables, *self.optimizer.variables, *more])

    def _save(self) -> None:
        if not self.devices.chief:
            return
        checkpoint.save(self.folder / LATEST, self._variables(), asdict(self.standing))
        best = [self._file(epoch) for epoch in self.standing.best(self.config.average)]
        for file in self.folder.glob("epoch-*.safetensors"):
            if file not in best:
                file.unlink()

    def _load(self) -> None:
        arrays, state = checkpoint.load(self.folder / LATEST)
        checkpoint.assign(self._variables(), arrays)
        self.standing = Standing(**state)
