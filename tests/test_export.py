"""What is exported says what the library says, in a process that has never heard of this package."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from seq2seq import bundle, export, inference
from seq2seq import engine as engines
from seq2seq.config import ModelConfig, SearchConfig, build
from seq2seq.engine import MAX_SOURCE, batching
from seq2seq.export.text import longest_of
from seq2seq.model import Seq2Seq
from seq2seq.tokenizer import Tokenizer, train

CLEAN = """
import json, sys
sys.modules["seq2seq"] = None  # any import of it fails
import numpy as np
import tensorflow as tf
{load}
"""

IDS = """
translate = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
said = []
for row in json.load(open(sys.argv[2])):
    found = translate(source=tf.constant([row + [3]], tf.int32))
    tokens, length = found["tokens"].numpy()[0, 0], found["lengths"].numpy()[0, 0]
    said.append([tokens[:length].tolist(), float(found["scores"][0, 0])])
json.dump(said, open(sys.argv[3], "w"))
"""

TEXT = """
import tensorflow_text
translate = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
texts = json.load(open(sys.argv[2]))
found = translate(text=tf.constant(texts))
said = [text.decode() for text in found["translation"].numpy()]
json.dump([said, found["score"].numpy().tolist()], open(sys.argv[3], "w"))
"""


SEARCH = """
import tensorflow_text
search = tf.saved_model.load(sys.argv[1]).signatures["search"]
usual = {
    "prefix": [""], "required": [[""]], "forbidden": [[""]], "seed": [1], "min_length": [0], "max_length": [0],
    "beam": [5], "n_best": [1], "length_penalty": [1.0], "word_reward": [0.0], "coverage_penalty": [0.0],
    "no_repeat": [0], "temperature": [0.0], "top_k": [0], "top_p": [1.0], "diversity": [0.0],
}
said = []
for asked in json.load(open(sys.argv[2])):
    found = search(**{name: tf.constant(value) for name, value in (usual | asked).items()})
    texts = [[text.decode() for text in row] for row in found["translations"].numpy()]
    said.append([texts, found["scores"].numpy().tolist()])
json.dump(said, open(sys.argv[3], "w"))
"""


@pytest.fixture(scope="module")
def lines(root) -> list[str]:
    return list(dict.fromkeys((root / "data" / "sample.en").read_text(encoding="utf-8").split("\n")))[:200]


@pytest.fixture(scope="module")
def model(root, lines, tmp_path_factory) -> bundle.Bundle:
    """The model that ships; without it a random one, of which everything but sense can be asked."""
    pretrained = root / "seq2seq" / "pretrained" / "en-de"
    if pretrained.exists():
        return bundle.load(pretrained)
    tokenizer = train(lines, vocabulary=300)
    config = build(
        {"model": {"embedding": 12, "units": 16}, "source_language": "en", "target_language": "de"},
    )
    network = Seq2Seq(ModelConfig(embedding=12, units=16), len(Tokenizer(tokenizer)))
    from safetensors.numpy import save

    weights = {weight.path: 8 * weight.numpy() for weight in network.weights}  # far from ties
    files = {
        "tokenizer.model": tokenizer,
        "weights.safetensors": save({name: array.astype(np.float16) for name, array in weights.items()}),
        "model.tflite": export.litert(inference.Inference(inference.build(config, weights))),
    }
    path = tmp_path_factory.mktemp("model") / "model"
    return bundle.write(path, config=config, files=files, provenance={}, scores=[])


@pytest.fixture(scope="module")
def ids(model, lines) -> list[list[int]]:
    tokenizer = Tokenizer(model.read("tokenizer.model"))
    return [tokenizer.encode(line) for line in lines]


@pytest.fixture(scope="module")
def library(model, ids):
    """What the library's float engine says."""
    return [found[0] for found in engines.load(model, "tensorflow").translate(ids, model.config.search)]


@pytest.fixture(scope="module")
def of_text(model, tmp_path_factory) -> Path:
    """The SavedModel that takes sentences."""
    pytest.importorskip("tensorflow_text")
    return export.export(model, "saved_model", tmp_path_factory.mktemp("text") / "out")


def elsewhere(script: str, folder: Path, given: object, tmp_path: Path):
    (tmp_path / "in.json").write_text(json.dumps(given))
    arguments = [sys.executable, "-c", CLEAN.format(load=script), str(folder), "in.json", "out.json"]
    subprocess.run(arguments, cwd=tmp_path, check=True, capture_output=True)
    return json.loads((tmp_path / "out.json").read_text())


@pytest.mark.slow
def test_saved_model_of_ids_equals_the_library(model, ids, library, tmp_path):
    folder = export.export(model, "saved_model_ids", tmp_path / "out")
    for (tokens, score), expected in zip(elsewhere(IDS, folder, ids, tmp_path), library, strict=True):
        assert tuple(token for token in tokens if token != batching.EOS) == expected.ids
        assert score == pytest.approx(expected.score, abs=1e-4)


@pytest.mark.slow
def test_saved_model_of_text_equals_the_library(model, lines, library, of_text, tmp_path):
    said, scores = elsewhere(TEXT, of_text, ["", "  ", *lines], tmp_path)
    tokenizer = Tokenizer(model.read("tokenizer.model"))
    assert said[:2] == ["", ""]
    # decode() also cleans control characters that a model may spell byte by byte; sense has none
    agree = [text == tokenizer.decode(expected.ids) for text, expected in zip(said[2:], library, strict=True)]
    assert np.mean(agree) == 1.0 or "pretrained" not in str(model.path)
    np.testing.assert_allclose(scores[2:], [expected.score for expected in library], atol=1e-3)


