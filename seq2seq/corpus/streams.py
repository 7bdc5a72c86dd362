"""Bytes and lines out of files: plain, gzip, bzip2, xz or Zstandard, told by their first bytes; "-" is stdin.

It owns decompression and where a line ends (at "\\n" and nowhere else); it does not know what a line says.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import sys
import zlib
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol

from seq2seq.corpus.errors import CorpusError

CHUNK = 1 << 19
LONGEST_LINE = 1 << 26
COMPRESSED = (".gz", ".bz2", ".xz", ".zst")


class Readable(Protocol):
    """What can be asked for the next bytes, b"" at the end."""

    def read1(self, size: int = -1, /) -> bytes: ...


class Stream(AbstractContextManager["Stream"]):
    """The decompressed bytes of one file.

    Args:
        path: the file, or "-" for stdin. What the first bytes say about compression counts, not the ending.

    Raises:
        CorpusError: the file is missing, a directory, unreadable, or its compression is broken.
        ImportError: the file is Zstandard and no library for it is installed.
    """

    def __init__(self, path: str | Path) -> None:
        self.name = "stdin" if str(path) == "-" else str(path)
        self.line = 0  # of whoever reads, for messages
        self._ahead = b""
        self._broken = ""
        self._file = None if str(path) == "-" else _open(Path(path))  # stdin is not ours to close
        buffered = self._file or _stdin()
        try:
            head = buffered.peek(16)[:16]
            opener = next((opener for test, opener in _OPENERS if test(head)), None)
            self._inner: Readable = opener(buffered, self.name) if opener else buffered
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def read(self) -> bytes:
        """The next chunk; b"" at the end. What can be read before a broken place is read."""
        if self._ahead:
            ahead, self._ahead = self._ahead, b""
            return ahead
        parts: list[bytes] = []
        room = CHUNK
        while room > 0 and not self._broken:
            try:
                part = self._inner.read1(room)
            except _BROKEN as error:
                self._broken = str(error) or type(error).__name__
                break
            if not part:
                break
            parts.append(part)
            room -= len(part)
        if self._broken and not parts:
            place = f"{self.name}:{self.line + 1}"
            raise CorpusError(f"A file must be readable to its end. Received: {place} ({self._broken})")
        return b"".join(parts)

    def peek(self) -> bytes:
        """The first chunk, which `read` will return again."""
        self._ahead = self._ahead or self.read()
        return self._ahead

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()


class Lines:
    """The lines of a stream, without their "\\n", some at a time.

    A byte order mark at the start is dropped. `pending` holds the lines that were read and not yet taken.
    """

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.pending: list[bytes] = []
        self.taken = 0
        self._tail: list[bytes] = []
        self._first = True
        self._ended = False

    def fill(self, enough: int) -> int:
        """Reads until `enough` lines wait, at least one does after a whole chunk, or the end; returns how many wait."""
        while len(self.pending) < enough and not self._ended:
            self.stream.line = self.taken + len(self.pending)
            chunk = self.stream.read()
            if self._first:
                chunk, self._first = chunk.removeprefix(b"\xef\xbb\xbf"), False
            if not chunk:
                self._ended = True
                if any(self._tail):
                    self.pending.append(b"".join(self._tail))
                break
            head, *rest = chunk.split(b"\n")
            self._tail.append(head)
            if rest:
                self.pending.append(b"".join(self._tail))
                self.pending += rest[:-1]
                self._tail = [rest[-1]]
                break
            if sum(map(len, self._tail)) > LONGEST_LINE:
                place = f"{self.stream.name}:{self.taken + len(self.pending) + 1}"
                raise CorpusError(f"A line must be at most {LONGEST_LINE >> 20} MiB long. Received: {place}")
        return len(self.pending)

    def take(self, count: int) -> list[bytes]:
        """The next lines that wait, at most `count`."""
        lines, self.pending = self.pending[:count], self.pending[count:]
        self.taken += len(lines)
        return lines


class _Zstandard:
    """Zstandard, frame after frame; unlike the readers of the libraries it notices a missing end."""

    def __init__(self, file: BinaryIO, frame: Callable[[], Any], error: type[Exception]) -> None:
        self._file = file
        self._new_frame = frame
        self._error = error
        self._frame: Any = None
        self._rest = b""

    def read1(self, size: int = -1, /) -> bytes:
        while data := self._rest or self._file.read(1 << 14):
            self._rest = b""
            self._frame = self._frame or self._new_frame()
            try:
                text = self._frame.decompress(data)
            except self._error as error:
                raise OSError(str(error)) from None
            if self._frame.eof:
                self._rest, self._frame = self._frame.unused_data, None
            if text:
                return text
        if self._frame is not None:
            raise EOFError("the compressed data end too early")
        return b""


def _stdin() -> io.BufferedReader:
    buffer = getattr(sys.stdin, "buffer", None)
    if buffer is None or buffer.closed:
        raise CorpusError("Standard input must be open to be read. Received: -")
    return buffer if isinstance(buffer, io.BufferedReader) else io.BufferedReader(buffer)


def refuse_missing(paths: Iterable[str | Path | None]) -> None:
    """Makes sure that there is a file under every path that is given, before hours are spent on the first.

    Raises:
        CorpusError: one is missing, or a directory.
    """
    for path in paths:
        if path is not None and str(path) != "-" and not Path(path).is_fifo():  # a pipe can be opened once only
            _open(Path(path)).close()


def _open(path: Path) -> io.BufferedReader:
    detail = ""
    try:
        if not stat.S_ISDIR(path.stat().st_mode):
            return io.BufferedReader(io.FileIO(path), 1 << 16)
        detail = "a directory"
    except FileNotFoundError:
        detail = "it does not exist"
    except (OSError, ValueError) as error:
        detail = getattr(error, "strerror", None) or str(error)
    raise CorpusError(f"A corpus must be a file that can be read. Received: {path} ({detail})")


def _zstandard(file: BinaryIO, name: str) -> Readable:
    if sys.version_info >= (3, 14):
        from compression import zstd

        return _Zstandard(file, zstd.ZstdDecompressor, zstd.ZstdError)
    try:
        import zstandard
    except ImportError:
        raise ImportError(f"reading {name} needs zstandard: pip install 'seq2seq[train]'", name="zstandard") from None
    return _Zstandard(file, lambda: zstandard.ZstdDecompressor().decompressobj(), zstandard.ZstdError)


_BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError)
_OPENERS: list[tuple[Callable[[bytes], bool], Callable[[BinaryIO, str], Readable]]] = [
    (lambda head: head.startswith(b"\x1f\x8b"), lambda file, _: gzip.GzipFile(fileobj=file, mode="rb")),
    (lambda head: head[:3] == b"BZh" and head[4:10] == b"1AY&SY", lambda file, _: bz2.BZ2File(file)),
    (lambda head: head.startswith(b"\xfd7zXZ\x00"), lambda file, _: lzma.LZMAFile(file)),  # noqa: SIM115 (Stream closes)
    (lambda head: head.startswith(b"\x28\xb5\x2f\xfd"), _zstandard),
]
