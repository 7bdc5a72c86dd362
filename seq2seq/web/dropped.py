"""Documents over HTTP: the file comes as a body and goes as one, or as lines of JSON that tell how far it is.

It knows temporary files and streams of lines; what is in a file is `seq2seq.documents`'.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from seq2seq import documents
from seq2seq.web import answers, limits
from seq2seq.web.answers import Busy, Stopped

if TYPE_CHECKING:
    from seq2seq.documents import Report
    from seq2seq.translator import Translation
    from seq2seq.web.desk import Desk

MAX_FILE = 4 << 20
"""Most bytes of a file."""
MAX_TEXT = 200_000
"""Most characters that are translated of a file."""
MAX_AT_ONCE = 2
"""Most files under way."""
LINES = "application/x-ndjson"


class Files:
    """Translates files that come in requests; nothing of them is kept."""

    def __init__(self) -> None:
        self._working = 0
        self._closed = threading.Event()

    def close(self) -> None:
        """Ends what is under way at the next text."""
        self._closed.set()

    async def answer(self, desk: Desk, name: str, content: bytes, settings: dict[str, Any], *, lines: bool) -> Response:
        """The translated file, or lines: `{"share": 0.5}` now and then, and at the end `{"name", "content"}`.

        Arguments:
            desk: of the model.
            name: of the file; its ending says what it is.
            content: of the file.
            settings: as for `documents.translate`.
            lines: whether to answer in lines.
        """
        if self._working >= MAX_AT_ONCE:
            raise Busy(f"{MAX_AT_ONCE} files are under way already; please try again in a moment.")
        suffix = documents.check(plain_name(name), columns=settings.get("columns") or ())
        work = _Work(desk, suffix, content, settings, self._closed)
        shares = work.heard() if lines else None  # before it begins, so that nothing it tells is lost
        self._working += 1
        doing = asyncio.ensure_future(desk.do(work))
        doing.add_done_callback(self._ended)
        if shares:
            return StreamingResponse(_lines(work, shares, name, doing), media_type=LINES)
        try:
            done, report = await doing
        finally:
            work.left.set()
        headers = {
            "content-disposition": f"attachment; filename*=UTF-8''{quote(_renamed(name, desk), safe='')}",
            **{f"x-{key.replace('_', '-')}": str(value) for key, value in vars(report).items()},
        }
        return Response(done, headers=headers, media_type="application/octet-stream")

    def _ended(self, doing: asyncio.Future[Any]) -> None:
        self._working -= 1
        if not doing.cancelled():
            doing.exception()  # whoever waited for it is told; where nobody did, nobody need be


class _Reader:
    """The translator of a desk, for one file: what it reads is counted and limited."""

    def __init__(self, desk: Desk, between: Callable[[], object]) -> None:
        self._desk = desk
        self._between = between
        self._characters = 0
        self.source_language, self.target_language = desk.translator.source_language, desk.translator.target_language
        self.explain = desk.translator.explain

    def __call__(self, texts: Sequence[str], *, search: Any = None, terms: Any = None) -> list[Translation]:
        self._characters += sum(map(len, texts))
        if self._characters > MAX_TEXT:
            raise limits.LimitError(
                f"A file must have at most {MAX_TEXT:,} characters of text here; seq2seq translate --file takes more. "
                f"Received: more"
            )
        return self._desk.translations(texts, search, terms, between=self._between)


class _Work:
    """One file, translated in a thread."""

    def __init__(
        self, desk: Desk, suffix: str, content: bytes, settings: dict[str, Any], closed: threading.Event
    ) -> None:
        self.desk = desk
        self.left = threading.Event()
        self.progress: Callable[[float], object] = lambda share: None
        self._suffix, self._content, self._settings, self._closed = suffix, content, settings, closed

    def heard(self) -> asyncio.Queue[float | None]:
        """Where the share that is done will be put, for the loop that asks."""
        shares: asyncio.Queue[float | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        self.progress = lambda share: loop.call_soon_threadsafe(shares.put_nowait, share)
        return shares

    def __call__(self) -> tuple[bytes, Report]:
        with tempfile.TemporaryDirectory(prefix="seq2seq-") as folder:
            source, target = Path(folder, f"file{self._suffix}"), Path(folder, f"done{self._suffix}")
            source.write_bytes(self._content)
            try:
                reader = _Reader(self.desk, self._go_on)
                report = documents.translate(reader, source, target, progress=self._told, **self._settings)
            except documents.DocumentError as error:
                raise documents.DocumentError(str(error).replace(str(source), "the file")) from None
            except ImportError as error:
                raise documents.DocumentError(
                    f"Files of this kind need a package that the server lacks. Received: {self._suffix}"
                ) from error
            return target.read_bytes(), report

    def _told(self, share: float) -> None:
        self._go_on()
        self.progress(share)

    def _go_on(self) -> None:
        if self.left.is_set() or self._closed.is_set():
            raise Stopped("The file was given up, for the server is stopping.")


async def _lines(
    work: _Work, shares: asyncio.Queue[float | None], name: str, doing: asyncio.Future[tuple[bytes, Report]]
) -> AsyncIterator[str]:
    doing.add_done_callback(lambda _: shares.put_nowait(None))
    try:
        while (share := await shares.get()) is not None:
            yield _line({"share": round(share, 4)})
        try:
            done, report = doing.result()
        except Exception as error:
            yield bytes(answers.translated(error).body).decode() + "\n"
            return
        content = base64.b64encode(done).decode("ascii")
        yield _line({"name": _renamed(name, work.desk), **vars(report), "content": content})
    finally:
        work.left.set()
        doing.cancel()


def plain_name(name: str) -> str:
    """The last part of a name, whatever system it is from.

    Raises:
        LimitError: there is no name.
    """
    plain = re.split(r"[/\\]", name)[-1].strip()
    plain = f"file{plain}" if plain.startswith(".") else plain
    if not plain or len(plain) > 255:
        raise limits.LimitError(
            f"The name of a file must have from 1 to 255 characters. Received: {limits.brief(name)}"
        )
    return plain


def _renamed(name: str, desk: Desk) -> str:
    """report.docx -> report.de.docx"""
    plain = Path(plain_name(name).encode("utf-8", "replace").decode())
    return f"{plain.stem}.{desk.translator.target_language or 'translated'}{plain.suffix}"


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"
