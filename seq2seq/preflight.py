"""The preflight: what must be true of a network before hours are spent on it, proven on a few of the user's own pairs.

It owns the checks and what a failed one says; it does not know text, the run folder or the training that follows.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import msgspec
import numpy as np
import tensorflow as tf

from seq2seq import batches, checkpoint, optimizer, precision
from seq2seq.batches import Batch, Pairs
from seq2seq.checkpoint import CheckpointError
from seq2seq.config import DROPOUTS, Config, TrainingConfig
from seq2seq.model import Seq2Seq
from seq2seq.step import step_function

PAIRS = 32
USUAL = 25
"""Pairs of at most so many pieces are taken where there are enough: learning by heart is the same, and quicker."""
STEPS, WARMUP = 1000, 30
SECONDS = 60.0
LEARNED = 0.1
"""Nats a piece at which pairs are known by heart; without its source the network could not guess them so well."""
SLOWEST = 0.25
"""Rates under this, divided by units, learn by heart too, but not while someone waits; they are tried at it."""
STANDSTILL = 0.05
JUDGED = 100
"""Steps after which what has not come half of the way is going nowhere."""
SPECIALS = 4

Logits = Callable[[np.ndarray, np.ndarray], np.ndarray]


class PreflightError(ValueError):
    """Something that a training would suffer from; the message says what to change."""


@dataclass(frozen=True)
class Report:
    """What was proven, and how long that took."""

    pairs: int
    steps: int
    likelihood: float
    """Negative log-likelihood a piece at the end, in nats."""
    seconds: float

    def __str__(self) -> str:
        heart = f"learns {self.pairs} pairs by heart in {self.steps} steps"
        if self.likelihood > LEARNED:
            so_far = f"{self.likelihood:.2f} nats a piece after {self.steps} steps"
            heart = f"is learning {self.pairs} pairs by heart ({so_far})"
        return (
            f"preflight, {self.seconds:.0f} seconds: the network {heart}, cannot see the future, ignores padding, "
            "reads the source, saves and loads"
        )


def check(resolved: Config, pairs: Pairs, vocabularies: tuple[int, int | None], *, seconds: float = SECONDS) -> Report:
    """Proves on a network of its own that one of this configuration can be trained on these pairs.

        1. it learns 32 pairs by heart: loss, gradients and learning rate work together
        2. its scores do not depend on later pieces of the target
        3. its scores do not depend on padding
        4. its scores depend on the source
        5. written to a file and read into another network, the weights give the same scores

    Arguments:
        resolved: the configuration; dropout, smoothing and R-Drop are left out of it, and all hints.
        pairs: what will be trained on.
        vocabularies: of source and target; None is one for both.
        seconds: most time for 1; a network too large for it need only be on its way.

    Raises:
        PreflightError: a check failed.
    """
    try:
        return _prove(resolved, pairs, vocabularies, seconds)
    finally:
        gc.collect()  # networks hold themselves in circles, and the memory is wanted for the training


def _prove(resolved: Config, pairs: Pairs, vocabularies: tuple[int, int | None], seconds: float) -> Report:
    begun = time.monotonic()
    chosen = choose(Pairs(pairs.source, pairs.target), resolved.training.seed)
    batch = batches.batch(chosen, np.arange(len(chosen)))
    config = msgspec.structs.replace(
        resolved.training,
        learning_rate=max(SLOWEST / resolved.model.units, resolved.training.learning_rate),
        warmup_steps=min(WARMUP, resolved.training.warmup_steps),
        schedule="constant",
        label_smoothing=0.0,
        r_drop=0.0,
    )

    def fresh() -> Seq2Seq:
        keras.utils.set_random_seed(resolved.training.seed)
        sizes = msgspec.structs.replace(resolved.model, **dict.fromkeys(DROPOUTS, 0.0))
        return Seq2Seq(sizes, *vocabularies, dtype=precision.policy(config.precision))

    model = fresh()
    learned = learn_by_heart(model, batch, config, seconds=seconds, steps=STEPS)
    if learned.failed:
        raise PreflightError(_advice(learned, fresh(), batch, config, seconds=seconds / 2))
    _refuse_standstill(resolved.training, pairs, learned)
    check_network(model, batch)
    check_file(model, fresh, batch)
    return Report(len(chosen), learned.steps, learned.likelihood, time.monotonic() - begun)


def choose(pairs: Pairs, seed: int, count: int = PAIRS) -> Pairs:
    """So many pairs, or all there are, of which no two share a source or a target.

    Raises:
        PreflightError: there are not even two.
    """
    if len(pairs) < 2:
        raise PreflightError(
            f"There must be two pairs to train on; look at training.max_tokens. Received: {len(pairs)}"
        )
    longest = np.maximum(pairs.source.lengths, pairs.target.lengths)
    order = np.random.default_rng(seed).permutation(len(pairs))
    seen: tuple[set[bytes], set[bytes]] = (set(), set())
    chosen = np.zeros(len(pairs), bool)
    for row in order[np.argsort(np.maximum(longest[order], USUAL), kind="stable")]:
        sides = pairs.source[row].tobytes(), pairs.target[row].tobytes()
        if sides[0] not in seen[0] and sides[1] not in seen[1]:
            chosen[row] = True
            seen[0].add(sides[0])
            seen[1].add(sides[1])
        if len(seen[0]) == count:
            break
    if len(seen[0]) < 2:
        raise PreflightError(
            "Different sources must have different targets; look whether the right files were given. "
            f"Received: {len(pairs):,} pairs with one source or one target"
        )
    return pairs.keep(chosen)


@dataclass(frozen=True)
class Learned:
    """How learning by heart went."""

    rate: float
    steps: int
    first: float
    likelihood: float
    in_time: bool

    @property
    def failed(self) -> bool:
        if self.likelihood <= LEARNED:
            return False
        return self.in_time or not self.likelihood < (self.first / 2 if self.steps >= JUDGED else self.first)


def learn_by_heart(model: Seq2Seq, batch: Batch, config: TrainingConfig, *, seconds: float, steps: int) -> Learned:
    """Trains on one batch until its pairs are known, or steps or time are used up, or it gets nowhere."""
    adam = optimizer.adam(config, steps)
    adam.build(model.trainable_variables)
    step = step_function(model, adam, config)
    begun, first, likelihood = time.monotonic(), 0.0, 0.0
    for number in range(1, steps + 1):
        sums = step(*batch)[0].numpy()
        likelihood = float(sums[1] / sums[2])
        first = likelihood if number == 1 else first
        lost = not np.isfinite(likelihood) or (number >= JUDGED and likelihood > 0.9 * first)
        if likelihood <= LEARNED or lost or (number > 1 and time.monotonic() - begun > seconds):
            break
    return Learned(config.learning_rate, number, first, likelihood, number == steps or lost)


def check_network(model: Seq2Seq, batch: Batch) -> None:
    """That the scores of a trained network depend on what they should and on nothing else.

    Raises:
        PreflightError: they do not.
    """
    logits, tolerance = _logits(model), _tolerance(model)
    there = batch.target_out != 0
    before = logits(batch.source, batch.target_in)
    middle = there.sum(axis=1, keepdims=True) // 2
    later = np.arange(there.shape[1]) > middle
    changed = np.where(later & (batch.target_in != 0), _another(batch.target_in, before.shape[-1]), batch.target_in)
    if (found := _apart(before, logits(batch.source, changed), there & ~later)) > tolerance:
        raise PreflightError(
            f"Scores must not depend on later pieces of the target; look at the decoder. Received: {found:.3g} apart"
        )
    wider = [np.pad(block, ((0, 0), (0, 2 * batches.STEP))) for block in batch[:2]]
    if (found := _apart(before, logits(*wider)[:, :, : before.shape[2]], there)) > tolerance:
        raise PreflightError(
            f"Scores must not depend on padding; look at the encoder and the attention. Received: {found:.3g} apart"
        )
    found = _apart(before, logits(np.roll(batch.source, 1, axis=0), batch.target_in), there)
    if found <= 2 * tolerance:
        raise PreflightError(
            "Scores must depend on the source; look at the attention and at what the decoder starts from. "
            f"Received: {found:.3g} apart with another source"
        )


def check_file(model: Seq2Seq, fresh: Callable[[], Seq2Seq], batch: Batch) -> None:
    """That weights survive a file.

    Raises:
        PreflightError: they do not.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        other = fresh()
        try:
            checkpoint.save(path, checkpoint.by_path(model.weights))
            checkpoint.assign(checkpoint.by_path(other.weights), checkpoint.load(path)[0])
        except CheckpointError as error:
            raise PreflightError(f"A network must be saved and loaded; look at the disk. {error}") from None
    saved, loaded = (_logits(each)(batch.source, batch.target_in) for each in (model, other))
    found = _apart(saved, loaded, batch.target_out != 0)
    if found > _tolerance(model):
        raise PreflightError(
            f"A loaded network must score as the saved one; look at what checkpoints hold. Received: {found:.3g} apart"
        )


