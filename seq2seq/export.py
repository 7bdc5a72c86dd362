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

from seq2seq import inference
from seq2seq.bundle import SIGNATURES, Bundle
from seq2seq.config import SearchConfig
from seq2seq.inference import Inference
from seq2seq.tokenizer import EOS

MAX_SOURCE = 256


class ExportError(ValueError):
    """An export cannot be written."""


def export(bundle: Bundle, form: str, output: Path) -> Path:
    """Writes a model in another form to a new folder, whole or not at all, and returns the folder.

    Args:
        bundle: the model.
        form: "saved_model" (strings in and out; what loads it needs tensorflow-text), "saved_model_ids" (piece ids
            in and out, core operations alone) or "litert" (model.tflite in float32).
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
        signatures = {name: getattr(graph, name) for name in SIGNATURES}
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


def _saved_model_ids(bundle: Bundle, folder: Path) -> None:
    graph = Inference(inference.network(bundle))
    graph.serving_default = tf.function(
        _with_defaults(graph, bundle.config.search), input_signature=[inference.TRANSLATE["source"]]
    )
    _save(graph, folder, serving_default=graph.serving_default, **{name: getattr(graph, name) for name in SIGNATURES})
    (folder / "assets").mkdir(exist_ok=True)
    _copy_tokenizers(bundle, folder / "assets")


def _saved_model(bundle: Bundle, folder: Path) -> None:
    graph = TextInference(bundle)
    _save(graph, folder, serving_default=graph.translate_text)


class TextInference(tf.Module):
    """Strings in, strings out: the tokenizers, the inference graph and the model's own search settings.

    Call arguments:
        text: sentences, strings, (B,).

    Returns by name:
        translation: strings (B,); score: float32 (B,); finished: 0 where the length limit cut, int32 (B,).

    A sentence of more than 256 pieces is an error of the call, never cut.
    """

    def __init__(self, bundle: Bundle) -> None:
        super().__init__()
        self.inference = Inference(inference.network(bundle))
        self.numbers = self.inference.numbers
        source, target = bundle.tokenizers
        self.source, self.target = (_tokenizer(bundle.read(name)) for name in (source, target))
        self._translate = _with_defaults(self.inference, bundle.config.search)
        spec = tf.TensorSpec((None,), tf.string, "text")
        self.translate_text = tf.function(self._translate_text, input_signature=[spec])

    def _translate_text(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        pieces = self.source.tokenize(text)
        longest = tf.reduce_max(tf.concat([[0], pieces.row_lengths()], axis=0))
        tf.debugging.assert_less_equal(
            longest, tf.constant(MAX_SOURCE, longest.dtype), f"A sentence must have at most {MAX_SOURCE} pieces"
        )
        ends = tf.fill(tf.stack([pieces.nrows(), 1]), EOS)
        found = self._translate(tf.concat([pieces, ends], axis=1).to_tensor(0))
        best = found["tokens"][:, 0]
        kept = tf.ragged.boolean_mask(best, best > EOS)
        blank = tf.equal(pieces.row_lengths(), 0)
        return {
            "translation": tf.where(blank, "", self.target.detokenize(kept)),
            "score": found["scores"][:, 0],
            "finished": found["finished"][:, 0],
        }


def _with_defaults(graph: Inference, search: SearchConfig) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """The translate function with everything but the source as the model's configuration has it."""

    def translate(source: tf.Tensor) -> dict[str, tf.Tensor]:
        lengths = tf.reduce_sum(tf.cast(tf.not_equal(source, 0), tf.int32), axis=1)
        by_source = tf.cast(search.max_ratio * tf.cast(lengths, tf.float32), tf.int32) + 10
        limits = tf.fill(tf.shape(lengths), search.max_length) if search.max_length else by_source
        settings = (search.length_penalty, search.word_reward, search.coverage_penalty)
        numbers = ([search.beam], [search.n_best], *([value] for value in settings))
        return graph.translate(source, limits, *map(tf.constant, numbers))

    return translate


def _tokenizer(model: bytes) -> Any:
    try:
        import tensorflow_text
    except ImportError:
        raise ExportError(
            "The format saved_model needs tensorflow-text (there is none for Windows); saved_model_ids does without. "
            "Received: an environment without it"
        ) from None
    return tensorflow_text.SentencepieceTokenizer(model=model, out_type=tf.int32)


def _save(module: tf.Module, folder: Path, **signatures: Any) -> None:
    tf.saved_model.save(module, str(folder), signatures=signatures)


def _copy_tokenizers(bundle: Bundle, folder: Path) -> None:
    for name in set(bundle.tokenizers):
        (folder / name).write_bytes(bundle.read(name))


FORMS: dict[str, Callable[[Bundle, Path], None]] = {
    "saved_model": _saved_model,
    "saved_model_ids": _saved_model_ids,
    "litert": _litert,
}
