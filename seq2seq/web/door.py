"""What every request passes first: it gets an id, may have to show a token, may come too often, and is written down.

It knows who may ask; it does not know what is asked or answered.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import re
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seq2seq.web import headers, journal, rates
from seq2seq.web.keys import COOKIE, Keys
from seq2seq.web.metrics import Metrics
from seq2seq.web.rules import Rules

PROBES = frozenset({"/healthz", "/readyz"})
"""Paths that are open to everyone, always."""
SESSION = "/session"
"""Where a browser gives a token for a cookie."""
WORK = re.compile(r"/v1/.*|/session|/gradio_api/(call|queue/join)\b.*", re.DOTALL)
"""Paths that a rate is for; the parts that the page is made of are not among them."""
MAX_FORM = 4096
FORM = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>seq2seq</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 24rem; margin: 20vh auto; padding: 0 1rem; }
label, input { display: block; width: 100%; box-sizing: border-box; margin-bottom: 0.5rem; font: inherit; }
button { font: inherit; padding: 0.3rem 1rem; }
</style></head><body><main><h1>seq2seq</h1><form method="post" action="session">
<label for="token">Token</label><input id="token" name="token" type="password" autocomplete="current-password" required
 autofocus><button>Open</button><p role="alert">{said}</p></form></main></body></html>
"""


class Door:
    """ASGI middleware around everything.

    1. A request has an id: the `x-request-id` that came with it, if it is well formed, else a new one.
    2. A server for this machine alone is asked under a name of this machine, so that no other site's name leads here.
    3. What a proxy says of a client counts only where there is one.
    4. Who asks too often is told when to come again.
    5. Where there are tokens, who brings none is told so; a browser that asks for the page gets a form for it.
    6. Every answer has the headers of `headers.COMMON`, or its own instead.

    Arguments:
        application: what is behind the door.
        rules: what clients are held to.
        metrics: where what is refused here is counted.
    """

    def __init__(self, application: ASGIApp, rules: Rules, metrics: Metrics) -> None:
        self._application = application
        self._rules = rules
        self._metrics = metrics
        self._rates = rates.Rates(rules.rate) if rules.rate is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
        if scope["type"] != "http":
            return
        if not self._rules.proxy:
            said = [pair for pair in scope["headers"] if not pair[0].startswith((b"x-forwarded-", b"forwarded"))]
            scope = {**scope, "headers": said}
        record = journal.Record(Headers(scope=scope).get("x-request-id", ""), scope["method"], scope["path"])

        async def received() -> Message:
            message = await receive()
            record.received += len(message.get("body", b""))
            return message

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                told = MutableHeaders(scope=message)
                for name, value in {**headers.COMMON, "x-request-id": record.id}.items():
                    told.setdefault(name, value)
            record.sent += len(message.get("body", b""))
            await send(message)

        try:
            with journal.recording(record):
                refused = await self._refused(scope, received)
                if refused is not None:
                    self._metrics.requests.add(1, "door", str(refused.status_code))
                await (refused or self._application)(scope, received, sent)
        finally:
            if self._rules.json_log:
                journal.write(record.line())

    async def _refused(self, scope: Scope, receive: Receive) -> Response | None:
        """The answer to a request that does not pass."""
        path, keys, given = scope["path"], self._rules.keys, Request(scope)
        if path in PROBES:
            return None
        if self._rules.local and not _local(given.headers.get("host", "")):
            return _sentence(path, 421, "This server answers to the names of its own machine alone.")
        known = keys is None or keys.opens(given.headers.get("authorization", ""), given.cookies.get(COOKIE, ""))
        if self._rates is not None and (WORK.fullmatch(path) or not known):
            wait = self._rates.wait(rates.client(scope, proxy=self._rules.proxy))
            if wait:
                again = {"retry-after": str(math.ceil(wait))}
                return _sentence(path, 429, "Too many requests from this address; please try again later.", again)
        if keys is not None and path == SESSION and scope["method"] == "POST":
            return await self._session(Request(scope, receive), keys)
        if known:
            return None
        if path == "/":
            return _form("", 401)
        return _sentence(path, 401, "A token is needed: Authorization: Bearer TOKEN.", {"www-authenticate": "Bearer"})

    async def _session(self, request: Request, keys: Keys) -> Response:
        """A cookie for a token that a form sends."""
        if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return _sentence(SESSION, 403, "The form must be sent from this server's own page.")
        body = b""
        try:
            async with asyncio.timeout(self._rules.timeout):
                async for part in request.stream():
                    body += part
                    if len(body) > MAX_FORM:
                        return _sentence(SESSION, 413, f"A form must be at most {MAX_FORM:,} bytes long.")
        except (TimeoutError, ClientDisconnect):
            return _sentence(SESSION, 408, "The form must arrive whole and in time.")
        token = parse_qs(body.decode("utf-8", "replace")).get("token", [""])[0].strip()
        if not keys.fits(token):
            return _form("This token is not known.", 401)
        answer = Response(status_code=303, headers={"location": "./", "cache-control": "no-store"})
        answer.set_cookie(
            COOKIE, keys.cookie(token), path=None, httponly=True, samesite="strict", secure=self._secure(request)
        )
        return answer

    def _secure(self, request: Request) -> bool:
        named = request.headers.get("x-forwarded-proto", "") if self._rules.proxy else ""
        return (named or request.url.scheme) == "https"


def _sentence(path: str, code: int, message: str, more: dict[str, str] | None = None) -> Response:
    """One sentence: in the form of the API for its paths, as text for others."""
    told = {"cache-control": "no-store", "connection": "close", **(more or {})}  # the body may be unread
    if path.startswith("/v1/"):
        return JSONResponse({"error": {"message": message}}, code, told)
    return PlainTextResponse(f"{message}\n", code, told)


def _form(said: str, code: int) -> Response:
    html = FORM.replace("{said}", said)
    policy = headers.form_policy(html)
    return HTMLResponse(html, code, {"cache-control": "no-store", "content-security-policy": policy})


def _local(host: str) -> bool:
    """Whether a `host` header names this machine by no name that another site could have chosen."""
    name = re.sub(r":\d*$", "", host).strip("[]").lower()
    if name in ("", "localhost") or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