@pytest.mark.slow
def test_saved_model_of_text_can_do_all_that_the_search_can(model, lines, library, of_text, tmp_path):
    if "pretrained" not in str(model.path):
        pytest.skip("a random model says nothing that a test could demand")
    asked = [
        {"text": [line], "n_best": [5]} | more
        for line, more in (
            (lines[0], {}),
            (lines[0], {"prefix": ["Nun aber"]}),
            (lines[0], {"required": [["Baum", ""]]}),
            (lines[0], {"max_length": [3], "min_length": [2]}),
            (lines[0], {"temperature": [1.0], "seed": [7]}),
            (lines[0], {"temperature": [1.0], "seed": [7]}),
            (lines[0], {"temperature": [1.0], "seed": [8]}),
        )
    ]
    plain, begun, required, short, *drawn = elsewhere(SEARCH, of_text, asked, tmp_path)
    tokenizer = Tokenizer(model.read("tokenizer.model"))
    assert plain[0][0][0] == tokenizer.decode(library[0].ids)
    assert plain[1][0] == sorted(plain[1][0], reverse=True)
    assert len(set(plain[0][0])) == 5
    assert all(text.startswith("Nun aber") for text in begun[0][0])
    assert "Baum" in required[0][0][0]
    assert "Baum" not in plain[0][0][0]
    assert all(2 <= len(tokenizer.encode(text)) <= 3 for text in short[0][0])
    assert drawn[0] == drawn[1] != drawn[2]
    word = plain[0][0][0].split()[1]
    asked = [{"text": lines[:2], "prefix": ["", ""], "required": [[""], [""]], "forbidden": [[word], [""]]}]
    (texts, _), *_ = elsewhere(SEARCH, of_text, asked, tmp_path)
    assert word not in texts[0][0].split()
    assert texts[1][0] == tokenizer.decode(library[1].ids)


@pytest.mark.slow
def test_litert_float_equals_the_library(model, ids, library, tmp_path):
    folder = export.export(model, "litert", tmp_path / "out", precision="float32")
    engine = engines.LiteRTEngine((folder / "model.tflite").read_bytes())
    assert engine.name == "litert-float32"
    for found, expected in zip(engine.translate(ids, model.config.search), library, strict=True):
        assert found[0].ids == expected.ids


@pytest.mark.slow
def test_every_engine_explains_its_own_score(model, ids):
    search = model.config.search
    for name in ("litert", "tensorflow"):
        engine = engines.load(model, name)
        for source in ids[:10]:
            found = engine.translate([source], search)[0][0]
            explained = engine.explain(source, found.ids)
            if found.finished:
                assert explained["log_probs"].sum() == pytest.approx(found.log_prob, abs=0.05)
            np.testing.assert_allclose(explained["attention"].sum(-1), 1.0, atol=1e-3)
            i, f, g, o, c, h = explained["encoder"][0, 0]
            before = np.concatenate([np.zeros_like(c[:1]), c[:-1]])
            np.testing.assert_allclose(c, f * before + i * g, atol=1e-5)
            np.testing.assert_allclose(h, o * np.tanh(c), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_the_first_run_of_every_size_is_right(model, ids, threads):
    """LiteRT grows the tensors of a loop while it runs; see `engine.litert`."""
    import msgspec

    for first in range(6):
        engine = engines.load(model, "litert", threads=threads)
        for beam, rows in ((5, ids[first : first + 1]), (1, ids[first : first + 3]), (8, ids[first : first + 20])):
            search = msgspec.structs.replace(model.config.search, beam=beam)
            said = engine.translate(rows, search)
            assert said == engine.translate(rows, search)


@pytest.mark.parametrize("search", [{}, {"max_ratio": 4.2}, {"max_ratio": 0.7}, {"max_ratio": 1.1}, {"max_length": 7}])
def test_a_saved_model_cuts_where_the_library_cuts(search):
    settings = SearchConfig(**search)
    sources = [[9] * length for length in range(MAX_SOURCE + 1)]
    expected = batching.basic_inputs(sources, settings)["max_length"]
    assert longest_of(batching.pad(sources), settings).numpy().tolist() == expected.tolist()


def test_an_unknown_form_is_refused(model, tmp_path):
    with pytest.raises(export.ExportError, match=r"An export must be one of saved_model, .* Received: coreml"):
        export.export(model, "coreml", tmp_path / "out")


def test_a_folder_in_use_is_refused(model, tmp_path):
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(export.ExportError, match=r"An export must go to a new or empty folder, .* Received: "):
        export.export(model, "litert", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("target", ["empty", "nothing"])
def test_a_link_gets_the_export_where_it_leads_to(model, tmp_path, monkeypatch, target):
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(target)
    monkeypatch.setitem(export.FORMS, "litert", lambda order, folder: folder.mkdir())
    monkeypatch.setattr(export, "_certify", lambda order, folder: (folder / "file").touch())
    assert export.export(model, "litert", tmp_path / "link") == tmp_path / "link"
    assert [path.name for path in (tmp_path / target).iterdir()] == ["file"]


def test_the_current_folder_is_refused_before_the_work(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(export.ExportError, match=r"folder, neither the current nor a mounted one. Received: \."):
        export.export(model, "litert", Path("."))


def test_a_full_disk_leaves_nothing(model, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(export.FORMS, "litert", full)
    with pytest.raises(export.ExportError, match=r"An export must be writable; nothing was written. Received: "):
        export.export(model, "litert", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
