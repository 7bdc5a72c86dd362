"""An export is done when a process of its own says with it what the library says, and not before."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from exported import REFERENCES, SENTENCES

from seq2seq import __version__, bundle, export
from seq2seq import engine as engines
from seq2seq.config import SearchConfig
from seq2seq.export import faces
from seq2seq.tokenizer import Tokenizer

pytest_plugins = ("exported",)

REFUSE = """
import importlib.abc, json, sys

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "keras", "seq2seq"):
            raise ImportError(name)

sys.meta_path.insert(0, Refuse())
"""

EXPLAIN = """
said = found["tokens"][:, 0, : found["lengths"][0, 0]]
explain = model.get_signature_runner("explain")
bias = np.zeros((1, len(source)), np.float32)
told = explain(source=inputs["source"], target=said, attention_bias=bias, k=np.array([3], np.int32))
assert not {"tensorflow", "keras", "seq2seq"} & set(sys.modules)
print(json.dumps([told["attention"].sum(-1)[0].tolist(), told["alternatives"].shape]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["int8", pytest.param("float16", marks=pytest.mark.whole)])
def test_a_certificate_tells_what_was_compared(exported, tiny, precision):
    folder = exported("litert", precision)
    told = json.loads((folder / "certificate.json").read_text())
    assert (told["form"], told["precision"]) == ("litert", precision)
    assert told["model"] == {"name": "en-de", "digest": tiny.digest}
    assert set(told["files"]) == {"model.tflite", "tokenizer.model"}
    for name, promised in told["files"].items():
        content = (folder / name).read_bytes()
        assert promised == {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert told["versions"]["seq2seq"] == __version__
    assert told["versions"].keys() >= {"python", "tensorflow", "ai-edge-litert"}
    compared = told["compared"]
    assert compared["with"] == f"litert-{precision}"
    assert compared["same"] == compared["sentences"] == len(SENTENCES) + 4
    assert (compared["given"], compared["origin"]) == (len(SENTENCES), "the test")
    assert compared["largest_score_difference"] < 1e-3
    assert told["bleu"]["sentences"] == len(REFERENCES)
    assert told["bleu"]["signature"].startswith("nrefs:1|case:mixed")
    against = told["against_float32"]
    assert (against["with"], against["sentences"]) == ("tensorflow-float32", compared["sentences"])
    assert 0 <= against["same"] <= compared["same"]
    assert engines.LiteRTEngine((folder / "model.tflite").read_bytes()).name == f"litert-{precision}"


@pytest.mark.slow
def test_litert_runs_with_ai_edge_litert_alone_as_the_page_says(exported, tiny, root, tmp_path):
    folder = exported("litert", "int8")
    page = (root / "docs" / "export.md").read_text(encoding="utf-8")
    [example] = [body for body in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "Interpreter(" in body]
    example = example.replace("exported/phone", str(folder)).replace("Where are the cats?", SENTENCES[0])
    argv = [sys.executable, "-c", REFUSE + example + EXPLAIN]
    env = os.environ | {"PYTHONUTF8": "1"}
    ended = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    said, _, told = ended.stdout.decode("utf-8", "replace").rstrip("\n").rpartition("\n")
    tokenizer = Tokenizer(tiny.read("tokenizer.model"))
    ids = tokenizer.encode(SENTENCES[0])
    search = SearchConfig(beam=5, max_length=2 * (len(ids) + 1) + 10)
    [[expected]] = engines.LiteRTEngine((folder / "model.tflite").read_bytes()).translate([ids], search)
    assert tokenizer.decode(tokenizer.encode(said)) == tokenizer.decode(expected.ids)
    attention, shape = json.loads(told)
    assert attention == pytest.approx([1.0] * len(attention), abs=1e-3)
    assert shape == [1, len(attention), 3]


@pytest.mark.slow
def test_onnx_says_the_same_in_onnx_runtime(exported, tiny):
    for package in ("tf2onnx", "onnxruntime"):
        pytest.importorskip(package)
    folder = exported("onnx")
    assert {path.name for path in folder.iterdir()} == {
        "serving_default.onnx", "explain.onnx", "tokenizer.model", "certificate.json"
    }  # fmt: skip
    told = json.loads((folder / "certificate.json").read_text())
    assert (told["form"], told["precision"], told["compared"]["with"]) == ("onnx", "float32", "tensorflow-float32")
    assert told["compared"]["same"] == told["compared"]["sentences"] == len(SENTENCES) + 4
    assert told["versions"].keys() >= {"tf2onnx", "onnxruntime"}


def test_onnx_without_its_packages_is_one_sentence(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(export.ExportError, match=r"ONNX needs its own packages: pip install 'seq2seq\[onnx\]'"):
        export.export(tiny, "onnx", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_certificate_of_a_model_folder_is_sealed_with_it(exported, tiny, tmp_path, monkeypatch):
    graph = (exported("litert", "int8") / "model.tflite").read_bytes()
    monkeypatch.setattr(export, "litert", lambda *_, **__: graph)
    loaded = bundle.load(export.export(tiny, "model", tmp_path / "again"))
    assert set(loaded.files) == {*tiny.files, "model.tflite", "certificate.json"}
    told = json.loads(loaded.read("certificate.json"))
    assert (told["form"], told["compared"]["with"], told["compared"]["given"]) == ("model", "litert-int8", 0)
    assert set(told["files"]) == set(loaded.files) - {"certificate.json", "README.md"}
    assert told["model"]["digest"] == tiny.digest != loaded.digest


class Other:
    """A library that says the same of every sentence."""

    name = "other"

    def __init__(self, *_: object) -> None:
        pass

    def translate(self, sources, search):
        return [[engines.Hypothesis((9,), -1.0, -1.0, True)]] * len(sources)

    def explain(self, source, target):
        return {"attention": np.full((len(target) + 1, len(source) + 1), 0.25, np.float32)}


@pytest.mark.slow
def test_an_export_that_says_something_else_is_not_there(exported, tiny, tmp_path, monkeypatch):
    graph = (exported("litert", "int8") / "model.tflite").read_bytes()
    monkeypatch.setattr(export, "litert", lambda *_, **__: graph)
    monkeypatch.setattr(faces, "LiteRTEngine", Other)
    expected = (
        r"must say what the library says; nothing was written. Received: [567] of 7 sentences in other words, scores"
    )
    with pytest.raises(export.ExportError, match=expected):
        export.export(tiny, "litert", tmp_path / "out", sentences=SENTENCES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_blank_sentences_are_compared_too(tiny, tmp_path):
    folder = export.export(tiny, "saved_model", tmp_path / "out", sentences=["", *SENTENCES, " "])
    told = json.loads((folder / "certificate.json").read_text())["compared"]
    assert told["same"] == told["sentences"] >= len(SENTENCES) + 2


def test_an_export_that_looks_elsewhere_is_refused():
    face = SimpleNamespace(engine=Other())
    told = {"attention": [[[0.25, 0.25, 0.25, 0.25, 0.0], [0.25, 0.25, 0.25, 0.252, 0.0]]]}
    export.certificate.compare_attention(face, [5, 6, 7], (9,), told)
    with pytest.raises(
        export.ExportError, match=r"must look where the library looks; .* Received: attention .* 0.002 apart"
    ):
        export.certificate.compare_attention(face, [5, 6, 7], (9, 9), told)


def test_an_export_that_does_not_run_is_not_there(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "litert", lambda *_, **__: b"no graph at all")
    monkeypatch.setattr(faces, "LiteRTEngine", Other)
    with pytest.raises(
        export.ExportError, match=r"must run in a new process; nothing was written. Received: \w+Error: "
    ):
        export.export(tiny, "litert", tmp_path / "out", sentences=SENTENCES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("os.kill(os.getpid(), 9)", "a process that was ended by signal 9 (Killed), as where memory runs out"),
        ("os.kill(os.getpid(), 11)", "a process that was ended by signal 11 (Segmentation fault)"),
        ("raise ValueError('no graph')", "ValueError: no graph"),
        (
            "raise json.JSONDecodeError('no graph', '', 0)",
            "json.decoder.JSONDecodeError: no graph: line 1 column 1 (char 0)",
        ),
        ("print('note: none', file=sys.stderr); sys.exit(3)", "note: none"),
        ("sys.exit(3)", "exit code 3"),
    ],
)
def test_why_an_export_does_not_run_is_told(tmp_path, monkeypatch, code, told):
    program = tmp_path / "program.py"
    talk = "atexit.register(lambda: print('I0000 00:00 port.cc:153] on. ', file=sys.stderr))\n"
    program.write_text(f"import atexit, json, os, sys\n{talk if 'raise' in code else ''}{code}\n")
    monkeypatch.setattr(export.certificate.checker, "__file__", str(program))
    with pytest.raises(export.ExportError) as caught:
        export.certificate._asked(tmp_path, [])
    assert str(caught.value) == f"An export must run in a new process; nothing was written. Received: {told}"


def test_the_sample_is_the_given_sentences_and_a_few_of_the_vocabulary(tiny):
    plain = export.certificate.sample(tiny, [], [], "")
    more = export.certificate.sample(tiny, SENTENCES, REFERENCES, "a file")
    assert plain.given == 0 and len(plain.texts) == 4
    assert more.texts == (*SENTENCES, *plain.texts)
    tokenizer = Tokenizer(tiny.read("tokenizer.model"))
    assert [tokenizer.decode(ids) for ids in more.sources] == [
        tokenizer.decode(tokenizer.encode(t)) for t in more.texts
    ]
    assert max(map(len, plain.sources)) > 10


def test_what_cannot_be_compared_is_refused(tiny, tmp_path):
    with pytest.raises(export.ExportError, match=r"There must be as many references as sentences. Received: 1 and 3"):
        export.export(tiny, "litert", tmp_path / "out", sentences=SENTENCES, references=["Eins."])
    with pytest.raises(
        export.ExportError, match=r"A sentence must have at most 256 pieces. Received: 300 in sentence 2"
    ):
        export.export(tiny, "litert", tmp_path / "out", sentences=["a", "q" * 299])
    with pytest.raises(export.ExportError, match=r"A precision must be one of int8, float16, float32. Received: int4"):
        export.export(tiny, "litert", tmp_path / "out", precision="int4")
    with pytest.raises(
        export.ExportError, match=r"litert and web have a choice of precision. Received: int8 for model"
    ):
        export.export(tiny, "model", tmp_path / "out", precision="int8")
    assert list(tmp_path.iterdir()) == []
