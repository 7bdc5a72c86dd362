"""The API and the page in this process, with no Gradio around it: several stand-ins, and a memory of corrections."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import uvicorn
import web_standin
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route

from seq2seq.config import Config
from seq2seq.translation_memory import TranslationMemory
from seq2seq.web import api, headers, panels, words
from seq2seq.web.shelf import Model, Shelf

DIRECTIONS = {"en-de": ("en", "de"), "de-en": ("de", "en"), "ar-en": ("ar", "en")}
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><title>seq2seq</title>{head}</head><body><div class="gradio-container"><div class="main">
<div class="app"></div></div></div>
<script>seq2seq.app(document.querySelector(".app"), {{ value: {start} }})</script></body></html>"""


class Loader:
    """Makes the stand-in for a direction."""

    def __init__(self, languages: tuple[str, str]) -> None:
        self.languages = languages

    def __call__(self) -> web_standin.Translator:
        return web_standin.Translator(languages=self.languages)


def serving(memory: Path) -> Iterator[SimpleNamespace]:
    """The body of a fixture: something with a `url`."""
    shelf = Shelf([Model(name, pair, Loader(pair)) for name, pair in DIRECTIONS.items()])
    page = PAGE.format(head=panels.head() + words.head(), start=json.dumps(panels.start(Config().search)))
    answer = HTMLResponse(page, headers={"content-security-policy": headers.page_policy(page)})
    rest = api.Api(shelf, memory=TranslationMemory(memory)).application()
    application = Starlette(routes=[Route("/", lambda request: answer), Mount("/", rest)])
    server = uvicorn.Server(uvicorn.Config(application, log_level="warning", lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield SimpleNamespace(url=f"http://127.0.0.1:{listener.getsockname()[1]}")
        server.should_exit = True
        thread.join()
