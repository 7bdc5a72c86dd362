"""SavedModels as a server meets them: warm-up, limits, the C library, and a client without our tokenizer."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import tensorflow as tf
from exported import SENTENCES
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from seq2seq import engine as engines
from seq2seq.config import SearchConfig
from seq2seq.engine import EOS, Demands, batching
from seq2seq.export import limits
from seq2seq.export.faces import plain_search
from seq2seq.export.text import TextInference
from seq2seq.tokenizer import Tokenizer

pytest_plugins = ("exported",)

pytestmark = pytest.mark.slow

PEAK = Path("/proc/self/clear_refs")
WARMUP = "assets.extra/tf_serving_warmup_requests"

C_API = """
import ctypes as c, json, sys

library, folder, feed, fetches, source = sys.argv[1], *map(json.loads, sys.argv[2:])
tf = c.CDLL(library)
for name in ("NewStatus", "NewGraph", "NewSessionOptions", "LoadSessionFromSavedModel", "AllocateTensor", "TensorData",
             "GraphOperationByName", "Message"):
    getattr(tf, "TF_" + name).restype = c.c_void_p
tf.TF_Message.restype = c.c_char_p
tf.TF_TensorByteSize.restype = c.c_size_t

class Output(c.Structure):
    _fields_ = [("operation", c.c_void_p), ("index", c.c_int)]

status, graph = c.c_void_p(tf.TF_NewStatus()), c.c_void_p(tf.TF_NewGraph())
def fine():
    assert tf.TF_GetCode(status) == 0, tf.TF_Message(status).decode()

tags = (c.c_char_p * 1)(b"serve")
session = c.c_void_p(tf.TF_LoadSessionFromSavedModel(
    c.c_void_p(tf.TF_NewSessionOptions()), None, folder.encode(), tags, 1, graph, None, status))
fine()

def output(name):
    operation, _, index = name.partition(":")
    found = tf.TF_GraphOperationByName(graph, operation.encode())
    assert found, name
    return Output(found, int(index))

INT32 = 3
rows, width = len(source), len(source[0])
numbers = (c.c_int32 * (rows * width))(*[number for row in source for number in row])
tensor = c.c_void_p(tf.TF_AllocateTensor(INT32, (c.c_int64 * 2)(rows, width), 2, c.c_size_t(c.sizeof(numbers))))
c.memmove(tf.TF_TensorData(tensor), numbers, c.sizeof(numbers))
inputs, given = (Output * 1)(output(feed)), (c.c_void_p * 1)(tensor)
outputs, got = (Output * len(fetches))(*map(output, fetches)), (c.c_void_p * len(fetches))()
tf.TF_SessionRun(session, None, inputs, given, 1, outputs, got, len(fetches), None, 0, None, status)
fine()
said = []
for each in got:
    size = tf.TF_TensorByteSize(c.c_void_p(each)) // 4
    said.append(list((c.c_int32 * size).from_address(tf.TF_TensorData(c.c_void_p(each)))))
assert "tensorflow" not in sys.modules
print(json.dumps(said))
"""

CLEAN = """
import json, sys
sys.modules["seq2seq"] = None
import tensorflow as tf
if sys.argv[2] == "text":
    import tensorflow_text
