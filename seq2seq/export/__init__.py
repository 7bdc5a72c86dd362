"""Exports: SavedModel and LiteRT files of the one inference graph.

It owns what a file looks like from outside, names and types; it does not know how anything is computed, and holds
no second decoder.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from seq2seq import bundle as bundles
from seq2seq import inference
from seq2seq.bundle import Bundle
from seq2seq.export.text import ExportError, TextInference, with_defaults
from seq2seq.inference import Inference


def export(bundle: Bundle, form: str, output: Path) -> Path:
    """Writes a model in another form to a new folder, whole or not at all, and returns the folder.

    Args:
        bundle: the model.
        form: "saved_model" (strings in and out; what loads it needs tensorflow-text), "saved_model_ids" (piece ids
            in and out, core operations alone), "litert" (model.tflite in float32) or "model" (the model folder with its
            graph made again, so that an older model can do what newer ones can).
        output: the folder to make; it must not exist or be empty.

    Raises:
        ExportError: the form is unknown, or the folder is in use or cannot be written.
    """
    if form not in FORMS:
        raise ExportError(f"An export must be one of {', '.join(FORMS)}. Received: {form}")
    output = Path(output)
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise ExportError(f"An export must go to a new or empty folder. Received: {output}")
    partial = output.with_name(f".{output.name}.{secrets.token_hex(4)}.partial")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        FORMS[form](bundle, partial)
        if output.exists():
            output.rmdir()
        os.replace(partial, output)
    except (OSError, tf.errors.OpError) as error:
        raise ExportError(f"An export must be writable; nothing was written. Received: {output} ({error})") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return output


def litert(graph: Inference, *, quantised: bool) -> bytes:
    """The graph as a LiteRT file with the signatures of an engine, in float32 or with 8-bit weights."""
    with tempfile.TemporaryDirectory() as folder:
        signatures = graph.signatures
        _save(graph, Path(folder), **signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(signatures))
        if quantised:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        return converter.convert()


def _litert(bundle: Bundle, folder: Path) -> None:
    content = litert(Inference(inference.network(bundle)), quantised=False)
    folder.mkdir()
    (folder / "model.tflite").write_bytes(content)
    _copy_tokenizers(bundle, folder)


def _model(bundle: Bundle, folder: Path) -> None:
    files: dict[str, bytes | Path] = {name: bundle.file(name) for name in bundle.files if name != "model.tflite"}
    files["model.tflite"] = litert(Inference(inference.network(bundle)), quantised=True)
    bundles.write(
        folder,
        config=bundle.config,
        files=files,
        provenance=bundle.provenance,
        scores=bundle.scores,
        members=bundle.members,
    )


def _saved_model_ids(bundle: Bundle, folder: Path) -> None:
    graph = Inference(inference.network(bundle))
    graph.serving_default = tf.function(
        with_defaults(graph, bundle.config.search), input_signature=[inference.TRANSLATE["source"]]
    )
    _save(graph, folder, serving_default=graph.serving_default, **graph.signatures)
    (folder / "assets").mkdir(exist_ok=True)
    _copy_tokenizers(bundle, folder / "assets")


def _saved_model(bundle: Bundle, folder: Path) -> None:
    graph = TextInference(bundle)
    _save(graph, folder, serving_default=graph.translate_text, search=graph.search_text)


def _save(module: tf.Module, folder: Path, **signatures: Any) -> None:
    tf.saved_model.save(module, str(folder), signatures=signatures)


def _copy_tokenizers(bundle: Bundle, folder: Path) -> None:
    for name in set(bundle.tokenizers):
        (folder / name).write_bytes(bundle.read(name))


FORMS: dict[str, Callable[[Bundle, Path], None]] = {
    "saved_model": _saved_model,
    "saved_model_ids": _saved_model_ids,
    "litert": _litert,
    "model": _model,
}
