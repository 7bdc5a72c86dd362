"""Ctrl-C and SIGTERM while something must not be cut off, or cannot be.

It owns the handlers and that those of before come back; it does not know what is stopped.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from typing import Any


class StopSignals:
    """While entered, the first SIGINT or SIGTERM only sets `asked`; the next one acts as usual."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        self._before = _handled_by(self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        _back_to(self._before)

    def _ask(self, *_: object) -> None:
        self.asked = True
        self.__exit__()


@contextlib.contextmanager
def plain_signals() -> Iterator[None]:
    """While entered, Ctrl-C ends the process at once: Python would not see it before a long call of C has returned."""
    before = _handled_by(signal.SIG_DFL)
    try:
        yield
    finally:
        _back_to(before)


def _handled_by(handler: Callable[..., Any] | signal.Handlers) -> dict[int, Any]:
    """The handlers that were there; none outside the main thread, where whoever runs us handles signals."""
    try:
        return {each: signal.signal(each, handler) for each in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:
        return {}


def _back_to(before: dict[int, Any]) -> None:
    for number, handler in before.items():
        signal.signal(number, handler)
