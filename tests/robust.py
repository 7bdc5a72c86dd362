"""What the tests of robustness share: how many cases, how samples are damaged, what a process holds, a server."""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from web_server import Server

FULL = os.environ.get("SEQ2SEQ_FULL") == "1"
CASES = 10_000 if FULL else 200
"""Of each kind of input: corpora, documents, settings, requests."""


def shared(parts: int) -> settings:
    """For one of so many tests that share the cases; they are the same each time."""
    return settings(
        max_examples=-(-CASES // parts),
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )


SCRAPS = [b"\0", b"\n", b"\r", b"\t", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xff\xfe", "\u2028\u202e".encode()]
SCRAPS += [b'"', b"'", b",", b";", b"<", b">", b"&", b"&#xD800;", b"&#1114112;", b"]]>", b"<![CDATA[", b"<!--", b"-->"]
SCRAPS += [
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b"|",
    b"`",
    b"*",
    b"\\",
    rb"\ud800",
    b"%s",
    b"{x}",
    b"-1",
    b"1e999",
    b"9" * 400,
]
SCRAPS += [b'<?xml version="1.0" encoding="x"?>', b'<!DOCTYPE a [<!ENTITY b "c">]>', b"&b;", b" " * 40, b"a" * 300]
SCRAPS += [b"=HYPERLINK(1)", b"@", b"\x1b[2J", "é".encode(), "漢字".encode(), "\U0001f600".encode(), b"<a>" * 50]


@st.composite
def damaged(draw: st.DrawFn, samples: Sequence[bytes], scraps: Sequence[bytes] = ()) -> bytes:
    """A sample in which some stretches are gone, doubled, cut off, or other bytes."""
    content = draw(st.sampled_from(samples))
    for _ in range(draw(st.integers(0, 5))):
        place = draw(st.integers(0, len(content)))
        end = min(len(content), place + draw(st.integers(0, 12)))
        added = draw(st.sampled_from([*SCRAPS, *scraps, content[place : place + 80], b""]) | st.binary(max_size=3))
        content = content[:place] + added + (content[end:] if draw(st.integers(0, 19)) else b"")
    return content


def is_sentence(error: Exception) -> bool:
    """Whether an error is what a person should read: one line, what must hold and what was received."""
    return "\n" not in str(error) and "Received: " in str(error)


@dataclass(frozen=True)
class Held:
    """What a process, and all that it started, holds just now."""

    bytes: int
    threads: int
    handles: int


def held(pid: int) -> Held:
    """Read from /proc."""
    family = [pid]
    for each in family:
        for task in Path(f"/proc/{each}/task").iterdir():
            family += map(int, (task / "children").read_text().split())
    memory = threads = handles = 0
    for each in family:
        status = dict(line.split(":", 1) for line in Path(f"/proc/{each}/status").read_text().splitlines())
        memory += int(status["VmRSS"].split()[0]) << 10
        threads += int(status["Threads"])
        handles += len(list(Path(f"/proc/{each}/fd").iterdir()))
    return Held(memory, threads, handles)


REFUSED, BROKEN = 0, -1
"""In the place of a code: nobody takes the connection; it was taken and then broken off."""


def ask(server: Server, path: str, form: Any = None, *, timeout: float = 120) -> tuple[int, str]:
    """Code and body of an answer to a form, or to nothing."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout)
    body = form if isinstance(form, bytes | None) else json.dumps(form).encode()
    try:
        connection.request("GET" if body is None else "POST", path, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    except ConnectionRefusedError:
        return REFUSED, ""
    except (OSError, http.client.HTTPException) as error:
        return BROKEN, repr(error)
    finally:
        connection.close()


def await_ready(server: Server, *, page: bool = False) -> float:
    """Seconds until it is ready, and if wanted its page too."""
    begun = time.monotonic()
    while time.monotonic() < begun + 120:
        code, said = ask(server, "/healthz" if page else "/readyz")
        if code == 200 and (not page or json.loads(said)["ready"]):
            return time.monotonic() - begun
        assert server.process.poll() is None, server.process.communicate()[1]
        time.sleep(0.02)
    raise TimeoutError


@contextmanager
def serving(*arguments: str) -> Iterator[Server]:
    """`seq2seq serve` in a process of its own, ready."""
    server = Server("-m", "seq2seq", "serve", *arguments)
    try:
        await_ready(server, page=True)
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
            server.process.communicate()


def quantile(numbers: Sequence[float], share: float) -> float:
    return sorted(numbers)[min(len(numbers) - 1, int(share * len(numbers)))]
