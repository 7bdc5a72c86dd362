"""Exports: SavedModel and LiteRT files of the one inference graph, each checked before it is there.

It owns what a file looks like from outside, names and types; it does not know how anything is computed, and holds
no second decoder.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from seq2seq import bundle as bundles
from seq2seq import inference
from seq2seq.bundle import Bundle
from seq2seq.engine import batching
from seq2seq.export import browser, certificate, limits, onnx, site, warmup
from seq2seq.export.certificate import CERTIFICATE, ExportError, Sample
from seq2seq.export.faces import plain_search
from seq2seq.export.limits import guarded
from seq2seq.export.text import TextInference, with_defaults
from seq2seq.inference import Inference

__all__ = ["CERTIFICATE", "FORMS", "PRECISIONS", "ExportError", "Order", "export", "litert"]

PRECISIONS = ("int8", "float16", "float32")
"""Of the weights in a LiteRT file; it computes in float32 with the last two."""


@dataclass(frozen=True)
class Order:
    """What is to be written."""

    bundle: Bundle
    form: str
    precision: str
    sample: Sample


def export(
    bundle: Bundle,
    form: str,
    output: Path,
    *,
    precision: str = "",
    sentences: Sequence[str] = (),
    references: Sequence[str] = (),
    origin: str = "",
) -> Path:
    """Writes a model in another form to a new folder, whole or not at all, and returns the folder.

    1. Everything goes to a hidden folder beside it.
    2. A new process, which has none of this package, loads what was written and translates; see `certificate`.
    3. If it says what the library says, `certificate.json` is added and the folder gets its name.

    Args:
        bundle: the model.
        form: "saved_model" (strings in and out; what loads it needs tensorflow-text), "saved_model_ids" (piece ids
            in and out, core operations alone), "litert" (model.tflite), "onnx" (serving_default.onnx and explain.onnx,
            ids too), "web" (model.tflite and a page that translates with it in the browser) or "model" (the model
            folder with its graph made again, so that an older model can do what newer ones can).
        output: the folder to make; new, or empty.
        precision: of the weights of "litert" and "web", one of `PRECISIONS`; the first unless given.
        sentences: what is translated to compare; a few drawn from the vocabulary come on top.
        references: translations of the sentences, if the export's BLEU is wanted.
        origin: where the sentences come from, in a word for the certificate.

    Raises:
        ExportError: the form is unknown, the folder is in use or cannot be written, or what was written does not say
            what the library says.
    """
    if form not in FORMS:
        raise ExportError(f"An export must be one of {', '.join(FORMS)}. Received: {form}")
    if precision and form not in ("litert", "web"):
        raise ExportError(f"The forms litert and web have a choice of precision. Received: {precision} for {form}")
    if (precision or PRECISIONS[0]) not in PRECISIONS:
        raise ExportError(f"A precision must be one of {', '.join(PRECISIONS)}. Received: {precision}")
    output = Path(output)
    if not bundles.is_free(output):
        raise ExportError(f"An export must go to {bundles.FREE}. Received: {output}")
    sample = certificate.sample(bundle, sentences, references, origin)
    order = Order(bundle, form, precision or PRECISIONS[0], sample)
    place = Path(os.path.realpath(output))
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with bundles.staged(place) as new:
            FORMS[form](order, new)
            _certify(order, new)
            bundles.settle(new, place)
    except (OSError, bundles.SaveError, tf.errors.OpError) as error:
        raise ExportError(f"An export must be writable; nothing was written. Received: {output} ({error})") from None
    return output


def litert(graph: Inference, precision: str = PRECISIONS[0], **more: Any) -> bytes:
    """The graph as a LiteRT file with the signatures of an engine and `more`, its weights in one of `PRECISIONS`."""
    with tempfile.TemporaryDirectory() as folder:
        signatures = graph.signatures | more
        _save(Path(folder), signatures, graph.numbers)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(signatures))
        converter.exclude_conversion_metadata = True  # it would read and write the whole file once more
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        return converter.convert()


def _certify(order: Order, folder: Path) -> None:
    face = certificate.FACES[order.form](order.bundle, folder, order.precision)
    content = certificate.content(order.bundle, folder, face, order.sample)
    if order.form == "model":  # whose manifest names every file
        bundles.write(folder, **_folder(bundles.load(folder), {CERTIFICATE: content}))
    else:
        (folder / CERTIFICATE).write_bytes(content)


def _litert(order: Order, folder: Path) -> None:
    graph = Inference(inference.network(order.bundle))
    content = litert(graph, order.precision, browser=browser.signature(graph, plain_search(order.bundle)))
    folder.mkdir()
    (folder / certificate.GRAPH).write_bytes(content)
    _copy_tokenizers(order.bundle, folder)


def _web(order: Order, folder: Path) -> None:
    _litert(order, folder)
    site.write(folder, order.bundle, order.sample.texts[: order.sample.given])


def _model(order: Order, folder: Path) -> None:
    graph = litert(Inference(inference.network(order.bundle)))
    bundles.write(folder, **_folder(order.bundle, {certificate.GRAPH: graph}))


def _folder(bundle: Bundle, instead: dict[str, bytes]) -> dict[str, Any]:
    """What `bundle.write` takes, with some of the files in the place of the model's own."""
    contents = bundle.contents()
    contents["files"].pop(CERTIFICATE, None)
    contents["files"] |= instead
    return contents


