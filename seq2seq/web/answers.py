"""How the API answers: errors as one JSON form, sizes limited, everything counted.

It knows HTTP; it does not know what is asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seq2seq.web import limits
from seq2seq.web.desk import Overdue
from seq2seq.web.headers import COMMON
from seq2seq.web.metrics import Metrics
from seq2seq.web.rules import TIMEOUT
from seq2seq.web.shelf import NotLoaded

logger = logging.getLogger(__name__)
FAILED = "Something went wrong on the server, and its log says what."
NO_JSON = "The body must be JSON. Received: something else"
HEADERS = {**COMMON, "cache-control": "no-store"}
FAULTS = frozenset({"BundleError", "RunError", "TranslationMemoryError"})
"""Errors of ours, by their names, that are not the client's."""
NUMBER = re.compile(r"/\d+$")
MAX_HELD = 64 << 20
"""Most bytes of bodies that are held at once; who would bring more is told to come again."""


class Busy(RuntimeError):
    """Too much is waiting already."""


class Late(RuntimeError):
    """An answer took longer than a request may."""


class Stopped(RuntimeError):
    """The client has left, or the server ends."""


class Missing(LookupError):
    """What is asked for is not there."""


@contextlib.contextmanager
def awaited() -> Iterator[Callable[[], None]]:
    """While somebody waits here for work in a thread: what that work calls now and then.

    When nobody waits any more, for the client has left or the time is up, it raises Stopped there.
    """
    left = threading.Event()

    def go_on() -> None:
        if left.is_set():
            raise Stopped("Nobody waits for this answer any more.")

    try:
        yield go_on
    finally:
        left.set()


