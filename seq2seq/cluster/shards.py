"""A file of lines in shards: where each begins, and a folder where finished ones wait for the others.

It owns how shards are cut, kept and joined in their order; it does not know what becomes of a line.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LONGEST_LINE = 1 << 26
"""Bytes; a file without line feeds must not fill the memory."""
_STAMP = "stamp.json"
_DONE = ".done"


class ShardsError(ValueError):
    """The input cannot be cut, or what a run left behind belongs to another one."""


@dataclass(frozen=True)
class Shard:
    """Some lines of a file that follow each other."""

    number: int
    """From 0."""
    start: int
    """Its first byte."""
    line: int
    """The number of its first line, from 1."""
    lines: int


def cut(path: Path, lines: int) -> list[Shard]:
    """The shards of a file, so many lines each; only the line feed ends a line. Memory does not grow with the file.

    Raises:
        ShardsError: the file cannot be read, or a line is longer than `LONGEST_LINE`.
    """
    found: list[Shard] = []
    start, line = 0, 1
    try:
        with path.open("rb") as file:
            every = iter(lambda: len(file.readline(LONGEST_LINE + 1)), 0)
            while sizes := list(itertools.islice(every, lines)):
                if max(sizes) > LONGEST_LINE:
                    place = line + next(at for at, size in enumerate(sizes) if size > LONGEST_LINE)
                    raise ShardsError(
                        f"A line must have at most {LONGEST_LINE:,} bytes. Received: {path}, line {place}"
                    )
                found.append(Shard(len(found), start, line, len(sizes)))
                start, line = start + sum(sizes), line + len(sizes)
    except OSError as error:
        raise ShardsError(f"Input must be a readable file. Received: {path} ({error.strerror})") from None
    return found


class Store:
    """A folder beside the output in which each finished shard is a file, whole or not there.

    A count that goes with a shard is in the file's name, so that neither is there without the other.

    Arguments:
        output: the file that all shards together will be; the folder's name is that with `.shards` added.
        stamp: what was asked for, plain JSON. A folder of another stamp is refused, for its shards would not fit.

    Raises:
        ShardsError: the folder is of another run.
    """

    def __init__(self, output: Path, stamp: Mapping[str, Any]) -> None:
        self.folder = output.with_name(output.name + ".shards")
        asked = json.dumps(stamp, sort_keys=True)
        try:
            begun = (self.folder / _STAMP).read_text(encoding="utf-8")
        except FileNotFoundError:
            begun = asked
        self._asked = asked
        if begun != asked:
            before, now = json.loads(begun), json.loads(asked)
            other = ", ".join(name for name in sorted(now) if before.get(name) != now[name])
            raise ShardsError(
                f"A run that goes on must ask for the same; remove the folder to begin anew. "
                f"Received: {self.folder}, begun with another {other or 'version'}"
            )

    def begin(self) -> None:
        """Makes the folder, if it is not there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write(_STAMP, self._asked.encode())

    def done(self) -> dict[int, int]:
        """The numbers of finished shards, and the count that goes with each."""
        names = (path.name.split(".") for path in self.folder.glob(f"*.*{_DONE}"))
        return {int(number): int(count) for number, count, _ in names}

    def keep(self, number: int, content: bytes, count: int = 0) -> None:
        """A shard is finished."""
        self._write(f"{number}.{count}{_DONE}", content)

    def joined(self, shards: Iterable[Shard]) -> Iterator[bytes]:
        """What became of each, in order."""
        done = self.done()
        return ((self.folder / f"{shard.number}.{done[shard.number]}{_DONE}").read_bytes() for shard in shards)

    def remove(self) -> None:
        """Nobody waits any more."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write(self, name: str, content: bytes) -> None:
        """To the disk before it gets its name, so that a name is never there before what it names."""
        partial = self.folder / f"{name}.partial"
        with partial.open("wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        os.replace(partial, self.folder / name)
