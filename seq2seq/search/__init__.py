"""Beam search over `step(tokens, state, memory) -> Step(logits, attention, state)`.

It owns which hypotheses are kept, how they are ranked and when to stop; it knows no Keras and no model, only a
function that scores the next piece.
"""

from __future__ import annotations

from seq2seq.search.beam import beam_search
from seq2seq.search.constraints import LONGEST_REPEAT, Constraints
from seq2seq.search.sampling import Sampling
from seq2seq.search.state import BOS, EOS, NEVER, PAD, UNK, Hypotheses, Options, Record, Sources, Step

__all__ = [
    "BOS",
    "EOS",
    "LONGEST_REPEAT",
    "NEVER",
    "PAD",
    "UNK",
    "Constraints",
    "Hypotheses",
    "Options",
    "Record",
    "Sampling",
    "Sources",
    "Step",
    "beam_search",
]
