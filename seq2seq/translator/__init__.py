"""Strings to translations: a text is split into sentences, which are encoded, searched, decoded and rejoined.

It owns what a user of the library holds in the hand; it does not know how the search is computed.
"""

from __future__ import annotations

from seq2seq.translator.attending import BOOST, MUTE
from seq2seq.translator.checks import FLAGS
from seq2seq.translator.scoring import Score
from seq2seq.translator.terms import Terms, TermsError
from seq2seq.translator.translating import TranslationError, Translator
from seq2seq.translator.translation import Candidate, Translation

__all__ = [
    "BOOST",
    "FLAGS",
    "MUTE",
    "Candidate",
    "Score",
    "Terms",
    "TermsError",
    "Translation",
    "TranslationError",
    "Translator",
]
