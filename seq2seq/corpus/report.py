"""What was found in a corpus, for people and for programs.

It owns the words and the order of the report; it counts nothing itself.
"""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from seq2seq.corpus.blocks import MALFORMED

WIDTH = 120
_TURNS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])  # marks that would turn the rest of the line


@dataclass(frozen=True)
class Example:
    """One pair that shows what a finding means.

    Attributes:
        line: the line of the input on which it stands.
        source: its source, clean.
        target: its target, clean.
        note: what to look at.
    """

    line: int
    source: str
    target: str
    note: str = ""

    def __str__(self) -> str:
        note = f"  ({self.note})" if self.note else ""
        return f"line {self.line:,}: {_clip(self.source)} | {_clip(self.target)}{note}"


@dataclass(frozen=True)
class Finding:
    """Something about a corpus that a person should look at.

    Attributes:
        kind: its name.
        count: how many pairs it concerns.
        meaning: one sentence.
        examples: a few of them.
    """

    kind: str
    count: int
    meaning: str
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True)
class Lengths:
    """Characters of the sentences of one side."""

    mean: float
    median: float
    percentile_99: float
    longest: int


@dataclass(frozen=True)
class Report:
    """Everything that preparing a corpus told about it.

    Attributes:
        files: the source file, and the target file where there is one.
        languages: source and target language.
        settings: the limits, sizes and seed that were asked for.
        read: pairs read.
        kept: pairs that stayed.
        dropped: for every reason how many pairs were dropped.
        undecodable: for every file the lines that are not UTF-8, the first thousand of them.
        drop_examples: for every reason a few of the pairs it dropped.
        lengths: characters of the kept sentences by side.
        correlation: of the line lengths of the two sides; None where it says nothing.
        groups: groups of pairs that share a sentence, directly or through others.
        splits: pairs of train, valid and test.
        held_out: for each given file of valid or test pairs, how many were read and dropped.
        leaks: for valid and test, how many pairs have their source, their target, or both in train.
        findings: what a person should look at.
        warnings: what a person must look at.
        corpora: how many pairs of train are from each of the corpora that were named.
    """

    files: tuple[str, ...]
    languages: tuple[str, str]
    settings: dict[str, Any]
    read: int
    kept: int
    dropped: dict[str, int]
    undecodable: dict[str, list[int]]
    drop_examples: dict[str, list[Example]]
    lengths: dict[str, Lengths]
    correlation: float | None
    groups: int
    splits: dict[str, int]
    held_out: dict[str, dict[str, Any]] = field(default_factory=dict)
    leaks: dict[str, dict[str, int]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    corpora: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values that JSON can hold."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        lines = [f"Corpus {' -> '.join(self.languages)}: {' and '.join(self.files)}", ""]
        lines += self._counts()
        lines += self._texts()
        if self.findings:
            lines += ["", "Worth a look"]
        for finding in self.findings:
            lines.append(f"  {finding.count:>12,}  {finding.kind}: {finding.meaning}")
            lines += [f"{'':>16}{example}" for example in finding.examples]
        for warning in self.warnings:
            lines += ["", *textwrap.wrap(f"WARNING: {warning}", WIDTH, subsequent_indent="  ", break_long_words=False)]
        return "\n".join(lines)

    def _counts(self) -> list[str]:
        rows = [("pairs read", self.read, ""), ("pairs kept", self.kept, _share(self.kept, self.read))]
        rows += [
            (f"dropped: {reason}", count, _share(count, self.read)) for reason, count in self.dropped.items() if count
        ]
        rows += [(name, count, "") for name, count in self.splits.items()]
        if len(self.corpora) > 1:
            rows += [(f"train, of corpus {n}", count, "") for n, count in enumerate(self.corpora, start=1)]
        lines = [f"  {name:<32}{count:>12,}  {share}".rstrip() for name, count, share in rows]
        for file, numbers in self.undecodable.items():
            lines.append(f"  not UTF-8 in {file}, {_listed(numbers[:10], len(numbers))}")
        if examples := self.drop_examples.get(MALFORMED):
            lines.append(f"  {MALFORMED}, {_listed([each.line for each in examples], self.dropped[MALFORMED])}")
        for name, counts in self.held_out.items():
            lines.append(f"  {name} was given: {counts['read']:,} pairs read, {counts['kept']:,} kept")
        return lines

    def _texts(self) -> list[str]:
        lines = [""]
        for language, lengths in self.lengths.items():
            lines.append(
                f"  characters of {language}: mean {lengths.mean:.1f}, median {lengths.median:.0f}, "
                f"99 % under {lengths.percentile_99:.0f}, longest {lengths.longest:,}"
            )
        if self.correlation is not None:
            lines.append(f"  correlation of the line lengths: {self.correlation:.2f} (translations have 0.8 or more)")
        for name, leak in self.leaks.items():
            if self.splits.get(name):
                lines.append(
                    f"  {name} sentences that stand in train: {leak['source']:,} sources, "
                    f"{leak['target']:,} targets, {leak['both']:,} pairs with both"
                )
        return lines


def _share(count: int, whole: int) -> str:
    return f"{100 * count / max(whole, 1):5.1f} %"


def _listed(numbers: Sequence[int], count: int) -> str:
    """Some of so many lines."""
    return f"lines {', '.join(f'{number:,}' for number in numbers)}{', ...' if count > len(numbers) else ''}"


def _clip(text: str, width: int = 60) -> str:
    text = text.translate(_TURNS)
    return text if len(text) <= width else text[: width - 1] + "…"
