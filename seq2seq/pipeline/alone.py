"""One process at a time in a folder.

It owns that a new folder goes again where nothing came into it; it does not know what is done in one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from seq2seq.holding import held_if_possible
from seq2seq.pipeline.run import ROOM, PipelineError


@contextlib.contextmanager
def made(folder: Path) -> Iterator[None]:
    """While entered the folder is there.

    Raises:
        PipelineError: it cannot be made.
    """
    new = _make(folder)
    try:
        yield
    finally:
        _clear(new)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """The same, and no other process can enter it, if its disk knows of such a thing.

    Raises:
        PipelineError: another process is in it, or it cannot be made.
    """
    new = _make(folder)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(held_if_possible(folder))
        except BlockingIOError:
            raise PipelineError(f"A run goes on in one process at a time. Received: {folder}, in use") from None
        stack.callback(_clear, new)  # not sooner: another process may have it
        yield


def _make(folder: Path) -> list[Path]:
    """What was not there before, innermost first."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PipelineError(f"{ROOM}. Received: {folder} ({error.strerror})") from None
    return new


def _clear(new: list[Path]) -> None:
    """Removes them; one with something in it stays."""
    for path in new:
        with contextlib.suppress(OSError):
            path.rmdir()
