"""Which language text is in and which way it goes: as flags say, or as the names of its files tell.

It knows what is asked for and what the names tell; it reads no text.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq.cli.errors import UsageError

if TYPE_CHECKING:
    from seq2seq.bundle import Bundle
    from seq2seq.translator import Translator


def told(given: tuple[str | None, str | None], source: Path, target: Path | None) -> tuple[str, str]:
    """Source and target language: as given, else what the files' names tell.

    Raises:
        UsageError: they are not given, and the files do not tell.
    """
    if given[0] and given[1]:
        return given[0], given[1]
    from seq2seq import corpus

    try:
        found = corpus.languages_from(source, target)
    except corpus.CorpusError as error:
        corpus.refuse_missing((source, target))
        corpus.refuse_table_beside(source, target)
        if target is None and str(source) != "-":
            corpus.check_pairs(source)
        raise UsageError(f"--source-lang and --target-lang must be given here. {error}") from None
    return given[0] or found[0], given[1] or found[1]


def refuse_reversed(languages: tuple[str | None, str | None], source: Path, target: Path | None) -> None:
    """Refuses files whose names say that they are the other way round: a model of them would translate backwards.

    Raises:
        UsageError: they do.
    """
    from seq2seq import corpus

    one, other = languages
    if not (one and other):
        return
    found = corpus.contradiction((one, other), source, target)
    if found and corpus.contradiction((other, one), source, target) is None:
        raise UsageError(
            f"The text must be {one} and {other}, in this order; exchange the two, or name the text as it is. "
            f"Received: {source}, {found[0]} and {found[1]}"
        )


def check(model: Bundle | Translator, source: Path, target: Path) -> None:
    """Refuses a test set whose names say that it is the other way round than a model translates.

    Raises:
        UsageError: they do.
    """
    refuse_reversed((model.source_language, model.target_language), source, target)


def check_second(first: Bundle | Translator, second: Bundle | Translator, path: Path) -> None:
    """Refuses a second model, to compare with, that translates between other languages; regions do not count.

    Raises:
        UsageError: it does.
    """
    from seq2seq.translator.text import primary

    ours, theirs = ((model.source_language, model.target_language) for model in (first, second))
    if [*map(primary, ours)] != [*map(primary, theirs)]:
        raise UsageError(
            f"Models must translate between the same languages to be compared, {' to '.join(ours)}; name another one. "
            f"Received: {path}, {' to '.join(theirs)}"
        )


def refuse_others(
    languages: tuple[str | None, str | None],
    first: tuple[Path, Path | None],
    others: Iterable[tuple[Path, Path | None] | None],
) -> None:
    """Refuses text beside the first whose names tell other languages; names such as the first one has are no such.

    Raises:
        UsageError: they do.
    """
    from seq2seq import corpus

    one, other = languages
    if not (one and other):
        return
    usual = corpus.contradiction((one, other), *first)
    for files in filter(None, others):
        if (found := corpus.contradiction((one, other), *files)) not in (None, usual):
            raise UsageError(
                f"All text must be of the same languages, {one} and {other}, in this order; exchange the two, or name "
                f"the text as it is. Received: {files[0]}, {found[0]} and {found[1]}"
            )
