"""Some thousand pairs at a time: what every reader gives and every later step takes.

It owns the block and how raw lines become text; it does not know in which format the lines lay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from seq2seq.corpus.errors import CorpusError
from seq2seq.corpus.heads import foreign

ROWS = 4096
"""Pairs in a block, at most."""

UNDECODABLE = "undecodable"
MALFORMED = "malformed"


class Fault(NamedTuple):
    """A row that holds no pair of texts."""

    row: int
    reason: str
    file: str


class LinkLines(NamedTuple):
    """What an alignment says of the pairs of a block."""

    name: str
    """The file."""
    first: int
    """The line of the first pair, from 1."""
    lines: list[str]


@dataclass(frozen=True)
class Block:
    """Pairs as the file has them; a row with a fault holds two empty strings.

    Attributes:
        lines: for each row the line of the file on which it begins, from 1.
        sources: source texts.
        targets: target texts.
        faults: rows that are undecodable or malformed.
        links: the word alignment of each row, where one is given.
    """

    lines: Sequence[int]
    sources: list[str]
    targets: list[str]
    faults: list[Fault] = field(default_factory=list)
    links: LinkLines | None = None


def decode(lines: list[bytes]) -> tuple[list[str], list[int]]:
    """The lines as text, and the indices of those that are not UTF-8 (their text is empty)."""
    if not lines:
        return [], []
    try:
        return b"\n".join(lines).decode("utf-8").split("\n"), []
    except UnicodeDecodeError:
        pass
    texts, bad = [], []
    for index, line in enumerate(lines):
        try:
            texts.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            texts.append("")
            bad.append(index)
    return texts, bad


def refuse_other_than_text(head: bytes, name: str) -> None:
    """Looks at the first bytes of a file.

    Raises:
        CorpusError: they are UTF-16, packed, binary, in an older 8-bit encoding, or end lines with "\\r" alone.
    """
    must = "A corpus must be text in UTF-8. Received: "
    if what := foreign(head, name):
        raise CorpusError(f"{must}{name}:1 ({what})")
    if b"\r" in head and b"\n" not in head:
        must = "A line must end with a line feed; tr '\\r' '\\n' makes such ends of the older ones"
        raise CorpusError(f"{must}. Received: {name}:1 (carriage returns alone)")
    whole = head.split(b"\n")
    whole = whole[:-1] or whole
    zeros = [index for index, line in enumerate(whole) if 0 in line] if 0 in head else []
    if len(zeros) * 4 > len(whole):
        raise CorpusError(f"{must}{name}:{zeros[0] + 1} (zero bytes: a binary file, or UTF-16)")
    _, bad = decode(whole)
    if len(bad) * 4 <= len(whole):
        return
    printable = sum(head.count(code) for code in range(32)) - sum(head.count(code) for code in b"\t\n\r") == 0
    kind = "Windows-1252 perhaps; iconv -f WINDOWS-1252 -t UTF-8 would convert that" if printable else "a binary file"
    share = f"{len(bad):,} of the first {len(whole):,} lines are not" if len(whole) > 1 else "not UTF-8"
    raise CorpusError(f"{must}{name}:{bad[0] + 1} ({share}: {kind})")
