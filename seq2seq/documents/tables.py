"""Plain text, TSV and CSV: lines, or cells of chosen columns, with every quotation mark and separator kept.

It knows rows and columns; it knows neither encodings nor translators.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from seq2seq.documents.files import MAX_LINE, Lines
from seq2seq.documents.units import DocumentError, Part, Unit, has_words, plain

_SEPARATOR = re.compile(r"sep=(.)\r?\n")
"""A first line that tells Excel what divides the columns."""
_QUOTED = re.compile(r'"(?:[^"]|"")*"(?!")')
_OPENS = re.compile(r' *"')
_CLOSES = re.compile(r'(?:[^"]|"")*"(?!")')
FIRST = 1000
"""Most lines of the first row: what it is separated by is looked for in so many."""


def text(lines: Lines) -> Iterator[Part]:
    """Each line is a unit."""
    for line in lines:
        content = line.rstrip("\r\n")
        yield from _cell(content)
        yield line[len(content) :]


def tab_separated(lines: Lines, columns: Sequence[str] = ()) -> Iterator[Part]:
    """Cells of columns; there are no quotation marks."""
    chosen: Columns | None = None
    for line in lines:
        content = line.rstrip("\r\n")
        cells = content.split("\t")
        if chosen is None:
            chosen = Columns(columns, cells, lines)
            if chosen.named:
                yield line
                continue
        for index, cell in enumerate(cells):
            if index:
                yield "\t"
            yield from _cell(cell) if index in chosen.indices else [cell]
        yield line[len(content) :]


def comma_separated(lines: Lines, columns: Sequence[str] = ()) -> Iterator[Part]:
    """Cells of columns; the separator is what the first row has most of: comma, semicolon, tab or bar."""
    chosen: Columns | None = None
    first = _first(lines)
    said = _SEPARATOR.fullmatch(first)
    separator = said[1] if said else max(",;\t|", key=_QUOTED.sub("", first).count)
    rows = _rows(lines, separator)
    if said:
        yield next(rows)
    for row in rows:
        content = row.rstrip("\r\n")
        cells = _fields(content, separator)
        if chosen is None:
            chosen = Columns(columns, [_unquoted(cell) for cell in cells], lines)
            if chosen.named:
                yield row
                continue
        for index, cell in enumerate(cells):
            if index:
                yield separator
            yield from _field(cell, separator) if index in chosen.indices else [cell]
        yield row[len(content) :]


class Columns:
    """Which columns are translated: numbers from 1, or names in the first line, which then stays.

    Raises:
        DocumentError: there is no such column.
    """

    def __init__(self, wanted: Sequence[str], first: Sequence[str], lines: Lines) -> None:
        names = [cell.strip() for cell in first]
        numbers = [int(name) for name in wanted if name.isascii() and name.isdecimal() and name not in names]
        self.named = len(numbers) < len(wanted)
        self.indices = {number - 1 for number in numbers} or (set() if wanted else {0})
        for name in wanted:
            if name in names:
                self.indices.add(names.index(name))
            elif not (name.isascii() and name.isdecimal()) or not 1 <= int(name) <= len(names):
                must = f"A column must be a number from 1 to {len(names)}, or a name in the first line"
                raise DocumentError.at(must, lines.path, reason=repr(name))


def _first(lines: Lines) -> str:
    """The first row, or so many lines that it cannot be one."""
    found: list[str] = []
    marks = 0
    for line in lines:
        found.append(line)
        marks += line.count('"')
        if marks % 2 == 0 or len(found) == FIRST:
            break
    return "".join(found)


def _rows(lines: Lines, separator: str) -> Iterator[str]:
    """Lines joined where a line break stands in a field between quotation marks."""
    row: list[str] = []
    start = size = 0
    inside = False
    for number, line in enumerate(lines, start=1):
        start = start if row else number
        row.append(line)
        size += len(line)
        inside = _goes_on(line, inside, separator)
        if not inside:
            yield "".join(row)
            row, size = [], 0
        elif size > MAX_LINE:
            break
    if row:
        raise DocumentError.at("A quotation mark of a CSV file must have its partner", lines.path, start)


def _goes_on(line: str, inside: bool, separator: str) -> bool:
    """Whether a quoted field is still open where a line ends; only at the beginning of a field does a mark open one."""
    place = 0
    while True:
        if not inside and (opened := _OPENS.match(line, place)):
            inside, place = True, opened.end()
        if inside:
            closed = _CLOSES.match(line, place)
            if not closed:
                return True
            inside, place = False, closed.end()
        place = line.find(separator, place) + 1
        if not place:
            return False


def _fields(content: str, separator: str) -> list[str]:
    """The fields as they are written."""
    other = rf"[^{re.escape(separator)}]*"
    quoted = rf' *"(?:[^"]|"")*"(?!"){other}'
    return re.findall(rf"(?:^|(?<={re.escape(separator)}))({quoted}|{other})", content)


def _unquoted(field: str) -> str:
    bare = field.strip()
    return bare[1:-1].replace('""', '"') if _QUOTED.fullmatch(bare) else field


def _field(field: str, separator: str) -> list[Part]:
    content = _unquoted(field)
    if not has_words(content):
        return [field]
    quoted = content != field

    def write(translated: str) -> str:
        if quoted or any(mark in translated for mark in (separator, '"', "\n", "\r")):
            return '"' + translated.replace('"', '""') + '"'
        return translated

    return [Unit((content,), plain(write))]


def _cell(content: str) -> list[Part]:
    return [Unit((content,), plain(str)) if has_words(content) else content]
