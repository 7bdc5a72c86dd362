"""What TensorBoard shows of a training: numbers, attention, gates.

It draws what it is handed after each epoch; it does not know the network or how training works.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

Logs = Mapping[str, Any]

DRAWN = 60
"""Most pieces of a side in a picture of the attention."""


class BoardError(ValueError):
    """The files of TensorBoard cannot be written."""


@dataclass(frozen=True, eq=False)
class Look:
    """What went on while one sentence was translated."""

    source: tuple[str, ...]
    """Pieces, S of them."""
    target: tuple[str, ...]
    """Pieces, T of them."""
    attention: np.ndarray
    """(T, S)."""
    gates: Mapping[str, np.ndarray]
    """By names such as "encoder 1 forward/forget", values from 0 to 1."""


class TensorBoard(keras.callbacks.Callback):
    """Numbers of a batch and of an epoch, and what goes on in the network while it writes a few sentences.

    Every few batches loss, gradient norm and perplexity; after each epoch perplexity, BLEU, chrF, learning rate and
    tokens a second, a picture of the attention of each sentence, and histograms of the gates of each layer.

    Arguments:
        folder: where the event files go.
        looks: called after each epoch; the sentences to look into.
        every: how many batches apart the numbers of a batch are.

    Raises:
        BoardError: the disk is full, or cannot be written.
    """

    def __init__(self, folder: Path, looks: Callable[[], Sequence[Look]] = tuple, *, every: int = 20) -> None:
        super().__init__()
        self._folder, self._looks, self._every = folder, looks, every

    def on_train_begin(self, logs: Logs | None = None) -> None:
        import tensorflow as tf

        self._summary, self._failures = tf.summary, tf.errors.OpError
        with self._on_disk():
            self._writer = tf.summary.create_file_writer(str(self._folder))
        self._usual = (logs or {})["steps"] / (logs or {})["epochs"]

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch, self._batches = epoch, (logs or {})["batches"]

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if batch % self._every == 0:
            told = logs or {}
            own = {"loss": told["batch_loss"], "perplexity": told["batch_perplexity"]}
            # Epochs differ in their batches where text is drawn anew; on this axis all are as long as the first.
            place = round(self._usual * (self._epoch + batch / self._batches))
            self._write("batch", own | {"gradient_norm": told["gradient_norm"]}, place)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        names = ("loss", "perplexity", "valid_perplexity", "bleu", "chrf", "learning_rate", "tokens_per_second")
        self._write("epoch", {name: value for name, value in (logs or {}).items() if name in names}, epoch + 1)
        self._look(self._looks(), epoch + 1)
        with self._on_disk():
            self._writer.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        with self._on_disk():
            self._writer.close()

    @contextlib.contextmanager
    def _on_disk(self) -> Iterator[None]:
        try:
            yield
        except self._failures as error:
            reason = error.message.rpartition("; ")[2].partition("\n")[0]
            must = "TensorBoard's folder must be writable and have room"
            raise BoardError(f"{must}. Received: {self._folder} ({reason})") from None

    def _write(self, group: str, numbers: Logs, step: int) -> None:
        with self._on_disk(), self._writer.as_default():
            for name, value in numbers.items():
                self._summary.scalar(f"{group}/{name}", float(value), step=step)

    def _look(self, looks: Sequence[Look], step: int) -> None:
        with self._on_disk(), self._writer.as_default():
            for number, look in enumerate(looks, start=1):
                self._summary.image(f"attention/sentence {number}", picture(look)[None], step=step)
            for name in looks[0].gates if looks else ():
                values = np.concatenate([look.gates[name].ravel() for look in looks])
                self._summary.histogram(f"gates/{name}", values, step=step)


def picture(look: Look) -> np.ndarray:
    """The attention of a sentence, source pieces across and target pieces down, dark where much, (H, W, 3).

    Of a long one the first `DRAWN` pieces of each side: an early model may say the same for ever.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    attention = look.attention[:DRAWN, :DRAWN]
    rows, columns = attention.shape
    figure = Figure(figsize=(2 + 0.3 * columns, 1.5 + 0.3 * rows), dpi=80, layout="constrained")
    canvas, axes = FigureCanvasAgg(figure), figure.subplots()
    axes.imshow(attention, cmap="Greys", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(columns), [_plain(piece) for piece in look.source[:DRAWN]], rotation=90)
    axes.set_yticks(range(rows), [_plain(piece) for piece in look.target[:DRAWN]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a letter that the font lacks is drawn as a box
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _plain(piece: str) -> str:
    """A dollar sign would begin a formula."""
    return piece.replace("$", r"\$")
