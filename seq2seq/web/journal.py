"""What is written of each request: one line of JSON on stderr, without a word of anyone's text.

It knows facts about requests and how they are written; it does not know what was asked or answered.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import sys
import time
import traceback
import uuid
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

GIVEN = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""A request id that a client or a proxy may give."""
OURS = ("seq2seq.", "uvicorn")
"""Those who log whose messages are known to hold no text of anyone."""
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
PATHS = re.compile(
    r"/|/healthz|/readyz|/metrics|/session|/config|/theme\.css|/favicon\.ico|/robots\.txt"
    r"|/v1/(translate|explain|documents|models|corrections|openapi\.json)"
)
"""Paths that are written as they are."""
BEGINNINGS = re.compile(r"/assets/|/static/|/v1/corrections/|/gradio_api/(call|queue|heartbeat|info|app_id|cancel)\b")
"""Beginnings of paths whose end is left out."""


@dataclass
class Record:
    """What is known of a request.

    Arguments:
        given: the id that came with it, if any.
        method, path: of the request.
    """

    given: str
    method: str
    path: str
    status: int = 499  # the client left before the answer began
    received: int = 0
    sent: int = 0
    noted: dict[str, Any] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)
    id: str = ""

    def __post_init__(self) -> None:
        self.id = self.given if GIVEN.fullmatch(self.given) else uuid.uuid4().hex

    def line(self) -> str:
        """The record as JSON."""
        return json.dumps(
            {
                "time": _now(),
                "id": self.id,
                "method": self.method if self.method in METHODS else "other",
                "path": written(self.path),
                "status": self.status,
                "milliseconds": round(1000 * (time.perf_counter() - self.started), 1),
                "bytes_received": self.received,
                "bytes_sent": self.sent,
                **self.noted,
            }
        )


_current: ContextVar[Record | None] = ContextVar("record", default=None)


@contextlib.contextmanager
def recording(record: Record) -> Iterator[None]:
    """Whatever is noted inside belongs to this request, in tasks that begin there too."""
    before = _current.set(record)
    try:
        yield
    finally:
        _current.reset(before)


def note(**facts: Any) -> None:
    """Adds facts to the record of the request that is being answered: names of models and numbers, never text."""
    record = _current.get()
    if record is not None:
        record.noted.update(facts)


def written(path: str) -> str:
    """The path as it may be written: of one that is not ours it could be text.

    >>> written("/v1/translate"), written("/v1/corrections/7"), written("/my secret")
    ('/v1/translate', '/v1/corrections/*', 'other')
    """
    if PATHS.fullmatch(path):
        return path
    beginning = BEGINNINGS.match(path)
    return f"{beginning[0].rstrip('/')}/*" if beginning else "other"


def write(line: str) -> None:
    """A line on stderr; a server goes on without one."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        print(line, file=sys.stderr, flush=True)


class Lines(logging.Formatter):
    """What the server itself has to say, as JSON: of an exception where it was and what it is called.

    The message of an exception may hold what someone asked for, so it is left out.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        said: dict[str, Any] = {"time": _now(), "level": record.levelname.lower()}
        current = _current.get()
        if current is not None:
            said["id"] = current.id
        said["logger"] = record.name
        if record.name.startswith(OURS):
            said["message"] = record.getMessage().strip()
        if record.exc_info and record.exc_info[0] is not None:
            said["error"] = record.exc_info[0].__name__
            said["where"] = [f"{at.filename}:{at.lineno} {at.name}" for at in traceback.extract_tb(record.exc_info[2])]
        return json.dumps(said)


@contextlib.contextmanager
def json_logging() -> Iterator[None]:
    """Everything that is logged is written as JSON."""
    handler = logging.StreamHandler()
    handler.setFormatter(Lines())
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
