"""The ASGI application: /healthz at once, the API with the first model, and Gradio's page when it has been imported.

It knows when things start and end; it does not know what the page shows.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route
from starlette.types import Message, Receive, Scope, Send

from seq2seq import allocation
from seq2seq.web import limits, metrics
from seq2seq.web.door import Door
from seq2seq.web.gate import Gate
from seq2seq.web.metrics import Metrics
from seq2seq.web.rules import DEFAULT, Rules
from seq2seq.web.tally import Tally

if TYPE_CHECKING:
    from seq2seq.translation_memory import TranslationMemory
    from seq2seq.web.answers import Guard
    from seq2seq.web.shelf import Model, Shelf

TIDY = 15.0
"""Seconds between two times that memory is given back to the system."""


class Room:
    """What uvicorn serves.

    1. It starts with Starlette alone, which is imported in a fifth of a second, and answers /healthz.
    2. A thread loads the first model, lets it answer once and opens the API, then imports Gradio (seconds) and builds
       the page.
    3. Requests wait for what they need, at most `patience` seconds.

    Arguments:
        models: gives the models; the first is loaded at once.
        memory: gives the translation memory, if there is to be one.
        max_characters: longest text that is accepted.
        failed: called when the model or the page cannot be made; `failure` then holds the reason.
        ready: called when the API is there.
        patience: seconds a request waits for the page.
        rules: what clients are held to.
        tally: a folder in which several workers leave their numbers.
    """

    def __init__(
        self,
        models: Callable[[], Sequence[Model]],
        *,
        memory: Callable[[], TranslationMemory | None] = lambda: None,
        max_characters: int = limits.MAX_CHARACTERS,
        failed: Callable[[], None] = lambda: None,
        ready: Callable[[], None] = lambda: None,
        patience: float = 60.0,
        rules: Rules = DEFAULT,
        tally: Path | None = None,
    ) -> None:
        self.failure: BaseException | None = None
        self.metrics = Metrics()
        self._counted: Metrics | Tally = self.metrics if tally is None else Tally(self.metrics, tally)
        self._models = models
        self._memory = memory
        self._max_characters = max_characters
        self._failed = failed
        self._told_ready = ready
        self._patience = patience
        self._rules = rules
        self._api: Guard | None = None
        self._page: Gate | None = None
        self._facts: dict[str, str] = {}
        self._end_streams: Callable[[], None] = lambda: None
        self._close: Callable[[], None] = lambda: None
        self._serving = asyncio.Event()  # the API is there, or never will be
        self._opened = asyncio.Event()  # the page is there, or never will be
        self._closed = asyncio.Event()
        self._stopping = False

    def application(self) -> Door:
        """The application to give to uvicorn or to a test client."""
        routes = [
            Route("/healthz", self._health),
            Route("/readyz", self._ready),
            Route("/metrics", self._count),
            Mount("/", self._wait),
        ]
        return Door(Starlette(routes=routes, lifespan=self._lifespan), self._rules, self.metrics)

    async def drain(self, seconds: float) -> None:
        """Lets work in flight finish, for so many seconds; then the streams end that would last as long as a page is
        open somewhere, and who still waits for the API is told to come again.
        """
        begun = asyncio.get_running_loop().time()
        self._stopping = True
        self._serving.set()
        self._opened.set()
        if self._page is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._page.idle.wait(), seconds)
            self._end_streams()
        await asyncio.sleep(begun + seconds - asyncio.get_running_loop().time())
        self._close()
        if self._api is not None:
            self._api.give_up()

    async def _health(self, request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok", "ready": self._page is not None, **self._facts})

    async def _ready(self, request: Request) -> JSONResponse:
        if self._api is not None and not self._stopping:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "stopping" if self._stopping else "starting"}, 503, {"retry-after": "2"})

    async def _count(self, request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(self._counted), headers={"content-type": metrics.TYPE})

    async def _wait(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith("/v1/"):
            await self._answer(scope, receive, send)
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._opened.wait(), self._patience)
        starting = PlainTextResponse("The app is still starting; try again in a moment.\n", 503, {"retry-after": "2"})
        await (self._page or starting)(scope, receive, self._counting(send))

    def _counting(self, send: Send) -> Send:
        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.metrics.requests.add(1, "page", str(message["status"]))
            await send(message)

        return counted

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._serving.wait(), self._patience)
        message = "The server is stopping." if self._stopping else "The server is still starting."
        starting = JSONResponse({"error": {"message": message}}, 503, {"retry-after": "2"})
        await (self._api or starting)(scope, receive, send)

    @contextlib.asynccontextmanager
    async def _lifespan(self, application: Starlette) -> AsyncIterator[None]:
        living = asyncio.create_task(self._live())
        yield
        self._stopping = True
        self._close()
        self._serving.set()
        self._opened.set()
        self._closed.set()
        await living

    async def _live(self) -> None:
        try:
            shelf = await asyncio.to_thread(self._load)
            self._serving.set()
            self._told_ready()
            page = await asyncio.to_thread(self._build, shelf)
            async with page.router.lifespan_context(page):
                self._end_streams = page.state.end_streams
                self._page = Gate(
                    page, head=page.state.head, queue=self._rules.workers == 1, timeout=self._rules.timeout
                )
                self._opened.set()
                await self._tidy()
        except Exception as error:
            self.failure = error
            self._serving.set()
            self._opened.set()
            self._failed()

    async def _tidy(self) -> None:
        """Until the end: gives back the memory that requests took and left, now and then."""
        while not self._closed.is_set():
            await asyncio.to_thread(allocation.give_back)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), TIDY)

    def _load(self) -> Shelf:
        from seq2seq.web.shelf import Shelf

        patience = self._rules.patience
        shelf = Shelf(self._models(), max_characters=self._max_characters, metrics=self.metrics, patience=patience)
        first = shelf.first()
        first.warm_up()  # ready is who has answered once
        translator = first.translator
        self._facts = {
            "source_language": translator.source_language,
            "target_language": translator.target_language,
            "engine": translator.engine_name,
        }
        from seq2seq.web.api import Api

        api = Api(shelf, memory=self._memory(), timeout=self._rules.timeout)
        self._close = api.close
        self._api = api.application()
        return shelf

    def _build(self, shelf: Shelf) -> Any:
        from seq2seq.web import ui

        return ui.application(shelf, timeout=self._rules.timeout)
