"""Parallel text in: two aligned files, or one of TSV, CSV, JSONL or TMX, compressed or not, "-" for stdin.

It owns which reader a file needs and that two sides belong together; it cleans nothing and drops nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from seq2seq.corpus import names, tables, tmx
from seq2seq.corpus.blocks import MALFORMED, ROWS, UNDECODABLE, Block, Fault, decode, refuse_other_than_text
from seq2seq.corpus.errors import CorpusError, LengthsError
from seq2seq.corpus.streams import COMPRESSED, Lines, Stream

Reader = Callable[[Lines, tuple[str, str]], Iterator[Block]]

ENDINGS = {".tsv": "TSV", ".tab": "TSV", ".csv": "CSV", ".jsonl": "JSONL", ".ndjson": "JSONL", ".json": "JSONL"}
READERS: dict[str, Reader] = {"TSV": tables.tsv, "CSV": tables.comma_separated, "JSONL": tables.jsonl}
EXPECTED = {
    "TSV": "A line of a TSV file must hold a source, a tab and a target",
    "CSV": "A row of a CSV file must hold a source and a target",
    "JSONL": "A line of a JSONL file must be an object with two languages as fields, or source and target",
}
LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,2}")
OTHER_ENDINGS = {"txt", "tok", "bpe", "raw", "tmx", "xml", "doc", "dat", "log", "src", "tgt", "zip", "tar", "tgz"}
OTHER_ENDINGS |= {ending[1:] for ending in ENDINGS}


def read(
    source: str | Path, target: str | Path | None = None, *, source_language: str = "", target_language: str = ""
) -> Iterator[tuple[str, str]]:
    """Yields every pair as the file has it, in constant memory.

    Args:
        source: source sentences, one a line, or one file of pairs if there is no `target`; "-" is stdin.
        target: their translations, line by line.
        source_language: which language of a TMX file, or field of a JSONL or CSV file, is the source.
        target_language: and which the target.

    Raises:
        CorpusError: a file cannot be read, a line holds no pair, or the files differ in length. (`prepare` leaves lines
            that hold no pair out and counts them.)
    """
    for block in blocks(source, target, languages=(source_language, target_language)):
        for row, reason, name in block.faults[:1]:
            must = "Text must be UTF-8" if reason == UNDECODABLE else "A line must hold a source and a target"
            raise CorpusError(f"{must}. Received: {name}:{block.lines[row]}")
        yield from zip(block.sources, block.targets, strict=True)


def blocks(
    source: str | Path, target: str | Path | None = None, *, languages: tuple[str, str] = ("", "")
) -> Iterator[Block]:
    """The pairs of a corpus, some thousand at a time, with the rows that hold no pair named."""
    if target is not None:
        refuse_table_beside(source, target)
        if str(source) == str(target) == "-":
            raise CorpusError("Two aligned files must be two files. Received: - and -")
        yield from _aligned(source, target)
        return
    with Stream(source) as stream:
        kind = _format(stream, source)
        if kind == "TMX":
            yield from tmx.read(stream, languages)
            return
        must = EXPECTED[kind]
        if kind == "JSONL" and stream.peek().lstrip().startswith(b"["):
            must += "; jq -c '.[]' makes such lines of an array"
        first = True
        for block in READERS[kind](Lines(stream), languages):
            malformed = [fault for fault in block.faults if fault.reason == MALFORMED]
            if first and len(malformed) * 4 > len(block.sources):
                place = f"{stream.name}:{block.lines[malformed[0].row]}"
                raise CorpusError(f"{must}. Received: {place}")
            first = False
            yield block


def is_table(path: str | Path) -> bool:
    """Whether the ending of a file says that it holds both sides."""
    suffix = Path(Path(path).name.casefold().removesuffix(_packing(path))).suffix
    return suffix in ENDINGS or suffix == ".tmx"


def refuse_table_beside(source: str | Path, target: str | Path | None) -> None:
    """Makes sure that neither of two files holds both sides: as lines of text it would hold the translations too.

    Raises:
        CorpusError: one does.
    """
    for path in (source, target) if target is not None else ():
        if is_table(path):
            raise CorpusError(f"A table of pairs must be given alone, without a second file. Received: {path}")


def check_pairs(source: str | Path) -> None:
    """Makes sure that a file that is given alone holds both sides.

    Raises:
        CorpusError: it is text, or cannot be read.
    """
    with Stream(source) as stream:
        _format(stream, source)


def languages_from(source: str | Path, target: str | Path | None = None) -> tuple[str, str]:
    """The two languages that the names of the files tell, or a TMX itself.

    >>> languages_from("train.en", "train.de.gz")
    ('en', 'de')
    >>> languages_from("news.en-de.tsv")
    ('en', 'de')

    Raises:
        CorpusError: they do not tell two different languages.
    """
    refuse_table_beside(source, target)
    if target is not None:
        found = (_ending(source), _ending(target))
    elif Path(source).name.removesuffix(_packing(source)).casefold().endswith(".tmx"):
        with Stream(source) as stream:
            found = tmx.languages(stream)
    else:
        stem = re.split(r"[.]", Path(source).name)
        pairs = [re.fullmatch(r"(?:.*[_-])?([a-z]{2,3})[-_]([a-z]{2,3})", part) for part in stem]
        found = next(((pair[1], pair[2]) for pair in pairs if pair), ("", ""))
    if not all(found) or found[0].casefold() == found[1].casefold():
        paths = f"{source}" if target is None else f"{source} and {target}"
        raise CorpusError(f"Two different languages must be given, or be the endings of the files. Received: {paths}")
    return found


def contradiction(
    languages: tuple[str, str], source: str | Path, target: str | Path | None = None
) -> tuple[str, str] | None:
    """The languages that the names of the files tell, if they are not these in this order; regions do not count.

    A TMX or JSONL file says itself which of its texts is which, and so does a table whose first line names them; then
    the order in the name tells nothing.

    >>> contradiction(("en", "de"), "news.de-en.tsv"), contradiction(("en", "de"), "ours.en_GB", "ours.de")
    (('de', 'en'), None)
    """
    try:
        told = languages_from(source, target)
    except CorpusError:
        return None
    bare, wanted = ([re.split("[-_]", name.casefold())[0] for name in pair] for pair in (told, languages))
    name = Path(source).name.casefold().removesuffix(_packing(source))
    if target is None and (
        name.endswith(".tmx") or ENDINGS.get(Path(name).suffix) == "JSONL" or _heads_tell(source, languages)
    ):
        bare, wanted = sorted(bare), sorted(wanted)
    return told if bare != wanted else None


def _heads_tell(source: str | Path, languages: tuple[str, str]) -> bool:
    """Whether the first line of a table names its columns by these languages; not where there is no such file."""
    try:
        with Stream(source) as stream:
            first = stream.peek().partition(b"\n")[0].decode("utf-8-sig", "replace")
    except CorpusError:
        return False
    heads = [cell.strip(' "\r') for cell in re.split(r"[\t,;]", first)]
    return all(names.find(heads, language) is not None for language in languages)


def _aligned(source: str | Path, target: str | Path) -> Iterator[Block]:
    with Stream(source) as one, Stream(target) as two:
        for stream in (one, two):
            refuse_other_than_text(stream.peek(), stream.name)
        left, right = Lines(one), Lines(two)
        while count := min(left.fill(ROWS), right.fill(ROWS), ROWS):
            first = left.taken + 1
            sources, bad = decode(left.take(count))
            targets, worse = decode(right.take(count))
            faults = [Fault(row, UNDECODABLE, one.name) for row in bad]
            faults += [Fault(row, UNDECODABLE, two.name) for row in worse if row not in set(bad)]
            for fault in faults:
                sources[fault.row] = targets[fault.row] = ""
            yield Block(range(first, first + count), sources, targets, faults)
        text = [_has_text(lines) for lines in (left, right)]
        if any(text):
            raise LengthsError(
                "Two aligned files must have equally many lines. "
                f"Received: {one.name} with {left.taken:,} and {two.name} with {right.taken:,}"
            )


def _has_text(lines: Lines) -> bool:
    """Whether more than blank lines is left of the file, which is read and forgotten."""
    found = False
    while lines.fill(1):
        found = any(map(bytes.strip, lines.take(ROWS))) or found
    return found


def _format(stream: Stream, path: str | Path) -> str:
    """The format of one file of pairs: its ending tells, or else its beginning."""
    name = Path(path).name.casefold().removesuffix(_packing(path))
    head = stream.peek().removeprefix(b"\xef\xbb\xbf").lstrip()
    if name.endswith(".tmx") or (head.startswith(b"<") and b"<tmx" in head[:4096]):
        return "TMX"
    refuse_other_than_text(stream.peek(), stream.name)
    if head.startswith(b"<") and b"<xliff" in head[:4096]:
        raise CorpusError(f"XLIFF must be exported as TMX to be a corpus. Received: {stream.name}:1")
    ending = ENDINGS.get(Path(name).suffix)
    if ending:
        return ending
    if head.startswith((b"{", b"[")):
        return "JSONL"
    if not head or b"\t" in head.partition(b"\n")[0]:
        return "TSV"
    must = "One file alone must be pairs, as TSV, CSV, JSONL or TMX; text needs a second file, with its translations"
    raise CorpusError(f"{must}. Received: {stream.name}:1")


def _packing(path: str | Path) -> str:
    suffix = Path(path).suffix.casefold()
    return suffix if suffix in COMPRESSED else ""


def _ending(path: str | Path) -> str:
    """The language that the last telling ending names: corpus.en.txt.gz -> en."""
    for suffix in reversed(Path(path).suffixes):
        if suffix.casefold() in COMPRESSED or suffix[1:].casefold() in OTHER_ENDINGS:
            continue
        return suffix[1:] if LANGUAGE.fullmatch(suffix[1:]) else ""
    return ""
