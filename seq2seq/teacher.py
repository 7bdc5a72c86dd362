"""What a teacher would say: the pieces that a better model holds likely at each step of the training text.

It owns how that is asked and kept, batch by batch; it does not know where the teacher comes from or how much it counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from seq2seq import batches
from seq2seq.batches import BARE, Batch, Pairs, Side
from seq2seq.tokenizer import PAD

PIECES, SHARES = "teacher_pieces", "teacher_shares"
KEPT = 16
"""Pieces a step; what is left of the probability goes to these in proportion."""
BATCH_TOKENS = 2400


class Opinions:
    """The likely next pieces at every target position, ready to be given to batches, as a `batches.Hint`.

    Arguments:
        pieces: the likeliest pieces at each position of all targets, one target after the other, (N, `KEPT`).
        shares: their probabilities, each row summing to 1, (N, `KEPT`).
        places: of every pair the rows of `pieces` that are about its target.
    """

    def __init__(self, pieces: np.ndarray, shares: np.ndarray, places: Side) -> None:
        self._pieces, self._shares, self._places = pieces, shares, places

    @property
    def signature(self) -> Mapping[str, tf.TensorSpec]:
        shape = (None, None, self._pieces.shape[1])
        return {PIECES: tf.TensorSpec(shape, tf.int32), SHARES: tf.TensorSpec(shape, tf.float32)}

    def take(self, rows: np.ndarray) -> Opinions:
        """Those about the targets of these rows, in their order."""
        return Opinions(self._pieces, self._shares, self._places.take(rows))

    def of(self, rows: np.ndarray, batch: Batch) -> Mapping[str, np.ndarray]:
        """Pieces and shares, (B, T, `KEPT`) each; at padding they mean nothing."""
        places = np.zeros(batch.target_out.shape, np.int64)
        places[batch.target_out != PAD] = self._places.take(rows).ids
        return {PIECES: self._pieces[places].astype(np.int32), SHARES: self._shares[places].astype(np.float32)}


def opinions(pieces: np.ndarray, shares: np.ndarray, pairs: Pairs) -> Opinions:
    """What `ask` gave for these pairs, as a hint for their batches."""
    return Opinions(pieces, shares, Side(np.arange(len(pieces)), pairs.target.starts))


def ask(
    network: Any, pairs: Pairs, *, progress: Callable[[int], None] = lambda done: None
) -> tuple[np.ndarray, np.ndarray]:
    """What a network holds likely before every target piece, the reference up to it given; without dropout.

    Args:
        network: a `Seq2Seq` or an `Ensemble`.
        pairs: text as ids.
        progress: called with the number of pairs done.

    Returns:
        `pieces` and `shares` of `Opinions`, in uint16 (int32 for a vocabulary over 65,536) and float16.

    Source: Kim and Rush 2016 (Sequence-Level Knowledge Distillation), 3.1, word-level distillation.
    """

    @tf.function(input_signature=list(BARE[:2]), autograph=False)
    def likely(source: tf.Tensor, before: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        memory, state = network.encode(source)
        scores = network.decode(before, state, memory).logits
        best, pieces = tf.math.top_k(scores, KEPT)
        return pieces, tf.nn.softmax(best)

    places = Side(np.arange(len(pairs.target.ids)), pairs.target.starts)
    pieces = np.zeros((len(places.ids), KEPT), np.int32)
    shares = np.zeros((len(places.ids), KEPT), np.float16)
    done = 0
    for rows in batches.plan(pairs, BATCH_TOKENS):
        batch = batches.batch(Pairs(pairs.source, pairs.target), rows)
        there, mine = batch.target_out != PAD, places.take(rows).ids
        likeliest, probabilities = likely(batch.source, batch.target_in)
        pieces[mine], shares[mine] = likeliest.numpy()[there], probabilities.numpy()[there]
        done += len(rows)
        progress(done)
    small = pieces.max(initial=0) <= np.iinfo(np.uint16).max
    return pieces.astype(np.uint16) if small else pieces, shares
