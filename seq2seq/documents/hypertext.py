"""HTML and XHTML: the text between tags; every tag, attribute, comment and script stays as it is written.

It knows elements; it knows neither encodings nor translators.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser

from seq2seq.documents.inline import Token, nest, render
from seq2seq.documents.units import Element, Node, Part, Unit, has_words, hold, reflow, text_of, writable

_INLINE = (
    "a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd mark nobr q s samp small span strike"
    " strong sub sup time tt u var wbr svg math"
)
INLINE = frozenset(_INLINE.split())
"""Elements that stand inside a sentence; any other ends it."""
_KEPT = "script style code pre textarea kbd samp var svg math template noscript"
KEPT = frozenset(_KEPT.split())
"""Elements whose text is no language."""
_VOID = "area base br col embed hr img input link meta param source track wbr"
VOID = frozenset(_VOID.split())
_CELLS, _TERMS = ("td", "th", "tr", "tbody", "tfoot"), ("dt", "dd")
_BLOCKS = (
    "address article aside blockquote details dialog div dl fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 "
    "header hgroup hr main menu nav ol p pre search section table ul"
)
ENDED_BY = {
    "li": ("li",),
    "option": ("option", "optgroup"),
    "p": tuple(_BLOCKS.split()),
    "tr": _CELLS[2:],
    **dict.fromkeys(_TERMS, _TERMS),
    **dict.fromkeys(_CELLS[:2], _CELLS),
}
"""Elements whose end tag may be left out, and what begins behind them then."""
_CHARSET = re.compile(rb"""<meta[^>]+charset\s*=\s*["']?\s*([\w-]+)""", re.IGNORECASE)
_MEANT = {
    **dict.fromkeys(("iso-8859-1", "latin1", "ascii", "us-ascii"), "windows-1252"),
    **dict.fromkeys(("gb2312", "gb_2312-80"), "gbk"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis"), "cp932"),
}
"""Names of encodings on pages for which browsers read a larger one (WHATWG, "Encoding")."""
_UNUSED = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
"""What is no character of windows-1252."""
_XML_ENCODING = re.compile(rb"""^\s*<\?xml[^>]*encoding\s*=\s*["']([\w-]+)""")


def charset(data: bytes) -> str | None:
    """The encoding that the page names."""
    if found := _XML_ENCODING.search(data[:200]):
        return found[1].decode("ascii")
    if not (found := _CHARSET.search(data[:4096])):
        return None
    named = found[1].decode("ascii")
    meant = _MEANT.get(named.lower(), named)
    return named if meant == "windows-1252" and _UNUSED.search(data) else meant


def page(text: str) -> Iterator[Part]:
    """Its paragraphs, headings, cells, titles."""
    events = _Events(text).events
    if not events:
        yield text
        return
    ends = [event.start for event in events[1:]] + [len(text)]
    if events[0].start:
        yield text[: events[0].start]
    waiting: list[Token] = []
    outside: Counter[str] = Counter()  # open elements by their names
    kept: _Kept | None = None
    for event, end in zip(events, ends, strict=True):
        raw = text[event.start : end]
        if kept:
            if not kept.ends_before(event, outside):
                kept.take(event)
                if not kept.names:
                    waiting.append(Token("atom", text[kept.start : end]))
                    kept = None
                continue
            waiting.append(Token("atom", text[kept.start : event.start]))
            kept = None
        keeps = event.kind == "open" and event.keeps
        if event.kind in ("open", "close") and not keeps:
            outside[event.name] = max(0, outside[event.name] + (1 if event.kind == "open" else -1))
        if keeps:
            if event.name not in INLINE:
                yield from _paragraph(waiting)
                waiting = []
            kept = _Kept(event)
        elif event.kind in ("open", "close", "atom") and event.name not in INLINE and event.name:
            yield from _paragraph(waiting)
            waiting = []
            yield raw
        else:
            waiting.append(Token(event.kind, raw, event.name))
    if kept:
        waiting.append(Token("atom", text[kept.start :]))
    yield from _paragraph(waiting)


class _Kept:
    """An element whose text stays, and what is open in it."""

    def __init__(self, event: _Event) -> None:
        self.start, self.names = event.start, [event.name]
        self._open = Counter(self.names)
        self._firm = 0  # those in it that only their own end tag ends

    def ends_before(self, event: _Event, outside: Counter[str]) -> bool:
        """Whether it has ended without an end tag, which HTML allows some."""
        if event.kind == "close":
            return not self._open[event.name] and outside[event.name] > 0
        return event.kind == "open" and not self._firm and event.name in ENDED_BY.get(self.names[0], ())

    def take(self, event: _Event) -> None:
        """An element in it begins or ends."""
        if event.kind == "open":
            self.names.append(event.name)
            self._open[event.name] += 1
            self._firm += event.name not in ENDED_BY
        elif event.kind == "close" and self._open[event.name]:
            name = ""
            while name != event.name:
                name = self.names.pop()
                self._open[name] -= 1
                self._firm -= bool(self.names) and name not in ENDED_BY


@dataclass(frozen=True)
class _Event:
    kind: str
    start: int
    name: str = ""
    keeps: bool = False


class _Events(HTMLParser):
    """What the parser of the standard library finds, with the place where each begins."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=False)
        self.events: list[_Event] = []
        self._lines = [0]
        for found in re.finditer("\n", text):
            self._lines.append(found.end())
        self.feed(text)
        self.close()

    def _add(self, kind: str, name: str = "", keeps: bool = False) -> None:
        line, column = self.getpos()
        self.events.append(_Event(kind, self._lines[line - 1] + column, name, keeps))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        keeps = tag in KEPT or values.get("translate") == "no" or "notranslate" in (values.get("class") or "").split()
        self._add("atom" if tag in VOID else "open", tag, keeps and tag not in VOID)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._add("atom", tag)

    def handle_endtag(self, tag: str) -> None:
        self._add("close", tag)

    def handle_data(self, data: str) -> None:
        self._add("text")

    def handle_entityref(self, name: str) -> None:
        self._add("text")

    def handle_charref(self, name: str) -> None:
        self._add("text")

    def handle_comment(self, data: str) -> None:
        self._add("atom")

    def handle_decl(self, decl: str) -> None:
        self._add("atom", "!doctype")

    def handle_pi(self, data: str) -> None:
        self._add("atom", "?pi")

    def unknown_decl(self, data: str) -> None:
        self._add("atom")


def _paragraph(tokens: Sequence[Token]) -> list[Part]:
    raw = "".join(token.raw for token in tokens)
    nodes = nest(Token("text", html.unescape(token.raw)) if token.kind == "text" else token for token in tokens)
    if not has_words(text_of(nodes)):
        return [raw] if raw else []
    start, end = len(raw) - len(raw.lstrip()), len(raw.rstrip())
    shown = "".join(token.raw if token.kind == "text" else hold(token.raw) for token in tokens)
    lines = shown[start:end].split("\n")
    indents = ["", *(line[: len(line) - len(line.lstrip())] for line in lines[1:])]
    ending = "\r\n" if "\r\n" in raw else "\n"
    flat = _flat(nodes)

    def write(translated: tuple[Node, ...]) -> str:
        texts = reflow(render(translated, _escaping(raw), held=True), [len(line.strip()) for line in lines])
        done = ending.join((indent + text).rstrip() for indent, text in zip(indents, texts, strict=True))
        return raw[:start] + done + raw[end:]

    return [Unit(flat, write)]


def _flat(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Line breaks are spaces in HTML."""
    found: list[Node] = []
    for node in nodes:
        if isinstance(node, str):
            found.append(re.sub(r"[\r\n\t]", " ", node))
        else:
            found.append(Element(node.payload, _flat(node.children)) if isinstance(node, Element) else node)
    return tuple(found)


def _escaping(raw: str) -> Callable[[str], str]:
    """Escapes what markup would be; a space that does not break is written as this page writes it."""
    space = next((form for form in ("&nbsp;", "&#160;", "&#xa0;", "&#xA0;") if form in raw), hold("\u00a0"))
    return lambda text: html.escape(writable(text), quote=False).replace("\u00a0", space)
