"""The ASGI application: /healthz at once, and Gradio's page as soon as it has been imported.

It knows when things start and end; it does not know what the page shows.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from seq2seq.web import limits
from seq2seq.web.gate import Gate

if TYPE_CHECKING:
    from seq2seq.translator import Translator


class Room:
    """What uvicorn serves.

    1. It starts with Starlette alone, which is imported in a fifth of a second, and answers /healthz.
    2. A thread loads the translator, imports Gradio (seconds) and builds the page.
    3. Requests for the page wait for that, at most `patience` seconds.

    Arguments:
        load: gives the translator.
        max_characters: longest text that is accepted.
        failed: called when the translator or the page cannot be made; `failure` then holds the reason.
        patience: seconds a request waits for the page.
    """

    def __init__(
        self,
        load: Callable[[], Translator],
        *,
        max_characters: int = limits.MAX_CHARACTERS,
        failed: Callable[[], None] = lambda: None,
        patience: float = 60.0,
    ) -> None:
        self.failure: BaseException | None = None
        self._load = load
        self._max_characters = max_characters
        self._failed = failed
        self._patience = patience
        self._page: Gate | None = None
        self._facts: dict[str, str] = {}
        self._end_streams: Callable[[], None] = lambda: None
        self._opened = asyncio.Event()
        self._closed = asyncio.Event()

    def application(self) -> Starlette:
        """The application to give to uvicorn or to a test client."""
        routes = [Route("/healthz", self._health), Mount("/", self._wait)]
        return Starlette(routes=routes, lifespan=self._lifespan)

    async def drain(self) -> None:
        """Lets work in flight finish, then ends the streams that would last as long as a page is open somewhere."""
        self._opened.set()
        if self._page is not None:
            await self._page.idle.wait()
            self._end_streams()

    async def _health(self, request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok", "ready": self._page is not None, **self._facts})

    async def _wait(self, scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._opened.wait(), self._patience)
        starting = PlainTextResponse("The app is still starting; try again in a moment.\n", 503, {"retry-after": "2"})
        await (self._page or starting)(scope, receive, send)

    @contextlib.asynccontextmanager
    async def _lifespan(self, application: Starlette) -> AsyncIterator[None]:
        living = asyncio.create_task(self._live())
        yield
        self._opened.set()
        self._closed.set()
        await living

    async def _live(self) -> None:
        try:
            page = await asyncio.to_thread(self._build)
            async with page.router.lifespan_context(page):
                self._end_streams = page.state.end_streams
                self._page = Gate(page)
                self._opened.set()
                await self._closed.wait()
        except Exception as error:
            self.failure = error
            self._opened.set()
            self._failed()

    def _build(self) -> Any:
        translator = self._load()
        self._facts = {
            "source_language": translator.source_language,
            "target_language": translator.target_language,
            "engine": translator.engine_name,
        }
        from seq2seq.web import ui

        return ui.application(translator, max_characters=self._max_characters)
