"""The first pass over a corpus: every pair read, cleaned, judged, counted, and stored if it may stay.

It owns the counts; it does not know which pairs are equal to each other, nor which are held out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import compress

import numpy as np

from seq2seq.corpus.alignment import Aligner, Alignment
from seq2seq.corpus.blocks import UNDECODABLE, Block
from seq2seq.corpus.cleaning import KEEP, NO_TEXT, REASONS, Cleaning, verdicts
from seq2seq.corpus.doctor import OddText
from seq2seq.corpus.errors import CorpusError, LengthsError
from seq2seq.corpus.keys import keys_of, mixed
from seq2seq.corpus.links import fitted
from seq2seq.corpus.report import Example, Finding
from seq2seq.corpus.store import Columns, Store
from seq2seq.corpus.text import Form, fold_all, normalise_all, width

LISTED = 1000
"""Undecodable lines that are listed, of each file."""
SHOWN = 3
"""Examples of each reason to drop a pair."""


@dataclass
class Intake:
    """What the first pass counted.

    Attributes:
        read: pairs read.
        dropped: for every reason how many were dropped.
        undecodable: for every file the first lines that are not UTF-8.
        examples: for every reason a few of the pairs it dropped.
        alignment: how the two sides fit.
        odd: signs of broken encodings.
        ends: how many pairs there were after each of several corpora.
    """

    read: int = 0
    dropped: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REASONS, 0))
    undecodable: dict[str, list[int]] = field(default_factory=dict)
    examples: dict[str, list[Example]] = field(default_factory=lambda: defaultdict(list))
    alignment: Alignment = field(default_factory=lambda: Alignment(None, True, ()))
    odd: list[Finding] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    @property
    def kept(self) -> int:
        return self.read - sum(self.dropped.values())


def take_in(
    blocks: Iterable[Block],
    store: Store,
    *,
    limits: Cleaning | None,
    form: Form,
    target_form: Form | None = None,
    progress: Callable[[int], None] | None = None,
) -> Intake:
    """Reads all blocks and stores the pairs that may stay.

    Args:
        blocks: the corpus.
        store: where clean pairs go.
        limits: what a pair must satisfy; None keeps whatever has text on both sides.
        form: Unicode normalisation form.
        target_form: that of the targets, if another.
        progress: called with the number of pairs read so far.
    """
    intake, aligner, odd = Intake(), Aligner(), OddText()
    for block in _until_they_differ(blocks, aligner):
        if not block.sources:
            continue
        odd.add(block.lines, block.sources, block.targets)
        sources, targets = normalise_all(block.sources, form), normalise_all(block.targets, target_form or form)
        exact = keys_of(sources), keys_of(targets)
        lengths = [np.fromiter(map(len, side), np.int64, len(side)) for side in (sources, targets)]
        widths = [np.fromiter(map(width, side), np.int64, len(side)) for side in (sources, targets)]
        verdict = verdicts(widths[0], widths[1], exact[0] == exact[1], faults=block.faults, limits=limits)
        lines = np.asarray(block.lines)
        _count(intake, verdict, lines, block, (sources, targets))
        present = verdict >= len(NO_TEXT)
        aligner.add(lines[present], *(_lines(side, present) for side in (sources, targets)))
        texts, kept = [sources, targets], verdict == KEEP
        if block.links:
            raw = (block.sources, block.targets)
            texts.append(fitted(block.links, raw, (sources, targets), kept=kept.tolist(), form=form))
        _keep(store, kept, lines, texts, (*exact, *lengths))
        if progress:
            progress(intake.read)
    intake.alignment = aligner.result()
    intake.odd = odd.findings()
    return intake


def _until_they_differ(blocks: Iterable[Block], aligner: Aligner) -> Iterator[Block]:
    """The blocks; where one of two files has lost lines, the error says where the first of them may be."""
    try:
        yield from blocks
    except LengthsError as error:
        if span := next((span for span in aligner.result().spans if span.shift), None):
            count = f"{abs(span.shift)} {'line' if abs(span.shift) == 1 else 'lines'}"
            late = f"{count} too {'late' if span.shift > 0 else 'early'}"
            where = f"in lines {span.first:,} to {span.last:,} the target stands {late}"
            raise CorpusError(f"{error} ({where})") from None
        raise


def _keep(
    store: Store,
    kept: np.ndarray,
    lines: np.ndarray,
    texts: list[list[str]],
    numbers: tuple[np.ndarray, ...],
) -> None:
    if not kept.any():
        return
    if not kept.all():
        texts = [list(compress(side, kept.tolist())) for side in texts]
        lines, *numbers_ = (column[kept] for column in (lines, *numbers))
        numbers = tuple(numbers_)
    source, target, source_length, target_length = numbers
    folded = [keys_of(fold_all(side)) for side in texts[:2]]
    every = np.ones(len(lines), bool)
    encoded = [_lines(side, every) for side in texts]
    store.add(encoded, mixed(source, target), Columns(lines, folded[0], folded[1], source_length, target_length))


def _lines(texts: list[str], mask: np.ndarray) -> bytes:
    """The marked texts as UTF-8, each with its line end."""
    chosen = texts if mask.all() else list(compress(texts, mask.tolist()))
    return ("\n".join(chosen) + "\n").encode() if chosen else b""


def _count(
    intake: Intake, verdict: np.ndarray, lines: np.ndarray, block: Block, texts: tuple[list[str], list[str]]
) -> None:
    intake.read += len(verdict)
    for fault in block.faults:
        if fault.reason == UNDECODABLE:
            listed = intake.undecodable.setdefault(fault.file, [])
            if len(listed) < LISTED:
                listed.append(int(lines[fault.row]))
    counts = np.bincount(verdict, minlength=KEEP + 1)
    for number, reason in enumerate(REASONS):
        intake.dropped[reason] += int(counts[number])
        shown = intake.examples[reason] if counts[number] else []
        if counts[number] and len(shown) < SHOWN:
            for row in np.flatnonzero(verdict == number)[: SHOWN - len(shown)].tolist():
                shown.append(Example(int(lines[row]), texts[0][row][:200], texts[1][row][:200]))
