"""Word alignments beside a corpus: a line of links a pair, in the Pharaoh format that aligners write.

It owns what a line may say and that its word numbers hold for the clean text; it does not know what links are for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from seq2seq.corpus.blocks import Block, LinkLines
from seq2seq.corpus.errors import CorpusError
from seq2seq.corpus.streams import Lines, Stream
from seq2seq.corpus.text import Form, normalise

_LINK = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")
_BLANKS = re.compile(r"[ \t\r\n]+")


def parse(line: str) -> list[tuple[int, int]] | None:
    """The links of a line, a source word and a target word each, from 0; None where it is no line of links.

    >>> parse("0-0 1-2 2-1")
    [(0, 0), (1, 2), (2, 1)]
    """
    found = [_LINK.fullmatch(part) for part in line.split()]
    return [(int(each[1]), int(each[2])) for each in found if each] if all(found) else None


def linked(blocks: Iterable[Block], alignment: str | Path) -> Iterator[Block]:
    """The blocks of a corpus, each with its lines of the alignment.

    Raises:
        CorpusError: there are not as many lines as pairs.
    """
    with Stream(alignment) as stream:
        lines, pairs, short = Lines(stream), 0, False
        for block in blocks:
            first, count = pairs + 1, len(block.sources)
            pairs += count
            taken: list[bytes] = []
            while not short and len(taken) < count:
                short = not lines.fill(1)
                taken += lines.take(count - len(taken))
            if not short:
                texts = [line.decode("utf-8", "replace") for line in taken]
                yield replace(block, links=LinkLines(stream.name, first, texts))
        while lines.fill(1):
            lines.take(1 << 12)
        if lines.taken != pairs:
            raise CorpusError(
                "An alignment must have a line for each pair. "
                f"Received: {stream.name} with {lines.taken:,}, for {pairs:,} pairs"
            )


def fitted(
    given: LinkLines,
    raw: tuple[Sequence[str], Sequence[str]],
    clean: tuple[Sequence[str], Sequence[str]],
    *,
    kept: Sequence[bool],
    form: Form,
) -> list[str]:
    """The lines, which hold for the clean texts as they do for the raw ones; those of pairs that go are not looked at.

    Args:
        given: a line a pair.
        raw: source and target texts as the files have them.
        clean: and cleaned.
        kept: whether a pair stays.
        form: of Unicode, in which they were cleaned.

    Raises:
        CorpusError: a line is no line of links, names a word that is not there, or is one of a text in which cleaning
            moves words.
    """
    found = []
    for row, line in enumerate(given.lines):
        links = parse(line)
        place = f"{given.name}:{given.first + row}"
        if links is None:
            raise CorpusError(
                f"An alignment must hold links such as 0-0 1-2 2-1. Received: {place}, {line.strip()[:80]!r}"
            )
        if not links or not kept[row]:
            found.append("")
            continue
        for before, after in zip(raw, clean, strict=True):
            if before[row] != after[row] and _moved(before[row], after[row], form):
                raise CorpusError(
                    "Words of aligned text must be separated by plain blanks; align the text that seq2seq prepare "
                    f"writes. Received: {place}, {before[row][:80]!r}"
                )
        counts = [side[row].count(" ") + 1 for side in clean]
        for source, target in links:
            if source >= counts[0] or target >= counts[1]:
                raise CorpusError(
                    "A link must join a word of the source to one of the target, counted from 0. "
                    f"Received: {place}, {source}-{target}, for {counts[0]} and {counts[1]} words"
                )
        found.append(" ".join(f"{source}-{target}" for source, target in links))
    return found


def _moved(raw: str, clean: str, form: Form) -> bool:
    """Whether words between blanks are not those of the clean text, one by one."""
    return [normalise(word, form) for word in _BLANKS.split(raw.strip(" \t\r\n"))] != clean.split(" ")
