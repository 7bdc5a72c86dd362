"""A picture of the curves of a training.

It draws the history that it is handed; it does not know how training works.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

Logs = Mapping[str, Any]


class Curve(keras.callbacks.Callback):
    """A PNG of loss, perplexity and BLEU by epoch, drawn anew after each."""

    def __init__(self, path: Path, history: Callable[[], Sequence[Logs]]) -> None:
        super().__init__()
        self._path, self._history = path, history

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        from matplotlib.figure import Figure

        history = self._history()
        epochs = range(1, len(history) + 1)
        figure = Figure(figsize=(9, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.plot(epochs, [entry["perplexity"] for entry in history], marker=".", label="training")
        left.plot(epochs, [entry["valid_perplexity"] for entry in history], marker=".", label="validation")
        left.set(xlabel="epoch", ylabel="perplexity a piece", yscale="log")
        left.legend()
        right.plot(epochs, [entry["bleu"] for entry in history], marker=".", color="tab:green")
        right.set(xlabel="epoch", ylabel="validation BLEU (greedy)")
        for axes in (left, right):
            axes.grid(alpha=0.3)
        partial = self._path.with_suffix(".partial.png")
        figure.savefig(partial, dpi=120)
        partial.replace(self._path)
