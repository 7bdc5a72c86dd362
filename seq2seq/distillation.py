"""Distillation: the training text as a teacher translates it, line by line, for a student to learn from.

It owns which translation a line gets and what survives a crash; it does not know models, files of text or training.
"""

from __future__ import annotations

import json
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from seq2seq import channel, evaluation
from seq2seq.config import SearchConfig
from seq2seq.holding import held_if_possible
from seq2seq.translator import Translation, Translator
from seq2seq.translator.checks import UNUSABLE, loops

TRANSLATED, REFERENCE, OMITTED, BLANK = "translated", "reference", "left out", "blank"
JOURNAL = "distillation.partial"

Pairs = Callable[[], Iterable[tuple[str, str]]]
"""Gives source lines and their references from the beginning, each time it is called; no reference is ""."""


class DistillationError(ValueError):
    """A distillation cannot start or go on."""


@dataclass(frozen=True)
class Line:
    """What became of one line of the source."""

    kind: str
    """translated; reference, where the translation was at fault; left out, where there was none; or blank."""
    source: str
    target: str


@dataclass(frozen=True)
class Distilled:
    """A parallel corpus, and how many lines became what."""

    source: Path
    target: Path
    counts: Mapping[str, int]


def distill(
    translator: Translator,
    pairs: Pairs,
    folder: Path,
    *,
    search: SearchConfig,
    identity: Mapping[str, Any],
    back: Translator | None = None,
    keep_original: bool = False,
    progress: Callable[[int], None] = lambda done: None,
) -> Distilled:
    """Writes `train.xx` and `train.yy` for the languages of the translator: source lines and their translations.

    1. Each line is translated. Of the `n_best` translations the one nearest to the reference in chrF is kept. Where
       there is no reference it is the one that `channel.reranked` puts first, and without `back` the first.
    2. A line whose translation was cut, is empty or loops keeps its reference; without one it is left out. Blank lines
       stay.
    3. What is done is written down line by line, so that the same call goes on where it was stopped, whatever stopped
       it. The files appear when all is done, each whole. Memory does not grow with the text.

    Args:
        translator: the teacher.
        pairs: the text.
        folder: where the files go; new, empty, or that of a distillation that was stopped.
        search: how the teacher searches.
        identity: what makes the result what it is besides the text, plain JSON; one that was stopped goes on only with
            the same.
        back: a model that translates the other way round.
        keep_original: whether the pairs of the text follow after their translations, those that have a reference.
        progress: called with the number of lines done.

    Raises:
        DistillationError: the folder is in use, another distillation was begun in it, or `back` goes another way.

    Source: Kim and Rush 2016, "Sequence-level knowledge distillation"; to keep the one nearest to the reference is
    their interpolation.
    """
    languages = translator.source_language, translator.target_language
    if back and (back.target_language, back.source_language) != languages:
        raise DistillationError(
            f"What translates back must translate from {languages[1]} to {languages[0]}. "
            f"Received: a model from {back.source_language} to {back.target_language}"
        )
    paths = folder / f"train.{languages[0]}", folder / f"train.{languages[1]}"
    with Journal(folder, identity) as journal:
        rest = journal.rest(pairs())
        for done, line in enumerate(_lines(translator, rest, search, back), start=journal.done + 1):
            journal.add(line)
            progress(done)
        counts = _publish(journal, pairs() if keep_original else (), paths)
    journal.path.unlink()
    return Distilled(*paths, counts)


