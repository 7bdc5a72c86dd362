"""Captions of SRT and WebVTT: their text is translated, each with as many lines as before; time codes stay.

It knows captions; it knows neither encodings nor translators.
"""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from seq2seq.documents.files import Lines
from seq2seq.documents.inline import Token, nest, render
from seq2seq.documents.units import DocumentError, Node, Part, Unit, has_words, reflow, text_of

_TIMES = re.compile(
    r"\s*(?:\d+:)?\d{1,2}:\d{2}[,.]\d{1,3}\s*-->\s*(?:\d+:)?\d{1,2}:\d{2}[,.]\d{1,3}(?:\s.*)?", re.DOTALL
)
_MARKUP = re.compile(r"<(?P<close>/)?(?P<name>[A-Za-z]+)[^<>]*>|<[\d:.]+>|\{\\[^{}]*\}")
_SPEAKER = re.compile(r"\s*[-–—]\s*\S")
_ASIDE = re.compile(r"(?:NOTE|STYLE|REGION)(?:\s|$)")
_ENDED = re.compile(r"""[.!?…:;。！？♪][\s"'”’»)\]]*$""")
_FILLER = "\u00a0"
MOST_JOINED = 4
"""Most captions that are translated as one sentence."""

Line = tuple[str, str]
"""What is said in a line, and what stands in the file before the next one that is said."""


def srt(lines: Lines) -> Iterator[Part]:
    """A number, the times, the text, a blank line."""
    for piece in _sentences(_pieces(lines, headed=False)):
        yield from [piece] if isinstance(piece, str) else _speech(piece, str, str)


def vtt(lines: Lines) -> Iterator[Part]:
    """A first line WEBVTT; notes, styles and regions stay."""
    for piece in _sentences(_pieces(lines, headed=True)):
        yield from [piece] if isinstance(piece, str) else _speech(piece, _escape, html.unescape)


def _escape(text: str) -> str:
    return html.escape(text, quote=False)


def _pieces(lines: Lines, *, headed: bool) -> Iterator[str | list[str]]:
    """Lines that stay, and lists of lines that are one speech."""
    found = False
    for number, block in _blocks(lines):
        times = next((place for place, line in enumerate(block) if "-->" in line), None)
        if number == 1 and headed:
            if not block[0].startswith("WEBVTT"):
                raise DocumentError.at("The first line of a WebVTT file must be WEBVTT", lines.path, 1)
            yield from block if times is None else block[: times + 1]
            block = [] if times is None else block[times + 1 :]
        elif times is None and (_ASIDE.match(block[0]) or not found):
            if not headed and any(map(has_words, block)):
                raise DocumentError.at("A caption must begin with its times", lines.path, number)
            yield from block
            block = []
        elif times is not None:
            if not _TIMES.fullmatch(block[times]):
                must = "The times of a caption must look like 00:00:01,000 --> 00:00:02,500"
                raise DocumentError.at(must, lines.path, number + times, repr(block[times].strip()[:40]))
            found = True
            yield from block[: times + 1]
            block = block[times + 1 :]
        yield from _speeches(block)


def _sentences(pieces: Iterable[str | list[str]]) -> Iterator[str | list[Line]]:
    """Speeches in a row are one where the first ends within a sentence and the next goes on with a small letter."""
    waiting: list[Line] = []
    captions = 0
    for piece in pieces:
        if isinstance(piece, str):
            if waiting:
                waiting[-1] = waiting[-1][0], waiting[-1][1] + piece
            else:
                yield piece
            continue
        said = [(line.rstrip("\r\n"), line[len(line.rstrip("\r\n")) :]) for line in piece]
        captions += 1
        if waiting and not (captions <= MOST_JOINED and _goes_on(waiting[-1][0], said[0][0])):
            yield waiting
            waiting, captions = [], 1
        waiting += said
    if waiting:
        yield waiting


def _goes_on(line: str, following: str) -> bool:
    marked = _MARKUP.search(line) or _MARKUP.search(following)
    return has_words(line) and not marked and not _ENDED.search(line) and following.lstrip()[:1].islower()


def _blocks(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Lines without a blank one between, with the blank ones behind them, and the number of the first."""
    block: list[str] = []
    first = ended = 0
    for number, line in enumerate(lines, start=1):
        if ended and line.strip():
            yield from _captions(first, block)
            block, ended = [], 0
        first = first if block else number
        ended = ended or not line.strip()
        block.append(line)
    if block:
        yield from _captions(first, block)


def _captions(first: int, block: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Captions that stand one under the other without a blank line, each with its number, if it has one."""
    times = [place for place, line in enumerate(block) if _TIMES.fullmatch(line)]
    begins = [place - block[place - 1].strip().isdecimal() for place in times[1:]]
    for start, end in itertools.pairwise([0, *begins, len(block)]):
        yield first + start, block[start:end]


def _speeches(block: Sequence[str]) -> Iterator[str | list[str]]:
    """Lines that are one text; a dash begins the words of another speaker, and blank lines stay."""
    group: list[str] = []
    for line in block:
        if group and (not line.strip() or _SPEAKER.match(_MARKUP.sub("", line))):
            yield group
            group = []
        if line.strip():
            group.append(line)
        else:
            yield line
    if group:
        yield group


def _speech(lines: Sequence[Line], escape: Callable[[str], str], unescape: Callable[[str], str]) -> list[Part]:
    bare = [text for text, _ in lines]
    nodes = nest(_tokens(" ".join(bare), unescape))
    if not has_words(text_of(nodes)):
        return ["".join(map("".join, lines))]
    start = re.match(r"\s*[-–—]\s*", bare[0])
    dash = start[0] if start else ""
    if dash and isinstance(nodes[0], str):
        nodes = (nodes[0][len(dash) :], *nodes[1:])
    lengths = [len(text_of(nest(_tokens(line, unescape)))) for line in bare]

    def write(translated: tuple[Node, ...]) -> str:
        texts = reflow(render(translated, escape, held=True), lengths, filler=_FILLER)
        return dash + "".join(text + after for text, (_, after) in zip(texts, lines, strict=True))

    return [Unit(nodes, write)]


def _tokens(text: str, unescape: Callable[[str], str]) -> Iterator[Token]:
    place = 0
    for tag in _MARKUP.finditer(text):
        yield Token("text", unescape(text[place : tag.start()]))
        kind = "atom" if not tag["name"] else "close" if tag["close"] else "open"
        yield Token(kind, tag[0], (tag["name"] or "").lower())
        place = tag.end()
    yield Token("text", unescape(text[place:]))
