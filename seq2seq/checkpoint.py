"""A file of numbers: the variables of a model and an optimizer, and where training stands.

It owns writing them whole or not at all, and averaging them; it does not know what they mean.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file


class CheckpointError(ValueError):
    """A checkpoint cannot be read or does not fit."""


def by_path(variables: Iterable[Any]) -> dict[str, Any]:
    """Keras variables by their path, the name that weights have in a model folder."""
    return {variable.path: variable for variable in variables}


def by_place(variables: Iterable[Any]) -> dict[str, Any]:
    """Variables by their place in a list: seeds and optimizer slots have paths that differ from process to process."""
    return {f"{place:04d}": variable for place, variable in enumerate(variables)}


def save(path: Path, variables: Mapping[str, Any], state: Mapping[str, Any] | None = None) -> None:
    """Writes the variables and a JSON-able state; the file at `path` is the old one or the new one, never half."""
    arrays = {name: np.array(keras.ops.convert_to_numpy(value), order="C") for name, value in variables.items()}
    partial = path.with_name(path.name + ".partial")
    try:
        save_file(arrays, partial, metadata={"state": json.dumps(state or {})})
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        partial.unlink(missing_ok=True)
        raise CheckpointError(f"A checkpoint must fit on its disk. Received: {path} ({error})") from None


def load(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays by name, and the state, of a file that `save` wrote."""
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return arrays, json.loads((file.metadata() or {}).get("state", "{}"))
    except (OSError, SafetensorError, ValueError) as error:
        raise CheckpointError(f"A checkpoint must be a whole safetensors file. Received: {path} ({error})") from None


def assign(variables: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Puts the arrays into the variables of the same names.

    Raises:
        CheckpointError: a name is missing or a shape differs; nothing has been assigned then.
    """
    for name, variable in variables.items():
        if name not in arrays:
            raise CheckpointError(f"A checkpoint must hold every variable of the model. Received: none for {name}")
        if tuple(arrays[name].shape) != tuple(variable.shape):
            raise CheckpointError(
                f"{name} must have shape {tuple(variable.shape)}. Received: {tuple(arrays[name].shape)}"
            )
    for name, variable in variables.items():
        variable.assign(arrays[name].astype(variable.dtype))


def average(paths: Sequence[Path]) -> dict[str, np.ndarray]:
    """The mean of each array over several files, in float64, returned as float32."""
    total: dict[str, np.ndarray] = {}
    for path in paths:
        for name, array in load(path)[0].items():
            total[name] = total.get(name, 0.0) + array.astype(np.float64)
    return {name: (array / len(paths)).astype(np.float32) for name, array in total.items()}


def good(paths: Iterable[Path]) -> str:
    """What is said where a training has gone astray: the first of these checkpoints that is there."""
    path = next(filter(Path.exists, paths), None)
    return f"the last good checkpoint is {path}" if path else "there is no checkpoint yet"
