"""Documents that are zip archives: Word, Excel, PowerPoint, OpenDocument, EPUB; all other members are copied.

It knows members and limits; what their text is the formats say.
"""

from __future__ import annotations

import errno
import re
import zipfile
import zlib
from pathlib import Path

from seq2seq.documents import hypertext, trees, wordprocessing
from seq2seq.documents.files import MAX_WHOLE, Encoding, decoded
from seq2seq.documents.units import DocumentError
from seq2seq.documents.work import Job

MEMBERS = {
    ".docx": r"word/(document\d*|header\d*|footer\d*|footnotes|endnotes)\.xml",
    ".pptx": r"ppt/(slides/slide|notesSlides/notesSlide)\d+\.xml",
    ".xlsx": r"xl/(sharedStrings|worksheets/sheet\d+|drawings/drawing\d+)\.xml",
    ".odt": r"(content|styles)\.xml",
    ".ods": r"(content|styles)\.xml",
    ".odp": r"(content|styles)\.xml",
    ".epub": r".*\.(xhtml|html|htm)",
}
"""Which members hold text, by the ending of the archive's name."""
_OPEN = dict.fromkeys((".odt", ".ods", ".odp"), "content.xml")
_HOME = {".docx": "word/", ".pptx": "ppt/", ".xlsx": "xl/", ".epub": "mimetype", **_OPEN}
MAX_MEMBERS, MAX_TOTAL = 10_000, 1 << 30
"""Of an archive: how many members, and how many bytes when they are unpacked."""


def translate(job: Job) -> None:
    """Writes the archive with its text translated, every member in its place.

    Raises:
        DocumentError: it is no whole archive, is locked by a password, or is larger than the limits.
    """
    try:
        with zipfile.ZipFile(job.stream) as archive, zipfile.ZipFile(job.out, "w") as made:
            made.comment = archive.comment
            _members(job, archive, made)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # which a wrong place in the archive gives
            raise
        raise DocumentError.at(
            f"A {job.path.suffix} file must be a whole archive", job.path, reason=str(error)
        ) from None


def _members(job: Job, archive: zipfile.ZipFile, made: zipfile.ZipFile) -> None:
    infos = archive.infolist()
    total = sum(info.file_size for info in infos)
    if len(infos) > MAX_MEMBERS or total > MAX_TOTAL:
        must = f"An archive must have at most {MAX_MEMBERS:,} members of {MAX_TOTAL >> 20} MiB together"
        raise DocumentError.at(must, job.path, reason=f"{len(infos):,} members, {total >> 20:,} MiB")
    pattern = re.compile(MEMBERS[job.path.suffix.lower()])
    texts = [info for info in infos if pattern.fullmatch(info.filename)]
    if not any(info.filename.startswith(_HOME[job.path.suffix.lower()]) for info in infos):
        raise DocumentError.at(f"A {job.path.suffix} file must hold a document", job.path, reason="something else")
    kept = _table_heads(job.path, archive)
    size = sum(info.file_size for info in texts) or 1
    done = 0
    for info in infos:
        if pattern.fullmatch(info.filename):
            data = _read(job.path, archive, info)
            stretch = done / size, (done + info.file_size) / size
            made.writestr(_new(info), _translated(job, info.filename, data, kept, stretch))
            done += info.file_size
        else:
            _copy(job.path, archive, made, info)


def _translated(job: Job, name: str, data: bytes, kept: set[str], stretch: tuple[float, float]) -> bytes:
    suffix = job.path.suffix.lower()
    if suffix == ".epub":
        encoding = Encoding.of(data, hypertext.charset(data))
        parts = list(hypertext.page(decoded(job.path, data, encoding)))
        text = "".join(job.whole(parts, *stretch))
        return encoding.mark + text.encode(encoding.name, "xmlcharrefreplace")
    tree = trees.parse(data, job.path, name)
    units = list(wordprocessing.open_document(tree) if suffix in _OPEN else wordprocessing.office(tree, kept))
    if not units:
        return data
    for _ in job.whole(units, *stretch):
        pass
    return trees.serialised(tree, data)


def _read(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """A member; what it says about its size is not believed."""
    with archive.open(info) as member:
        data = member.read(MAX_WHOLE + 1)
    if len(data) > MAX_WHOLE:
        raise DocumentError.at(f"A member must have at most {MAX_WHOLE >> 20} MiB of text", path, reason=info.filename)
    return data


def _copy(path: Path, archive: zipfile.ZipFile, made: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    size = 0
    with archive.open(info) as member, made.open(_new(info), "w", force_zip64=info.file_size > 1 << 31) as target:
        while block := member.read(1 << 20):
            size += len(block)
            if size > MAX_TOTAL:
                raise DocumentError.at(f"A member must have at most {MAX_TOTAL >> 20} MiB", path, reason=info.filename)
            target.write(block)


def _new(info: zipfile.ZipInfo) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(info.filename, info.date_time)
    made.compress_type = info.compress_type
    made.external_attr = info.external_attr
    made.create_system = info.create_system
    return made


def _table_heads(path: Path, archive: zipfile.ZipFile) -> set[str]:
    """Names of the columns of Excel's tables: they must be what their cells say, so they stay."""
    names: set[str] = set()
    if path.suffix.lower() == ".xlsx":
        for info in archive.infolist():
            if re.fullmatch(r"xl/tables/table\d+\.xml", info.filename):
                tree = trees.parse(_read(path, archive, info), path, info.filename)
                names |= {wordprocessing.shown(column.get("name", "")) for column in tree.iter("{*}tableColumn")}
    return names
