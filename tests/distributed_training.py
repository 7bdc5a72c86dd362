"""One machine of a small run, without dropout unless asked, for tests; it writes weights and history to a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf

from seq2seq import checkpoint, distribution, guidance
from seq2seq.batches import Pairs, Side
from seq2seq.cli import errors
from seq2seq.config import ModelConfig, TrainingConfig
from seq2seq.distribution import Devices
from seq2seq.model import Seq2Seq
from seq2seq.training import Trainer
from tests.stopping import Stop

V = 12
RATES = ("dropout", "embedding_dropout", "readout_dropout")
SETTINGS = TrainingConfig(
    epochs=2, batch_tokens=60, warmup_steps=3, average=1, moving_average=0.5, accumulate=2, guided_attention=0.5
)


def corpus(count: int = 60) -> Pairs:
    """Short copies, linked, and one pair so long that it is a batch of its own: a device has nothing to do then."""
    random = np.random.default_rng(0)
    rows = [np.array([*random.integers(4, V, random.integers(1, 6)), 3], np.int32) for _ in range(count)]
    rows.append(np.array([*random.integers(4, V, 59), 3], np.int32))
    side = Side.of(np.concatenate(rows), [len(row) for row in rows])
    links = guidance.read([" ".join(f"{n}-{n}" for n in range(len(row) - 1)) for row in rows])
    table = np.arange(V) > 3
    return Pairs(side, side, (guidance.Links(links, (table, table)),))


def trainer(folder: Path, devices: Devices, callbacks=(), dropout: float = 0.0) -> Trainer:
    keras.utils.set_random_seed(1)
    with devices.scope():
        model = Seq2Seq(ModelConfig(embedding=5, units=8, **dict.fromkeys(RATES, dropout)), V)
    scores = iter(range(1, 100))
    return Trainer(
        model,
        SETTINGS,
        folder,
        evaluate=lambda _: {"bleu": float(next(scores))},
        callbacks=callbacks,
        devices=devices,
    )


def main(folder: Path, *, mirrored: bool = False, stop: tuple[int, int] | None = None, dropout: float = 0.0) -> None:
    """Trains in FOLDER; `mirrored` on two devices of this machine, else with the machines that TF_CONFIG names.

    Args:
        stop: a signal that this machine sends itself, and after how many batches.
        dropout: the share of all that is left out.
    """
    if mirrored:
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
        devices = Devices(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
    else:
        devices = distribution.connect(say=lambda line: None)
    made = trainer(folder, devices, [Stop(after=stop[1], number=stop[0])] if stop else [], dropout)
    standing = made.run(corpus(), corpus(), resume=True)
    arrays = {name: weight.numpy() for name, weight in checkpoint.by_path(made.model.weights).items()}
    state: dict[str, Any] = {"history": standing.history}
    if mirrored:
        seeds = [each.value for each in made.model.variables if each.path.endswith("seed_generator_state")]
        copies = [devices.strategy.experimental_local_results(seed) for seed in seeds]
        state["seeds"] = [[copy.numpy().tolist() for copy in each] for each in copies]
    checkpoint.save(folder / f"machine-{devices.machine}.safetensors", arrays, state)


def process(environment: Mapping[str, str], errors_to: Path, *arguments: Any, **keywords: Any) -> None:
    """`main` as a process of its own: an environment, errors as sentences in a file, an exit code."""
    os.environ.update(environment)
    with errors_to.open("w") as sys.stderr:
        os.dup2(sys.stderr.fileno(), 2)
        try:
            main(*arguments, **keywords)
        except Exception as error:
            sys.exit(errors.report(error))
