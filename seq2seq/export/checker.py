"""Asks an export as its user would: a script for a process that has neither this package nor more than the form needs.

It owns how a SavedModel or a LiteRT file is loaded and called; it does not know which answers are right.

    python checker.py FOLDER CALLS.json ANSWERS.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

GRAPH = "model.tflite"

Call = Callable[[str, Mapping[str, Any]], Mapping[str, np.ndarray]]
"""A signature and its inputs by name, to its outputs by name."""


def main(folder: Path, calls: Path, answers: Path) -> None:
    """Makes every call and writes the outputs that it asks for."""
    call = next(call for file, call in CALLS.items() if (folder / file).exists())(folder)
    told = []
    for asked in json.loads(calls.read_text(encoding="utf-8")):
        outputs = call(asked["signature"], asked["inputs"])
        told.append({name: _plain(outputs[name]) for name in asked["outputs"]})
    answers.write_text(json.dumps(told), encoding="utf-8")


def without(*packages: str) -> None:
    """Makes any import of these fail, as if they were not installed."""
    for name in packages:
        sys.modules[name] = None  # type: ignore[assignment]


def _litert(folder: Path) -> Call:
    without("tensorflow", "keras")
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(folder / GRAPH))

    def call(signature: str, inputs: Mapping[str, Any]) -> Mapping[str, np.ndarray]:
        runner = interpreter.get_signature_runner(signature)
        kinds = {name: detail["dtype"] for name, detail in runner.get_input_details().items()}
        arrays = {name: np.array(value, kinds[name]) for name, value in inputs.items() if name in kinds}
        if "max_length" in arrays:  # LiteRT 2.3 makes room for a larger input during its first step, too late for it
            runner(**arrays | {"max_length": np.ones_like(arrays["max_length"])})
        return runner(**arrays)

    return call


def _onnx(folder: Path) -> Call:
    without("tensorflow", "keras")
    from onnxruntime import InferenceSession

    sessions = {file.stem: InferenceSession(str(file)) for file in folder.glob("*.onnx")}
    kinds = {"tensor(int32)": np.int32, "tensor(float)": np.float32}

    def call(signature: str, inputs: Mapping[str, Any]) -> Mapping[str, np.ndarray]:
        session = sessions[signature]
        names = [output.name for output in session.get_outputs()]
        arrays = {each.name: np.array(inputs[each.name], kinds[each.type]) for each in session.get_inputs()}
        return dict(zip(names, session.run(None, arrays), strict=True))

    return call


def _saved_model(folder: Path) -> Call:
    import tensorflow as tf

    if b"SentencepieceOp" in (folder / "saved_model.pb").read_bytes():
        import tensorflow_text  # noqa: F401 - brings the operations of the tokenizer
    signatures = tf.saved_model.load(str(folder)).signatures

    def call(signature: str, inputs: Mapping[str, Any]) -> Mapping[str, np.ndarray]:
        function = signatures[signature]
        specs = function.structured_input_signature[1]
        tensors = {name: tf.constant(value, specs[name].dtype) for name, value in inputs.items()}
        return {name: value.numpy() for name, value in function(**tensors).items()}

    return call


CALLS = {GRAPH: _litert, "serving_default.onnx": _onnx, "saved_model.pb": _saved_model}
"""By a file that is there: what calls the export."""


def _plain(array: np.ndarray) -> Any:
    """As JSON has it; bytes are text."""
    if array.dtype == object:
        return np.vectorize(lambda text: text.decode("utf-8", "replace"), otypes=[object])(array).tolist()
    return array.tolist()


if __name__ == "__main__":
    without("seq2seq")
    main(*map(Path, sys.argv[1:]))