translate = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
[name] = translate.structured_input_signature[1]
found = translate(**{name: tf.constant(json.loads(sys.argv[3]))})
said = found["translation" if sys.argv[2] == "text" else "tokens"].numpy()
print(json.dumps([text.decode() for text in said] if sys.argv[2] == "text" else said.tolist()))
"""

USUAL = {
    "text": ["a"], "prefix": [""], "required": [[""]], "forbidden": [[""]], "seed": [1], "min_length": [0],
    "max_length": [0], "beam": [5], "n_best": [1], "length_penalty": [1.0], "word_reward": [0.0],
    "coverage_penalty": [0.0], "no_repeat": [0], "temperature": [0.0], "top_k": [0], "top_p": [1.0],
    "diversity": [0.0],
}  # fmt: skip
"""Inputs of the signature `search` that ask for nothing."""
TWO, EIGHT = (
    {"text": ["a"] * rows, "prefix": [""] * rows} | {name: [[""]] * rows for name in ("required", "forbidden")}
    for rows in (2, 8)
)
"""Of them what is said of so many sentences."""


@pytest.fixture(scope="module")
def by_ids(exported):
    return tf.saved_model.load(str(exported("saved_model_ids"))).signatures


@pytest.fixture(scope="module")
def by_text(exported):
    pytest.importorskip("tensorflow_text")
    return tf.saved_model.load(str(exported("saved_model"))).signatures


@pytest.fixture(scope="module")
def tokenizer(tiny) -> Tokenizer:
    return Tokenizer(tiny.read("tokenizer.model"))


@pytest.fixture(scope="module")
def library(tiny, tokenizer):
    """What the library says of the sentences."""
    engine = engines.load(tiny, "tensorflow")
    return [best for best, *_ in engine.translate([tokenizer.encode(text) for text in SENTENCES], plain_search(tiny))]


def messages():
    """`PredictionLog`, from what TensorFlow Serving's own files say of it, and a tensor as TensorFlow has it."""
    file = descriptor_pb2.FileDescriptorProto(name="log.proto", package="serving", syntax="proto3")
    file.dependency.append("tensorflow/core/framework/tensor.proto")

    def message(place, name, *fields):
        made = place.add(name=name)
        for number, field, kind, repeated in fields:
            made.field.add(
                name=field, number=number, label=3 if repeated else 1, type=11 if kind else 9, type_name=kind
            )
        return made

    message(file.message_type, "ModelSpec", (1, "name", None, False), (3, "signature_name", None, False))
    spec = (1, "model_spec", ".serving.ModelSpec", False)
    inputs = (2, "inputs", ".serving.PredictRequest.InputsEntry", True)
    request = message(file.message_type, "PredictRequest", spec, inputs)
    tensor = (2, "value", ".tensorflow.TensorProto", False)
    entry = message(request.nested_type, "InputsEntry", (1, "key", None, False), tensor)
    entry.options.map_entry = True
    message(file.message_type, "PredictLog", (1, "request", ".serving.PredictRequest", False))
    message(file.message_type, "PredictionLog", (6, "predict_log", ".serving.PredictLog", False))
    pool = descriptor_pool.Default()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("serving.PredictionLog"))


def test_every_warm_up_request_is_answered(exported, by_ids, by_text):
    log = messages()
    for form, signatures in (("saved_model_ids", by_ids), ("saved_model", by_text)):
        asked = []
        for record in tf.data.TFRecordDataset(str(exported(form) / WARMUP)):
            request = log.FromString(record.numpy()).predict_log.request
            asked.append(request.model_spec.signature_name)
            inputs = {name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in request.inputs.items()}
            assert signatures[asked[-1]](**inputs)
            assert request.model_spec.name == "en-de"
        assert asked[:2] == ["serving_default", "serving_default"]
        certificate = json.loads((exported(form) / "certificate.json").read_text())
        assert certificate["warm_up_requests"] == len(asked)
        assert ("explain" in asked) == (form == "saved_model")


def test_batch_and_length_are_free(by_ids, by_text, tokenizer, library):
    said = {}
    for rows in (SENTENCES, SENTENCES[:1], SENTENCES[::-1] * 3):
        found = by_ids["serving_default"](tf.constant(batching.pad([tokenizer.encode(text) for text in rows])))
        texts = by_text["serving_default"](text=tf.constant(rows))["translation"].numpy()
        for text, tokens, translated in zip(rows, found["tokens"].numpy(), texts, strict=True):
            told = (tuple(token for token in tokens[0].tolist() if token > EOS), translated.decode("utf-8", "replace"))
            assert said.setdefault(text, told) == told
    assert [said[text][0] for text in SENTENCES] == [best.ids for best in library]


def test_nothing_is_said_of_nothing(by_text, by_ids):
    found = by_text["serving_default"](text=tf.constant(["", " \t", SENTENCES[0]]))
    assert found["translation"].numpy()[:2].tolist() == [b"", b""]
    assert by_ids["serving_default"](tf.constant([[EOS]]))["tokens"].shape[0] == 1
    told = by_text["explain"](text=tf.constant([""]), n_best=tf.constant([2]))
    assert told["translations"].numpy().tolist() == [[b"", b""]]


