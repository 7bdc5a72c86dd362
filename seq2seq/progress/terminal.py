"""What a terminal shows of a running training, and what its log file keeps: a bar, a line an epoch.

Each is a Keras callback over the logs of the loop; none knows how training works.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

Logs = Mapping[str, Any]


class Bar(keras.callbacks.Callback):
    """A progress bar on stderr with loss, tokens a second and time left; silent where stderr is no terminal."""

    def on_train_begin(self, logs: Logs | None = None) -> None:
        from tqdm import tqdm

        self._total = int((logs or {})["steps"])
        self._bar = tqdm(
            total=self._total, unit="batch", leave=False, disable=not sys.stderr.isatty(), dynamic_ncols=True
        )
        self._seconds = self._rate = 0.0
        self._resumed = False

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        self._bar.set_description(f"epoch {epoch + 1}")
        self._before = epoch * int(logs["batches"])
        place = self._before + int(logs["batch"])
        if not self._resumed:  # what an earlier command did is no work of this one
            self._bar.initial = self._bar.n = self._bar.last_print_n = place
            self._resumed = True
        self._bar.update(place - self._bar.n)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        took, self._seconds = logs["seconds"] - self._seconds, logs["seconds"]
        if 0 < took < 60:
            self._rate += 0.05 * (logs["tokens"] / took - self._rate) if self._rate else logs["tokens"] / took
        self._bar.set_postfix_str(f"loss {logs['loss']:.3f}, {self._rate:,.0f} tokens/s", refresh=False)
        self._bar.update(self._before + batch + 1 - self._bar.n)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._seconds = (logs or {})["seconds"]

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._bar.close()


class Story(keras.callbacks.Callback):
    """One line an epoch, and the sample translations after it, to `say` and to a log file.

    Arguments:
        say: called with each line.
        path: the log file; lines are added to it.
        samples: called after each epoch; returns triples of source, translation and reference.
        history: returns the entries of all epochs, those before a resumption too.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        path: Path,
        samples: Callable[[], Sequence[tuple[str, str, str]]],
        history: Callable[[], Sequence[Logs]],
    ) -> None:
        super().__init__()
        self._say, self._path, self._samples, self._history = say, path, samples, history

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        better = all(logs["bleu"] > entry["bleu"] for entry in self._history()[:epoch])
        lines = [
            f"epoch {epoch + 1:2d}: loss {logs['loss']:.3f}, valid perplexity {logs['valid_perplexity']:.2f}, "
            f"valid BLEU {logs['bleu']:.1f}{' (best so far)' if better else ''}, {logs['seconds'] / 60:.1f} minutes, "
            f"{logs['tokens_per_second']:,.0f} tokens/s, learning rate {logs['learning_rate']:.2g}"
        ]
        for source, translation, reference in self._samples():
            lines += [f"    source       {source}", f"    translation  {translation}", f"    reference    {reference}"]
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)
        for line in lines:
            self._say(line)
