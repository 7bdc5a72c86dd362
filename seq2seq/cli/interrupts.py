"""SIGINT and SIGTERM end a command wherever it is.

It owns what these signals raise; it does not know what is half-written then, or what is said of it.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

AGAIN = 1.0
"""Seconds after which a signal that was lost is raised again."""
_came: list[bool] = []
"""One for each signal since a command began; a list, for what a handler calls may not wait for a lock."""
_CLOCK = hasattr(signal, "setitimer")  # Windows has none


@contextlib.contextmanager
def insisting() -> Iterator[None]:
    """While entered, SIGINT and SIGTERM raise KeyboardInterrupt until one is on its way.

    Python drops what is raised in `__del__`, in the callback of a weak reference, and wherever C code asks an object
    something and takes any error for a no. Building a graph of TensorFlow is full of all three: of 250 interrupts at
    random moments of it one was lost, and the command went on to its end.
    """
    _came.clear()
    for each in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(each) is not signal.SIG_IGN:  # as a shell sets SIGINT for what it starts in the background
            signal.signal(each, _interrupt)
    if not _CLOCK:
        yield
        return
    shown, printed = sys.unraisablehook, sys.excepthook

    signal.signal(signal.SIGALRM, _insist)
    sys.unraisablehook, sys.excepthook = _quieted(shown), _quieted(printed)
    try:
        yield
    finally:
        sys.unraisablehook, sys.excepthook = shown, printed
        signal.signal(signal.SIGALRM, signal.SIG_IGN)  # not what it was: a signal from now on still sets the clock
        signal.setitimer(signal.ITIMER_REAL, 0)


def _quieted(show: Callable[..., Any]) -> Callable[..., None]:
    """Shows errors until a signal came: what is dropped after it, or printed by C code, however late, is its echo."""

    def told(*error: Any) -> None:
        if not _came:
            show(*error)

    return told


def _interrupt(*_: object) -> None:
    _came.append(True)
    if _CLOCK:
        signal.setitimer(signal.ITIMER_REAL, AGAIN)
    raise KeyboardInterrupt


def _insist(*_: object) -> None:
    """Unless what runs just now is the handling of an interrupt, such as the removal of half-written files."""
    handled = sys.exc_info()[1]
    while handled is not None:
        if isinstance(handled, KeyboardInterrupt):
            return
        handled = handled.__context__
    _interrupt()
