"""Gettext catalogues: empty msgstr are filled, everything else stays to the byte.

It knows entries and quoted strings; it knows neither encodings nor translators.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

from seq2seq.documents import languages
from seq2seq.documents.units import DocumentError, Part, Unit, has_words, plain

_LINE = re.compile(
    r'(?P<key>msgctxt|msgid_plural|msgid|msgstr(?:\[(?P<form>\d+)\])?)?[ \t]*"(?P<text>(?:[^"\\]|\\.)*)"[ \t]*'
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_HEADER = re.compile(r'^msgid[ \t]+""[ \t]*\r?\n(?P<fields>msgstr(?:\s*"(?:[^"\\]|\\.)*")+)', re.MULTILINE)
_LANGUAGE = r"(?<![\w-]){}:[ \t]*(?P<code>[A-Za-z]{{2,3}})(?![A-Za-z])"
_CHARSET = re.compile(rb"charset=([\w-]+)")


def charset(data: bytes) -> str | None:
    """The encoding that the header names."""
    found = _CHARSET.search(data[:8192])
    return found[1].decode("ascii") if found and found[1] != b"CHARSET" else None


def check(text: str, path: Path, wanted: languages.Languages) -> None:
    """Refuses a catalogue whose header names other languages.

    Raises:
        DocumentError: it does.
    """
    header = _HEADER.search(text)
    if header is None:
        return
    for side, name in enumerate(("X-Source-Language", "Language")):
        if found := re.search(_LANGUAGE.format(name), header["fields"]):
            told = (found["code"], "") if side == 0 else ("", found["code"])
            line = text.count("\n", 0, header.start("fields") + found.start()) + 1
            languages.check(wanted, told, path, line)


def catalogue(text: str, path: Path) -> Iterator[Part]:
    """The singular fills msgstr and msgstr[0], the plural all other forms."""
    entry: dict[str, str] = {}
    key = ""
    waiting: list[tuple[str, str]] = []  # lines of a translation: the key, and the line
    for number, line in enumerate(io.StringIO(text, newline=""), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            yield from _translation(entry, waiting)
            entry, waiting, key = ({}, [], "") if "msgid" in entry and _has_string(entry) else (entry, [], key)
            yield line
            continue
        found = _LINE.fullmatch(stripped)
        if found is None or not (found["key"] or key):
            raise DocumentError.at('A line of a catalogue must be a comment, or a key and "text"', path, number)
        if found["key"]:
            if found["key"] in ("msgid", "msgctxt") and _has_string(entry):
                yield from _translation(entry, waiting)
                entry, waiting = {}, []
            key = found["key"]
            if key.startswith("msgstr") and "msgid" not in entry:
                raise DocumentError.at("A msgstr must come after its msgid", path, number)
            if key in entry:
                raise DocumentError.at(f"An entry must have one {key}", path, number)
        entry[key] = entry.get(key, "") + _unescaped(found["text"])
        if key.startswith("msgstr"):
            waiting.append((key, line))
        else:
            yield line
    yield from _translation(entry, waiting)


def _has_string(entry: dict[str, str]) -> bool:
    return any(key.startswith("msgstr") for key in entry)


def _translation(entry: dict[str, str], waiting: list[tuple[str, str]]) -> Iterator[Part]:
    """The lines of an entry's translation: as they are, unless all of it is empty."""
    empty = entry.get("msgid") and not any(entry[key] for key, _ in waiting)
    only = [key for key, _ in waiting if "[" in key] == ["msgstr[0]"]  # of a language without a singular
    for key, line in waiting:
        source = entry.get("msgid_plural", "") if "[" in key and (only or key != "msgstr[0]") else ""
        source = source or entry.get("msgid", "")
        if not empty or not has_words(source) or line.lstrip()[:1] == '"':
            yield line
            continue
        start, _, end = line.partition('""')
        yield start
        yield Unit((source,), plain(lambda text: f'"{_escaped(text)}"'))
        yield end


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), text)


def _escaped(text: str) -> str:
    names = {character: name for name, character in _ESCAPES.items()}
    return re.sub(r'[\n\t\r"\\\a\b\f\v]', lambda found: "\\" + names[found[0]], text)
