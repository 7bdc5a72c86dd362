"""Markdown: the text of paragraphs, headings, lists and tables; code, links, HTML and front matter stay.

It knows what markdown-it says about lines, and marks inside them; it knows neither encodings nor translators.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from seq2seq.documents.inline import Token, nest, render
from seq2seq.documents.units import Element, Node, Part, Unit, has_words, reflow, text_of

_FRONT = re.compile(r"\ufeff?---[ \t]*\r?\n.*?\n(?:---|\.\.\.)[ \t]*(?:\r?\n|$)", re.DOTALL)
_MARK = re.compile(
    r"""(?P<task>^\[[ xX]\](?=\s))
    | (?P<code>(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`)) | (?P<math>\$\$?[^$\s](?:[^$]*[^$\s])?\$\$?(?!\w))
    | (?P<image>!\[[^\[\]]*\](?:\([^()\s]*(?:\s+"[^"]*")?\)|\[[^\[\]]*\])) | (?P<auto><[^<>\s][^<>]*>)
    | (?P<escape>\\[!-/:-@\[-`{-~]) | (?P<note>\[\^[^\[\]]+\]) | (?P<open>\[(?=[^\[\]]*\](?:\(|\[)))
    | (?P<close>\](?:\([^()]*(?:\([^()]*\)[^()]*)*\)|\[[^\[\]]*\])) | (?P<stress>\*{1,3}|(?<!\w)_{1,3}|_{1,3}(?!\w)|~~)
    """,
    re.VERBOSE | re.DOTALL,
)
_BREAK = re.compile(r" {2,}$|(?<!\\)((?:\\\\)*)\\$")
_HEADING = re.compile(r"#\s*$")
_SHORT = re.compile(r"(?<![!\]\\])\[([^\[\]]+)\](?:\[\])?(?![\[(:])")
_NUMBERED = re.compile(r"^(\d{1,9})([.)])(?=\s|$)")
_MARKED = re.compile(r"^(?=#{1,6}(?:\s|$)|[-+](?:\s|$)|>|~~~|=+\s*$|-{2,}\s*$)")
_SIGNS = re.compile(r"\\(?=[!-/:-@\[-`{-~\s]|$)|[*`]|(?<!\w)_|_(?!\w)|\](?=[(\[])|<(?=[A-Za-z/!?])")
_CELL = re.compile(r"((?:\\.|`[^`]*`|[^|\\`])+)")


def text(content: str) -> Iterator[Part]:
    """A Markdown file.

    Raises:
        ImportError: markdown-it-py is not installed.
    """
    from markdown_it import MarkdownIt

    front = _FRONT.match(content)
    start = front.end() if front else 0
    yield content[:start]
    body = content[start:]
    lines = list(io.StringIO(body, newline=""))
    known: dict[str, Any] = {}
    plain = "".join(re.sub(r"\r?\n$|\r$", "\n", line) for line in lines)
    tokens = MarkdownIt("commonmark").enable("table").parse(plain, known)
    targets = known.get("references", {})
    place = 0
    for first, end, contents in _runs(tokens):
        if first < place:
            continue
        yield from lines[place:first]
        run = lines[first:end]
        yield from _table(run, targets) if contents is None else _paragraph(run, contents, targets)
        place = end
    yield from lines[place:]


def _runs(tokens: Sequence[Any]) -> Iterator[tuple[int, int, list[str] | None]]:
    """Lines that hold text: the first, the one behind the last, and the text of each; None for a table."""
    depth = 0
    for token in tokens:
        if token.type == "table_open":
            depth += 1
            yield token.map[0], token.map[1], None
        elif token.type == "table_close":
            depth -= 1
        elif token.type == "inline" and not depth and token.map:
            yield token.map[0], token.map[1], token.content.split("\n")


def _paragraph(lines: list[str], contents: list[str], known: Mapping[str, Any]) -> list[Part]:
    """Text of several lines, with what stands before and behind it in each: bullets, quotation marks, hashes."""
    ends = [number for number, line in enumerate(contents, start=1) if _BREAK.search(line) and number < len(contents)]
    parts: list[Part] = []
    for start, end in itertools.pairwise([0, *ends, len(contents)]):
        parts += _passage(lines[start : end if end < len(contents) else None], contents[start:end], known)
    return parts


def _passage(lines: list[str], contents: list[str], known: Mapping[str, Any]) -> list[Part]:
    """A paragraph, or what of it stands between two breaks."""
    frames = []
    bare = [_BREAK.sub(r"\1", content) for content in contents]
    for line, content in zip(lines, bare, strict=False):
        place = line.find(content)
        if place < 0:
            return list(lines)
        frames.append((line[:place], line[place + len(content) :]))
    rest = lines[len(contents) :]  # the underline of a heading
    guards = [_same if _HEADING.search(before) else _guard for before, _ in frames]
    return [*_unit([_explicit(line, known) for line in bare], frames, guards=guards), *rest]


def _unit(
    contents: list[str],
    frames: list[tuple[str, str]],
    escape: Callable[[str], str] | None = None,
    guards: Sequence[Callable[[str], str]] = (),
) -> list[Part]:
    nodes = nest(_tokens(" ".join(contents)))
    if not has_words(text_of(nodes)):
        return ["".join(before + content + after for (before, after), content in zip(frames, contents, strict=True))]

    def write(translated: tuple[Node, ...]) -> str:
        texts = reflow(
            render(_without_empty_stress(translated), escape or _escape, held=True),
            [len(content) for content in contents],
            filler="\u00a0",
        )
        texts = [guard(text) for guard, text in zip(guards, texts, strict=True)] if guards else texts
        return "".join(before + text + after for (before, after), text in zip(frames, texts, strict=True))

    return [Unit(nodes, write)]


def _explicit(content: str, known: Mapping[str, Any]) -> str:
    """The links whose text is the name of their target get that name in addition, for the text will be another."""
    if not known:
        return content
    from markdown_it.common.utils import normalizeReference

    other = [found.span() for found in _MARK.finditer(content) if found.lastgroup not in ("open", "close", "stress")]

    def named(found: re.Match[str]) -> str:
        label = found[1]
        is_text = not any(start <= found.start() < end for start, end in other)
        is_link = is_text and has_words(label) and normalizeReference(label) in known
        return f"[{label}][{label}]" if is_link else found[0]

    return _SHORT.sub(named, content)


def _same(text: str) -> str:
    return text


def _guard(text: str) -> str:
    """The text of a line that could be taken for a heading, a list, a quotation or an underline, kept from that."""
    return _NUMBERED.sub(r"\1\\\2", text) if _NUMBERED.match(text) else _MARKED.sub(r"\\", text, count=1)


def _table(lines: list[str], known: Mapping[str, Any]) -> Iterator[Part]:
    for number, line in enumerate(lines):
        content = line.rstrip("\r\n")
        if number == 1:
            yield line
            continue
        for cell in _CELL.split(content):
            core = cell.strip()
            start = cell.index(core)
            frame = cell[:start], cell[start + len(core) :]
            yield from _unit([_explicit(core, known)], [frame], _escape_cell) if core else [cell]
        yield line[len(content) :]


def _tokens(content: str) -> Iterator[Token]:
    place = 0
    stress: list[str] = []
    for found in _MARK.finditer(content):
        yield Token("text", content[place : found.start()])
        place = found.end()
        raw = found[0]
        if found["escape"]:
            yield Token("text", raw[1:])
        elif found["open"]:
            yield Token("open", raw, "[")
        elif found["close"]:
            yield Token("close", raw, "[")
        elif found["stress"]:
            spaced = (
                content[: found.start()][-1:].isspace() or not found.start(),
                content[place : place + 1].isspace(),
            )
            if raw in stress and not spaced[0]:
                stress.remove(raw)
                yield Token("close", raw, raw)
            elif not spaced[1] and place < len(content):
                stress.append(raw)
                yield Token("open", raw, raw)
            else:
                yield Token("atom", raw)
        else:
            yield Token("atom", raw)
    yield Token("text", content[place:])


def _without_empty_stress(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Stars around nothing would be stars."""
    return tuple(
        node
        for node in nodes
        if not isinstance(node, Element) or node.payload[0].startswith("[") or text_of([node]).strip()
    )


def _escape_cell(text: str) -> str:
    return _escape(text).replace("|", "\\|")


def _escape(text: str) -> str:
    """Signs that would be markup."""
    return _SIGNS.sub(lambda found: "\\" + found[0], text)
