"""Text into sentences and back, every white space where it was.

It knows scripts, punctuation and white space; it does not know what happens to a sentence in between.
"""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import sentencex

# What carries no text: control characters that are no white space, lone surrogates, and two noncharacters that a
# swapped byte order leaves. The tokenizer removes the same.
_REMOVED = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_BYTE_ORDER_MARK = "\ufeff"
_BREAK = "\n\x0b\x0c\r\x1c-\x1e\x85\u2028\u2029"
_BREAKS = re.compile(f"[{_BREAK}]")
_BLOCKS = re.compile(f"([{_BREAK}\t]+)")
_WIDE_SPACES = dict.fromkeys((0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000), " ")

# Where a sentence that is too long is cut, best first: after a clause, after a comma or before a dash, at a space.
_CUTS = (
    re.compile(r"(?<=[.;:!?…)\]}»”])\s+|(?<=[。；：！？」』）])"),
    re.compile(r"(?<=,)\s+|\s+(?=[–—-]\s)|(?<=[，、])"),
    re.compile(r"\s+"),
)
_JOINER = "\u200d"

# Scripts that put no space between sentences: Thai and Lao, Burmese, Khmer, Chinese and Japanese with their
# punctuation, full-width forms.
_SPACELESS = (
    ("\u0e00", "\u0eff"),
    ("\u1000", "\u109f"),
    ("\u1780", "\u17ff"),
    ("\u2e80", "\u312f"),
    ("\u31a0", "\u9fff"),
    ("\uf900", "\ufaff"),
    ("\uff00", "\uffef"),
    ("\U00020000", "\U0003ffff"),
)
_RANGES = "".join(f"{first}-{last}" for first, last in _SPACELESS)
LETTER = rf"[^\W{_RANGES}]"
"""Regular expression of what a word goes on with: a letter or digit of a script with spaces, or _."""


@dataclass(frozen=True)
class Segment:
    """A sentence, or a part of one that is too long, without white space at its ends."""

    text: str
    """Empty only where white space stands before the first sentence."""
    gap: str
    """The white space between this and the next."""
    inside_word: bool = False
    """Whether the next part goes on in the middle of a word."""


def clean(text: str) -> tuple[str, int]:
    """The text without what is no text, and how many characters were removed (byte order marks are not counted).

    >>> clean("\\ufeffa\\x00b\\ud83d\\ude00\\ud800")
    ('ab😀', 2)
    """
    whole = _PAIR.sub(lambda pair: pair[0].encode("utf-16-le", "surrogatepass").decode("utf-16-le"), text)
    return _REMOVED.subn("", whole.replace(_BYTE_ORDER_MARK, ""))


def one_line(text: str) -> str:
    """The text without the line end it may have, and with a space for every line break inside it."""
    return _BREAKS.sub(" ", text.removesuffix("\n").removesuffix("\r"))


def primary(language: str) -> str:
    """The language of a code, without its region or script: "pt_BR" gives "pt"."""
    return language.replace("_", "-").partition("-")[0].lower()


def split(text: str, language: str) -> list[Segment]:
    """The sentences of a text; texts and gaps in a row are the text again.

    Line breaks and tabs always end a sentence, so that poems, lists and tables keep their form; within a line sentencex
    decides.

    >>> [(segment.text, segment.gap) for segment in split("Mr. Fox ran. He hid!\\n\\n", "en")]
    [('Mr. Fox ran.', ' '), ('He hid!', '\\n\\n')]
    """
    found: list[tuple[str, str]] = []
    for part in _parts(text, language):
        core = part.strip()
        if not core:
            before, gap = found.pop() if found else ("", "")
            found.append((before, gap + part))
            continue
        start = part.index(core)
        if start:
            before, gap = found.pop() if found else ("", "")
            found.append((before, gap + part[:start]))
        found.append((core, part[start + len(core) :]))
    return [Segment(core, gap) for core, gap in found]