def _saved_model_ids(order: Order, folder: Path) -> None:
    graph = Inference(inference.network(order.bundle))
    pieces = certificate.vocabularies(order.bundle)
    asked = {
        "translate": (graph.translate, inference.TRANSLATE),
        "constrained": (graph.constrained, inference.CONSTRAINED),
        "explain": (graph.explain, inference.EXPLAIN),
        "serving_default": (
            with_defaults(graph, order.bundle.config.search),
            {"source": inference.TRANSLATE["source"]},
        ),
    } | ({"gradient": (graph.gradient, inference.GRADIENT)} if graph.gradient else {})
    signatures = {name: guarded(function, specs, pieces) for name, (function, specs) in asked.items()}
    _save(folder, signatures, graph.numbers)
    (folder / "assets").mkdir(exist_ok=True)
    _copy_tokenizers(order.bundle, folder / "assets")
    rows = [order.sample.sources[: limits.MAX_ROWS][:few] for few in (1, 4)]
    requests = [("serving_default", {"source": batching.pad(each)}) for each in rows]
    warmup.write(folder, order.bundle.name, requests)


def _onnx(order: Order, folder: Path) -> None:
    graph = Inference(inference.network(order.bundle))
    folder.mkdir()
    asked = {
        "serving_default": (with_defaults(graph, order.bundle.config.search), [inference.TRANSLATE["source"]]),
        "explain": (graph.explain, list(inference.EXPLAIN.values())),
    }
    onnx.write(folder, {name: (tf.function(function), specs) for name, (function, specs) in asked.items()})
    _copy_tokenizers(order.bundle, folder)


def _saved_model(order: Order, folder: Path) -> None:
    graph = TextInference(order.bundle)
    signatures = {"serving_default": graph.translate_text, "search": graph.search_text, "explain": graph.explain_text}
    _save(folder, signatures, graph.numbers, graph.source, graph.target)
    texts = [list(order.sample.texts[:few]) for few in (1, 4)]
    requests: list[warmup.Request] = [("serving_default", {"text": each}) for each in texts]
    requests.append(("explain", {"text": texts[0], "n_best": tf.constant([1])}))
    warmup.write(folder, order.bundle.name, requests)


def _save(folder: Path, signatures: dict[str, Any], *needed: Any) -> None:
    """The signatures with the variables and tokenizers that they need, and no other function of their graph."""
    module = tf.Module()
    module.needed = needed
    tf.saved_model.save(module, str(folder), signatures=signatures)


def _copy_tokenizers(bundle: Bundle, folder: Path) -> None:
    for name in set(bundle.tokenizers):
        (folder / name).write_bytes(bundle.read(name))


FORMS: dict[str, Callable[[Order, Path], None]] = {
    "saved_model": _saved_model,
    "saved_model_ids": _saved_model_ids,
    "litert": _litert,
    "onnx": _onnx,
    "web": _web,
    "model": _model,
}
