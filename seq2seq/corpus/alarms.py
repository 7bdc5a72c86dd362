"""What a person must look at before training: the loud part of the report.

It owns from which share on something is an alarm; it counts nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seq2seq.corpus.alignment import Alignment
from seq2seq.corpus.cleaning import DUPLICATE
from seq2seq.corpus.intake import Intake
from seq2seq.corpus.report import Finding

MANY = 0.1
"""Share of the pairs read; when one reason drops more, the reader should know."""
FEW = 0.01
"""Share of the pairs with a sign of a broken encoding, or of the test sentences that stand in train."""


def misaligned(alignment: Alignment) -> Iterator[str]:
    """The two sides do not stand beside each other, as a whole or in places."""
    if not alignment.related:
        yield (
            "The two sides do not look like translations of each other: the correlation of their line lengths is "
            f"{alignment.correlation:.2f}, where translations have 0.8 or more. "
            "Is one side in another order, or another text?"
        )
    spans = alignment.spans
    for span in spans[:5]:
        where = f"Lines {span.first:,} to {span.last:,}"
        if span.shift:
            late = "late" if span.shift > 0 else "early"
            lines = "line" if abs(span.shift) == 1 else "lines"
            yield (
                f"{where} look misaligned: the target stands {abs(span.shift)} {lines} too {late} there. "
                "Has one side lost or gained a line?"
            )
        else:
            yield f"{where} do not look like translations of each other, line by line."
    if len(spans) > 5:
        yield f"{len(spans) - 5} more stretches of lines look misaligned."


def much_dropped(intake: Intake) -> Iterator[str]:
    """One reason dropped much of the corpus."""
    for reason, count in intake.dropped.items():
        if count > MANY * intake.read:
            share = f"{100 * count / intake.read:.0f} % of the pairs"
            yield f"{share} were dropped as {reason}." if reason == DUPLICATE else f"{share} were dropped: {reason}."


def odd_text(intake: Intake) -> Iterator[str]:
    """The encoding seems broken in many places."""
    for finding in intake.odd:
        if finding.count > FEW * intake.read:
            yield f"{finding.count:,} of {intake.read:,} pairs hold {finding.kind}: {finding.meaning}."


def held_out(name: str, intake: Intake | None, pairs: int, leaks: Sequence[Finding]) -> Iterator[str]:
    """A given set lost pairs, is misaligned, or stands in train."""
    if intake is not None:
        if intake.kept < intake.read:
            lost = intake.read - intake.kept
            yield f"{lost:,} of the {intake.read:,} given {name} pairs have no text and were left out."
        for sentence in misaligned(intake.alignment):
            yield f"In the given {name} files: {sentence}"
    for finding in leaks:
        if finding.count > FEW * pairs:
            yield (
                f"{finding.count:,} of the {pairs:,} {name} pairs have a sentence that stands in train too; "
                f"{name} scores will look better than they are."
            )


def judged_on(shared: int, test: int) -> Iterator[str]:
    """The model is chosen by sentences that it is tested on."""
    if shared > FEW * test:
        yield (
            f"{shared:,} of the {test:,} test pairs have a sentence that stands in valid too, by which a training "
            "chooses; test scores will look better than they are."
        )
