"""One process at a time in a folder.

It owns that a new folder goes again where nothing came into it; it does not know what is done in one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from seq2seq.holding import held
from seq2seq.pipeline.run import ROOM, PipelineError


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """While entered the folder is there, and no other process can enter it, if its disk knows of such a thing.

    Raises:
        PipelineError: another process is in it, or it cannot be made.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PipelineError(f"{ROOM}. Received: {folder} ({error.strerror})") from None
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(held(folder))
        except BlockingIOError:
            raise PipelineError(f"A run goes on in one process at a time. Received: {folder}, in use") from None
        except OSError:
            pass
        stack.callback(_clear, made)
        yield


def _clear(made: list[Path]) -> None:
    """Removes folders, innermost first; one with something in it stays."""
    for path in made:
        with contextlib.suppress(OSError):
            path.rmdir()