def _refuse_standstill(config: TrainingConfig, pairs: Pairs, learned: Learned) -> None:
    """Refuses a rate so low that the whole training hardly moves a weight: no step of Adam is longer than the rate."""
    if config.learning_rate >= learned.rate:
        return
    steps = config.steps(len(batches.plan(pairs, config.batch_tokens)))
    if config.learning_rate * steps < STANDSTILL * learned.rate * learned.steps:
        raise PreflightError(
            "training.learning_rate must let the training move its weights; raise it, or training.epochs. Received: "
            f"{config.learning_rate:g} for {steps:,} steps, where {learned.steps} steps of {learned.rate:g} are usual "
            "for a few pairs"
        )


def _advice(learned: Learned, model: Seq2Seq, batch: Batch, config: TrainingConfig, *, seconds: float) -> str:
    """What to change where pairs were not learned, found by trying a lower rate."""
    lower = msgspec.structs.replace(config, learning_rate=learned.rate / 10)
    again = learn_by_heart(model, batch, lower, seconds=seconds, steps=STEPS // 2)
    advice = f"raise model.units or training.learning_rate, which is {config.learning_rate:g}"
    if not learned.likelihood < again.likelihood:
        advice = f"lower training.learning_rate, at {lower.learning_rate:g} it comes further"
    return (
        f"The network must learn {len(batch.source)} pairs by heart; {advice}. "
        f"Received: {learned.likelihood:.2f} nats a piece after {learned.steps} steps"
    )


def _logits(model: Seq2Seq) -> Logits:
    """Scores as translation computes them and as training does, (2, B, T, V)."""
    spec = tf.TensorSpec((None, None), tf.int32)

    @tf.function(input_signature=[spec, spec], autograph=False)
    def both(source, target):
        return tf.stack([model((source, target), training=training) for training in (False, True)])

    return lambda source, target: both(source, target).numpy()


def _apart(one: np.ndarray, other: np.ndarray, where: np.ndarray) -> float:
    """The greatest difference at these positions (B, T), in standard deviations of the scores."""
    one, other = one[:, where], other[:, where]
    return float(np.abs(one - other).max() / max(float(one.std()), 1e-9))


def _tolerance(model: Seq2Seq) -> float:
    return 2e-3 if model.dtype_policy.compute_dtype == "float32" else 0.1


def _another(ids: np.ndarray, vocabulary: int) -> np.ndarray:
    """The next piece after each, special ones left out."""
    return ((ids - SPECIALS + 1) % (vocabulary - SPECIALS) + SPECIALS).astype(ids.dtype)
