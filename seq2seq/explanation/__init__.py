"""What went on in the network during one translation, as plain data with a JSON form.

It names the axes, counts what follows from the numbers alone, and turns all of it into text and back; it does not know
how the numbers came about. docs/explanation.md describes every field.
"""

from __future__ import annotations

from seq2seq.explanation.beam import Last, Node, tree
from seq2seq.explanation.influence import Influence, rank_correlation
from seq2seq.explanation.memory import CELL, DIRECTIONS, Cells, Gradient, half_life, saturated
from seq2seq.explanation.trace import VERSION, Explanation, ExplanationError

__all__ = [
    "CELL",
    "DIRECTIONS",
    "VERSION",
    "Cells",
    "Explanation",
    "ExplanationError",
    "Gradient",
    "Influence",
    "Last",
    "Node",
    "half_life",
    "rank_correlation",
    "saturated",
    "tree",
]
