"""A callback that stops a training as a person or a machine would."""

from __future__ import annotations

import os
import signal

import keras


class Stop(keras.callbacks.Callback):
    """Sends this process a signal after a number of batches, as Ctrl-C would."""

    def __init__(self, after: int, number: int = signal.SIGINT) -> None:
        super().__init__()
        self.left, self.number = after, number

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), self.number)
