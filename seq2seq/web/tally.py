"""What several workers count, as one: each leaves its numbers in a folder now and then, and reads those of the others.

It knows files of numbers; it does not know what is counted.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from pathlib import Path

from seq2seq.web.metrics import Metrics

EVERY = 1.0
"""Seconds between two times that a worker leaves its numbers."""


class Tally:
    """The metrics of one worker, beside those of the others.

    Numbers of a worker that died stay, but for what it had under way: sums never fall.

    Arguments:
        metrics: what this worker counts.
        folder: where all workers leave their numbers.
    """

    def __init__(self, metrics: Metrics, folder: Path) -> None:
        self._metrics = metrics
        self._folder = folder
        self._own = folder / f"{os.getpid()}.json"
        self._left = ""
        threading.Thread(target=self._go_on, daemon=True).start()

    def leave(self) -> None:
        """Leaves the numbers, whole or not at all."""
        numbers = json.dumps(self._metrics.numbers())
        if numbers == self._left:
            return
        part = self._own.with_suffix(".part")
        with contextlib.suppress(OSError):
            part.write_text(numbers)
            part.replace(self._own)
            self._left = numbers

    def __str__(self) -> str:
        together = Metrics()
        together.add(self._metrics.numbers(), living=True)
        for file in self._folder.glob("*.json"):
            if file != self._own:
                with contextlib.suppress(OSError, ValueError):
                    together.add(json.loads(file.read_text()), living=_lives(int(file.stem)))
        return str(together)

    def _go_on(self) -> None:
        while True:
            time.sleep(EVERY)
            self.leave()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
