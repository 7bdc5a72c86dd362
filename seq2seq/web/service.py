"""Starts and ends the server: the models' paths, the socket, uvicorn, the signals.

It does not know what the page shows or how requests are answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import importlib.resources
import ipaddress
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq import allocation
from seq2seq.web import limits
from seq2seq.web.journal import json_logging
from seq2seq.web.rules import DEFAULT, Rules
from seq2seq.web.workers import Workers

if TYPE_CHECKING:
    from seq2seq.translation_memory import TranslationMemory
    from seq2seq.web.room import Room
    from seq2seq.web.shelf import Model

GRACE = 20
"""Seconds that requests in flight may take to finish after the signal to stop."""
LAST_WORD = 2
"""Seconds of these that are left when whoever still waits is told to come again."""
KEEP = 75
"""Seconds that a connection may be idle: longer than proxies keep one, so that none asks on one that is closing."""
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
        engine, threads: passed to `Translator.load`; several workers share the processor unless told otherwise.
        memory: a file in which corrections are remembered; None remembers none.
        max_characters: longest text that is accepted.
        rules: what clients are held to.

    Raises:
        ServiceError: the address is taken or not this machine's, no model ships, the extra `app` is not installed, or
            several workers are to use TensorFlow.
        TranslationMemoryError: the file of the memory is something else.
        KeyboardInterrupt: after a clean end by Ctrl-C.
        Whatever `Translator.load` raises when the first model cannot be loaded.
    """
    folders = [Path(path) for path in paths] or [pretrained()]
    if rules.workers > 1 and engine == "tensorflow":
        raise ServiceError("Several workers need the litert engine. Received: tensorflow")
    if rules.workers > 1 and threads is None:
        threads = max(1, (os.cpu_count() or 1) // rules.workers)

    def models() -> Sequence[Model]:
        from seq2seq.web import shelf

        return shelf.models(folders, engine=engine, threads=threads, shared=rules.workers > 1)

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
    """`serve` for any source of models; `models` runs once: in a thread while the server already listens, or
    before several workers part.
    """
    try:
        import uvicorn  # noqa: F401

        from seq2seq.web.room import Room
    except ImportError as error:
        raise ServiceError(
            f"The app needs its own packages: pip install 'seq2seq[app]'. Received: no package {error.name}"
        ) from None

    rules = dataclasses.replace(rules, local=_loopback(host) and not rules.proxy)

    models = functools.cache(models)
    allocation.share_heaps()

    def room(**told: Any) -> Room:
        return Room(models, memory=memory, max_characters=max_characters, rules=rules, **told)

    with listen(host, port) as listener:
        url = _url(host, listener.getsockname()[1])
        print(f"Listening on {url} (Ctrl-C stops it)", file=sys.stderr, flush=True)
        if open_browser:
            # No thread, for workers are forks of this process.
            subprocess.Popen([sys.executable, "-m", "webbrowser", url], stdout=subprocess.DEVNULL)
        if rules.workers == 1:
            _answer(listener, room, rules)
            return
        with tempfile.TemporaryDirectory(prefix="seq2seq-") as folder:

            def work(ready: Callable[[], None]) -> None:
                _answer(listener, room, rules, ready=ready, tally=Path(folder))

            models()  # now, so that all workers share it
            Workers(rules.workers, work, grace=GRACE + 5).run()


def _answer(listener: socket.socket, room: Callable[..., Room], rules: Rules, **told: Any) -> None:
    """Answers what comes to a socket, until a signal."""
    import uvicorn

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            draining = asyncio.create_task(made.drain(GRACE - LAST_WORD))
            await super().shutdown(sockets)
            draining.cancel()

    def failed() -> None:
        server.should_exit = True

    logging = json_logging() if rules.json_log else contextlib.nullcontext()
    with _sigterm_ends_normally(), logging:
        made = room(failed=failed, **told)
        server = Server(
            uvicorn.Config(
                made.application(),
                log_config=None if rules.json_log else uvicorn.config.LOGGING_CONFIG,
                log_level="warning",
                access_log=False,
                proxy_headers=False,  # whose word counts is decided in `rates`
                server_header=False,
                timeout_keep_alive=KEEP,
                timeout_graceful_shutdown=GRACE,
            )
        )
        server.run(sockets=[listener])
    if made.failure is not None:
        raise made.failure


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