def refused(function, **inputs) -> str:
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        function(**{name: tf.constant(value) for name, value in inputs.items()})
    return caught.value.message


def test_the_graph_of_text_enforces_its_limits(by_text):
    translate = by_text["serving_default"]
    assert "A sentence must have at most 256 pieces" in refused(translate, text=["short", "q" * 300])
    assert "The sentences of a call must be from 1 to 512" in refused(translate, text=["a"] * 513)
    assert "The sentences of a call must be from 1 to 512" in refused(
        translate, text=np.array([], object).astype(bytes)
    )
    explain = by_text["explain"]
    assert "A beam must be from 1 to 64" in refused(explain, text=["a"], n_best=[65])
    assert "An n_best must be from 1 to 64" in refused(explain, text=["a"], n_best=[0])
    search = by_text["search"]
    assert "An n_best must be at most the beam" in refused(search, **USUAL | {"n_best": [6]})
    assert "A max_length must be from 1 to 2066" in refused(search, **USUAL | {"max_length": [10**6]})
    many = {"text": ["a"] * 300, "prefix": [""] * 300, "required": [[""]] * 300, "forbidden": [[""]] * 300}
    assert "Sentences times beam must be from 1 to 5120" in refused(search, **USUAL | many | {"beam": [64]})


@pytest.mark.skipif(not PEAK.exists(), reason="this system does not tell the largest memory that a process had")
def test_nothing_is_drawn_or_padded_before_the_limits_are_checked(by_text):
    def held(field: str) -> int:
        return 1024 * int(Path("/proc/self/status").read_text().partition(field)[2].split()[0])

    search = by_text["search"]
    assert search(**{name: tf.constant(value) for name, value in (USUAL | {"required": [["q"] * 64]}).items()})
    long = [["q" * 10**5, *[""] * 63], *[[""] * 64] * 7]
    too_long = "A max_length must be from 1 to 2066"
    for asked, message in (
        ({"max_length": [3 * 10**7]}, too_long),
        ({"max_length": [3 * 10**7], "temperature": [1.0], "n_best": [5]}, too_long),
        (EIGHT | {"required": long}, "The pieces of required must be from 0 to 2066"),
    ):
        PEAK.write_text("5")  # it is what is held now
        before = held("VmRSS:")
        assert message in refused(search, **USUAL | asked)
        assert held("VmHWM:") - before < 1 << 27, "5 * 3e7 and 8 * 64 * 1e5 numbers have more bytes"


def demanding(tokenizer: Tokenizer, texts: list[str], search: SearchConfig, *wanted: Demands) -> dict[str, np.ndarray]:
    """The inputs of `constrained` as the library makes them; what is not said to be wanted is nothing."""
    sources = [tokenizer.encode(text) for text in texts]
    inputs = batching.basic_inputs(sources, search)
    every = [*wanted, *[Demands()] * (len(texts) - len(wanted))]
    return inputs | batching.demanding(inputs["max_length"], sources, search, every)


def test_whatever_the_library_asks_is_answered(by_ids, tokenizer):
    wanted = Demands(prefix=(9, 10), required=((11, 12), (13,)), forbidden=((14, 15, 16),), attention_bias=(1.0,))
    for search in (SearchConfig(no_repeat=8, diversity=1.0), SearchConfig(temperature=10.0, top_k=5, top_p=0.1)):
        inputs = demanding(tokenizer, SENTENCES, search, *[wanted] * (not search.temperature))
        assert by_ids["constrained"](**{name: tf.constant(value) for name, value in inputs.items()})


