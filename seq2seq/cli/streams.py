"""Lines in and lines out, as UTF-8 bytes split at the line feed alone; memory does not grow with the file.

It knows files, terminals and pipes; it does not know what a line means.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from seq2seq.cli.errors import DataError, UsageError, debugging, say
from seq2seq.cluster.shards import LONGEST_LINE, Shard

BOM = b"\xef\xbb\xbf"


class Lines:
    """The lines of a UTF-8 file or of standard input, without their line ends.

    Only the line feed ends a line; a carriage return before it goes too, U+0085 and U+2028 stay inside. What cannot be
    read or decoded ends the iteration, so that the lines before it are still worked on; `check` raises it afterwards.
    Of a `part` of a file only its lines come, with the numbers that they have in the whole.

    Raises:
        DataError: the file cannot be opened; from `check`, line and byte of the first that is not UTF-8.
    """

    def __init__(self, path: Path | None, part: Shard | None = None) -> None:
        self.name = "standard input" if _is_dash(path) else str(path)
        self.count = part.line - 1 if part else 0
        self._left = part.lines if part else math.inf
        self._error: DataError | None = None
        self._own = not _is_dash(path)
        self._stream = self._open(Path(str(path))) if self._own else _standard("stdin")
        self.interactive = not self._own and self._stream.isatty()
        if part:
            self._stream.seek(part.start)

    def __iter__(self) -> Iterator[str]:
        try:
            yield from self._decoded()
        finally:
            if self._own:
                self._stream.close()  # Windows replaces no file that is open

    def _decoded(self) -> Iterator[str]:
        while (raw := self._read()) is not None:
            try:
                text = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                self._error = self._undecodable(raw, error.start)
                return
            yield text

    def _undecodable(self, raw: bytes, place: int) -> DataError:
        from seq2seq import corpus

        if self.count == 1 and (what := corpus.foreign(raw, self.name)):
            return DataError(f"Input must be text in UTF-8. Received: {self.name} ({what})")
        byte = f"byte 0x{raw[place]:02x} at position {place + 1} of the line"
        return DataError(f"Input must be UTF-8. Received: {self.name}, line {self.count}, {byte}")

    def check(self) -> None:
        """Raises what ended the iteration early, if anything did."""
        if self._error:
            raise self._error

    def _read(self) -> bytes | None:
        if not self._left:
            return None
        try:
            raw = self._stream.readline(LONGEST_LINE + 1)
        except OSError as error:
            self._error = DataError(f"Input must be a readable file. Received: {self.name} ({error.strerror})")
            return None
        if not raw:
            return None
        self.count += 1
        self._left -= 1
        if len(raw) > LONGEST_LINE:
            self._error = DataError(
                f"A line must have at most {LONGEST_LINE:,} bytes. Received: {self.name}, line {self.count}"
            )
            return None
        if self.count == 1:
            raw = raw.removeprefix(BOM)
        return raw.removesuffix(b"\n").removesuffix(b"\r")

    @staticmethod
    def _open(path: Path) -> BinaryIO:
        try:
            return path.open("rb")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise DataError(f"Input must be a readable file. Received: {path} ({reason})") from None


def read(path: Path) -> list[str]:
    """All lines of a file."""
    lines = Lines(path)
    texts = list(lines)
    lines.check()
    return texts


def refuse_tables(*paths: Path | None) -> None:
    """Makes sure that files hold sentences and not pairs, which would be read as one sentence each.

    Raises:
        DataError: the ending of one says otherwise.
    """
    from seq2seq import corpus

    for path in paths:
        if path is not None and corpus.is_table(path):
            must = "Text must have a sentence on each line, in a file for each language"
            raise DataError(f"{must}; seq2seq prepare makes such files of a table. Received: {path}")


def read_pairs(source: Path, target: Path, noun: str) -> tuple[list[str], list[str]]:
    """All lines of two files that belong together line by line; the noun names the second."""
    refuse_tables(source, target)
    sources, targets = read(source), read(target)
    if len(sources) != len(targets):
        raise DataError(
            f"Source and {noun} must have the same number of lines. "
            f"Received: {source} with {len(sources)}, {target} with {len(targets)}"
        )
    return sources, targets


def write(out: BinaryIO, text: str) -> None:
    """One line, at once: whoever reads the pipe gets it, and an interruption loses nothing."""
    out.write(encoded(text))
    out.flush()


def encoded(text: str) -> bytes:
    """One line, its end included."""
    return text.replace("\n", " ").encode("utf-8", "replace") + b"\n"


def show(text: str) -> None:
    """Data of several lines on standard output, UTF-8 whatever the locale."""
    out = _standard("stdout")
    out.write(text.encode("utf-8", "replace") + b"\n")
    out.flush()


def to_json(value: Any, *, indent: int | None = None) -> str:
    """JSON that any reader accepts: NaN and infinities become null, dataclasses become objects."""
    return json.dumps(_plain(value), ensure_ascii=False, indent=indent, allow_nan=False, default=str)


def refuse_to_overwrite(path: Path | None, *reads: Path | None) -> None:
    """Makes sure, before any work, that an output is none of the files that are read.

    Raises:
        UsageError: it is one.
    """
    for each in reads:
        if path is not None and each is not None and path.is_file() and each.is_file() and path.samefile(each):
            raise UsageError(f"The output must be another file than those that are read. Received: {path}")


@contextlib.contextmanager
def output(path: Path | None) -> Iterator[BinaryIO]:
    """Standard output, or a file that gets its name when it is whole.

    A run that ends early leaves what it has in a file of that name with `.partial` added, and says so.
    """
    if _is_dash(path):
        yield _standard("stdout")
        return
    target = Path(str(path))
    if target.is_dir():
        raise UsageError(f"The output must be a file. Received: {target}, a folder")
    if target.exists() and not target.is_file():
        with target.open("wb") as out:  # a device or a named pipe is written to, never replaced
            yield out
        return
    partial = target.with_name(target.name + ".partial")
    try:
        with partial.open("wb") as out:
            yield out
        os.replace(partial, target)
    except BaseException:
        if partial.exists():
            say("note", f"what was done before is in {partial}")
        raise


class Progress:
    """A count on stderr, renewed twice a second, where a person watches and the terminal is not needed for the data.

    Where the `total` is known a bar and the time left are shown too.
    """

    def __init__(self, noun: str, *, total: int = 0, quiet: bool = False) -> None:
        self.noun, self.total, self.count = noun, total, 0
        self._first: int | None = None
        self._start = self._shown = time.monotonic()
        self._on = not quiet and sys.stderr is not None and sys.stderr.isatty()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._on and self._shown != self._start:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def step(self) -> None:
        """Counts one more."""
        self.reach(self.count + 1)

    def reach(self, count: int) -> None:
        """So many are done; the first call may say that most were done before."""
        self.count = count
        self._first = count - 1 if self._first is None else self._first
        now = time.monotonic()
        if self._on and now - self._shown > 0.5:
            self._shown = now
            rate = (self.count - self._first) / (now - self._start)
            line = f"{self._bar()}{self.count:,} {self.noun}, {rate:,.0f} a second"
            if self.total and rate:
                line += f", {(self.total - self.count) / rate / 60:,.0f} minutes left"
            print(f"\r{line}\x1b[K", end="", file=sys.stderr, flush=True)

    def _bar(self) -> str:
        done = min(20, 20 * self.count // self.total) if self.total else 0
        return f"[{'#' * done}{'.' * (20 - done)}] " if self.total else ""


@contextlib.contextmanager
def hidden_stderr() -> Iterator[None]:
    """Keeps what native libraries print beside Python's own stderr from the terminal; SEQ2SEQ_DEBUG=1 shows it."""
    try:
        kept = -1 if debugging() else os.dup(2)
    except OSError:  # closed
        kept = -1
    if kept < 0:
        yield
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def silence() -> None:
    """Points standard output at nothing, so that what is still buffered cannot fail again when Python ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def stdout_is_terminal() -> bool:
    """Whether a person reads standard output."""
    return sys.stdout is not None and sys.stdout.isatty()


def _is_dash(path: Path | None) -> bool:
    return path is None or str(path) == "-"


def _standard(name: str) -> BinaryIO:
    stream = getattr(sys, name)
    if stream is None:
        raise UsageError(f"{name} must be open. Received: a closed {name}")
    return stream.buffer


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy
        return _plain(value.tolist())
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value
