"""All that was counted and found, gathered into one report.

It owns which steps' results go where; it looks at no text and decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from seq2seq.corpus import alarms, doctor
from seq2seq.corpus.cleaning import Cleaning
from seq2seq.corpus.intake import Intake
from seq2seq.corpus.report import Finding, Lengths, Report
from seq2seq.corpus.split import Holdout
from seq2seq.corpus.store import Part


def settings(cleaning: Cleaning, holdout: Holdout) -> dict[str, Any]:
    """What was asked for, as plain values."""
    asked = {**asdict(cleaning), **asdict(holdout)}
    for name in ("valid_files", "test_files"):
        asked[name] = [str(path) for path in asked[name] if path is not None] if asked[name] else None
    return asked


def summarise(
    files: Sequence[str],
    languages: tuple[str, str],
    asked: dict[str, Any],
    *,
    intake: Intake,
    given: Mapping[str, Intake],
    parts: Mapping[str, Part],
    groups: int,
    findings: Sequence[Finding],
) -> Report:
    """The report.

    Args:
        files: the corpus.
        languages: of the two sides.
        asked: the settings.
        intake: what the first pass counted.
        given: what it counted in given valid and test files.
        parts: the pairs of train, valid and test.
        groups: groups of pairs that share sentences.
        findings: what the doctor said of the corpus.
    """
    warnings = [*alarms.misaligned(intake.alignment), *alarms.much_dropped(intake), *alarms.odd_text(intake)]
    found, leaking = list(findings), {}
    for name in ("valid", "test"):
        leaking[name], leaks = doctor.leaks(name, parts[name], parts["train"])
        found += leaks
        warnings += alarms.held_out(name, given.get(name), len(parts[name]), leaks)
    warnings += alarms.judged_on(doctor.shared(parts["test"], parts["valid"]), len(parts["test"]))
    return Report(
        files=tuple(files),
        languages=languages,
        settings=asked,
        read=intake.read,
        kept=intake.kept,
        dropped=intake.dropped,
        undecodable=intake.undecodable,
        drop_examples=dict(intake.examples),
        lengths=_lengths(parts["train"], languages),
        correlation=intake.alignment.correlation,
        groups=groups,
        splits={name: len(part) for name, part in parts.items()},
        held_out={name: {"read": one.read, "kept": one.kept, "dropped": one.dropped} for name, one in given.items()},
        leaks=leaking,
        findings=tuple(found),
        warnings=tuple(warnings),
        corpora=tuple(np.diff(np.searchsorted(parts["train"].rows, [0, *intake.ends])).tolist()),
    )


def _lengths(part: Part, languages: tuple[str, str]) -> dict[str, Lengths]:
    sides = (part.columns.source_length, part.columns.target_length)
    return {
        language: Lengths(
            mean=round(float(side.mean()), 2),
            median=float(np.median(side)),
            percentile_99=float(np.percentile(side, 99)),
            longest=int(side.max()),
        )
        for language, side in zip(languages, sides, strict=True)
    }
