"""What a training will cost on this machine, from a few real steps of it.

It owns the stop-watch; it does not know what is decided by what it read.
"""

from __future__ import annotations

import gc
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass

import keras

from seq2seq import allocation, batches, optimizer
from seq2seq.batches import Pairs
from seq2seq.config import Config
from seq2seq.model import Seq2Seq
from seq2seq.optimizer import MovingAverage
from seq2seq.pipeline import material
from seq2seq.pipeline.budget import Cost
from seq2seq.pipeline.judge import VALIDATED, Judge
from seq2seq.pipeline.run import Run
from seq2seq.step import step_function

WARM, STEPS, SECONDS = 2, 40, 5.0
"""Steps that are not counted, the most that are, and how long is enough."""
SENTENCES = 16
"""Sentences of the validation set that are translated for a measurement."""

# Of parts that are not measured, in parts that are. A fresh network does not know when to end a translation.
FORWARD, SHORTER = 0.4, 0.5
ENGINES = 4.7
"""Greedy and beam search on both engines, in greedy searches of TensorFlow."""
COMPILED = 25
"""Graphs that are made besides that of the step: of validation, preflight, export and scoring."""
LOOP = 1.1
"""An epoch, in its steps alone: callbacks, checkpoints, sources that are split anew. On two cores it was 1.12."""
PREFLIGHT = 100 * 32 * 15
"""Target pieces that a preflight reads."""

Clock = Callable[[], float]


@dataclass(frozen=True)
class Pace:
    """How fast steps were."""

    compiling: float
    """Seconds of the first step, which is compiled."""
    piece: float
    """Seconds a target piece."""


def measure(run: Run, resolved: Config, *, clock: Clock = time.perf_counter) -> Cost:
    """What training this configuration costs on the data of a run, whose tokenizers must be its own."""
    sides = material.tokenizers(run, resolved)
    pairs, valid, _ = material.first_epoch(run, resolved, sides, _silence)
    test = len(run.pair("test", resolved)[0])
    allocation.keep_large_blocks()  # as in training

    def measured() -> tuple[Pace, float]:
        """Steps, and seconds a sentence of validation, of a network of its own."""
        keras.utils.set_random_seed(resolved.training.seed)
        model = material.network(resolved, sides)
        steps = pace(model, pairs, resolved, clock=clock)
        judge = Judge(run, resolved, sides[1], valid, most=SENTENCES)
        judge(model)
        begun = clock()
        judge(model)
        return steps, (clock() - begun) / min(SENTENCES, len(valid))

    try:
        steps, sentence = measured()
    finally:
        gc.collect()  # networks hold themselves in circles, and the next one wants the memory
    validated = min(VALIDATED, len(valid)) * sentence * SHORTER
    scored = ENGINES * (len(valid) + test) * sentence * SHORTER
    preflight = PREFLIGHT * steps.piece
    return Cost(
        epoch=int(pairs.target.lengths.sum()) * steps.piece * LOOP,
        validation=validated + int(valid.target.lengths.sum()) * FORWARD * steps.piece,
        around=COMPILED * steps.compiling + 2 * validated + scored + preflight,
        rate=1 / steps.piece,
    )


def pace(model: Seq2Seq, pairs: Pairs, resolved: Config, *, clock: Clock = time.perf_counter) -> Pace:
    """Compiles the training step and times some batches of the first epoch."""
    config = resolved.training
    plan = batches.plan(pairs, config.batch_tokens, seed=batches.epoch_seed(config.seed, 0))
    adam = optimizer.adam(config, len(plan) * config.epochs)
    adam.build(model.trainable_variables)
    average = MovingAverage(model.trainable_variables, config.moving_average) if config.moving_average else None
    step = step_function(model, adam, config, average=average, signature=pairs.signature)
    made = itertools.cycle(plan)
    seconds: list[float] = []
    pieces: list[float] = []
    while len(seconds) < WARM + 1 or (len(seconds) < WARM + STEPS and sum(seconds[WARM:]) < SECONDS):
        begun = clock()
        sums, _ = step(*batches.batch(pairs, next(made)))
        pieces.append(float(sums.numpy()[2]))
        seconds.append(clock() - begun)
    return Pace(seconds[0], sum(seconds[WARM:]) / sum(pieces[WARM:]))


def _silence(line: str) -> None:
    """What is left out of the pairs is said once, when training begins."""