def failure(code: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The one form of every error."""
    return JSONResponse({"error": {"message": message}}, code, {**HEADERS, **(headers or {})})


def translated(error: Exception) -> JSONResponse:
    """An exception as an answer; our own sentences as they are, one plain sentence for anything else."""
    if isinstance(error, RequestValidationError):
        return failure(422, _invalid(error))
    if isinstance(error, HTTPException) and error.status_code == 400:
        return failure(422, NO_JSON)
    if isinstance(error, HTTPException):
        words = {
            404: "There is nothing here; /v1/openapi.json says what there is.",
            405: "This path wants another method.",
        }
        return failure(error.status_code, words.get(error.status_code, str(error.detail)), error.headers)
    if isinstance(error, Missing):
        return failure(404, str(error))
    if isinstance(error, Busy):
        return failure(503, str(error), {"retry-after": "1"})
    if isinstance(error, Late | Overdue):
        return failure(503, str(error), {"retry-after": "5"})
    if isinstance(error, NotLoaded | Stopped):
        return failure(503, str(error), {"retry-after": "30"})
    ours = type(error).__module__.startswith("seq2seq.") or "Received:" in str(error)
    if isinstance(error, ValueError) and ours and type(error).__name__ not in FAULTS:
        return failure(422, str(error))
    logger.error("a request failed", exc_info=error)
    return failure(500, FAILED)


def install(application: FastAPI) -> None:
    """Has every error of an application answered in the one form."""

    async def answer(request: Request, error: Exception) -> Response:
        return translated(error)

    ours = (ValueError, Missing, Busy, Overdue, Stopped, NotLoaded)
    for kind in (RequestValidationError, HTTPException, *ours, Exception):
        application.add_exception_handler(kind, answer)


def _invalid(error: RequestValidationError) -> str:
    first: Any = error.errors()[0]
    if first["type"] == "json_invalid":
        return NO_JSON
    names = [str(part) for part in first["loc"][1:] if part not in ("str", "list[str]")]
    place = ".".join(names) or "body"
    reason = str(first["msg"])
    received = limits.brief(first.get("input")) if first["type"] != "missing" else "nothing"
    must = f"{reason[:1].lower()}{reason[1:]}"
    return f"The field {place:.60} must be as the API's document says ({must}). Received: {received}"


class Guard:
    """ASGI middleware around the API: bodies are read up to a limit, answers counted, and none is left without headers.

    Arguments:
        application: the API.
        metrics: where requests are counted.
        paths: those that are counted by name.
        bodies: most bytes of a body, by path; `limits.MAX_BODY` elsewhere.
        timeout: seconds until a body must be there, until its answer must begin, and between two parts of that.
    """

    def __init__(
        self,
        application: ASGIApp,
        metrics: Metrics,
        *,
        paths: frozenset[str],
        bodies: Mapping[str, int],
        timeout: float = TIMEOUT,
    ) -> None:
        self._application = application
        self._metrics = metrics
        self._paths = paths
        self._bodies = bodies
        self._timeout = timeout
        self._held = 0
        self._waiting = set[asyncio.Timeout]()  # of requests to which nothing has been said yet
        self._stopping = False

    def give_up(self) -> None:
        """Tells all that still wait for the beginning of an answer to come again, for the server ends."""
        self._stopping = True
        for limit in self._waiting:
            if not limit.expired():
                limit.reschedule(asyncio.get_running_loop().time())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        shape = NUMBER.sub("/{number}", scope["path"])
        started, path = time.perf_counter(), shape if shape in self._paths else "other"
        code = 499  # the client left

        async def counted(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        try:
            await self._admit(scope, receive, counted)
        except Exception as error:
            if code == 499:
                await translated(error)(scope, receive, counted)
        finally:
            self._metrics.requests.add(1, path, str(code))
            self._metrics.seconds.observe(time.perf_counter() - started, path)
            if code >= 500:
                self._metrics.errors.add(1, path)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        most = self._bodies.get(scope["path"], limits.MAX_BODY)
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        declared = headers.get("content-length", str(most) if "transfer-encoding" in headers else "0")
        if not declared.isdecimal() or int(declared) > most:
            await _large(most)(scope, receive, send)
        elif scope["method"] == "POST" and scope["path"] not in self._bodies and kind != "application/json":
            await failure(415, "The content type must be application/json.")(scope, receive, send)
        elif scope["method"] == "POST" and headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            await failure(403, "Pages of other sites may not ask for this.")(scope, receive, send)
        elif self._held + int(declared) > MAX_HELD:
            raise Busy("Too much waits already; please try again in a moment.")
        else:
            self._held += int(declared)
            try:
                await self._answer(scope, receive, send, most)
            finally:
                self._held -= int(declared)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        try:
            async with self._limited():
                body, whole = await _body(receive, most)
        except TimeoutError:
            self._go_on()
            message = f"A request must arrive whole within {self._timeout:g} seconds."
            await failure(408, message, {"connection": "close"})(scope, receive, send)
            return
        if len(body) > most:
            await _large(most)(scope, receive, send)
        elif whole:
            await self._in_time(scope, body, receive, send)

    async def _in_time(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        self._go_on()
        try:
            async with self._limited() as limit:

                async def going_on(message: Message) -> None:
                    self._waiting.discard(limit)
                    await send(message)
                    limit.reschedule(asyncio.get_running_loop().time() + self._timeout)

                await _while_there(self._application, scope, body, receive, going_on)
        except TimeoutError:
            self._go_on()
            raise Late(
                f"An answer must be there within {self._timeout:g} seconds; please ask for less at once."
            ) from None

    @contextlib.asynccontextmanager
    async def _limited(self) -> AsyncIterator[asyncio.Timeout]:
        """While entered, time runs, and `give_up` ends it."""
        async with asyncio.timeout(self._timeout) as limit:
            self._waiting.add(limit)
            try:
                yield limit
            finally:
                self._waiting.discard(limit)

    def _go_on(self) -> None:
        if self._stopping:
            raise Stopped("The server is stopping.") from None


def _large(most: int) -> Response:
    return failure(413, f"A request must be at most {most:,} bytes long.", {"connection": "close"})


async def _body(receive: Receive, most: int) -> tuple[bytes, bool]:
    """A body, and whether the client stayed until it was sent; no more is read than shows that it is too large."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] != "http.request" or len(body) > most:
            return bytes(body), False
        if not message.get("more_body", False):
            return bytes(body), True


async def _while_there(application: ASGIApp, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
    """Answers a request whose body has been read, and gives up when the client leaves: what still waits is dropped."""
    gone = asyncio.Event()
    waiting = [body]

    async def again() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()

    answering = asyncio.ensure_future(application(scope, again, send))
    watching = asyncio.ensure_future(watch())
    try:
        await asyncio.wait((answering, watching), return_when=asyncio.FIRST_COMPLETED)
        if answering.done():
            answering.result()
    finally:
        for task in (answering, watching):
            task.cancel()
        await asyncio.gather(answering, watching, return_exceptions=True)
