"""Which format a file has, and the way through it: open, take apart, translate, put together, rename.

It knows every format by its ending; it does not know how any of them is taken apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq.documents import archives, files, hypertext, interchange, markdown, po, resources, subtitles, tables, trees
from seq2seq.documents.units import DocumentError, Part
from seq2seq.documents.work import Job, Reader, Work

if TYPE_CHECKING:
    from seq2seq.translator import Terms

Progress = Callable[[float], None]

TABLES: dict[str, Callable[[files.Lines, Sequence[str]], Iterator[Part]]] = {
    ".tsv": tables.tab_separated,
    ".tab": tables.tab_separated,
    ".csv": tables.comma_separated,
}
STREAMS: dict[str, Callable[[files.Lines], Iterator[Part]]] = {
    ".txt": tables.text,
    ".text": tables.text,
    ".srt": subtitles.srt,
    ".vtt": subtitles.vtt,
    ".jsonl": resources.records,
}
TEXTS: dict[str, Callable[[str, Path], Iterator[Part]]] = {
    ".po": po.catalogue,
    ".pot": po.catalogue,
    ".json": resources.document,
    ".arb": resources.document,
    ".html": lambda text, path: hypertext.page(text),
    ".htm": lambda text, path: hypertext.page(text),
    ".xhtml": lambda text, path: hypertext.page(text),
    ".md": lambda text, path: markdown.text(text),
    ".markdown": lambda text, path: markdown.text(text),
}
XML = (".xlf", ".xliff")
SUFFIXES = (*STREAMS, *TABLES, *TEXTS, *XML, *archives.MEMBERS)
"""Endings of the names of files that can be translated."""
ALIKE = ((".txt", ".text"), (".tsv", ".tab"), (".po", ".pot"), (".html", ".htm"), (".md", ".markdown"), XML)
"""Endings that say the same of a file."""
NEEDED = {"lxml": "lxml", "markdown_it": "markdown-it-py"}


@dataclass(frozen=True)
class Report:
    """What was done.

    Arguments:
        texts: how many texts were translated.
        in_parts: of these those that lost a placeholder as a whole, and so were translated in parts.
        flagged: of these those that the translator has doubts about; see `Translation.flags`.
    """

    texts: int
    in_parts: int
    flagged: int


def translate(
    translator: Reader,
    source: str | Path,
    target: str | Path,
    *,
    search: Any = None,
    terms: Terms | None = None,
    columns: Sequence[str] = (),
    encoding: str | None = None,
    progress: Progress = lambda share: None,
) -> Report:
    """Translates a file; its ending says what it is.

    The output has the input's structure, markup, encoding, byte order mark and line ends, and gets its name when it is
    whole. Memory does not grow with files that are read line by line: text, tables, subtitles, JSONL. Others may have
    64 MiB.

    Arguments:
        translator: a `Translator`, or what does as one.
        source, target: names of the files; they may be the same.
        search, terms: as for a call of the translator, for each text in the file.
        columns: of a table: numbers from 1, or names in its first line, which then stays; none: the first.
        encoding: of a text file that says nothing about it; None: UTF-8.
        progress: is told the share that is done, from 0 to 1; what it raises ends the work.

    Raises:
        DocumentError: the file cannot be read or is not what its ending says, or the output cannot be written.
        ImportError: a package of the extra `files` is not installed.
        TranslationError, EngineError: as from the translator.
    """
    source, target = Path(source), Path(target)
    suffix = check(source, columns=columns)
    work = Work(translator, search=search, terms=terms)
    try:
        with files.opened(source) as stream, files.replacing(target) as out:
            job = Job(source, stream, out, work, progress)
            if suffix in archives.MEMBERS:
                archives.translate(job)
            elif suffix in XML:
                _xliff(job)
            elif suffix in TEXTS:
                _whole(job, encoding)
            else:
                _lines(job, columns, encoding)
    except ModuleNotFoundError as error:
        if error.name not in NEEDED:
            raise
        raise ImportError(
            f"A {suffix} file needs {NEEDED[error.name]}: pip install 'seq2seq[files]'", name=error.name
        ) from None
    progress(1.0)
    return Report(work.texts, work.split, work.flagged)


def check(source: str | Path, *, columns: Sequence[str] = ()) -> str:
    """The ending that says what a file is; for an early word before a model is loaded.

    Raises:
        DocumentError: it is none of `SUFFIXES`, or columns are asked of what is no table.
    """
    suffix = Path(source).suffix.lower()
    if suffix not in SUFFIXES:
        raise DocumentError.at(f"A document's name must end in one of {' '.join(SUFFIXES)}", Path(source))
    if columns and suffix not in TABLES:
        raise DocumentError.at(f"Columns must be those of a table ({' '.join(TABLES)})", Path(source))
    return suffix


def endings(suffix: str) -> tuple[str, ...]:
    """The endings that say of a file what this one does, this one among them."""
    return next((alike for alike in ALIKE if suffix in alike), (suffix,))


def _whole(job: Job, encoding: str | None) -> None:
    suffix = job.path.suffix.lower()
    data = files.whole(job.path, job.stream)
    is_page = suffix in (".html", ".htm", ".xhtml")
    told = hypertext.charset(data) if is_page else po.charset(data) if suffix in (".po", ".pot") else None
    form = files.Encoding.of(data, encoding or told)
    text = files.decoded(job.path, data, form)
    if suffix in (".po", ".pot"):
        po.check(text, job.path, job.work.languages)
    parts = list(TEXTS[suffix](text, job.path))
    write = files.writer(job.path, job.out, form, errors="xmlcharrefreplace" if is_page else "strict")
    for piece in job.whole(parts):
        write(piece)


def _lines(job: Job, columns: Sequence[str], encoding: str | None) -> None:
    suffix = job.path.suffix.lower()
    form = files.Encoding.of(job.stream.read(4), encoding)
    lines = files.Lines(job.path, job.stream, form)
    parts = TABLES[suffix](lines, columns) if suffix in TABLES else STREAMS[suffix](lines)
    write = files.writer(job.path, job.out, form)
    for piece in job.work.flow(parts, lambda: job.progress(lines.share())):
        write(piece)


def _xliff(job: Job) -> None:
    data = files.whole(job.path, job.stream)
    tree = trees.parse(data, job.path)
    for _ in job.whole(list(interchange.xliff(tree, job.path, job.work.languages))):
        pass
    job.out.write(trees.serialised(tree, data))
