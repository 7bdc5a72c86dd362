"""The report of a training: a page to look at, and a card that says how good the model is.

It owns what is told and how it looks, of plain data; it does not know how a model is trained or run.
"""

from __future__ import annotations

from seq2seq.report.marks import Card, Test, mark
from seq2seq.report.page import Contents, write

__all__ = ["Card", "Contents", "Test", "mark", "write"]
