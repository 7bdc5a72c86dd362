"""The exceptions of the corpus package.

It owns what a user is told when a corpus cannot be used or written; it does not know why.
"""

from __future__ import annotations


class CorpusError(ValueError):
    """A corpus cannot be read or used: one sentence, with file and line."""


class LengthsError(CorpusError):
    """Two aligned files differ in length: told at their end, when all pairs before it have been read."""


class OutputError(ValueError):
    """The prepared corpus cannot be written; nothing half-written is left behind."""
