"""What is wrong with a finished translation of a sentence, as far as it shows without knowing the languages.

It knows text, pieces and attention; it does not know how a sentence is translated, nor what is done about a fault.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher

from seq2seq.tokenizer import Tokenizer
from seq2seq.translator import spans
from seq2seq.translator.text import is_spaceless, words

FLAGS = {
    "cut": "the limit on the length ended it",
    "empty": "nothing came out",
    "lost": "something that it must say is missing: a prefix, a required word or glossary term, a protected span",
    "forbidden": "it says a forbidden word",
    "repeats": "it says the same again and again, and the source does not",
    "copies": "it is the source itself, or nearly",
    "skips": "words of the source were hardly looked at, so they may be missing",
}
"""Names of faults and what each means, in the order in which a translation has them."""

UNUSABLE = frozenset({"cut", "empty", "repeats"})
"""Faults of which nothing can be learnt, and that no probability makes up for."""

LEAST_COVERAGE, LEAST_LETTERS, LENDING = 0.1, 4, 0.8
"""A word of so many letters whose attention sums to less than the first was skipped, unless the word before it got the
last or more: of "construction workers", which is one word in German, the first gets the attention for both.

Measured on test2016 of Multi30k, en-de, with a model of 8 M parameters and beam 5: 14 of 1,000 translations, of which
13 do leave something out (42 of 1,000 without the last rule), and 175 of 200 that were cut in the middle.
"""

_LONGEST_GROUP = 12
_NUMBER = re.compile(r"(?<!\d)\d{1,3}(?:([.,'’\u00a0\u202f ])\d{3})(?:\1\d{3})*(?!\d)")
"""A number with its thousands divided, which is one word; the same one again and again between spaces is none."""
_STUTTER = re.compile(r"([^\W\d_]{2,6}?)\1{3,}|([^\W\d_])\2{5,}")
_LEAST_COPIED_WORDS, _LEAST_COPIED_LETTERS, _ALIKE = 3, 12, 0.8


def repeats(text: str) -> int:
    """How many words only say again what stands right before them; 0 where that is ordinary language.

    Counted are a word said three times in a row, a group of words said twice in a row (four words of five the same
    are enough), three words said three times anywhere, and a syllable said four times inside a word. Of characters
    without spaces four must be the same again.

    >>> repeats("ein Hund und ein Hund und ein Hund"), repeats("sehr, sehr gut"), repeats("lalalalala")
    (5, 0, 4)
    """
    said = words(_NUMBER.sub(_undivided, text))
    spaceless = any(is_spaceless(word[0]) for word in said)
    most = 0
    for size in range(1, _LONGEST_GROUP + 1):
        run = 0
        for word, before in zip(said[size:], said, strict=False):
            run = run + 1 if word == before else 0
            most = max(most, run if run >= max(size - size // 5, 4 if spaceless else 2) else 0)
    if not spaceless:
        threes = Counter(zip(said, said[1:], said[2:], strict=False))
        most = max([most, *(3 * (count - 1) for count in threes.values() if count > 2)])
    stutters = (len(each[0]) // len(each[1] or each[2]) - 1 for each in _STUTTER.finditer(text.casefold()))
    return max([most, *stutters])


def _undivided(number: re.Match[str]) -> str:
    groups = number[0].split(number[1])
    return number[0] if number[1].isspace() and len(set(groups)) == 1 else "".join(groups)


def loops(source: str, text: str) -> bool:
    """Whether a translation says the same again and again, more than twice as much as the source does.

    >>> loops("Yes, yes, yes!", "Ja, ja, ja!"), loops("A dog.", "Ein Hund Hund Hund.")
    (False, True)
    """
    said = repeats(text)
    return said > 0 and said > 2 * repeats(source)


def copies(source: str, text: str) -> bool:
    """Whether a translation is the source itself, or nearly: four words of five in the same order.

    Names, numbers and interjections rightly stay as they are, so a sentence is judged only if it has three words that
    begin with a small letter (or in a script without capitals), twelve letters together.

    >>> copies("the cat sat on a mat", "the cat sat on the mat"), copies("Oh, New York!", "Oh, New York!")
    (True, False)
    """
    source, text = spans.without(source), spans.without(text)
    real = [word for word in re.findall(r"[^\W\d_]+", source) if not word[0].isupper()]
    if len(words(" ".join(real))) < _LEAST_COPIED_WORDS or sum(map(len, real)) < _LEAST_COPIED_LETTERS:
        return False
    pair = words(source), words(text)
    if 2 * len(set(pair[0]) & set(pair[1])) < len(set(pair[0])):
        return False
    return SequenceMatcher(None, *pair, autojunk=False).ratio() >= _ALIKE


def skipped(tokenizer: Tokenizer, source: Sequence[int], coverage: Sequence[float]) -> list[str]:
    """Words of the source that were hardly looked at; see `LEAST_COVERAGE`.

    Arguments:
        tokenizer: that of the source.
        source: its pieces.
        coverage: attention that each got in all.
    """
    found: list[tuple[list[int], float]] = []
    for number, piece, seen in zip(source, tokenizer.pieces(source), coverage, strict=False):
        if piece.startswith("▁") or not found:
            found.append(([], 0.0))
        ids, total = found.pop()
        found.append(([*ids, number], total + seen))
    before = [0.0, *(total for _, total in found)]
    low = [
        re.sub(r"^\W+|\W+$", "", tokenizer.decode(ids))
        for (ids, total), lent in zip(found, before, strict=False)
        if total < LEAST_COVERAGE and lent < LENDING
    ]
    return [word for word in low if sum(map(str.isalpha, word)) >= LEAST_LETTERS]
