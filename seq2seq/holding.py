"""Files and folders that one process has for itself, until it lets go of them or ends, however it ends.

It owns how a system is asked for that; it does not know what the files are.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """While entered nobody else can hold the file or folder.

    Raises:
        BlockingIOError: another process holds it.
        OSError: the system or the disk has no way to hold one, or it cannot be opened.
    """
    if fcntl is None:
        raise OSError(errno.ENOSYS, "Files cannot be held here")
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def held_if_possible(path: Path) -> Iterator[None]:
    """The same, and nobody is kept out where the system or the disk has no way to.

    Raises:
        BlockingIOError: another process holds it.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(held(path))
        except BlockingIOError:
            raise
        except OSError:
            pass
        yield