class Journal:
    """The lines that are done, a JSON record each after the identity, so that a killed run goes on behind the last."""

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.path = folder / JOURNAL
        if not self.path.exists() and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise DistillationError(
                f"The output must be a new folder, or one where a distillation was stopped. Received: {folder}"
            )
        folder.mkdir(parents=True, exist_ok=True)
        self._identity, self.done = identity, -1

    def __enter__(self) -> Journal:
        with ExitStack() as stack:
            try:
                stack.enter_context(held_if_possible(self.path.parent))
            except BlockingIOError:
                must = "A distillation goes on in one process at a time"
                raise DistillationError(f"{must}. Received: {self.path.parent}, in use") from None
            self.path.touch()
            size = self._whole()
            self._file: BinaryIO = stack.enter_context(self.path.open("r+b"))
            self._file.truncate(size)
            self._file.seek(size)
            if self.done < 0:
                self._write(self._identity)
                self.done = 0
            self._stack = stack.pop_all()
        return self

    def _whole(self) -> int:
        """Bytes of the records that are whole; it counts them."""
        self.done, size = -1, 0
        with self.path.open("rb") as file:
            for raw in file:
                if not raw.endswith(b"\n"):
                    break  # torn by what stopped it
                if self.done < 0 and raw != _record(self._identity):
                    raise DistillationError(
                        "A distillation goes on with the model and the settings that it was begun with; other ones "
                        f"need a new folder. Received: {self.path.parent}, begun with "
                        f"{raw.decode(errors='replace').strip()}"
                    )
                self.done, size = self.done + 1, size + len(raw)
        return size

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __iter__(self) -> Iterator[Line]:
        with self.path.open("rb") as file:
            next(file)
            for number, raw in enumerate(file, start=1):
                try:
                    yield Line(*json.loads(raw))
                except (ValueError, TypeError):
                    raise DistillationError(
                        "A distillation goes on from its own records, unhurt; begin again in a new folder. "
                        f"Received: {self.path}, record {number}"
                    ) from None

    def add(self, line: Line) -> None:
        """One more is done; it is in the file when this returns."""
        self._write([line.kind, line.source, line.target])

    def rest(self, pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """The pairs that are still to do.

        Raises:
            DistillationError: those that are done are of another text.
        """
        left = iter(pairs)
        for number, line in enumerate(self, start=1):
            if next(left, ("\n", ""))[0] != line.source:
                raise DistillationError(
                    "A distillation goes on with the text that it was begun with; another one needs a new folder. "
                    f"Received: {self.path.parent}, begun with another line {number}"
                )
        return left

    def _write(self, record: Any) -> None:
        self._file.write(_record(record))
        self._file.flush()


def _record(content: Any) -> bytes:
    return json.dumps(content).encode() + b"\n"


def choose(translation: Translation, source: str, reference: str) -> Line:
    """What a line becomes, by its translation and its reference."""
    if not source.strip():
        return Line(BLANK, source, "")
    texts: list[str] = []
    if not UNUSABLE & set(translation.flags):
        texts = [each.text for each in translation.hypotheses if each.finished and each.text.strip()]
        texts = [text for text in texts if not loops(source, text)]
    if texts:
        best = evaluation.nearest(texts, reference) if len(texts) > 1 and reference.strip() else 0
        return Line(TRANSLATED, source, texts[best])
    return Line(REFERENCE, source, reference) if reference.strip() else Line(OMITTED, source, "")


def _lines(
    translator: Translator, pairs: Iterable[tuple[str, str]], search: SearchConfig, back: Translator | None
) -> Iterator[Line]:
    waiting: deque[tuple[str, str]] = deque()

    def sources() -> Iterator[str]:
        for pair in pairs:
            waiting.append(pair)
            yield pair[0]

    translations = translator.stream(sources(), search=search)
    for translation in channel.reranked(translations, back) if back else translations:
        yield choose(translation, *waiting.popleft())


def _publish(journal: Journal, originals: Iterable[tuple[str, str]], paths: tuple[Path, Path]) -> Mapping[str, int]:
    """Writes the two files, and counts."""
    counts: Counter[str] = Counter()
    partial = [path.with_name(path.name + ".partial") for path in paths]
    with ExitStack() as stack:
        files = [stack.enter_context(path.open("wb")) for path in partial]

        def write(*texts: str) -> None:
            for file, text in zip(files, texts, strict=True):
                file.write(text.replace("\n", " ").encode("utf-8", "replace") + b"\n")

        for line in journal:
            counts[line.kind] += 1
            if line.kind != OMITTED:
                write(line.source, line.target)
        for source, reference in originals:
            if source.strip() and reference.strip():
                counts["original"] += 1
                write(source, reference)
        for file in files:  # on the disk before the journal goes
            file.flush()
            os.fsync(file.fileno())
    for old, new in zip(partial, paths, strict=True):
        old.replace(new)
    return counts
