"""How each form of export is asked for translations and attention, and which engine of the library says the same.

It knows the names of their inputs and outputs; it does not know where they run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.bundle import GRAPH, Bundle
from seq2seq.config import SearchConfig
from seq2seq.engine import Engine, Hypothesis, LiteRTEngine, TensorFlowEngine, batching
from seq2seq.export import browser
from seq2seq.tokenizer import Tokenizer

Call = dict[str, Any]
"""A signature, its inputs as JSON has them, and the outputs that are wanted."""


@dataclass(frozen=True)
class Face:
    """An export from outside.

    Arguments:
        engine: says what the export must say: where weights were made smaller, one that runs the very file.
        by: "ids" or "text", what is compared.
        translate: texts and their pieces, to the call that translates them.
        read: the answer, to what is said of each and its score.
        explain: a text, its pieces and those of its translation, to the call that gives the attention.
        rows: sentences of a call.
    """

    form: str
    precision: str
    engine: Engine
    by: str
    translate: Callable[[Sequence[str], Sequence[list[int]]], Call]
    read: Callable[[dict[str, Any]], list[tuple[Any, float]]]
    explain: Callable[[str, list[int], Sequence[int]], Call]
    rows: int = 8

    def expected(self, hypothesis: Hypothesis, tokenizer: Tokenizer) -> Any:
        """What should be said, where the library says this."""
        return list(hypothesis.ids) if self.by == "ids" else tokenizer.decode(hypothesis.ids)

    def clean(self, said: Any, tokenizer: Tokenizer) -> Any:
        """What was said; of text without the control characters that the library removes as well."""
        return said if self.by == "ids" else tokenizer.decode(tokenizer.encode(said))

    def text(self, said: Any, tokenizer: Tokenizer) -> str:
        """What was said, as text."""
        return tokenizer.decode(said) if self.by == "ids" else said


def plain_search(bundle: Bundle) -> SearchConfig:
    """Of the model's own search what a `serving_default` does."""
    own = bundle.config.search
    kept = ("beam", "length_penalty", "word_reward", "coverage_penalty", "max_length", "max_ratio")
    return SearchConfig(**{name: getattr(own, name) for name in kept})


def _litert(bundle: Bundle, folder: Path, precision: str, form: str = "litert") -> Face:
    search = plain_search(bundle)

    def translate(_: Sequence[str], sources: Sequence[list[int]]) -> Call:
        return _call("translate", batching.basic_inputs(sources, search), *_HYPOTHESES)

    graph = (folder / GRAPH).read_bytes()
    engine: Engine = TensorFlowEngine(bundle) if precision == "float32" else LiteRTEngine(graph)
    return Face(form, precision, engine, "ids", translate, _read_ids, _explain_ids)


def _web(bundle: Bundle, folder: Path, precision: str) -> Face:
    """The signature `browser`, one sentence at a time, beside an engine that runs the others of the same file."""
    search = plain_search(bundle)

    def inputs(source: list[int]) -> dict[str, Any]:
        basic = batching.basic_inputs([source], search)
        padded = np.zeros(browser.ASKED["source"].shape, np.int32)
        padded[0, : len(source) + 1] = basic["source"][0]
        return {"source": padded, "max_length": basic["max_length"], "beam": basic["beam"]}

    def translate(_: Sequence[str], sources: Sequence[list[int]]) -> Call:
        return _call("browser", inputs(sources[0]), "tokens", "length", "score", "finished")

    def read(answer: dict[str, Any]) -> list[tuple[Any, float]]:
        [tokens], [length], [score], [finished] = (answer[name] for name in ("tokens", "length", "score", "finished"))
        return [(tokens[: length - bool(finished)], score)]

    def explain(_: str, source: list[int], __: Sequence[int]) -> Call:
        return _call("browser", inputs(source), "attention")

    like = _litert(bundle, folder, precision, "web")
    return dataclasses.replace(like, translate=translate, read=read, explain=explain, rows=1)


def _model(bundle: Bundle, folder: Path, precision: str) -> Face:
    return _litert(bundle, folder, precision, "model")


def _saved_model_ids(bundle: Bundle, folder: Path, precision: str) -> Face:
    def translate(_: Sequence[str], sources: Sequence[list[int]]) -> Call:
        return _call("serving_default", {"source": batching.pad(sources)}, *_HYPOTHESES)

    engine = TensorFlowEngine(bundle)
    return Face("saved_model_ids", "float32", engine, "ids", translate, _read_ids, _explain_ids)


def _onnx(bundle: Bundle, folder: Path, precision: str) -> Face:
    return dataclasses.replace(_saved_model_ids(bundle, folder, precision), form="onnx")


def _saved_model(bundle: Bundle, folder: Path, precision: str) -> Face:
    def translate(texts: Sequence[str], _: Sequence[list[int]]) -> Call:
        return _call("serving_default", {"text": list(texts)}, "translation", "score")

    def read(answer: dict[str, Any]) -> list[tuple[Any, float]]:
        return list(zip(answer["translation"], answer["score"], strict=True))

    def explain(text: str, _: list[int], __: Sequence[int]) -> Call:
        return _call("explain", {"text": [text], "n_best": [1]}, "attention")

    return Face("saved_model", "float32", TensorFlowEngine(bundle), "text", translate, read, explain)


_HYPOTHESES = ("tokens", "lengths", "scores", "finished")


def _read_ids(answer: dict[str, Any]) -> list[tuple[Any, float]]:
    """The pieces of the best hypothesis of each row without its end, and its score."""
    rows = zip(*(answer[name] for name in _HYPOTHESES), strict=True)
    return [(tokens[0][: lengths[0] - bool(finished[0])], scores[0]) for tokens, lengths, scores, finished in rows]


def _explain_ids(_: str, source: list[int], target: Sequence[int]) -> Call:
    inputs = {
        "source": batching.pad([source]),
        "target": batching.pad([target]),
        "attention_bias": np.zeros((1, len(source) + 1)),
        "k": [1],
    }
    return _call("explain", inputs, "attention")


def _call(signature: str, inputs: dict[str, Any], *outputs: str) -> Call:
    plain = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in inputs.items()}
    return {"signature": signature, "inputs": plain, "outputs": list(outputs)}


FACES: dict[str, Callable[[Bundle, Path, str], Face]] = {
    "saved_model": _saved_model,
    "saved_model_ids": _saved_model_ids,
    "litert": _litert,
    "onnx": _onnx,
    "web": _web,
    "model": _model,
}
"""By form: of a model, the folder of its export, and the precision."""
