"""How the C library keeps memory between the steps of a training.

It owns two settings of the allocator; it does not know what is allocated.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h


def keep_large_blocks() -> bool:
    """Makes glibc keep large blocks for the next step, and says whether it will.

    By itself it gives every block above 32 MB back to the system as soon as it is free, and the logits of a batch are
    larger: each step would get them as new pages, to be cleared and mapped one by one.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # no glibc: macOS, musl, Windows
        return False
    return bool(mallopt(_MMAP_THRESHOLD, 1 << 30) and mallopt(_TRIM_THRESHOLD, (1 << 31) - 1))
