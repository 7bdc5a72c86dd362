"""Files read and written: byte order marks, encodings, line ends, limits; a file is whole or it is not there.

It knows bytes and text; it does not know what they mean.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from seq2seq.documents.units import DocumentError

MAX_WHOLE = 64 << 20
"""Bytes of a file that must be read as a whole."""
MAX_LINE = 1 << 22
"""Characters of a line."""
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
UNMARKED = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
"""What a file is in that has no mark, where the name of an encoding speaks of one."""
NO_FILES = ("idna", "punycode", "raw-unicode-escape", "unicode-escape")
"""Encodings that Python has for names and its own source."""


@dataclass(frozen=True)
class Encoding:
    """How text stands in a file."""

    name: str
    mark: bytes = b""

    @classmethod
    def of(cls, head: bytes, given: str | None = None) -> Encoding:
        """That of the byte order mark, else the given one, else UTF-8.

        Raises:
            DocumentError: there is no encoding of the given name.
        """
        for mark, name in MARKS:
            if head.startswith(mark):
                return cls(name, mark)
        try:
            found = codecs.lookup(given or "utf-8").name
            "".encode(found)  # "hex" and the like are no text
        except (LookupError, ValueError):
            found = ""
        if not found or found in NO_FILES:
            raise DocumentError(f"An encoding must be one that Python knows. Received: {given!r}")
        return cls(UNMARKED.get(found, found))


class Lines:
    """The lines of a text file, with the line ends that they have; memory does not grow with the file.

    Arguments:
        path: its name, for messages.
        stream: the open file.
        encoding: of the file.
    """

    def __init__(self, path: Path, stream: BinaryIO, encoding: Encoding) -> None:
        self.path = path
        self.count = 0
        """Lines that have been read."""
        self._stream = stream
        self._encoding = encoding
        self._size = os.fstat(stream.fileno()).st_size or 1

    def __iter__(self) -> Iterator[str]:
        """Yields line by line.

        Raises:
            DocumentError: the file is not in its encoding, or a line is too long.
        """
        self.count = 0
        self._stream.seek(len(self._encoding.mark))
        reader = io.TextIOWrapper(self._stream, self._encoding.name, newline="")
        try:
            while line := reader.readline(MAX_LINE + 1):
                self.count += 1
                if len(line) > MAX_LINE:
                    raise DocumentError.at(f"A line must have at most {MAX_LINE:,} characters", self.path, self.count)
                yield line
        except UnicodeError as error:
            raise not_decoded(self.path, self._encoding, error) from None
        finally:
            with contextlib.suppress(ValueError):
                reader.detach()

    def share(self) -> float:
        """How much of the file has been read, from 0 to 1."""
        return min(1.0, self._stream.tell() / self._size)


def whole(path: Path, stream: BinaryIO) -> bytes:
    """All bytes of a file that is small enough."""
    data = stream.read(MAX_WHOLE + 1)
    if len(data) > MAX_WHOLE:
        raise DocumentError.at(f"A file of this kind must have at most {MAX_WHOLE >> 20} MiB", path)
    return data


def decoded(path: Path, data: bytes, encoding: Encoding) -> str:
    """The text of a file."""
    try:
        return data[len(encoding.mark) :].decode(encoding.name)
    except UnicodeError as error:
        raise not_decoded(path, encoding, error) from None


def not_decoded(path: Path, encoding: Encoding, error: UnicodeError) -> DocumentError:
    """The sentence for a file that is not in its encoding, with the line where that can be told."""
    line, reason = 0, str(getattr(error, "reason", error))
    if not encoding.name.startswith(("utf-16", "utf-32")):
        with path.open("rb") as stream:
            for raw in stream:
                line += 1
                try:
                    raw.decode(encoding.name)
                except UnicodeDecodeError as found:
                    reason = f"byte 0x{raw[found.start]:02x} at position {found.start + 1} of the line"
                    break
    must = f"A text file must be in {encoding.name.upper()}, or its encoding must be given"
    return DocumentError.at(must, path, line, reason)


def writer(path: Path, out: BinaryIO, encoding: Encoding, *, errors: str = "strict") -> Callable[[str], None]:
    """Writes text to a file in an encoding, after its byte order mark."""
    out.write(encoding.mark)

    def write(text: str) -> None:
        try:
            out.write(text.encode(encoding.name, errors))
        except UnicodeEncodeError as error:
            raise DocumentError.at(
                f"The translation must fit into the file's encoding, {encoding.name}",
                path,
                reason=repr(error.object[error.start : error.end][:10]),
            ) from None

    return write


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file, for reading."""
    try:
        stream = path.open("rb")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DocumentError.at("A document must be a readable file", path, reason=reason) from None
    with stream:
        yield stream


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file beside the path, which gets its name when all went well and is removed when not."""
    if path.exists() and not path.is_file():
        raise DocumentError.at("The output must be a file", path, reason="it is something else")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:60]}.", suffix=".partial", dir=path.parent)
    except OSError as error:
        raise DocumentError.at("The output's folder must be writable", path, reason=error.strerror or "") from None
    try:
        with open(handle, "wb") as out:
            yield out
        os.chmod(name, path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
