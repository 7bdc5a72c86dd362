"""How the C library keeps memory: between the steps of a training, and between the requests to a server.

It owns settings of glibc's allocator; it does not know what is allocated. On other systems its functions do nothing
and say False.
"""

from __future__ import annotations

import ctypes
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # malloc.h


def keep_large_blocks() -> bool:
    """Makes glibc keep large blocks for the next step, and says whether it will.

    By itself it gives every block above 32 MB back to the system as soon as it is free, and the logits of a batch are
    larger: each step would get them as new pages, to be cleared and mapped one by one.
    """
    mallopt = _glibc("mallopt")
    return bool(mallopt(_MMAP_THRESHOLD, 1 << 30) and mallopt(_TRIM_THRESHOLD, (1 << 31) - 1))


def share_heaps() -> bool:
    """Makes all threads share two heaps.

    By itself glibc gives each thread its own, up to eight for each core, and every one grows to its busiest moment.
    """
    return bool(_glibc("mallopt")(_ARENA_MAX, 2))


def give_back() -> bool:
    """Gives free pages back to the system, and says whether there were any; other threads may wait for it meanwhile.

    By itself glibc gives back what is free at the end of a heap, and not what lies between blocks that are in use.
    """
    return bool(_glibc("malloc_trim")(0))


def _glibc(name: str) -> Any:
    try:
        return getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):  # macOS, musl, Windows
        return lambda *_: 0
