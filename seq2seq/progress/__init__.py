"""What someone sees of a running training: a bar, a line an epoch, TensorBoard, a picture of the curves.

Each is a Keras callback over the logs of the loop; none knows how training works.
"""

from __future__ import annotations

from seq2seq.progress.board import Look, TensorBoard
from seq2seq.progress.curve import Curve
from seq2seq.progress.terminal import Bar, Story

__all__ = ["Bar", "Curve", "Look", "Story", "TensorBoard"]
