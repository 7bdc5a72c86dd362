"""Parallel text: read, clean, check and split; strings in, strings out.

It owns what happens to a corpus before a tokenizer sees it; it knows no tokens, no model and no settings file.

    >>> from seq2seq import corpus
    >>> corpus.normalise("  Hello,\\u00a0world!\\r\\n")
    'Hello, world!'
"""

from seq2seq.corpus.cleaning import Cleaning
from seq2seq.corpus.errors import CorpusError, OutputError
from seq2seq.corpus.heads import foreign
from seq2seq.corpus.preparation import ALIGNMENT, REPORT, Mixture, Prepared, prepare
from seq2seq.corpus.reading import check_pairs, contradiction, is_table, languages_from, read, refuse_table_beside
from seq2seq.corpus.report import Example, Finding, Report
from seq2seq.corpus.split import Holdout
from seq2seq.corpus.streams import refuse_missing
from seq2seq.corpus.text import fold_all, normalise

__all__ = [
    "ALIGNMENT",
    "REPORT",
    "Cleaning",
    "CorpusError",
    "Example",
    "Finding",
    "Holdout",
    "Mixture",
    "OutputError",
    "Prepared",
    "Report",
    "check_pairs",
    "contradiction",
    "fold_all",
    "foreign",
    "is_table",
    "languages_from",
    "normalise",
    "prepare",
    "read",
    "refuse_missing",
    "refuse_table_beside",
]
