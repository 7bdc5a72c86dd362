"""Pairs out of TSV, CSV and JSONL.

It owns which column or field is the source and which the target; it knows neither files nor compression.
"""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from seq2seq.corpus.blocks import MALFORMED, ROWS, UNDECODABLE, Block, Fault, decode
from seq2seq.corpus.errors import CorpusError
from seq2seq.corpus.names import misunderstood, sides
from seq2seq.corpus.streams import Lines

QUOTED = re.compile(r'"(?:[^"]|"")*(?:"|$)')
CELL = re.compile(r'"(?:[^"]|"")*"')
SAMPLE = 100
"""Lines that tell what the columns of a CSV file are divided by."""
LONGEST_ROW = 50
"""Lines that a row of a CSV file may run over: what is longer is no text of two sentences."""


class Columns(NamedTuple):
    """Where the two sides lie, and how many rows there are up to the names of the columns."""

    source: int
    target: int
    heads: int = 0


def tsv(lines: Lines, languages: tuple[str, str]) -> Iterator[Block]:
    """Columns with a tab between; a first line of column names is obeyed and left out.

    Quotation marks are text, unless a spreadsheet has put them round its cells.

    Raises:
        CorpusError: it is not clear which columns are the two sides.
    """
    columns = spreadsheet = None
    while count := min(lines.fill(ROWS), ROWS):
        starts = range(lines.taken + 1, lines.taken + count + 1)
        texts, bad = decode(lines.take(count))
        rows = [text.removesuffix("\r").split("\t") for text in texts]
        spreadsheet = _is_spreadsheet(rows) if spreadsheet is None else spreadsheet
        if spreadsheet:
            rows = [[_bare(cell) for cell in row] for row in rows]
        columns = columns or _columns(rows, starts, languages, lines.stream.name)
        yield _block(starts, rows, bad, columns, lines.stream.name)
        columns = columns._replace(heads=0)


def comma_separated(lines: Lines, languages: tuple[str, str]) -> Iterator[Block]:
    """Columns of a CSV file, quoted fields and line breaks within them included; semicolons and tabs serve too.

    Raises:
        CorpusError: it is not clear which columns are the two sides, or a quotation mark has no partner.
    """
    feed = _Feed(lines)
    columns = None
    found = _rows(feed, lines.stream.name)
    while True:
        starts: list[int] = []
        rows: list[list[str]] = []
        bad: list[int] = []
        for start, row in itertools.islice(found, ROWS):
            if feed.undecodable:
                bad.append(len(rows))
            starts.append(start)
            rows.append(row)
        if not rows:
            return
        columns = columns or _columns(rows, starts, languages, lines.stream.name)
        yield _block(starts, rows, bad, columns, lines.stream.name)
        columns = columns._replace(heads=0)


