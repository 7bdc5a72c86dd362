"""Pairs out of TMX, the exchange format of translation memories.

It owns what the elements of TMX mean; it expands no entity, fetches nothing, and keeps no tree in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.parsers import expat

from seq2seq.corpus.blocks import ROWS, Block
from seq2seq.corpus.errors import CorpusError
from seq2seq.corpus.names import same
from seq2seq.corpus.streams import Stream

# Inside a segment these hold the native codes of a document, not text; <hi> and <mrk> hold text.
CODES = {"bpt", "ept", "it", "ph", "sub", "ut"}

Unit = tuple[int, dict[str, str]]


def read(stream: Stream, languages: tuple[str, str]) -> Iterator[Block]:
    """The pairs of one pair of languages; with empty names, those of the first unit that has two.

    A unit without one of the sides gives an empty text there.

    Raises:
        CorpusError: the file is not well-formed, is no TMX, declares entities, or has no pair of these languages.
    """
    parser = _Parser(stream.name)
    found = False
    while chunk := stream.read():
        parser.feed(chunk)
        languages = languages if any(languages) else parser.first_languages()
        while units := parser.take():
            block = _block(units, languages)
            found = found or any(source and target for source, target in zip(block.sources, block.targets, strict=True))
            yield block
    parser.close()
    if parser.languages and not found:
        wanted = " and ".join(languages) if any(languages) else "two languages"
        held = ", ".join(sorted(parser.languages))
        raise CorpusError(f"A TMX file must hold pairs in {wanted}. Received: {stream.name}:1 (it holds {held})")


def languages(stream: Stream) -> tuple[str, str]:
    """The two languages of the first unit that has two, the header's source language first; empty if there is none."""
    parser = _Parser(stream.name)
    while (chunk := stream.read()) and not any(parser.first_languages()):
        parser.feed(chunk)
    return parser.first_languages()


class _Parser:
    """Collects the translation units that stand in the bytes fed so far."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.languages: set[str] = set()
        self._units: list[Unit] = []
        self._header = ""
        self._first = ("", "")
        self._began = False
        self._segments: dict[str, str] = {}
        self._line = 0
        self._language = ""
        self._text: list[str] = []
        self._codes = 0
        self._expat = expat.ParserCreate()
        self._expat.buffer_text = True
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.EntityDeclHandler = self._entity

    def feed(self, chunk: bytes, last: bool = False) -> None:
        try:
            self._expat.Parse(chunk, last)
        except (expat.ExpatError, LookupError, ValueError) as error:
            if isinstance(error, CorpusError):
                raise
            detail = expat.ErrorString(error.code) if isinstance(error, expat.ExpatError) else str(error)
            place = f"{self.name}:{self._expat.ErrorLineNumber}"
            raise CorpusError(f"A TMX file must be well-formed XML. Received: {place} ({detail})") from None

    def close(self) -> None:
        if self._began:  # a file without a byte is reported as empty elsewhere
            self.feed(b"", last=True)

    def take(self) -> list[Unit]:
        units, self._units = self._units[:ROWS], self._units[ROWS:]
        return units

    def first_languages(self) -> tuple[str, str]:
        return self._first

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "tuv":
            self._language = attributes.get("xml:lang") or attributes.get("lang") or ""
        elif tag == "seg":
            self._text.clear()
            self._codes = 0
            self._expat.CharacterDataHandler = self._characters  # only here: most text is space between elements
        elif tag == "tu":
            self._segments, self._line = {}, self._expat.CurrentLineNumber
        elif tag in CODES:
            self._codes += 1
        elif tag == "header":
            self._header = attributes.get("srclang", "")
        elif not self._began and tag != "tmx":
            raise CorpusError(f"A TMX file must begin with <tmx>. Received: {self.name}:1 (<{tag[:40]}>)")
        self._began = True

    def _end(self, tag: str) -> None:
        if tag == "seg":
            self._expat.CharacterDataHandler = None
            if self._language:
                self._segments.setdefault(self._language, "".join(self._text))
        elif tag == "tu":
            self._units.append((self._line, self._segments))
            if not self.languages.issuperset(self._segments):
                self.languages.update(self._segments)
            if len(self._segments) > 1 and not self._first[0]:
                one, two, *_ = sorted(self._segments, key=lambda name: not same(name, self._header))
                self._first = (one, two)
        elif tag in CODES:
            self._codes -= 1

    def _characters(self, text: str) -> None:
        if not self._codes:
            self._text.append(text)

    def _entity(self, *_: object) -> None:
        place = f"{self.name}:{self._expat.CurrentLineNumber}"
        raise CorpusError(f"A TMX file must declare no entities. Received: {place}")


def _block(units: list[Unit], wanted: tuple[str, str]) -> Block:
    source, target = wanted
    return Block(
        [line for line, _ in units],
        [_segment(segments, source) for _, segments in units],
        [_segment(segments, target) for _, segments in units],
    )


def _segment(segments: dict[str, str], wanted: str) -> str:
    if wanted in segments:
        return segments[wanted]
    return next((text for name, text in segments.items() if wanted and same(name, wanted)), "")
