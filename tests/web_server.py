"""The server of the app in a process of its own, for the tests that speak to it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import web_standin

from seq2seq.web import service


class Server:
    """A real server in a process of its own: with the stand-in, or with the arguments of app.py."""

    def __init__(self, *arguments: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [
                sys.executable,
                *(arguments or (web_standin.__file__,)),
                *(["--port"] if arguments else []),
                str(self.port),
            ],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(service.__file__).parents[2])},
        )
        self.error = ""
        self._told = False

    def get(self, path: str, data: bytes | None = None) -> tuple[int, str]:
        request = urllib.request.Request(self.url + path, data, {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.read().decode()

    def wait(self) -> None:
        for _ in range(600):
            try:
                self.get("/")
                return
            except urllib.error.URLError:
                assert self.process.poll() is None, self.process.communicate()[1]
                time.sleep(0.05)
        raise TimeoutError

    def tell(self, number: int = signal.SIGTERM) -> None:
        self._told = True
        self.process.send_signal(number)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Its exit status; a second signal would end one that is about to end, so it is told once."""
        if not self._told:
            self.tell(number)
        self.error = self.process.communicate(timeout=30)[1]
        return self.process.returncode


def running(*arguments: str) -> Iterator[Server]:
    """The body of a fixture: a server with a stand-in, which must not have called anyone when it ends."""
    server = Server(*arguments)
    try:
        server.wait()
        yield server
    finally:
        server.stop()
    assert "OUTBOUND" not in server.error
