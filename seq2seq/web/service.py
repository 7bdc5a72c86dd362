"""Starts and ends the server: the models' paths, the socket, uvicorn, the signals.

It does not know what the page shows or how requests are answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import importlib.resources
import ipaddress
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq.web import limits
from seq2seq.web.journal import json_logging
from seq2seq.web.rules import DEFAULT, Rules

if TYPE_CHECKING:
    from seq2seq.translation_memory import TranslationMemory
    from seq2seq.web.shelf import Model

GRACE = 20
"""Seconds that requests in flight may take to finish after the signal to stop."""
BACKLOG = 1024
"""Connections that may wait to be taken; the system may allow fewer."""
EVERYWHERE = ("0.0.0.0", "::", "")


class ServiceError(ValueError):
    """The server cannot start; the message is one sentence."""


def pretrained() -> Path:
    """The model that ships with the package."""
    path = Path(str(importlib.resources.files("seq2seq") / "pretrained" / "en-de"))
    if not (path / "manifest.json").is_file():
        raise ServiceError(f"A model must be named where none ships with the package. Received: no model in {path}")
    return path


def serve(
    *paths: Path,
    host: str = "127.0.0.1",
    port: int = 7860,
    open_browser: bool = False,
    engine: str = "litert",
    threads: int | None = None,
    memory: Path | None = None,
    max_characters: int = limits.MAX_CHARACTERS,
    rules: Rules = DEFAULT,
) -> None:
    """Serves the app until SIGTERM or Ctrl-C, and then finishes what is in flight.

    Arguments:
        paths: model folders or run folders; none takes the model that ships. The first is loaded at once, each other
            when it is first asked for.
        host: the address to listen on; the default is reachable from this machine alone.
        port: 0 takes a free one.
        open_browser: show the page in the browser of this machine.
        engine, threads: passed to `Translator.load`.
        memory: a file in which corrections are remembered; None remembers none.
        max_characters: longest text that is accepted.
        rules: what clients are held to.

    Raises:
        ServiceError: the address is taken or not this machine's, no model ships, or the extra `app` is not installed.
        TranslationMemoryError: the file of the memory is something else.
        KeyboardInterrupt: after a clean end by Ctrl-C.
        Whatever `Translator.load` raises when the first model cannot be loaded.
    """
    folders = [Path(path) for path in paths] or [pretrained()]

    def models() -> Sequence[Model]:
        from seq2seq.web import shelf

        return shelf.models(folders, engine=engine, threads=threads)

    def remembering() -> TranslationMemory | None:
        from seq2seq.translation_memory import TranslationMemory

        return TranslationMemory(memory) if memory is not None else None

    run(
        models,
        host=host,
        port=port,
        open_browser=open_browser,
        memory=remembering,
        max_characters=max_characters,
        rules=rules,
    )


def run(
    models: Callable[[], Sequence[Model]],
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    open_browser: bool = False,
    memory: Callable[[], TranslationMemory | None] = lambda: None,
    max_characters: int = limits.MAX_CHARACTERS,
    rules: Rules = DEFAULT,
) -> None:
    """`serve` for any source of models; `models` runs once, in a thread, while the server already listens."""
    try:
        import uvicorn

        from seq2seq.web.room import Room
    except ImportError as error:
        raise ServiceError(
            f"The app needs its own packages: pip install 'seq2seq[app]'. Received: no package {error.name}"
        ) from None

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            draining = asyncio.create_task(room.drain())
            await super().shutdown(sockets)
            draining.cancel()

    def failed() -> None:
        server.should_exit = True

    logging = json_logging() if rules.json_log else contextlib.nullcontext()
    rules = dataclasses.replace(rules, local=_loopback(host) and not rules.proxy)
    with listen(host, port) as listener, _sigterm_ends_normally(), logging:
        room = Room(models, memory=memory, max_characters=max_characters, failed=failed, rules=rules)
        server = Server(
            uvicorn.Config(
                room.application(),
                log_config=None if rules.json_log else uvicorn.config.LOGGING_CONFIG,
                log_level="warning",
                access_log=False,
                proxy_headers=False,  # whose word counts is decided in `rates`
                server_header=False,
                timeout_graceful_shutdown=GRACE,
            )
        )
        url = _url(host, listener.getsockname()[1])
        print(f"Listening on {url} (Ctrl-C stops it)", file=sys.stderr, flush=True)
        if open_browser:
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        server.run(sockets=[listener])
    if room.failure is not None:
        raise room.failure


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, or one sentence why there is none."""
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=BACKLOG
        )
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ServiceError(
            f"The address must be one of this machine's, with a free port. Received: {host}, port {port} ({reason})"
        ) from None


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _url(host: str, port: int) -> str:
    shown = "127.0.0.1" if host in EVERYWHERE else host
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


@contextlib.contextmanager
def _sigterm_ends_normally() -> Iterator[None]:
    """uvicorn raises the signal once more after its clean end; here that end is all SIGTERM asks for."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