def cut(segment: Segment, fits: Callable[[str], bool]) -> list[Segment]:
    """The segment in parts that fit, cut near the middle: at punctuation, else at a space, else between characters."""
    if len(segment.text) == 1 or fits(segment.text):
        return [segment]
    left, right = _halves(segment.text)
    gap = segment.text[len(left) : len(segment.text) - len(right)]
    first = Segment(left, gap, inside_word=not gap and not is_spaceless(left[-1]))
    return cut(first, fits) + cut(Segment(right, segment.gap, segment.inside_word), fits)


def join(segments: Sequence[Segment], texts: Sequence[str]) -> str:
    """Translations in the places of the segments they translate.

    White space stands as it stood. Sentences that touched (Chinese, Japanese, a forgotten space) get a space between
    their translations unless one of these is in a script that puts none.
    """
    parts = []
    for place, (segment, text) in enumerate(zip(segments, texts, strict=True)):
        parts += [text, segment.gap]
        following = texts[place + 1] if place + 1 < len(texts) else ""
        touching = text and following and not segment.gap and not segment.inside_word
        if touching and not is_spaceless(text[-1]) and not is_spaceless(following[0]):
            parts.append(" ")
    return "".join(parts)


def _parts(text: str, language: str) -> Iterator[str]:
    for block in _BLOCKS.split(text):
        if not block or block.isspace():
            yield block
        else:
            yield from _sentences(block, primary(language) or "en")


def _sentences(line: str, language: str) -> Iterator[str]:
    plain = line.translate(_WIDE_SPACES)  # a space of several bytes can make sentencex panic
    try:
        found = sentencex.segment(language, plain)
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # Rust's, and no Exception
            raise
        found = []
    if "".join(found) != plain:
        yield line
        return
    start = 0
    for sentence in found:
        yield line[start : start + len(sentence)]
        start += len(sentence)


def _halves(text: str) -> tuple[str, str]:
    middle = len(text) // 2
    for pattern in _CUTS:
        places = [place for place in pattern.finditer(text, len(text) // 4, 3 * len(text) // 4) if place.start()]
        if places:
            best = min(places, key=lambda place: abs(place.start() - middle))
            return text[: best.start()].rstrip(), text[best.start() :].lstrip()
    place = middle
    while place < len(text) - 1 and (_continues(text[place]) or text[place - 1] == _JOINER):
        place += 1
    place = middle if place == len(text) - 1 else place
    return text[:place], text[place:]


def _continues(character: str) -> bool:
    """Whether a character belongs to the one before it: accents, vowel signs, variation selectors, skin tones."""
    return (
        character == _JOINER or unicodedata.category(character)[0] == "M" or "\U0001f3fb" <= character <= "\U0001f3ff"
    )


def words(text: str) -> list[str]:
    """The words, in small letters, without punctuation; in a script without spaces each character is one.

    >>> words("Ja, das 走了!")
    ['ja', 'das', '走', '了']
    """
    found: list[str] = []
    for run in _words().findall(text.casefold()):
        found += filter(str.isalnum, run) if is_spaceless(run[0]) else [run]
    return found


@functools.cache
def marks() -> str:
    """Signs that belong to the letter before them, as vowels of Hindi do, for a class of `re`: its word has none."""
    codes = [code for code in range(0x300, 0x1F000) if unicodedata.category(chr(code)).startswith("M")]
    runs = itertools.groupby(enumerate(codes), key=lambda each: each[1] - each[0])
    ends = [[code for _, code in run] for _, run in runs]
    return "".join(f"{chr(run[0])}-{chr(run[-1])}" for run in ends)


@functools.cache
def marks_beside(character: str) -> str:
    """Those among them that follow letters of its script, which stand near it in Unicode, and accents."""
    first = ord(character) & ~0x7F
    near = [chr(code) for code in range(first, first + 0x80) if unicodedata.category(chr(code)).startswith("M")]
    return "\u0300-\u036f" + "".join(near)


@functools.cache
def _words() -> re.Pattern[str]:
    return re.compile(f"[{_RANGES}]+|(?:[^\\W{_RANGES}](?:(?![{_RANGES}])[{marks()}])*)+")


@functools.lru_cache(maxsize=4096)
def is_spaceless(character: str) -> bool:
    """Whether it is of a script that puts no space between words or sentences."""
    return any(first <= character <= last for first, last in _SPACELESS)