def _rows(feed: _Feed, name: str) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV file, each with the line on which it begins."""
    delimiter = feed.delimiter()
    reader = csv.reader(feed, delimiter=delimiter)
    while True:
        start = reader.line_num + 1
        feed.begin_row()
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:  # a field of more than 128 KiB
            row = ["?"]
        if (len(feed.row) > 1 or feed.ended) and not _is_row(feed.row, delimiter):
            raise CorpusError(f"A quotation mark of a CSV file must have its partner. Received: {name}:{start}")
        yield start, row


def _is_row(lines: list[str], delimiter: str) -> bool:
    """Whether these lines are one row by strict rules, and not rows that a lone quotation mark has swallowed."""
    try:
        row = next(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error:
        return False
    return len(lines) <= LONGEST_ROW and len(row) > 1


def jsonl(lines: Lines, languages: tuple[str, str]) -> Iterator[Block]:
    """A JSON object a line, its fields named by the languages, source and target, or src and tgt.

    These may lie in a field `translation`; a list of two strings is understood too.
    """
    while count := min(lines.fill(ROWS), ROWS):
        first = lines.taken + 1
        texts, bad = decode(lines.take(count))
        block = Block(range(first, first + len(texts)), [], [])
        for row, text in enumerate(texts):
            pair = _fields(text, languages) if text and not text.isspace() else ("", "")
            if pair is None:
                block.faults.append(Fault(row, MALFORMED, lines.stream.name))
            source, target = pair or ("", "")
            block.sources.append(source)
            block.targets.append(target)
        yield _blamed(block, bad, lines.stream.name)


def _columns(rows: list[list[str]], starts: Sequence[int], languages: tuple[str, str], name: str) -> Columns:
    """Where the two sides lie in the rows with which a table begins."""
    written = [row for row in rows if any(map(str.strip, row))]
    if not written:
        return Columns(0, 1)
    first = rows.index(written[0])
    names = [cell.strip().strip("\ufeff") for cell in written[0]]
    if pair := sides(names, languages):
        return Columns(*pair, first + 1)
    wanted = " and ".join(languages if all(languages) else ("source", "target"))
    ((width, _),) = Counter(map(_width, written[:SAMPLE])).most_common(1)
    if width > 2:
        must = f"A table of more than two columns must name two of them {wanted} in its first line"
        raise CorpusError(f"{must}; add that line. Received: {name}:{starts[first]} ({width} columns)")
    if len(names) == 2 and misunderstood(names, languages):
        must = f"The first line of a table must name both columns, or be a pair; write {wanted} there"
        raise CorpusError(f"{must}. Received: {name}:{starts[first]} ({names[0]} and {names[1]})")
    return Columns(0, 1)


def _is_spreadsheet(rows: list[list[str]]) -> bool:
    """Whether cells are quoted whole: one that doubles the quotation marks in it is proof, and so are most cells."""
    cells = [cell for row in rows for cell in row if cell]
    quoted = [cell for cell in cells if CELL.fullmatch(cell)]
    return any('""' in cell[1:-1] for cell in quoted) or len(quoted) * 2 > len(cells)


def _bare(cell: str) -> str:
    """A cell without the quotation marks that stand round it."""
    return cell[1:-1].replace('""', '"') if CELL.fullmatch(cell) else cell


def _width(row: list[str]) -> int:
    """Its columns, those left out that are empty at the end."""
    return max((place for place, cell in enumerate(row, start=1) if cell.strip()), default=0)


def _block(starts: Sequence[int], rows: list[list[str]], bad: list[int], columns: Columns, name: str) -> Block:
    """The two sides of the rows below the names of the columns."""
    heads, last = columns.heads, max(columns.source, columns.target)
    block = Block(starts[heads:], [], [])
    for index, row in enumerate(rows[heads:]):
        if len(row) > last:
            block.sources.append(row[columns.source])
            block.targets.append(row[columns.target])
        else:
            block.sources.append("")
            block.targets.append("")
            if row and any(cell.strip() for cell in row):  # a blank line is empty, not malformed
                block.faults.append(Fault(index, MALFORMED, name))
    return _blamed(block, [index - heads for index in bad if index >= heads], name)


def _blamed(block: Block, bad: list[int], name: str) -> Block:
    """The block with rows that could not be decoded emptied and named so."""
    if bad:
        worse = set(bad)
        block.faults[:] = [fault for fault in block.faults if fault.row not in worse]
        for row in bad:
            block.sources[row] = block.targets[row] = ""
            block.faults.append(Fault(row, UNDECODABLE, name))
    return block


def _fields(text: str, languages: tuple[str, str]) -> tuple[str, str] | None:
    try:
        record: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(record, dict) and isinstance(record.get("translation"), dict):
        record = record["translation"]
    pair = None
    if isinstance(record, dict):
        fields = languages if all(name in record for name in languages) else _named(list(record), languages)
        pair = tuple(record[name] for name in fields)
    elif isinstance(record, list):
        pair = tuple(record)
    if not pair or len(pair) != 2 or not all(isinstance(side, str | None) for side in pair):
        return None
    return pair[0] or "", pair[1] or ""


def _named(fields: list[str], languages: tuple[str, str]) -> tuple[str, ...]:
    """The two fields of the sides, or none."""
    return tuple(fields[place] for place in sides(fields, languages) or ())


class _Feed:
    """Decoded lines for the csv module; it remembers those of a row, and whether one of them was not UTF-8."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._texts: list[str] = []
        self._bad: set[int] = set()
        self._next = 0
        self.row: list[str] = []
        self.undecodable = False
        self.ended = False

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        if self._next == len(self._texts) and not self._refill():
            self.ended = True
            raise StopIteration
        self.undecodable = self.undecodable or self._next in self._bad
        self.row.append(self._texts[self._next] + "\n")
        self._next += 1
        return self.row[-1]

    def begin_row(self) -> None:
        """Forgets the row before."""
        self.row, self.undecodable, self.ended = [], False, False

    def _refill(self) -> bool:
        count = min(self._lines.fill(ROWS), ROWS)
        texts, bad = decode(self._lines.take(count))
        self._texts, self._bad, self._next = [text.removesuffix("\r").replace("\r", " ") for text in texts], set(bad), 0
        return bool(count)

    def delimiter(self) -> str:
        """Of comma, semicolon and tab the one that most rows have equally often outside of quotation marks."""
        if not self._texts:
            self._refill()
        bare = QUOTED.sub("", "\n".join(self._texts[:SAMPLE]))
        lines = [line for line in bare.split("\n") if line.strip()]

        def alike(mark: str) -> tuple[int, int]:
            ((times, count),) = Counter(line.count(mark) for line in lines).most_common(1) or [(0, 0)]
            return (count, -times) if times else (0, 0)

        return max(",;\t", key=alike)
