"""Pairs out of TSV, CSV and JSONL.

It owns which column or field is the source and which the target; it knows neither files nor compression.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from seq2seq.corpus.blocks import MALFORMED, ROWS, UNDECODABLE, Block, Fault, decode
from seq2seq.corpus.streams import Lines

NAMES = (("source", "target"), ("src", "tgt"))
QUOTED = re.compile(r'"(?:[^"]|"")*(?:"|$)')
SAMPLE = 100
"""Lines that tell what the columns of a CSV file are divided by."""


def tsv(lines: Lines, languages: tuple[str, str]) -> Iterator[Block]:
    """Two columns with a tab between, no quotation marks; a first line of column names is obeyed and left out."""
    columns = None
    while count := min(lines.fill(ROWS), ROWS):
        first = lines.taken + 1
        texts, bad = decode(lines.take(count))
        if columns is None:
            named = _columns(texts[0].split("\t"), languages)
            columns = named or (0, 1)
            if named:
                texts, first, bad = texts[1:], first + 1, [index - 1 for index in bad]
        block = Block(range(first, first + len(texts)), [], [])
        _fill(block, [text.split("\t") for text in texts], columns, lines.stream.name)
        yield _blamed(block, bad, lines.stream.name)


def comma_separated(lines: Lines, languages: tuple[str, str]) -> Iterator[Block]:
    """Two columns of a CSV file, quoted fields and line breaks within them included; semicolons and tabs serve too."""
    feed = _Feed(lines)
    columns = None
    reader = csv.reader(feed, delimiter=feed.delimiter())
    while True:
        starts: list[int] = []
        rows: list[list[str]] = []
        bad: list[int] = []
        while len(rows) < ROWS:
            start = reader.line_num + 1
            try:
                row = next(reader)
            except StopIteration:
                break
            except csv.Error:  # such as a field of more than 128 KiB: a quotation mark without its partner
                row = ["?"]
            if columns is None and any(map(str.strip, row)):
                named = _columns(row, languages)
                columns = named or (0, 1)
                if named:
                    continue
            if feed.forget_undecodable():
                bad.append(len(rows))
            starts.append(start)
            rows.append(row)
        if not rows:
            return
        block = Block(starts, [], [])
        _fill(block, rows, columns or (0, 1), lines.stream.name)
        yield _blamed(block, bad, lines.stream.name)


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


def _columns(cells: Sequence[str], languages: tuple[str, str]) -> tuple[int, int] | None:
    """Where the two sides lie, if these cells are names of columns."""
    names = [cell.strip().strip("\ufeff").casefold() for cell in cells]
    for source, target in (languages, *NAMES):
        if source and target and source.casefold() in names and target.casefold() in names:
            return names.index(source.casefold()), names.index(target.casefold())
    return None


def _fill(block: Block, rows: list[list[str]], columns: tuple[int, int], name: str) -> None:
    source, target = columns
    last = max(columns)
    for index, row in enumerate(rows):
        if len(row) > last:
            block.sources.append(row[source])
            block.targets.append(row[target])
        else:
            block.sources.append("")
            block.targets.append("")
            if row and any(cell.strip() for cell in row):  # a blank line is empty, not malformed
                block.faults.append(Fault(index, MALFORMED, name))


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
        for source, target in (languages, *NAMES):
            if source in record and target in record:
                pair = (record[source], record[target])
                break
    elif isinstance(record, list) and len(record) == 2:
        pair = (record[0], record[1])
    if pair is None or not all(isinstance(side, str | None) for side in pair):
        return None
    return pair[0] or "", pair[1] or ""


class _Feed:
    """Decoded lines for the csv module; it remembers whether one of them was not UTF-8."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._texts: list[str] = []
        self._bad: set[int] = set()
        self._next = 0
        self._undecodable = False

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        if self._next == len(self._texts) and not self._refill():
            raise StopIteration
        if self._next in self._bad:
            self._undecodable = True
        self._next += 1
        return self._texts[self._next - 1] + "\n"

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

    def forget_undecodable(self) -> bool:
        """Whether a line since the last call was not UTF-8."""
        found, self._undecodable = self._undecodable, False
        return found
