"""Memory that is kept, shared and given back."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

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
pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these settings")


def test_large_blocks_are_not_cleared_again_and_again() -> None:
    output = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout
    before, kept, after = output.split()
    assert kept == "True"
    assert int(after) < int(before) / 4


TRAINED = (
    CODE[: CODE.index("print")]
    + """
import keras
from seq2seq.training import Trainer
from test_training import corpus, network, settings

class Probe(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 2:
            print(pages())

print(pages())
Trainer(network(), settings(epochs=1), {folder!r}, evaluate=lambda _: {{"bleu": 0.0}}, callbacks=[Probe()]).run(
    corpus(), corpus()
)
"""
)


def test_a_training_keeps_them_although_tensorflow_would_not(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    script = TRAINED.format(folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=Path(__file__).parent)
    assert done.returncode == 0, done.stderr
    before, within = done.stdout.split()
    assert int(within) < int(before) / 4


HEAPS = """
import threading
from seq2seq import allocation
{before}
kept, together = [], threading.Barrier(12)

def take():
    together.wait()
    kept.append([bytes(5000) for _ in range(50)])
    together.wait()

threads = [threading.Thread(target=take) for _ in range(12)]
[each.start() for each in threads]
[each.join() for each in threads]
areas = [line.split("-", 1) for line in open("/proc/self/maps") if "---p" in line]
print(sum(60 << 20 < int(end.split()[0], 16) - int(start, 16) <= 64 << 20 for start, end in areas))
"""


def test_threads_share_two_heaps() -> None:
    counts = []
    for before in ("", "allocation.share_heaps()"):
        done = subprocess.run([sys.executable, "-c", HEAPS.format(before=before)], capture_output=True, text=True)
        counts.append(int(done.stdout))
    assert counts[0] > 2 >= counts[1], counts


HOLES = """
import resource
from seq2seq import allocation

def held():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() >> 20

blocks = [b"x" * (50_000 + number) for number in range(2_000)]
del blocks[:-1]
print(held(), allocation.give_back(), held())
"""


def test_what_is_free_between_blocks_in_use_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", HOLES], capture_output=True, text=True, check=True)
    before, gave, after = done.stdout.split()
    assert gave == "True" and int(after) < int(before) - 80
