"""JSON: the strings that are values; keys, numbers, layout and what is no language stay.

It knows JSON; it knows neither encodings nor translators.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path

from seq2seq.documents.files import Lines
from seq2seq.documents.units import DocumentError, Part, Unit, has_words, plain

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_CODE = re.compile(
    r"(?=[!-~]+$)(?:[/.#@\\][\w/.:#@\\-]\S*|\S*\w[_/.:#@\\=]+[\w/]\S*)|[a-z]+[A-Z]\w*"
    r"|(?=\D*\d)(?=[\d-]*[A-Fa-f])[\dA-Fa-f]{4,}(?:-[\dA-Fa-f]{4,})*|(?:[A-Za-z]+\d+){2,}[A-Za-z]*|(?:\d+[A-Za-z]+){2,}\d*"
    r"|[a-z]{2,3}-(?:[A-Z]{2}|[A-Z][a-z]{3})"
)
"""Names, paths, addresses: a sign between two letters, or before the first, and no space. Letters between digits,
as in identifiers, and names of languages, such as en-US."""
_CHOICE = re.compile(r"[A-Z][a-z]+(?:/[A-Z][a-z]+)+")
_MESSAGE = re.compile(r"\{\s*\w+\s*,")
"""A message of ICU with its own grammar, such as {count, plural, ...}."""


def document(text: str, path: Path) -> Iterator[Part]:
    """One JSON value; in an ARB file fields whose names begin with @ stay."""
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 0)
        raise DocumentError.at(
            "A JSON file must be well formed", path, line, getattr(error, "msg", "too deep")
        ) from None
    yield from _values(text)


def records(lines: Lines) -> Iterator[Part]:
    """A JSON value in each line."""
    for line in lines:
        if line.strip():
            try:
                json.loads(line)
            except (ValueError, RecursionError):
                raise DocumentError.at("A line of a JSONL file must be JSON", lines.path, lines.count) from None
        yield from _values(line)


def _values(text: str) -> Iterator[Part]:
    place = depth = 0
    skipped: int | None = None  # the depth of the field whose value stays
    for found in re.finditer(rf"{_STRING.pattern}|[{{}}\[\],]", text):
        raw = found[0]
        if raw in "{[":
            depth += 1
        elif raw in "}]":
            depth -= 1
        if skipped is not None and depth <= skipped and raw in ",}]":
            skipped = None
        if not raw.startswith('"'):
            continue
        is_key = re.match(r"\s*:", text[found.end() : found.end() + 100]) is not None
        if is_key and skipped is None and raw.startswith('"@'):
            skipped = depth
        value = "" if is_key or skipped is not None else json.loads(raw)
        is_code = _CODE.fullmatch(value) and not _CHOICE.fullmatch(value)
        if not has_words(value) or is_code or _MESSAGE.search(value):
            continue
        yield text[place : found.start()]
        escaped = raw.isascii() and "\\u" in raw
        yield Unit((value,), plain(functools.partial(json.dumps, ensure_ascii=escaped)))
        place = found.end()
    yield text[place:]
