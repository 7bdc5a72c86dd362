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


def hold(descriptor: int) -> None:
    """Holds an open file or folder, until its descriptor is closed.

    Raises:
        BlockingIOError: another process holds it.
        OSError: the system or the disk has no way to hold one.
    """
    if fcntl is None:
        raise OSError(errno.ENOSYS, "Files cannot be held here")
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """While entered nobody else can hold the file or folder.

    Raises:
        BlockingIOError, OSError: as from `hold`, or it cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        hold(descriptor)
        yield
    finally:
        os.close(descriptor)