def test_what_is_said_of_one_sentence_must_be_said_of_all(by_text, by_ids, tokenizer):
    for name in ("prefix", "required", "forbidden"):
        message = f"The rows of {name} must be as many as the sentences"
        assert message in refused(by_text["search"], **USUAL | TWO | {name: USUAL[name]})
        assert message in refused(by_text["search"], **USUAL | {name: TWO[name]})
    inputs = demanding(tokenizer, SENTENCES, SearchConfig())
    for name in ("max_length", "min_length", "prefix", "required", "forbidden"):
        message = f"The rows of {name} must be as many as the sentences"
        assert message in refused(by_ids["constrained"], **inputs | {name: inputs[name][:1]})
    for name in ("attention_bias", "present"):
        for part in (inputs[name][:1], inputs[name][:, 1:]):
            message = f"{name} must have the shape of source"
            assert message in refused(by_ids["constrained"], **inputs | {name: part})


def test_settings_that_no_search_has_are_refused(by_text, by_ids, tokenizer):
    inputs = demanding(tokenizer, SENTENCES, SearchConfig())
    for name, wrong, message in (
        ("no_repeat", 9, "A no_repeat must be from 0 to 8"),
        ("no_repeat", -1, "A no_repeat must be from 0 to 8"),
        ("top_k", -1, "A top_k must be at least 0"),
        ("top_p", 0.0, "A top_p must be more than 0"),
        ("top_p", 1.5, "A top_p must be at most 1"),
        ("temperature", -1.0, "A temperature must be at least 0"),
        ("temperature", float("nan"), "A temperature must be at least 0"),
    ):
        assert message in refused(by_text["search"], **USUAL | {name: [wrong]})
        assert message in refused(by_ids["constrained"], **inputs | {name: np.array([wrong], inputs[name].dtype)})


def test_what_grows_with_two_sizes_at_once_is_refused(by_ids, tokenizer):
    for name, (rows, width) in {"source": (512, 33), "target": (8, 2049)}.items():
        ids = {each: np.full((rows, width if each == name else 2), 9, np.int32) for each in ("source", "target")}
        bias = np.zeros(ids["source"].shape, np.float32)
        message = f"Sentences times the pieces of {name} must be from 0 to 16384"
        assert message in refused(by_ids["explain"], **ids, attention_bias=bias, k=[1])
    inputs = demanding(tokenizer, ["a"] * 80, SearchConfig(beam=64))
    for name, shape in {"required": (80, 8, 20), "forbidden": (80, 64, 200)}.items():
        message = f"Sentences times beam times the pieces of {name} times what each is compared with must be from 0 to"
        assert message in refused(by_ids["constrained"], **inputs | {name: np.full(shape, 9, np.int32)})


def test_an_explanation_of_much_text_is_refused(tiny, monkeypatch):
    pytest.importorskip("tensorflow_text")
    monkeypatch.setattr(limits, "MAX_EXPLAINED", 4)
    explain = TextInference(tiny).explain_text.get_concrete_function()
    assert "Sentences times the pieces of target must be from 0 to 4" in refused(explain, text=["a"] * 5, n_best=[1])


def test_the_graph_of_ids_enforces_its_limits(by_ids, tokenizer):
    translate = by_ids["serving_default"]
    assert "end of sentence included, must be from 1 to 257" in refused(translate, source=[[9] * 257 + [EOS]])
    assert "end of sentence included, must be from 1 to 257" in refused(translate, source=np.zeros((1, 0), np.int32))
    assert "A sentence must have a piece, if only its end" in refused(translate, source=[[9, EOS], [0, 0]])
    last = len(tokenizer) - 1
    for wrong in (last + 1, -1):
        assert f"An id of a piece must be from 0 to {last}" in refused(translate, source=[[wrong, EOS]])
    bias = np.zeros((1, 2), np.float32)
    assert f"An id in target must be from 0 to {last}" in refused(
        by_ids["explain"], source=[[9, EOS]], target=[[last + 1, EOS]], attention_bias=bias, k=[1]
    )


