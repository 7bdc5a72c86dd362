"""What a request passes on its way to the page: which paths exist, how large it may be, what the answer may not hold.

It knows HTTP and nothing of translation.
"""

from __future__ import annotations

import asyncio
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seq2seq.web import limits
from seq2seq.web.headers import page_policy
from seq2seq.web.rules import TIMEOUT

PATHS = re.compile(
    r"/|/config|/theme\.css|/favicon\.ico|/manifest\.json|/robots\.txt|/(assets|static)/.*"
    r"|/gradio_api/(info|app_id|startup-events|theme\.css|cancel|reset|heartbeat/.*|queue/.*|call/.*)/?"
)
"""What the page and `gradio_client` ask for. Gradio's other doors (uploads, files, proxies) stay shut."""
QUEUE = re.compile(r"/gradio_api/(call|queue)/")
ENDLESS = "/gradio_api/heartbeat/"
"""Streams that last as long as a page is open, and do no work."""
ADVERTISEMENTS = re.compile(r'<(?:meta\s+(?:property="og:|name="twitter:)|link\s+rel="manifest")[^>]*>\s*')
"""Tags of Gradio's page that name pictures and pages elsewhere, or an application to install."""


class Gate:
    """ASGI middleware around the page.

    Arguments:
        page: the application behind the gate.
        head: what the page's own script adds to its head, as HTML.
        queue: whether Gradio's own API is open; it asks and is answered in two requests, which must come to the same
            process.
        timeout: seconds until a request must be there whole.
    """

    def __init__(self, page: ASGIApp, *, head: str = "", queue: bool = True, timeout: float = TIMEOUT) -> None:
        self._page = page
        self._timeout = timeout
        self._queue = queue
        self._head = head
        self._working = 0
        self.idle = asyncio.Event()  # set while no request does any work
        self.idle.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if not PATHS.fullmatch(scope["path"]):
            await PlainTextResponse("There is nothing here; the app is at /.\n", 404)(scope, receive, send)
        elif not self._queue and QUEUE.match(scope["path"]):
            sentence = "Gradio's API is shut where several workers answer; POST /v1/translate does the same.\n"
            await PlainTextResponse(sentence, 404)(scope, receive, send)
        elif _declared_length(scope) > limits.MAX_BODY:
            sentence = f"A request must be at most {limits.MAX_BODY:,} bytes long.\n"
            await PlainTextResponse(sentence, 413, {"connection": "close"})(scope, receive, send)
        elif scope["path"].startswith(ENDLESS):
            await self._page(scope, _bounded(receive, self._timeout), send)
        else:
            await self._work(scope, receive, _Page(send, self._head) if scope["path"] == "/" else send)

    async def _work(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._working += 1
        self.idle.clear()
        try:
            await self._page(scope, _bounded(receive, self._timeout), send)
        finally:
            self._working -= 1
            if not self._working:
                self.idle.set()


class _Page:
    """Collects a page, takes the advertisements out and passes it on, with the policy that fits it."""

    def __init__(self, send: Send, head: str) -> None:
        self._send = send
        self._head = head
        self._start: Message = {}
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._pass_on()
        else:
            await self._send(message)

    async def _pass_on(self) -> None:
        page = ADVERTISEMENTS.sub("", self._body.decode())
        headers = MutableHeaders(scope=self._start)
        headers["content-security-policy"] = page_policy(page, self._head)
        body = page.encode()
        if body:  # the answer to HEAD has none, and keeps the length it speaks of
            headers["content-length"] = str(len(body))
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": body})


def _declared_length(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "0")
    return int(length) if length.isdecimal() else limits.MAX_BODY + 1


def _bounded(receive: Receive, seconds: float) -> Receive:
    """Hangs up on a body that never said its length and grows beyond the limit, or that is not whole in time."""
    received, whole = 0, False
    given_up = asyncio.get_running_loop().time() + seconds

    async def bounded() -> Message:
        nonlocal received, whole
        try:
            async with asyncio.timeout_at(None if whole else given_up):
                message = await receive()
        except TimeoutError:
            return {"type": "http.disconnect"}
        whole = not message.get("more_body", False)
        received += len(message.get("body", b""))
        return message if received <= limits.MAX_BODY else {"type": "http.disconnect"}

    return bounded
