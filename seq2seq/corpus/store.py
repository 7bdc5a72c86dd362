"""Clean pairs between the two passes: their texts in files on disk, under 40 bytes a pair in memory.

It owns those files and columns; it does not know which pairs stay.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import compress
from operator import itemgetter
from pathlib import Path

import numpy as np

from seq2seq.corpus.blocks import ROWS
from seq2seq.corpus.keys import repeats
from seq2seq.corpus.streams import Lines, Stream


@dataclass(frozen=True)
class Columns:
    """What is known of every pair, one entry a pair.

    Attributes:
        line: the line of the input on which it began.
        source: key of the folded source.
        target: key of the folded target.
        source_length: characters of the source.
        target_length: characters of the target.
    """

    line: np.ndarray
    source: np.ndarray
    target: np.ndarray
    source_length: np.ndarray
    target_length: np.ndarray

    def __len__(self) -> int:
        return len(self.line)

    def where(self, mask: np.ndarray) -> Columns:
        """The columns of the pairs that the mask marks."""
        return self if mask.all() else Columns(*(column[mask] for column in vars(self).values()))


class Store:
    """Writes pairs to `<stem>.source` and `<stem>.target`, and gives them back.

    Args:
        stem: path of the files without their endings.
        more: endings of files for what else goes with every pair, line by line.
    """

    def __init__(self, stem: Path, more: Sequence[str] = ()) -> None:
        self.paths = tuple(stem.with_name(f"{stem.name}.{ending}") for ending in ("source", "target", *more))
        self._stack = ExitStack()
        self._files = [self._stack.enter_context(path.open("wb")) for path in self.paths]
        self._starts = [
            (0,) * (1 + len(self.paths))
        ]  # of every few thousand pairs: the row, and where it begins in each file
        self._pairs = array("q")
        self._columns = tuple(array(code) for code in "IqqII")

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def count(self) -> int:
        """Pairs taken so far."""
        return self._starts[-1][0]

    def add(self, texts: Sequence[bytes], pairs: np.ndarray, columns: Columns) -> None:
        """Takes pairs: what goes to each file as UTF-8, "\n" after every line, keys of the exact pairs, the columns."""
        for file, text in zip(self._files, texts, strict=True):
            file.write(text)
        row, *places = self._starts[-1]
        ends = (place + len(text) for place, text in zip(places, texts, strict=True))
        self._starts.append((row + len(pairs), *ends))
        for kept, new in zip((self._pairs, *self._columns), (pairs, *vars(columns).values()), strict=True):
            kept.frombytes(np.ascontiguousarray(new, dtype=kept.typecode).tobytes())

    def all(self) -> Part:
        """Every pair. Nothing can be added afterwards."""
        columns = self._finished()
        return Part(self, columns, np.arange(len(columns), dtype=np.uint32))

    def distinct(self) -> Part:
        """The first of all equal pairs. Nothing can be added afterwards."""
        columns = self._finished()
        different = np.ones(len(columns), bool)
        different[repeats(np.frombuffer(self._pairs, np.int64))[0]] = False
        self._pairs = array("q")
        return Part(self, columns.where(different), np.flatnonzero(different).astype(np.uint32))

    def _finished(self) -> Columns:
        """The columns, which are no longer held here, so that they can go once the caller has made a selection."""
        self._stack.close()
        columns, self._columns = self._columns, ()
        return Columns(*(np.frombuffer(column, dtype=column.typecode) for column in columns))

    def texts(self, rows: Iterable[int]) -> dict[int, tuple[str, str]]:
        """The texts of a few pairs, by row."""
        found: dict[int, tuple[str, str]] = {}
        with self.paths[0].open("rb") as one, self.paths[1].open("rb") as two:
            for row in sorted(set(rows)):
                number = bisect_right(self._starts, row, key=itemgetter(0)) - 1
                first, *begins = self._starts[number]
                _, *ends = self._starts[number + 1]
                sides = []
                for file, begin, end in zip((one, two), begins[:2], ends[:2], strict=True):
                    file.seek(begin)
                    sides.append(file.read(end - begin).split(b"\n")[row - first].decode())
                found[row] = (sides[0], sides[1])
        return found

    def write(self, places: np.ndarray, files: Mapping[int, tuple[Path, ...]]) -> None:
        """Writes every pair to the files of its place, two or all; a place without files is left out."""
        with ExitStack() as stack:
            opened = {
                place: tuple(stack.enter_context(path.open("wb")) for path in pair) for place, pair in files.items()
            }
            for first, *sides in self._blocks():
                here = places[first : first + len(sides[0])]
                for place, pair in opened.items():
                    mask = (here == place).tolist()
                    if any(mask):
                        for file, lines in zip(pair, sides, strict=False):
                            file.write(b"\n".join([*compress(lines, mask), b""]))

    def _blocks(self) -> Iterator[tuple[int, *tuple[list[bytes], ...]]]:
        with ExitStack() as stack:
            sides = [Lines(stack.enter_context(Stream(path))) for path in self.paths]
            while count := min(ROWS, *(lines.fill(ROWS) for lines in sides)):
                yield sides[0].taken, *(lines.take(count) for lines in sides)


@dataclass(frozen=True)
class Part:
    """Some of the pairs of a store.

    Attributes:
        store: where their texts are.
        columns: what is known of them.
        rows: for each where it stands in the store.
    """

    store: Store
    columns: Columns
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, mask: np.ndarray) -> Part:
        """The pairs that the mask marks."""
        return Part(self.store, self.columns.where(mask), self.rows[mask])

    def texts(self, pairs: Sequence[int]) -> list[tuple[str, str]]:
        """The texts of a few of these pairs."""
        rows = [int(self.rows[pair]) for pair in pairs]
        found = self.store.texts(rows)
        return [found[row] for row in rows]
