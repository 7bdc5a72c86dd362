"""What a user demands of a translation, in words: its beginning, words it must or must not say, a glossary.

It knows text and where a phrase stands in it as whole words; it does not know pieces, nor how demands are met.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from seq2seq.translator.text import is_spaceless, marks_beside

LARGEST = 1e38
"""What a number of 32 bits can hold."""


class TermsError(ValueError):
    """Demands that no translation can meet, or that hold no text."""


@dataclass(frozen=True)
class Terms:
    """What translations must and must not say.

        terms = Terms(forbidden=("Gebäude",), glossary={"house": "Haus"})
        translator("The house is red.", terms=terms)

    Whatever could not be met is named in the translation's `flags` and `warnings`. A text without words is not
    translated, so nothing is demanded of it.

    Arguments:
        prefix: what the translation begins with; the model goes on from there, and may go on with its last word. Of a
            text of several sentences it is the beginning of the first.
        required: words or phrases that the translation says, to the letter. Only for a text of one sentence: of
            several nobody could tell which must say them.
        forbidden: words or phrases that no sentence says, as written or with the other kind of first letter ("Haus"
            bans "haus"). They are banned as whole words, but by their pieces: a longer word that the tokenizer begins
            with the same pieces is banned too, one that it spells otherwise ("Hausboot" as one piece) is not.
        glossary: source words or phrases, and what they are called in the translation. Where one stands in a sentence
            as whole words, the sentence's translation must say the other, to the letter and at least once. A source
            term in small letters fits capitals too; one with capitals only itself. A term inside a longer one that
            fits does not count.
        protect: whether what is no language is kept as it is: URLs, e-mail addresses, numbers with decimals or units,
            placeholders such as {name}, %s and $VAR, and tags such as <b>. A sentence is searched again only where one
            of them was lost; see `seq2seq.translator.spans`.
        attend: source words or phrases, or positions of source pieces, and what is added to the attention scores of
            their pieces wherever they stand: `MUTE` hides a word from attention, `BOOST` makes its weight ten times as
            large. A word in small letters fits capitals too. A position counts in every sentence of a text.

    Required words and glossaries widen the beam, up to 16, and cannot be drawn at random: they need search without a
    temperature.

    Raises:
        TermsError: a phrase without text, one that is both demanded and forbidden, or attention that is no number.
    """

    prefix: str = ""
    required: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    glossary: Mapping[str, str] = field(default_factory=dict)
    protect: bool = True
    attend: Mapping[str | int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.prefix, str):
            raise TermsError(f"A prefix must be a string. Received: {self.prefix!r:.40}")
        for name in ("required", "forbidden"):
            object.__setattr__(self, name, _phrases(name, getattr(self, name)))
        if not isinstance(self.glossary, Mapping):
            raise TermsError(f"A glossary must be a mapping. Received: {self.glossary!r:.40}")
        object.__setattr__(self, "attend", dict(map(_attended, dict(self.attend).items())))
        terms = {" ".join(_phrase("glossary term", each).split()): each for each in self.glossary}
        longest_first = sorted(terms, key=lambda term: (-len(term), term.islower()))  # "Turkey" before "turkey"
        targets = {each: _phrase("glossary term", self.glossary[terms[each]]) for each in longest_first}
        object.__setattr__(self, "glossary", targets)
        for demanded in (self.prefix, *self.required, *targets.values()):
            for banned in self.forbidden:
                if says(banned, demanded):
                    raise TermsError(
                        f"A phrase must not be demanded and forbidden at once. Received: {demanded!r} and {banned!r}"
                    )

    def called(self, sentence: str) -> tuple[str, ...]:
        """What the glossary demands of the translation of a sentence.

        >>> Terms(glossary={"house": "Haus", "house boat": "Hausboot"}).called("House boats, a house boat.")
        ('Hausboot', 'Haus')
        """
        if not self.glossary:
            return ()
        found = []
        sentence = _composed(sentence)
        folded = " ".join(sentence.casefold().split())  # looking here first makes a large glossary quick
        for term, target in self.glossary.items():
            if term.casefold() in folded:
                sentence, times = whole(term, any_case=term.islower()).subn("\0", sentence)
                found += [target] if times else []
        return tuple(dict.fromkeys(found))


def _composed(text: str) -> str:
    """Letters with their marks as one character each, as most text has them; names of files on a Mac do not."""
    return unicodedata.normalize("NFC", text)


def says(phrase: str, text: str) -> bool:
    """Whether a text holds the phrase as whole words, with whichever kind of first letter.

    >>> says("Haus", "Im haus."), says("Haus", "Ein Hausboot.")
    (True, False)
    """
    return any(whole(each).search(text) for each in either_case(phrase))


def either_case(phrase: str) -> tuple[str, ...]:
    """The phrase, and itself with its first letter small where it was a capital, or a capital where it was small."""
    return tuple(dict.fromkeys((phrase, phrase[:1].swapcase() + phrase[1:])))


@functools.lru_cache(maxsize=4096)
def whole(phrase: str, *, any_case: bool = False) -> re.Pattern[str]:
    """Finds a phrase as whole words, with any white space between them.

    In a script without spaces nothing tells where a word ends, so there a phrase is found inside longer ones too.
    """
    words = phrase.split()
    before = rf"(?<![\w{marks_beside(words[0][0])}])" if _is_word(words[0][0]) else ""
    after = rf"(?![\w{marks_beside(words[-1][-1])}])" if _is_word(words[-1][-1]) else ""
    return re.compile(before + r"\s+".join(map(re.escape, words)) + after, re.IGNORECASE if any_case else 0)


def _is_word(character: str) -> bool:
    is_mark = unicodedata.category(character).startswith("M")
    return (character.isalnum() or character == "_" or is_mark) and not is_spaceless(character)


def _phrases(name: str, phrases: Iterable[str]) -> tuple[str, ...]:
    if isinstance(phrases, str) or not isinstance(phrases, Iterable):
        raise TermsError(f"{name} must be several phrases, such as a tuple. Received: {phrases!r:.40}")
    return tuple(dict.fromkeys(_phrase(f"{name} phrase", each) for each in phrases))


def _attended(wanted: tuple[object, object]) -> tuple[str | int, float]:
    key, value = wanted
    if isinstance(key, int) and key < 0:
        raise TermsError(f"A position to attend to must be 0 or more. Received: {key}")
    if not isinstance(value, int | float) or not abs(value) < LARGEST:
        raise TermsError(f"What is added to attention must be a finite number. Received: {value!r:.40} for {key!r:.40}")
    return key if isinstance(key, int) else _phrase("word to attend to", key), float(value)


def _phrase(name: str, phrase: object) -> str:
    if not isinstance(phrase, str) or not phrase.strip():
        raise TermsError(f"A {name} must be text. Received: {phrase!r:.40}")
    return _composed(phrase.strip())
