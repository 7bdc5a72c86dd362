"""Starts and ends the server: the models' paths, the socket, uvicorn, the signals.

It does not know what the page shows or how requests are answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.resources
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq.web import limits

if TYPE_CHECKING:
    from seq2seq.translation_memory import TranslationMemory
    from seq2seq.web.shelf import Model

GRACE = 20
"""Seconds that requests in flight may take to finish after the signal to stop."""
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

    run(models, host=host, port=port, open_browser=open_browser, memory=remembering, max_characters=max_characters)


def run(
    models: Callable[[], Sequence[Model]],
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    open_browser: bool = False,
    memory: Callable[[], TranslationMemory | None] = lambda: None,
    max_characters: int = limits.MAX_CHARACTERS,
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

    with listen(host, port) as listener, _sigterm_ends_normally():
        room = Room(models, memory=memory, max_characters=max_characters, failed=failed)
        server = Server(
            uvicorn.Config(room.application(), log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE)
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
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=128
        )
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ServiceError(
            f"The address must be one of this machine's, with a free port. Received: {host}, port {port} ({reason})"
        ) from None


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
