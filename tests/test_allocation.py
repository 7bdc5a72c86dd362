"""Memory that is kept: a large block costs no new pages the second time."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

CODE = """
import ctypes, resource
from seq2seq.allocation import keep_large_blocks
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]

def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(8):
        block = libc.malloc(64 << 20)
        ctypes.memset(block, 1, 64 << 20)
        libc.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(pages(), keep_large_blocks(), pages())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these settings")
def test_large_blocks_are_not_cleared_again_and_again() -> None:
    output = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout
    before, kept, after = output.split()
    assert kept == "True"
    assert int(after) < int(before) / 4
