"""Whole files in, the same structure out: only what people read in them is translated.

It owns which format a file has; how a text is translated is the translator's.
"""

from __future__ import annotations

from seq2seq.documents.files import opened
from seq2seq.documents.formats import SUFFIXES, Report, check, endings, translate
from seq2seq.documents.units import DocumentError

__all__ = ["SUFFIXES", "DocumentError", "Report", "check", "endings", "opened", "translate"]
