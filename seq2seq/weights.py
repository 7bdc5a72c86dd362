"""The weights of a model folder: one file of arrays, which anybody may have made.

It owns what is believed of that file; it knows no network.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
import numpy as np

from seq2seq.bundle import Bundle, BundleError
from seq2seq.config import ModelConfig

NAME = "weights.safetensors"
_LARGEST_HEAD = 1 << 20


class _Tensor(msgspec.Struct):
    shape: tuple[Annotated[int, msgspec.Meta(ge=0)], ...]


def load(bundle: Bundle) -> dict[str, np.ndarray]:
    """The arrays of a model folder by path.

    Raises:
        BundleError: the file was altered, is none of arrays, or holds what is no number.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load as numbers

    content = bundle.read(NAME)
    try:
        arrays = numbers(content)
    except (SafetensorError, KeyError) as error:  # the latter for kinds of numbers that NumPy does not have
        raise _broken(bundle, error) from None
    for name, array in arrays.items():
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise BundleError(f"The weights of a model must be finite numbers. Received: {bundle.path}, {name}")
    return arrays


def count(bundle: Bundle) -> int | None:
    """How many numbers the file holds; None where there is no file.

    Raises:
        BundleError: the file was altered, or does not begin with the length of a JSON table, and the table.
    """
    if NAME not in bundle:
        return None
    with bundle.file(NAME).open("rb") as file:
        head = file.read(min(int.from_bytes(file.read(8), "little"), _LARGEST_HEAD))
    try:
        table = msgspec.json.decode(head, type=dict[str, Any])
        table.pop("__metadata__", None)
        tensors = msgspec.convert(table, dict[str, _Tensor])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _broken(bundle, error) from None
    numbers = sum(math.prod(tensor.shape) for tensor in tensors.values())
    if numbers > bundle.files[NAME].size:
        raise _broken(bundle, "larger than the file")
    return numbers


def vocabularies(config: ModelConfig, arrays: Mapping[str, np.ndarray]) -> list[int]:
    """The sizes of the vocabularies, once it is sure that the network is not larger than its weights.

    Raises:
        BundleError: there is no table, one of another width, or too few weights.
    """
    names = (f"{name}/embeddings" for name in ("embedding", "target_embedding"))
    tables = [arrays[name].shape for name in names if name in arrays]
    if not tables or any(len(shape) != 2 or shape[1] != config.embedding for shape in tables):
        raise BundleError(f"Embeddings must have shape (V, {config.embedding}). Received: {tables or None}")
    numbers = sum(array.size for array in arrays.values())
    if config.embedding * config.units > numbers or config.encoder_layers + config.decoder_layers > len(arrays):
        raise BundleError(
            f"Weights must be those of the configuration. Received: {numbers:,} numbers in {len(arrays)} arrays"
        )
    return [shape[0] for shape in tables]


def _broken(bundle: Bundle, reason: object) -> BundleError:
    return BundleError(f"The weights of a model must be a safetensors file. Received: {bundle.path / NAME} ({reason})")
