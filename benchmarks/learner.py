"""Our step of training, as `seq2seq train` takes it, and a process that learns by it.

    python learner.py SIZES THREADS PRECISION

It owns how that step is set up; how it is timed is its caller's.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import workers
from workers import Ids

from seq2seq import Seq2Seq, allocation, batches, config, optimizer, precision
from seq2seq.config import Config
from seq2seq.step import step_function
from seq2seq.tokenizer import EOS


def step(resolved: Config, vocabulary: int) -> tuple[Seq2Seq, Callable[..., Any]]:
    """A network with new weights, and what takes a step with the arrays of a batch."""
    allocation.keep_large_blocks()
    model = Seq2Seq(resolved.model, vocabulary, dtype=precision.policy(resolved.training.precision))
    adam = optimizer.adam(resolved.training, 1000)
    adam.build(model.trainable_variables)
    return model, step_function(model, adam, resolved.training)


def side(sentences: Sequence[Ids]) -> batches.Side:
    ended = [(*sentence, EOS) for sentence in sentences]
    return batches.Side.of(np.fromiter(itertools.chain.from_iterable(ended), np.int32), list(map(len, ended)))


def main(sizes: dict[str, Any], threads: int, kind: str) -> None:
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    vocabulary, dropout = sizes.pop("vocabulary"), sizes.pop("dropout")
    rates = dict.fromkeys(("embedding_dropout", "dropout", "readout_dropout"), dropout)
    masks = {"variational_dropout": False}  # drawn anew at each step, as the peers do
    model, take = step(config.build({"model": sizes | rates | masks, "training": {"precision": kind}}), vocabulary)

    def learn(pairs: list[tuple[Ids, Ids]]) -> float:
        source, target = map(side, zip(*pairs, strict=True))
        sums, _ = take(*batches.batch(batches.Pairs(source, target), np.arange(len(pairs))))
        return float(sums[0])

    workers.teach(learn, version=model.dtype_policy.name, parameters=model.count_params())


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
