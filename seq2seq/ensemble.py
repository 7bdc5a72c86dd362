"""Several models that speak as one: `Ensemble`, with the encode, decode and trace of `Seq2Seq`.

It owns how the answers of its members become one; it does not know where they come from or what is done with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from seq2seq.attention import Memory
from seq2seq.decoder import Decoded
from seq2seq.lstm import State, Trace
from seq2seq.model import Seq2Seq

LEAST = 1.2e-38
"""What no mean of probabilities is said to be below: the smallest that float32 holds in full, so that log is finite."""


class Memories(NamedTuple):
    """What the members attend to, each to its own."""

    members: tuple[Memory, ...]
    mask: tf.Tensor
    """True at source tokens, False at padding, (B, S); the same for all."""


class Ensemble:
    """Models of one vocabulary that say the next piece together.

        p(piece) = mean over the members of softmax(logits)(piece)
        logits = log p
        attention = mean over the members

    A piece is likely if one member is sure of it; a mean of log-probabilities would ask for the consent of all, and
    translates as well (benchmarks/LOG.md). State and memory are tuples, one entry a member, so sizes may differ. The
    order of the members changes nothing but whose memory cells `trace` shows: the first one's.

    Arguments:
        members: models of the same V.

    Translating with an ensemble of LSTMs is from Sutskever, Vinyals and Le 2014.
    """

    def __init__(self, members: Sequence[Seq2Seq]) -> None:
        self.members = tuple(members)
        self.weights = [weight for member in members for weight in member.weights]

    def encode(
        self, source: tf.Tensor, *, present: tf.Tensor | None = None, bias: Any = ()
    ) -> tuple[Memories, tuple[tuple[State, ...], ...]]:
        """Source ids (B, S) to what each member attends to and starts from; see `Seq2Seq.encode`."""
        each = (member.encode(source, present=present, bias=bias) for member in self.members)
        memories, states = zip(*each, strict=True)
        return Memories(memories, memories[0].mask), states

    def decode(self, tokens: tf.Tensor, state: tuple[tuple[State, ...], ...], memory: Memories) -> Decoded:
        """The pieces before each step to the logarithm of the mean probability of the next; shapes as in `Decoder`."""
        each = zip(self.members, state, memory.members, strict=True)
        said = [member.decode(tokens, before, its) for member, before, its in each]
        probabilities = tf.add_n([tf.nn.softmax(one.logits) for one in said]) / len(said)
        attention = tf.add_n([one.attention for one in said]) / len(said)
        states: Any = tuple(one.state for one in said)
        return Decoded(tf.math.log(tf.maximum(probabilities, LEAST)), attention, states)

    def trace(
        self, source: tf.Tensor, tokens: tf.Tensor, state: tuple[tuple[State, ...], ...], memory: Memories
    ) -> tuple[list[list[Trace]], list[Trace]]:
        """See `Seq2Seq.trace`; the first member's, for the sizes of the others may differ."""
        return self.members[0].trace(source, tokens, state[0], memory.members[0])
