"""The inference graph as ONNX files, converted by tf2onnx.

It owns names and versions of what is converted; it does not know what the graph computes.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf

from seq2seq.export.certificate import ExportError

OPSET = 18
"""Of the operators: ONNX Runtime 1.14 and later have them all."""


def write(folder: Path, functions: Mapping[str, tuple[tf.types.experimental.PolymorphicFunction, list[tf.TensorSpec]]]):
    """Writes `NAME.onnx` for each function with the tensors that it takes.

    Raises:
        ExportError: tf2onnx is not installed.
    """
    try:
        import tf2onnx
    except ImportError as error:
        raise ExportError(
            f"ONNX needs its own packages: pip install 'seq2seq[onnx]'. Received: no package {error.name}"
        ) from None
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    for name, (function, specs) in functions.items():
        model, _ = tf2onnx.convert.from_function(function, input_signature=specs, opset=OPSET)
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString())
