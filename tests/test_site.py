"""The page of a `web` export: its tokenizer gives SentencePiece's ids, and it translates offline as the library."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import os
import re
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from exported import REFERENCES, SENTENCES
from injections import PAYLOADS
from web_visit import launched, playwright, troubles

from seq2seq import engine as engines
from seq2seq.config import SearchConfig
from seq2seq.export import faces, site
from seq2seq.tokenizer import Tokenizer, train
from seq2seq.translator import Translator

pytest_plugins = ("exported",)

TEXTS = [
    *SENTENCES,
    *REFERENCES,
    "",
    "  \t two  spaces\u00a0and\u2028more \n",
    "½ … ﬁ ① Å A\u030a か\u3099 \u1112\u1161\u11ab \u00ad\ufeff",
    "▁ <0x41> <s> </s> <unk> <name>abing",
    "日本語の文章です。 😀 👩‍👩‍👧 \U0010ffff",
    "a\0b\x07c\x85d",
    *PAYLOADS,
]
MODELS = {
    "unigram": {"vocabulary": 285},
    "bpe": {"vocabulary": 290, "kind": "bpe"},
    "unigram with symbols": {"vocabulary": 286, "symbols": ["<name>", "at", "mat"]},
    "bpe with symbols": {"vocabulary": 290, "kind": "bpe", "symbols": ["<name>", "at"]},
    "NFKC": {"vocabulary": 285, "form": "NFKC"},
}
BROKEN = ("E2 82", "F0 9F 98", "41 E2 82 42", "EF BB BF 41", "C0 80", "ED A0 80", "F4 90 80 80", "FF", "00 80")
"""Bytes that are no text, or end too soon, in the order in which a model may say their pieces."""
SILENT = ("\u00ad", "\x07 \u00ad\x08", "\ufeff", " \u00ad \t")
"""Text that has no pieces."""
CHATTER = r"\.cc:\d+\]|TensorFlow Lite|WebGPU|adapter"  # of the runtime, which tells the console what it finds
ENCODE = """async ([file, texts, said]) => {
  const { Tokenizer } = await import("./pieces.js");
  const tokenizer = new Tokenizer(Uint8Array.from(atob(file), (c) => c.charCodeAt(0)));
  const ids = texts.map((text) => tokenizer.encode(text));
  return [ids, [...ids, ...said].map((each) => tokenizer.decode(each))];
}"""
SENTENCE = """async ([text, beam]) => {
  const { translator } = await import("./page.js");
  const [[found]] = await translator.translate(text, { beam });
  return found;
}"""


@pytest.fixture(scope="module")
def browser():
    yield from launched()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def serve():
    """Gives the address of a folder."""
    servers: list[ThreadingHTTPServer] = []

    def serve(folder: Path) -> str:
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("model", MODELS)
def test_the_page_cuts_text_as_sentencepiece_does(model, browser, serve, root, tmp_path):
    shutil.copy(root / "seq2seq" / "export" / "assets" / "pieces.js", tmp_path)
    (tmp_path / "index.html").write_text("<!doctype html>")
    file = train(SENTENCES * 9, **MODELS[model])
    tokenizer = Tokenizer(file)
    names = tokenizer.pieces(range(len(tokenizer)))
    broken = [[names.index(f"<0x{byte}>") for byte in each.split()] for each in BROKEN]
    page = browser.new_page()
    page.goto(serve(tmp_path))
    ids, texts = page.evaluate(ENCODE, [base64.b64encode(file).decode(), TEXTS, broken])
    page.close()
    assert ids == [tokenizer.encode(text) for text in TEXTS]
    assert texts == [tokenizer.decode(each) for each in [*ids, *broken]]


def test_the_policy_allows_the_one_script_that_stands_in_the_page(root):
    page = site.allowed((root / "seq2seq" / "export" / "assets" / "index.html").read_text(encoding="utf-8"))
    [script] = re.findall(r"<script[^>]*>(.+?)</script>", page)
    assert f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" in page
    assert "unsafe-inline" not in page and "http" not in page.replace("http-equiv", "")


def test_what_a_web_export_holds(exported, tiny):
    folder = exported("web")
    assert {path.name for path in folder.iterdir()} == {
        *site.FILES, site.SETTINGS, "model.tflite", "tokenizer.model", "certificate.json"
    }  # fmt: skip
    told = json.loads((folder / "certificate.json").read_text(encoding="utf-8"))
    assert (told["form"], told["precision"], told["compared"]["with"]) == ("web", "int8", "litert-int8")
    assert told["compared"]["same"] == told["compared"]["sentences"] == len(SENTENCES) + 4
    settings = json.loads((folder / site.SETTINGS).read_text(encoding="utf-8"))
    assert (settings["source_language"], settings["target_language"]) == ("en", "de")
    assert settings["examples"] == SENTENCES[:1]


RUNTIME = """
export class Tensor {
  constructor(data) { this.data = data; }
  toTypedArray() { return this.data; }
  delete() {}
}
export const loadLiteRt = async () => {};
export const asked = [];
export const loadAndCompile = async () => ({ run: async (name, { source, max_length, beam }) => {
  asked.push([source.data.filter(Boolean).length, beam.data[0], max_length.data[0]]);
  const [none, attention] = [Float32Array.of(0), new Float32Array(source.data.length)];
  const numbers = { tokens: Int32Array.of(3), length: Int32Array.of(1), score: none, log_probs: none, attention };
  return Object.fromEntries(Object.entries(numbers).map(([key, data]) => [key, new Tensor(data)]));
} });
"""
LINES = """async ([path, text]) => {
  const { asked } = await import(path), { translator } = await import("./page.js");
  asked.length = 0;
  return [await translator.translate(text, { beam: 1 }), asked];
}"""
ASKED = """async ([path, ...wishes]) => {
  const { asked } = await import(path), { translator } = await import("./page.js");
  asked.length = 0;
  for (const [text, beam] of wishes) await translator.sentence(text, beam);
  return asked;
}"""


def test_the_page_without_a_runtime_knows_odd_languages_and_makes_room(exported, tiny, browser, serve, tmp_path):
    folder, path = tmp_path / "site", "./node_modules/@litertjs/core/dist/index.js"
    shutil.copytree(exported("web"), folder)
    (folder / path).parent.mkdir(parents=True)
    (folder / path).write_text(RUNTIME)
    settings = json.loads((folder / site.SETTINGS).read_text(encoding="utf-8"))
    odd = {"source_language": "norm", "target_language": "pt_BR", "examples": ["a"]}
    (folder / site.SETTINGS).write_text(json.dumps(settings | odd))
    page, home = browser.new_page(), serve(folder)
    seen = troubles(page, home)
    page.goto(home)
    playwright.expect(page).to_have_title("norm to Brazilian Portuguese")
    playwright.expect(page.locator("#state")).to_have_text("")
    assert page.locator("#translation").get_attribute("lang") == "pt-BR"
    short, long = "a b", "a b c d e f g h i j k l"
    asked = page.evaluate(ASKED, [path, [short, 5], [long, 1], [short, 1], [long, 5]])
    assert [steps for _, _, steps in asked].count(1) == 3, "once for each that is larger in some way"
    assert asked[-1][2] > 1 and seen == []
    tokenizer = Tokenizer(tiny.read("tokenizer.model"))
    library = Translator(engines.load(tiny, "tensorflow"), tokenizer, tokenizer, config=tiny.config)
    assert {tokenizer.decode(tokenizer.encode(each.text)) for each in library(SILENT)} == {""}
    assert page.evaluate(LINES, [path, "\n".join(SILENT)]) == [[[]] * len(SILENT), []], "nothing is said of nothing"
    page.close()


@pytest.mark.slow
def test_it_translates_offline_as_the_library_does(exported, tiny, browser, serve, tmp_path):
    runtime = os.environ.get("LITERTJS")
    if not runtime or not Path(runtime, "@litertjs", "core").is_dir():
        pytest.skip("LITERTJS names no node_modules with @litertjs/core")
    folder = tmp_path / "site"
    shutil.copytree(exported("web"), folder)
    (folder / "node_modules").symlink_to(runtime, target_is_directory=True)
    home = serve(folder)
    context = browser.new_context()
    page = context.new_page()
    seen = troubles(page, home)
    page.goto(home)
    playwright.expect(page.locator(".piece").first).to_be_visible()
    playwright.expect(page.locator("#title")).to_have_text("English to German")
    context.set_offline(True)
    engine = engines.LiteRTEngine((folder / "model.tflite").read_bytes())
    tokenizer = Tokenizer(tiny.read("tokenizer.model"))
    search = faces.plain_search(tiny)
    for beam in (1, search.beam):
        for text in SENTENCES:
            found = page.evaluate(SENTENCE, [text, beam])
            source = tokenizer.encode(text)
            [[best, *_]] = engine.translate([source], SearchConfig(beam=beam, max_length=search.max_length))
            assert [piece["id"] for piece in found["pieces"]][: len(best.ids)] == list(best.ids)
            assert found["text"] == tokenizer.decode(best.ids)
            assert found["score"] == pytest.approx(best.score, abs=1e-3)
            attention = engine.explain(source, best.ids)["attention"][: len(best.ids)]
            told = [piece["attention"] for piece in found["pieces"]][: len(best.ids)]
            assert np.array(told) == pytest.approx(np.array(attention), abs=1e-3)
    page.locator("#source").fill(" ".join(PAYLOADS))
    page.locator(".piece").first.hover()
    playwright.expect(page.locator("#attention span").first).to_be_visible()
    assert [line for line in seen if not re.search(CHATTER, line)] == []
    context.close()
