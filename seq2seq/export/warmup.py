"""Warm-up requests: what TensorFlow Serving asks a SavedModel before its first user does.

It owns the file's format, a TFRecord of `PredictionLog` messages; it does not know what is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

PLACE = Path("assets.extra") / "tf_serving_warmup_requests"

# Field numbers of tensorflow_serving/apis: PredictionLog, PredictLog, PredictRequest, ModelSpec. They are written by
# hand, since the package that holds these messages brings a TensorFlow of its own version.
_PREDICT_LOG, _REQUEST = 6, 1
_MODEL_SPEC, _INPUTS = 1, 2
_NAME, _SIGNATURE = 1, 3
_KEY, _VALUE = 1, 2  # of an entry of a map

Request = tuple[str, Mapping[str, Any]]
"""A signature and its inputs by name, arrays or tensors."""


def write(folder: Path, name: str, requests: Sequence[Request]) -> None:
    """Writes the requests into a SavedModel's folder.

    Arguments:
        name: the model's, which the requests carry; a server does not compare it with its own.
        requests: at most 1,000, the most that a server reads.
    """
    place = folder / PLACE
    place.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(place)) as file:
        for signature, inputs in requests:
            file.write(_log(name, signature, inputs))


def count(folder: Path) -> int:
    """How many requests a folder holds."""
    place = folder / PLACE
    return sum(1 for _ in tf.data.TFRecordDataset(str(place))) if place.exists() else 0


def _log(name: str, signature: str, inputs: Mapping[str, Any]) -> bytes:
    spec = _field(_NAME, name.encode()) + _field(_SIGNATURE, signature.encode())
    request = _field(_MODEL_SPEC, spec)
    for key, value in inputs.items():
        tensor = tf.make_tensor_proto(value).SerializeToString()
        request += _field(_INPUTS, _field(_KEY, key.encode()) + _field(_VALUE, tensor))
    return _field(_PREDICT_LOG, _field(_REQUEST, request))


def _field(number: int, content: bytes) -> bytes:
    """A field of bytes as protocol buffers have it: its number with the type, its length, itself."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the eighth says that more follow."""
    head = b""
    while number > 127:
        head += bytes([number & 127 | 128])
        number >>= 7
    return head + bytes([number])