def test_an_explanation_of_text_has_pieces_and_attention(by_text, tiny, tokenizer, library):
    found = by_text["explain"](text=tf.constant(SENTENCES), n_best=tf.constant([3]))
    engine = engines.load(tiny, "tensorflow")
    for row, (text, best) in enumerate(zip(SENTENCES, library, strict=True)):
        ids = tokenizer.encode(text)
        source = [piece.decode() for piece in found["source_pieces"].numpy()[row]]
        assert source[: len(ids) + 1] == [*tokenizer.pieces(ids), "</s>"]
        assert set(source[len(ids) + 1 :]) <= {""}
        target = [piece.decode() for piece in found["target_pieces"].numpy()[row]]
        assert target[: len(best.ids)] == tokenizer.pieces(best.ids)
        attention = found["attention"].numpy()[row, : len(best.ids), : len(ids) + 1]
        np.testing.assert_allclose(attention, engine.explain(ids, best.ids)["attention"][: len(best.ids)], atol=1e-4)
        said = found["piece_log_probs"].numpy()[row].sum()
        assert said == pytest.approx(found["log_probs"].numpy()[row, 0], abs=1e-3)
    assert found["translations"].shape == found["scores"].shape == (len(SENTENCES), 3)
    assert (np.diff(found["scores"].numpy(), axis=1) <= 0).all()


@pytest.mark.parametrize("form", ["saved_model", "saved_model_ids"])
def test_it_answers_in_a_process_without_this_package(exported, tokenizer, library, form, tmp_path):
    kind = "text" if form == "saved_model" else "ids"
    given = SENTENCES[:1] if kind == "text" else [[*tokenizer.encode(SENTENCES[0]), EOS]]
    argv = [sys.executable, "-c", CLEAN, str(exported(form)), kind, json.dumps(given)]
    ended = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=True)
    [said] = json.loads(ended.stdout)
    if kind == "ids":
        assert tuple(token for token in said[0] if token > EOS) == library[0].ids
    else:
        assert tokenizer.decode(tokenizer.encode(said)) == tokenizer.decode(library[0].ids)


def test_the_c_library_runs_the_saved_model_of_ids(exported, tokenizer, library, tmp_path):
    found = sorted(Path(tf.__file__).parent.glob("libtensorflow_cc.*"))
    if not found:
        pytest.skip("this TensorFlow brings no libtensorflow_cc")
    if b"TF_LoadSessionFromSavedModel" not in subprocess.run(["nm", "-D", str(found[0])], capture_output=True).stdout:
        pytest.skip("libtensorflow_cc does not have TF_LoadSessionFromSavedModel, or there is no nm to ask")
    folder = exported("saved_model_ids")
    graph = SavedModel.FromString((folder / "saved_model.pb").read_bytes()).meta_graphs[0]
    signature = graph.signature_def["serving_default"]
    fetches = [signature.outputs[name].name for name in ("tokens", "lengths")]
    source = batching.pad([tokenizer.encode(text) for text in SENTENCES]).tolist()
    given = (str(folder), signature.inputs["source"].name, fetches, source)
    argv = [sys.executable, "-c", C_API, str(found[0]), *map(json.dumps, given)]
    ended = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    tokens, lengths = json.loads(ended.stdout)
    rows = np.reshape(tokens, (len(SENTENCES), len(lengths) // len(SENTENCES), -1))[:, 0]  # the best of each
    for row, best in zip(rows.tolist(), library, strict=True):
        assert tuple(token for token in row if token > EOS) == best.ids


def test_the_client_of_the_page_needs_no_tokenizer(by_text, root, tokenizer, library, capsys):
    page = (root / "docs" / "export.md").read_text(encoding="utf-8")
    [client] = [body for body in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "urlopen" in body]

    class Serving(BaseHTTPRequestHandler):
        """Of TensorFlow Serving the REST call that predicts, columns in and columns out."""

        def do_POST(self):
            assert self.path == "/v1/models/en-de:predict"
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            inputs = {name: tf.constant(value) for name, value in asked["inputs"].items()}
            found = by_text[asked.get("signature_name", "serving_default")](**inputs)
            outputs = {name: value.numpy().tolist() for name, value in found.items()}
            body = json.dumps({"outputs": outputs}, default=lambda text: text.decode("utf-8", "replace")).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Serving)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        exec(compile(client.replace("localhost:8501", f"127.0.0.1:{server.server_port}"), "docs/export.md", "exec"), {})
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert capsys.readouterr().out.strip()
    assert "sentencepiece" not in client
