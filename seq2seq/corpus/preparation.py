"""A corpus made ready to train on, in one call.

It owns the order of the steps and the names of the files that come out; each step is another file's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np

from seq2seq.corpus import doctor, summary
from seq2seq.corpus.blocks import UNDECODABLE, Block
from seq2seq.corpus.cleaning import DUPLICATE, Cleaning
from seq2seq.corpus.errors import CorpusError
from seq2seq.corpus.intake import Intake, take_in
from seq2seq.corpus.links import linked
from seq2seq.corpus.output import Output
from seq2seq.corpus.reading import blocks, languages_from, refuse_table_beside
from seq2seq.corpus.report import Finding, Report
from seq2seq.corpus.split import Files, Holdout, groups, hold_out
from seq2seq.corpus.store import Part, Store
from seq2seq.corpus.streams import refuse_missing

SMALLEST = 10
"""Pairs that must be left of a corpus: the least of which a tenth is one."""

CLEANING = Cleaning()
HOLDOUT = Holdout()
SPLITS = ("train", "valid", "test")
REPORT = "report.json"
ALIGNMENT = "train.align"
OUT = 255
"""The place of a pair that goes nowhere."""
LANGUAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")


@dataclass(frozen=True)
class Mixture:
    """Several corpora of the same two languages, read one after the other as one.

    In `train` the pairs of each stand together, in this order; `Report.corpora` says how many they are. A pair that
    stands in several is that of the first. Line numbers in the report are those of the files.

    Attributes:
        corpora: the files of each.
        alignments: of each corpus a file with the links of words of every pair, in Pharaoh format; or none at all.
            They follow the pairs, and those of `train` are written as `train.align`.
    """

    corpora: tuple[Files, ...]
    alignments: tuple[str | Path, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """A corpus ready to train on; every pair of files holds one sentence a line.

    Attributes:
        train: source and target file.
        valid: source and target file; None if nothing was held out.
        test: source and target file; None if nothing was held out.
        report: what was found.
        report_file: the same as JSON.
    """

    train: tuple[Path, Path]
    valid: tuple[Path, Path] | None
    test: tuple[Path, Path] | None
    report: Report
    report_file: Path


def prepare(
    source: str | Path | Mixture,
    target: str | Path | None = None,
    *,
    output: str | Path,
    source_language: str = "",
    target_language: str = "",
    cleaning: Cleaning = CLEANING,
    holdout: Holdout = HOLDOUT,
    progress: Callable[[int], None] | None = None,
) -> Prepared:
    """Reads, cleans, checks and splits a corpus, and says what was found.

    1. Every pair is read once, cleaned, and dropped if a limit says so; the report counts why.
    2. Of equal pairs the first stays.
    3. Pairs that share a sentence (case, punctuation and spaces aside) on either side, directly or through others, form
       a group; whole groups are held out for valid and test, so that nothing leaks.
    4. `train.xx`, `valid.xx` and `test.xx` for both languages, then `report.json`, appear in the output folder, each
       whole; what an earlier preparation left there is replaced, though it be of other languages.

    Memory is under 100 bytes a pair whatever the size; on disk the clean corpus stands twice for a while.

    Args:
        source: source sentences, one a line; or, if there is no `target`, one TSV, CSV, JSONL or TMX file of pairs.
            "-" is stdin. Files may be compressed (gz, bz2, xz, zst). A `Mixture` is several corpora, without `target`.
        target: their translations, line by line.
        output: the folder to write.
        source_language: such as "en": it ends the names of the files, and chooses the column, field or element of a
            file that names them. Empty takes it from the ending of the file.
        target_language: and the other language.
        cleaning: what a pair must satisfy.
        holdout: what is kept from training. Given files are cleaned and keep every pair that has text on both sides.
        progress: called now and then with the number of pairs read so far.

    Raises:
        CorpusError: the corpus cannot be read or used. Nothing is written.
        OutputError: the output cannot be written. Nothing half-written is left.
    """
    files = {"valid": holdout.valid_files, "test": holdout.test_files}
    mixture = source if isinstance(source, Mixture) else Mixture(((source, target),))
    named = [path for pair in mixture.corpora for path in pair if path is not None]
    inputs = [*named, *mixture.alignments, *(path for pair in files.values() for path in pair or ())]
    refuse_missing(inputs)
    for both in (*mixture.corpora, *filter(None, files.values())):
        refuse_table_beside(*both)
    languages = _languages(*mixture.corpora[0], source_language, target_language)
    names: dict[str, tuple[str, ...]] = {
        split: (f"{split}.{languages[0]}", f"{split}.{languages[1]}") for split in SPLITS
    }
    names["train"] += (ALIGNMENT,) if mixture.alignments else ()
    before = [f"{split}.{name}" for name in _languages_before(Path(output) / REPORT) for split in SPLITS]
    with Output(output) as folder:
        folder.refuse_to_overwrite([*(name for pair in names.values() for name in pair), *before, REPORT], inputs)
        with Store(folder.workplace / "corpus", ["align"] if mixture.alignments else []) as store:
            ends: list[int] = []
            found = _all_blocks(mixture, languages, store, ends)
            intake = take_in(found, store, limits=cleaning, form=cleaning.unicode, progress=progress)
            intake.ends = ends
        _refuse_undecodable(intake)
        division = _divide(store, intake, holdout, _name(named[0]))
        parts, given = dict(division.parts), {}
        for split, pair in files.items():
            if pair:
                parts[split], given[split] = _take_given(pair, folder.workplace / split, languages, cleaning)
        report = summary.summarise(
            [_name(path) for path in named],
            languages,
            summary.settings(cleaning, holdout),
            intake=intake,
            given=given,
            parts=parts,
            groups=division.groups,
            findings=division.findings,
        )
        written = {split: names[split] for split in SPLITS if len(parts[split])}
        _write(folder.workplace, division.places, parts, written, report)
        stale = {*before, *(name for pair in names.values() for name in pair)}.difference(*written.values())
        folder.publish([*(name for pair in written.values() for name in pair), REPORT], stale)
    paths = {split: (folder.folder / pair[0], folder.folder / pair[1]) for split, pair in written.items()}
    return Prepared(paths["train"], paths.get("valid"), paths.get("test"), report, folder.folder / REPORT)


def _languages_before(report: Path) -> list[str]:
    """The languages of the earlier preparation that wrote this report; none where there is none."""
    try:
        told = json.loads(report.read_text(encoding="utf-8"))["languages"]
        return [name for name in told if LANGUAGE.fullmatch(name)]
    except (OSError, ValueError, RecursionError, TypeError, KeyError):  # somebody else's file of that name
        return []


def _name(path: str | Path) -> str:
    return "stdin" if str(path) == "-" else str(path)


def _all_blocks(mixture: Mixture, languages: tuple[str, str], store: Store, ends: list[int]) -> Iterator[Block]:
    """The blocks of each corpus in turn; `ends` gets how many pairs the store has after each."""
    for pair, alignment in zip_longest(mixture.corpora, mixture.alignments):
        if str(alignment) == "-" and "-" in map(str, pair):
            raise CorpusError("An alignment must be another file than its text. Received: - and -")
        found = blocks(*pair, languages=languages)
        yield from linked(found, alignment) if alignment is not None else found
        ends.append(store.count)


def _refuse_undecodable(intake: Intake) -> None:
    """A few broken lines are left out and listed; with this many the file is in another encoding."""
    count = intake.dropped[UNDECODABLE]
    if count >= SMALLEST and count * 10 > intake.read:
        name, listed = next(iter(intake.undecodable.items()))
        raise CorpusError(
            f"A corpus must be text in UTF-8. Received: {name}:{listed[0]} "
            f"({count:,} of {intake.read:,} pairs are not; iconv -f WINDOWS-1252 -t UTF-8 may convert it)"
        )


@dataclass(frozen=True)
class _Division:
    """The corpus divided: the pairs of each split, the split of each row of the store, and what was seen on the way."""

    parts: dict[str, Part]
    places: np.ndarray
    groups: int
    findings: list[Finding]


def _divide(store: Store, intake: Intake, holdout: Holdout, name: str) -> _Division:
    pool = store.distinct()
    intake.dropped[DUPLICATE] = intake.kept - len(pool)
    if len(pool) < SMALLEST:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in intake.dropped.items() if count)
        counts = f"{intake.read:,} pairs read, {len(pool):,} left" + (f"; dropped: {reasons}" if reasons else "")
        raise CorpusError(
            f"A corpus must have at least {SMALLEST} pairs left to train on. Received: {name}:{intake.read} ({counts})"
        )
    findings = [*doctor.near_duplicates(pool), *doctor.outliers(pool), *intake.odd]
    group = groups(pool.columns.source, pool.columns.target)
    sizes = [0 if holdout.valid_files else holdout.valid, 0 if holdout.test_files else holdout.test]
    count = int(np.count_nonzero(np.bincount(group)))
    purpose = hold_out(group, sizes, seed=holdout.seed)
    del group
    places = np.full(int(pool.rows[-1]) + 1, OUT, np.uint8)
    places[pool.rows] = purpose
    parts = {split: pool.where(purpose == number) for number, split in enumerate(SPLITS)}
    return _Division(parts, places, count, findings)


def _take_given(pair: Files, stem: Path, languages: tuple[str, str], cleaning: Cleaning) -> tuple[Part, Intake]:
    """Valid or test pairs from files of their own: nothing is dropped that can be translated and scored.

    References keep their characters, whatever the text to train on does, so that scores are those of the files.
    """
    with Store(stem) as store:
        found = blocks(*pair, languages=languages)
        intake = take_in(found, store, limits=None, form=cleaning.unicode, target_form="NFC")
        part = store.all()
    if not len(part):
        raise CorpusError(f"Given {stem.name} files must hold at least one pair. Received: {pair[0]}:{intake.read}")
    return part, intake


def _write(
    folder: Path, places: np.ndarray, parts: dict[str, Part], names: dict[str, tuple[str, ...]], report: Report
) -> None:
    """Gives the files of all splits and the report their names inside the folder."""
    corpus = parts["train"].store
    drawn: dict[int, tuple[Path, ...]] = {}
    for number, split in enumerate(SPLITS):
        if split not in names:
            continue
        paths = tuple(folder / name for name in names[split])
        if parts[split].store is corpus:
            drawn[number] = paths
        else:
            for old, new in zip(parts[split].store.paths, paths, strict=True):
                old.replace(new)
    corpus.write(places, drawn)
    text = json.dumps(report.to_dict(), ensure_ascii=False, indent=2)
    (folder / REPORT).write_text(text + "\n", encoding="utf-8")


def _languages(source: str | Path, target: str | Path | None, *given: str) -> tuple[str, str]:
    """The given languages, or where one is missing those that the files tell."""
    source_language, target_language = given
    if not all(given):
        told = languages_from(source, target)
        source_language, target_language = (name or other for name, other in zip(given, told, strict=True))
    for name in (source_language, target_language):
        if not LANGUAGE.fullmatch(name):
            raise CorpusError(f"A language must be a short name of letters, digits and hyphens. Received: {name!r}")
    if source_language.casefold() == target_language.casefold():
        raise CorpusError(f"The two languages must differ. Received: {source_language} and {target_language}")
    return source_language, target_language
