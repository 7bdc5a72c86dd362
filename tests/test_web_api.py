"""The REST API: what it answers, what it refuses and how, and that text is only ever text in it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import json
import re
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import web_standin
from injections import PAYLOADS

pytest.importorskip("fastapi", reason="the extra `app` is not installed")

from starlette.testclient import TestClient
from web_server import Server, running

from seq2seq.explanation import Explanation
from seq2seq.translation_memory import TranslationMemory
from seq2seq.web import answers, api, dropped, forms, limits, service
from seq2seq.web.desk import WORKERS
from seq2seq.web.metrics import SIZES, Histogram, Metrics, Number
from seq2seq.web.shelf import Model, NotLoaded, Shelf, UnknownModel, models, single

DEEP = b'{"text": ' + b"[" * 600 + b"]" * 600 + b"}"


class Translator(web_standin.Translator):
    """The stand-in, which remembers what was demanded of it."""

    def __call__(self, text, *, search=None, terms=None):
        self.demanded = terms
        return super().__call__(text, search=search, terms=terms)


def broken() -> Translator:
    raise OSError("/secret/path is not there")


@pytest.fixture
def place(tmp_path: Path) -> SimpleNamespace:
    """A client, and what stands behind the API."""
    first = Translator()
    shelf = Shelf(
        [
            Model("en-de", ("en", "de"), lambda: first),
            Model("de-en", ("de", "en"), lambda: Translator(languages=("de", "en")), [{"bleu": 40.0}]),
            Model("lost", ("en", "fr"), broken),
        ],
        max_characters=100,
    )
    memory = TranslationMemory(tmp_path / "memory.db")
    made = api.Api(shelf, memory=memory)
    client = TestClient(made.application(), raise_server_exceptions=False)
    return SimpleNamespace(client=client, translator=first, shelf=shelf, memory=memory, api=made)


def said(answer) -> str:
    """The sentence of an error, in the only form that there is."""
    body = answer.json()
    assert list(body) == ["error"] and list(body["error"]) == ["message"]
    assert "\n" not in body["error"]["message"] and "Traceback" not in answer.text and "/secret" not in answer.text
    return body["error"]["message"]


class TestTranslate:
    def test_one_text(self, place: SimpleNamespace) -> None:
        body = place.client.post("/v1/translate", json={"text": "The key. A sunset."}).json()
        milliseconds = body.pop("milliseconds")
        assert 0 <= milliseconds < 10_000
        (done,) = body.pop("translations")
        assert body == {
            "model": "en-de", "source_language": "en", "target_language": "de", "engine": "litert-int8"
        }  # fmt: skip
        assert (done["source"], done["text"], done["origin"]) == (
            "The key. A sunset.", "der Schlüssel. einen Sonnenuntergang.", "model"
        )  # fmt: skip
        assert [each["source"].strip() for each in done["sentences"]] == ["The key.", "A sunset."]
        assert len(done["hypotheses"]) == 1 and done["hypotheses"][0]["finished"]

    def test_several_in_their_order_with_the_best_n(self, place: SimpleNamespace) -> None:
        texts = ["you", "", "him", "you"]
        body = place.client.post("/v1/translate", json={"text": texts, "n_best": 3, "search": {"beam": 4}}).json()
        assert [each["source"] for each in body["translations"]] == texts
        assert [each["text"] for each in body["translations"]] == ["Sie", "", "ihm", "Sie"]
        assert [each["text"] for each in body["translations"][0]["hypotheses"]] == ["Sie", "Sie (1)", "Sie (2)"]
        assert (place.translator.searches[-1].beam, place.translator.searches[-1].n_best) == (4, 3)

    def test_what_the_model_is_less_sure_of_is_withheld(self, place: SimpleNamespace) -> None:
        texts = ["The key is lost", "The key"]
        done = place.client.post("/v1/translate", json={"text": texts}).json()["translations"]
        assert [(each["confidence"], each["origin"]) for each in done] == [(0.4, "model"), (0.84, "model")]
        asked = {"text": texts, "min_confidence": 0.5}
        done = place.client.post("/v1/translate", json=asked).json()["translations"]
        assert [(each["text"], each["origin"]) for each in done] == [("", "withheld"), ("der Schlüssel", "model")]
        assert (done[0]["hypotheses"], done[0]["sentences"], done[0]["confidence"]) == ([], [], 0.4)

    def test_a_correction_is_not_withheld(self, place: SimpleNamespace) -> None:
        place.client.post("/v1/corrections", json={"source": "lost", "target": "weg"})
        (done,) = place.client.post("/v1/translate", json={"text": "lost", "min_confidence": 1.0}).json()[
            "translations"
        ]
        assert (done["text"], done["origin"]) == ("weg", "memory")

    def test_a_model_that_was_not_measured_cannot_withhold(self, place: SimpleNamespace) -> None:
        place.translator.calibration = None
        answer = place.client.post("/v1/translate", json={"text": "lost", "min_confidence": 0.5})
        assert answer.status_code == 422
        assert "needs a model whose confidence was measured" in said(answer)
        (done,) = place.client.post("/v1/translate", json={"text": "lost"}).json()["translations"]
        assert (done["confidence"], done["origin"]) == (None, "model")

    @pytest.mark.parametrize("least", [-0.1, 1.1, "0.5", None])
    def test_a_least_confidence_is_a_share(self, place: SimpleNamespace, least: object) -> None:
        answer = place.client.post("/v1/translate", json={"text": "you", "min_confidence": least})
        assert answer.status_code == (200 if least is None else 422)

    def test_what_is_not_asked_for_is_the_models_own(self, place: SimpleNamespace) -> None:
        place.client.post("/v1/translate", json={"text": "you", "search": {"no_repeat": 3, "length_penalty": 0.5}})
        search, own = place.translator.searches[-1], place.translator.config.search
        assert (search.no_repeat, search.length_penalty) == (3, 0.5)
        assert (search.beam, search.n_best, search.max_ratio) == (own.beam, 1, own.max_ratio)

    def test_the_beam_is_as_wide_as_the_best_n_need(self, place: SimpleNamespace) -> None:
        place.client.post("/v1/translate", json={"text": "you", "n_best": 8})
        assert (place.translator.searches[-1].beam, place.translator.searches[-1].n_best) == (8, 8)

    def test_terms_reach_the_translator(self, place: SimpleNamespace) -> None:
        terms = {"prefix": "Ja", "forbidden": ["Nein"], "glossary": {"key": "Taste"}, "protect": False}
        assert place.client.post("/v1/translate", json={"text": "you", "terms": terms}).status_code == 200
        got = place.translator.demanded
        assert (got.prefix, got.forbidden, got.glossary, got.protect) == ("Ja", ("Nein",), {"key": "Taste"}, False)
        terms["prefix"] = "Nein danke"
        refused = place.client.post("/v1/translate", json={"text": "you", "terms": terms})
        assert refused.status_code == 422 and "must not be demanded and forbidden at once" in said(refused)

    def test_a_model_is_chosen_by_name_or_direction_and_loaded_when_it_is_asked_for(
        self, place: SimpleNamespace
    ) -> None:
        assert not place.shelf.loaded("de-en")
        for choice in ({"model": "de-en"}, {"source_language": "de"}, {"target_language": "en"}):
            body = place.client.post("/v1/translate", json={"text": "x", **choice}).json()
            assert (body["model"], body["source_language"]) == ("de-en", "de")
        assert place.shelf.loaded("de-en")


class TestRefused:
    @pytest.mark.parametrize(
        ("form", "sentence"),
        [
            ({"text": "x" * 101}, "The text must be at most 100 characters long. Received: 101 characters"),
            ({"text": ["x"] * 129}, "A request must hold from 1 to 128 texts. Received: 129 texts"),
            ({"text": ["x" * 100] * 6}, "The texts of a request must be at most 500 characters long together."),
            ({"text": []}, "A request must hold from 1 to 128 texts. Received: 0 texts"),
            ({"text": 7}, "The field text must be as the API's document says (input should be a valid"),
            ({"text": ["a", None]}, "The field text must be as the API's document says"),
            ({}, "The field text must be as the API's document says (field required). Received: nothing"),
            ({"text": "a", "txet": 1}, "The field txet must be"),
            ({"text": "a", "n_best": 11}, "The field n_best must be"),
            ({"text": "a", "n_best": "3"}, "The field n_best must be"),
            ({"text": "a", "search": {"beam": 11}}, "The field search.beam must be"),
            ({"text": "a", "search": {"beam": True}}, "The field search.beam must be"),
            ({"text": "a", "search": {"max_length": 10**9}}, "The field search.max_length must be"),
            ({"text": "a", "n_best": 5, "search": {"beam": 2}}, "n_best must be at most the beam. Received: n_best 5"),
            ({"text": "a", "search": {"top_k": 5}}, "top_k and top_p need a temperature."),
            ({"text": "a", "terms": {"required": ["x" * 201]}}, "The field terms.required.0 must be"),
            ({"text": "a", "terms": {"required": ["x"] * 101}}, "The field terms.required must be"),
            ({"text": "a", "model": "gpt"}, "The model must be one of en-de, de-en, lost. Received: 'gpt'"),
            ({"text": "a", "search": {"temperature": 1, "top_k": 2**31}}, "The field search.top_k must be as"),
            ({"text": "a", "target_language": "xx"}, "The languages must be those of a model (en to de, de to en,"),
            ({"text": "a", "model": "en-de", "target_language": "en"}, "The languages must be those of a model"),
        ],
    )  # fmt: skip
    def test_what_is_outside_is_one_sentence_and_422(self, place: SimpleNamespace, form: dict, sentence: str) -> None:
        refused = place.client.post("/v1/translate", json=form)
        assert refused.status_code == 422
        assert said(refused).startswith(sentence)

    @pytest.mark.parametrize("body", [b"{", b"\xff", b'"a"', b"[]", b"", b'{"text": ' + b"[" * 9999, DEEP])
    def test_what_is_no_form_is_422(self, place: SimpleNamespace, body: bytes) -> None:
        refused = place.client.post("/v1/translate", content=body, headers={"content-type": "application/json"})
        assert refused.status_code == 422, refused.text
        assert said(refused)

    def test_half_a_character_is_no_harm(self, place: SimpleNamespace) -> None:
        body = {"content": b'{"text": "the \\ud800"}', "headers": {"content-type": "application/json"}}
        assert place.client.post("/v1/translate", **body).json()["translations"][0]["source"] == "the \ufffd"
        assert place.client.post("/v1/explain", **body).status_code == 200

    def test_a_large_body_is_413_whether_or_not_it_says_so(self, place: SimpleNamespace) -> None:
        json_body = {"content-type": "application/json"}
        for content in (b"x" * (limits.MAX_BODY + 1), iter([b"x" * 200_000, b"x" * 200_000])):
            refused = place.client.post("/v1/translate", content=content, headers=json_body)
            assert (refused.status_code, said(refused)) == (413, "A request must be at most 262,144 bytes long.")

    def test_a_form_of_another_page_is_415(self, place: SimpleNamespace) -> None:
        refused = place.client.post("/v1/corrections", content=b'{"source": "a", "target": "b"}')
        assert (refused.status_code, said(refused)) == (415, "The content type must be application/json.")

    def test_another_site_cannot_have_a_file_translated(self, place: SimpleNamespace) -> None:
        wish = {"params": {"name": "a.txt"}, "content": b"the key\n"}
        refused = place.client.post("/v1/documents", headers={"sec-fetch-site": "cross-site"}, **wish)
        assert refused.status_code == 403 and said(refused)
        assert place.client.post("/v1/documents", headers={"sec-fetch-site": "same-origin"}, **wish).status_code == 200

    def test_other_paths_and_methods_have_the_same_form(self, place: SimpleNamespace) -> None:
        assert said(place.client.get("/v1/nothing")).startswith("There is nothing here")
        refused = place.client.get("/v1/translate")
        assert (refused.status_code, said(refused)) == (405, "This path wants another method.")

    def test_what_fails_inside_is_500_and_tells_nothing(self, place: SimpleNamespace) -> None:
        refused = place.client.post("/v1/translate", json={"text": "explode"})
        assert (refused.status_code, said(refused)) == (500, answers.FAILED)
        assert place.shelf.metrics.errors.value("/v1/translate") == 1

    def test_a_model_that_does_not_load_is_503_and_the_others_answer(self, place: SimpleNamespace) -> None:
        refused = place.client.post("/v1/translate", json={"text": "a", "model": "lost"})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
        assert said(refused) == "The model lost cannot be loaded; the server's log says why."
        assert place.client.post("/v1/translate", json={"text": "a"}).status_code == 200

    def test_too_many_at_once_are_503(self, place: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(api, "MAX_WAITING", 0)
        refused = place.client.post("/v1/translate", json={"text": "a"})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert "try again" in said(refused)

    def test_bodies_that_would_fill_the_memory_are_503(
        self, place: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(answers, "MAX_HELD", 15)
        refused = place.client.post("/v1/translate", json={"text": "a text"})
        assert refused.status_code == 503 and said(refused).startswith("Too much waits already")
        assert place.client.post("/v1/translate", json={"text": "a"}).status_code == 200
        json_body = {"content-type": "application/json"}
        refused = place.client.post("/v1/translate", content=iter([b"{}"]), headers=json_body)
        assert refused.status_code == 503


async def left(application, body: bytes, *, more: bool) -> Metrics:
    """What was counted of a client that sent this and went away."""
    messages = [{"type": "http.request", "body": body, "more_body": more}, {"type": "http.disconnect"}]

    async def receive() -> dict:
        return messages.pop(0)

    metrics = Metrics()
    guard = answers.Guard(application, metrics, paths=frozenset({"/v1/translate"}), bodies={})
    scope = {"type": "http", "method": "POST", "path": "/v1/translate"}
    scope["headers"] = [(b"content-type", b"application/json")]
    await asyncio.wait_for(guard(scope, receive, None), 5)
    return metrics


def test_a_request_whose_client_leaves_is_dropped() -> None:
    ended: list[str] = []

    async def application(scope, receive, send) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("dropped")
            raise

    metrics = asyncio.run(left(application, b"{}", more=False))
    assert metrics.requests.value("/v1/translate", "499") == 1
    assert ended == ["dropped"]


def test_a_request_whose_body_breaks_off_is_not_answered() -> None:
    async def application(scope, receive, send) -> None:
        raise AssertionError("half a body was read")

    metrics = asyncio.run(left(application, b'{"text', more=True))
    assert metrics.requests.value("/v1/translate", "499") == 1


def test_a_translation_whose_client_leaves_ends_at_the_next_sentence() -> None:
    begun = threading.Event()

    class Watched(Translator):
        def __call__(self, text, **asked):
            begun.set()
            return super().__call__(text, **asked)

    slow = Watched(delay=0.2)
    made = api.Api(Shelf(single(lambda: slow), max_characters=100))

    async def asked_and_left() -> None:
        asking = asyncio.ensure_future(made.translate(forms.Translate(text=["slowly"] * 50)))
        await asyncio.to_thread(begun.wait, 5)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    asyncio.run(asked_and_left())
    time.sleep(0.6)
    assert 1 <= len(slow.searches) <= 2


def test_what_takes_long_is_not_begun_for_a_client_that_has_left() -> None:
    class Watched(Translator):
        def explain(self, text, **wanted):
            begun.set()
            time.sleep(0.2)
            return super().explain(text, **wanted)

        def influence(self, text, **asked):
            looked.append(text)
            return super().influence(text, **asked)

    begun, looked = threading.Event(), []
    made = api.Api(Shelf(single(Watched), max_characters=100))

    async def asked_and_left() -> None:
        asking = asyncio.ensure_future(made.explain(forms.Explain(text="the key", influence=True)))
        await asyncio.to_thread(begun.wait, 5)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await asyncio.sleep(0.4)

    asyncio.run(asked_and_left())
    assert looked == []


def test_gradients_are_computed_for_one_at_a_time() -> None:
    begun, may_end = threading.Event(), threading.Event()

    class Slow(Translator):
        def saliency(self, text, **asked):
            begun.set()
            may_end.wait(5)
            return super().saliency(text, **asked)

    made = api.Api(Shelf(single(Slow), max_characters=100))
    client = TestClient(made.application(), raise_server_exceptions=False)
    wish = {"text": "the key", "saliency": True}
    with ThreadPoolExecutor() as pool:
        first = pool.submit(client.post, "/v1/explain", json=wish)
        assert begun.wait(5)
        refused = client.post("/v1/explain", json=wish)
        assert client.post("/v1/explain", json={"text": "the key", "influence": True}).status_code == 200
        may_end.set()
        assert first.result().status_code == 200
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert said(refused) == "Gradients are computed for somebody else; please try again in a moment."
    assert client.post("/v1/explain", json=wish).status_code == 200


class TestExplain:
    def test_gives_the_trace_as_the_library_writes_it(self, place: SimpleNamespace) -> None:
        answer = place.client.post("/v1/explain", json={"text": "the key"})
        assert answer.headers["content-type"] == "application/json"
        trace = Explanation.from_json(answer.text)
        assert (trace.text, trace.translation, trace.cells) == ("the key", "der Schlüssel", None)
        trace = Explanation.from_json(place.client.post("/v1/explain", json={"text": "the key", "cells": True}).text)
        assert trace.cells is not None

    def test_the_first_piece_has_a_gradient_too(self, place: SimpleNamespace) -> None:
        for step in (0, 1):
            told = place.client.post("/v1/explain", json={"text": "the key", "step": step}).json()
            assert told["gradient"]["step"] == step

    @pytest.mark.parametrize("form", [{"text": ["a"]}, {"text": "x" * 101}, {"text": "a", "target": "x" * 101}, {}])
    def test_takes_one_text_within_the_limits(self, place: SimpleNamespace, form: dict) -> None:
        refused = place.client.post("/v1/explain", json=form)
        assert refused.status_code == 422 and said(refused)


class TestModels:
    def test_names_directions_and_which_translates_back(self, place: SimpleNamespace) -> None:
        body = place.client.get("/v1/models").json()
        assert [(each["name"], each["default"], each["loaded"], each["reverse"]) for each in body["models"]] == [
            ("en-de", True, False, "de-en"), ("de-en", False, False, "en-de"), ("lost", False, False, None)
        ]  # fmt: skip
        assert body["models"][1]["scores"] == [{"bleu": 40.0}]
        assert (body["models"][0]["source_name"], body["limits"]["characters"], body["memory"]) == (
            "English",
            100,
            True,
        )
        assert ".docx" in body["files"]

    def test_the_document_describes_every_path_and_names_no_host(self, place: SimpleNamespace) -> None:
        document = place.client.get("/v1/openapi.json").json()
        assert set(document["paths"]) == {
            "/v1/translate", "/v1/explain", "/v1/documents", "/v1/models", "/v1/corrections", "/v1/corrections/{number}"
        }  # fmt: skip
        assert "http" not in json.dumps(document).replace("HTTPValidationError", "")
        refused = document["paths"]["/v1/translate"]["post"]["responses"]["422"]
        assert refused["content"]["application/json"]["schema"]["$ref"].endswith("/Error")


class TestShelf:
    def test_one_model_is_loaded_once_however_many_ask(self) -> None:
        loads = []

        def load() -> Translator:
            loads.append(1)
            return Translator()

        shelf = Shelf(single(load))
        with ThreadPoolExecutor(8) as threads:
            desks = set(threads.map(lambda _: shelf.desk("model"), range(8)))
        assert len(desks) == len(loads) == 1
        assert asyncio.run(shelf.asked("model")) in desks
        assert shelf.languages("model") == ("en", "de")

    def test_a_model_that_failed_is_tried_again(self) -> None:
        tries: list[int] = []

        def load() -> Translator:
            tries.append(1)
            if len(tries) == 1:
                raise OSError("not yet")
            return Translator()

        shelf = Shelf([Model("a", ("en", "de"), load)])
        with pytest.raises(NotLoaded, match="The model a cannot be loaded"):
            shelf.desk("a")
        assert shelf.desk("a").translator.source_language == "en"

    def test_the_first_of_a_direction_answers(self) -> None:
        shelf = Shelf([Model(name, ("en", "de"), Translator) for name in ("a", "b")])
        assert (shelf.named(), shelf.named(target="de"), shelf.named("b")) == ("a", "a", "b")
        with pytest.raises(UnknownModel, match="Received: 'any' to 'fr'"):
            shelf.named(target="fr")

    def test_folders_of_the_same_name_are_told_apart(self, root: Path) -> None:
        folder = root / "seq2seq" / "pretrained" / "en-de"
        if not (folder / "manifest.json").exists():
            pytest.skip("no model ships")
        found = models([folder, folder])
        assert [(each.name, each.languages) for each in found] == [("en-de", ("en", "de")), ("en-de-2", ("en", "de"))]


class TestCorrections:
    def test_are_remembered_at_once_and_marked_as_such(self, place: SimpleNamespace) -> None:
        kept = place.client.post("/v1/corrections", json={"source": "the key.", "target": "die Taste."})
        assert (kept.status_code, kept.json()["source_language"]) == (201, "en")
        match = {
            "id": kept.json()["id"],
            "kind": "exact",
            "similarity": 1.0,
            "source": "the key.",
            "target": "die Taste.",
        }
        (done,) = place.client.post("/v1/translate", json={"text": "the key."}).json()["translations"]
        assert (done["text"], done["origin"], done["memory"]) == ("die Taste.", "memory", [match])
        assert done["hypotheses"][0]["text"] == "der Schlüssel."
        (done,) = place.client.post("/v1/translate", json={"text": "the keys."}).json()["translations"]
        assert (done["text"], done["origin"], done["memory"][0]["kind"]) == ("der keys.", "model", "fuzzy")
        (done,) = place.client.post("/v1/translate", json={"text": "you! the key."}).json()["translations"]
        assert (done["origin"], [len(each["memory"]) for each in done["sentences"]]) == ("model", [0, 1])
        (done,) = place.client.post("/v1/translate", json={"text": "the key.", "use_memory": False}).json()[
            "translations"
        ]
        assert (done["origin"], done["memory"]) == ("model", [])

    def test_are_of_one_direction_come_as_pairs_and_can_be_forgotten(self, place: SimpleNamespace) -> None:
        number = place.client.post("/v1/corrections", json={"source": "a\tb", "target": "c"}).json()["id"]
        table = place.client.get("/v1/corrections")
        assert (table.text, table.headers["content-type"]) == (
            "en\tde\na b\tc\n",
            "text/tab-separated-values; charset=utf-8",
        )
        assert place.client.get("/v1/corrections", params={"source_language": "de"}).text == "de\ten\n"
        assert place.client.delete(f"/v1/corrections/{number}").status_code == 204
        gone = place.client.delete(f"/v1/corrections/{number}")
        assert (gone.status_code, said(gone)[:43]) == (404, "A correction must be there to be forgotten.")
        assert place.client.delete("/v1/corrections/" + "9" * 30).status_code == 404

    @pytest.mark.parametrize(
        ("form", "sentence"),
        [
            ({"source": " ", "target": "b"}, "The source of a correction must be text."),
            ({"source": "a", "target": "b" * 101}, "The text must be at most 100 characters long."),
            ({"source": "a"}, "The field target must be"),
        ],
    )
    def test_what_is_no_correction_is_422(self, place: SimpleNamespace, form: dict, sentence: str) -> None:
        refused = place.client.post("/v1/corrections", json=form)
        assert refused.status_code == 422 and said(refused).startswith(sentence)

    def test_without_a_memory_nothing_is_kept(self) -> None:
        client = TestClient(api.Api(Shelf(single(Translator))).application())
        refused = client.post("/v1/corrections", json={"source": "a", "target": "b"})
        assert refused.status_code == 404 and "--memory FILE" in said(refused)
        (done,) = client.post("/v1/translate", json={"text": "the key."}).json()["translations"]
        assert done["memory"] == [] and not client.get("/v1/models").json()["memory"]


class TestDocuments:
    def test_a_file_comes_back_translated_under_a_new_name(self, place: SimpleNamespace) -> None:
        done = place.client.post("/v1/documents", params={"name": "a/b c.tsv", "column": "2"}, content=b"you\tyou\n")
        assert (done.status_code, done.content, done.headers["x-texts"]) == (200, b"you\tSie\n", "1")
        assert done.headers["content-disposition"] == "attachment; filename*=UTF-8''b%20c.de.tsv"

    def test_lines_tell_how_far_it_is(self, place: SimpleNamespace) -> None:
        lines = {"accept": "application/x-ndjson"}
        done = place.client.post("/v1/documents", params={"name": "a.txt"}, content=b"you\n" * 600, headers=lines)
        *shares, last = map(json.loads, done.text.splitlines())
        assert [each["share"] for each in shares] == sorted(each["share"] for each in shares) and len(shares) >= 3
        assert (last["name"], last["texts"], base64.b64decode(last["content"])) == ("a.de.txt", 600, b"Sie\n" * 600)

    def test_the_first_texts_are_told_though_the_lines_are_asked_for_late(
        self, place: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        on_time = dropped._lines

        async def late(*given: Any) -> AsyncIterator[str]:
            await asyncio.wait([given[-1]])  # all is translated before anybody listens
            async for line in on_time(*given):
                yield line

        monkeypatch.setattr(dropped, "_lines", late)
        self.test_lines_tell_how_far_it_is(place)

    def test_what_is_wrong_with_a_file_is_told_in_a_line(self, place: SimpleNamespace) -> None:
        lines = {"accept": "application/x-ndjson"}
        done = place.client.post("/v1/documents", params={"name": "a.json"}, content=b"{\n", headers=lines)
        assert json.loads(done.text)["error"]["message"].startswith(
            "A JSON file must be well formed. Received: the file, line 2"
        )

    def test_a_file_that_is_given_up_leaves_no_complaint(self) -> None:
        complaints: list[str] = []

        async def given_up() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what["message"]))
            desk = Shelf(single(lambda: Translator(delay=0.1))).first()
            lines = await dropped.Files().answer(desk, "a.txt", b"slowly\n" * 9, {}, lines=True)
            reading = asyncio.ensure_future(anext(lines.body_iterator))
            await asyncio.sleep(0.05)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await asyncio.sleep(0.3)
            gc.collect()

        asyncio.run(given_up())
        assert complaints == []

    @pytest.mark.parametrize(
        ("settings", "content", "code", "sentence"),
        [
            ({"name": "a.exe"}, b"", 422, "A document's name must end in one of "),
            ({"name": " "}, b"", 422, "The name of a file must have from 1 to 255 characters. Received: ' '"),
            ({}, b"", 422, "The field name must be as the API's document says (field required)."),
            ({"name": "a.po"}, b"msgid", 422, "A line of a catalogue must be a comment, or a key and"),
            ({"name": "a.txt", "column": "1"}, b"", 422, "Columns must be those of a table"),
            ({"name": "a.txt"}, b"explode", 500, answers.FAILED),
            ({"name": "a.txt"}, b"x" * (dropped.MAX_FILE + 1), 413, "A request must be at most 4,194,304 bytes long."),
        ],
    )  # fmt: skip
    def test_what_cannot_be_done_is_one_sentence(
        self, place: SimpleNamespace, settings: dict, content: bytes, code: int, sentence: str
    ) -> None:
        refused = place.client.post("/v1/documents", params=settings, content=content)
        assert refused.status_code == code and said(refused).startswith(sentence)
        assert "/tmp" not in refused.text

    def test_much_text_is_refused_and_what_is_read_is_counted(
        self, place: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dropped, "MAX_TEXT", 10)
        for content, code in ((b"you\n" * 9, 200), (b"you and him\n", 422)):
            assert place.client.post("/v1/documents", params={"name": "a.txt"}, content=content).status_code == code
        assert place.shelf.metrics.characters.value("en-de") == 3  # equal lines are one

    def test_the_end_of_the_server_ends_them(self, place: SimpleNamespace) -> None:
        place.api.close()
        refused = place.client.post("/v1/documents", params={"name": "a.txt"}, content=b"you\n")
        assert refused.status_code == 503 and "stopping" in said(refused)

    @pytest.mark.parametrize("lines", [True, False])
    def test_too_many_at_once_are_told_to_come_again(self, lines: bool) -> None:
        async def several() -> None:
            files, go = dropped.Files(), asyncio.Event()

            async def do(work: Any) -> Any:
                await go.wait()
                return b"done", SimpleNamespace()

            desk = SimpleNamespace(do=do, translator=SimpleNamespace(target_language="de"))
            ask = lambda: files.answer(desk, "a.txt", b"you\n", {}, lines=lines)  # noqa: E731
            asked = [asyncio.ensure_future(ask()) for _ in range(dropped.MAX_AT_ONCE)]
            await asyncio.sleep(0)
            with pytest.raises(answers.Busy, match="2 files are under way already"):
                await ask()
            go.set()
            for answer in await asyncio.gather(*asked):
                if lines:
                    assert b'"content": "ZG9uZQ=="' in "".join([part async for part in answer.body_iterator]).encode()
            assert await ask()

        asyncio.run(several())


class TestTextIsText:
    """Whatever looks like a script comes through as data, in JSON that no browser takes for a page."""

    def same(self, answer) -> dict:
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        return answer.json()

    @pytest.mark.parametrize("payload", PAYLOADS)
    def test_in_every_answer(self, place: SimpleNamespace, payload: str) -> None:
        post = place.client.post
        assert (
            place.client.post("/v1/corrections", json={"source": f"the {payload}", "target": payload}).status_code
            == 201
        )
        (done,) = self.same(post("/v1/translate", json={"text": f"the {payload}"}))["translations"]
        assert (done["source"], done["text"], done["memory"][0]["source"]) == (
            f"the {payload}",
            payload,
            f"the {payload}",
        )
        assert done["hypotheses"][0]["text"] == place.translator(f"the {payload}").hypotheses[0].text
        assert self.same(post("/v1/explain", json={"text": payload}))["text"] == payload
        for form in ({"text": "a", "model": payload}, {"text": "a", payload: 1}, {"text": {"x": payload}}):
            assert "error" in self.same(post("/v1/translate", json=form))
        assert place.client.get("/v1/corrections").headers["content-disposition"].startswith("attachment")

    @pytest.mark.parametrize("payload", PAYLOADS)
    def test_in_names_of_files(self, place: SimpleNamespace, payload: str) -> None:
        done = place.client.post("/v1/documents", params={"name": payload + ".txt"}, content=b"you")
        assert (done.status_code, done.content) == (200, b"Sie")
        name = done.headers["content-disposition"].removeprefix("attachment; filename*=UTF-8''")
        assert name.isascii() and not set(name) & set("<>\"';, ")
        assert urllib.parse.unquote(name) == dropped.plain_name(payload + ".txt").replace(".txt", ".de.txt")
        assert done.headers["content-type"] == "application/octet-stream"
        refused = place.client.post("/v1/documents", params={"name": payload + ".exe"}, content=b"you")
        assert "error" in self.same(refused)


class TestMetrics:
    def test_counters_and_histograms_in_the_format(self) -> None:
        number, seconds = Number("a_total", "counter", "Things.", ("kind",)), Histogram("b", "Seconds.", ("path",))
        number.add(2, 'x"\\\n')
        seconds.observe(0.02, "p")
        seconds.observe(70, "p")
        assert list(number.lines()) == [
            "# HELP a_total Things.",
            "# TYPE a_total counter",
            'a_total{kind="x\\"\\\\\\n"} 2',
        ]
        lines = list(seconds.lines())
        assert 'b_bucket{path="p",le="0.01"} 0' in lines and 'b_bucket{path="p",le="0.025"} 1' in lines
        assert lines[-3:] == ['b_bucket{path="p",le="+Inf"} 2', 'b_sum{path="p"} 70.02', 'b_count{path="p"} 2']

    def test_batches_are_counted_by_their_size(self) -> None:
        sizes = Histogram("b", "Sentences.", (), SIZES)
        for size in (1, 1, 5):
            sizes.observe(size)
        assert [int(line.rpartition(" ")[2]) for line in sizes.lines() if "bucket" in line][:6] == [2, 2, 2, 2, 3, 3]

    def test_every_line_is_a_comment_or_a_number(self, place: SimpleNamespace) -> None:
        place.client.post("/v1/translate", json={"text": ["The key. You.", "him"]})
        place.client.get("/v1/<script>")
        text = str(place.shelf.metrics)
        for line in text.splitlines():
            assert line.startswith("# ") or float(line.rpartition(" ")[2]) >= 0
        metrics: Metrics = place.shelf.metrics
        place.translator.told(2)
        assert 'seq2seq_batch_sentences_bucket{model="en-de",le="2"} 1\n' in str(metrics)
        assert (metrics.texts.value("en-de"), metrics.sentences.value("en-de")) == (2, 3)
        assert metrics.characters.value("en-de") == len("The key. You.him")
        assert (metrics.requests.value("other", "404"), metrics.waiting.value()) == (1, 0)
        assert "script" not in text


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    yield from running()


def ready(server: Server) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError):
            if server.get("/readyz")[0] == 200:
                return
        assert server.process.poll() is None, server.process.communicate()[1]
        time.sleep(0.1)
    raise TimeoutError


class TestServer:
    """In a process of its own, which must not call another host; the fixture sees to that."""

    def test_it_is_ready_translates_and_counts(self, server: Server) -> None:
        assert server.get("/readyz") == (200, '{"status":"ready"}')
        status, body = server.get("/v1/translate", b'{"text": "the key"}')
        assert (status, json.loads(body)["translations"][0]["text"]) == (200, "der Schlüssel")
        status, text = server.get("/metrics")
        assert status == 200 and 'seq2seq_requests_total{path="/v1/translate",code="200"}' in text
        assert 'seq2seq_requests_total{path="page",code="200"}' in text

    def test_many_at_once_are_all_answered(self, server: Server) -> None:
        with ThreadPoolExecutor(20) as threads:
            answers = list(threads.map(lambda _: server.get("/v1/translate", b'{"text": "the key"}')[0], range(60)))
        assert answers == [200] * 60

    def test_more_than_it_can_take_are_answered_or_told_to_come_again(self, server: Server) -> None:
        with ThreadPoolExecutor(100) as threads:
            codes = list(threads.map(lambda _: server.get("/v1/translate", b'{"text": "slowly"}')[0], range(120)))
        assert set(codes) == {200, 503} and codes.count(200) >= api.MAX_WAITING
        assert server.get("/v1/translate", b'{"text": "the key"}')[0] == 200

    def test_nobody_gets_what_is_anothers(self, server: Server) -> None:
        def session(mark: int) -> bool:
            for turn in range(4):
                text = f"mark{mark}x{turn} is the key"
                status, body = server.get("/v1/translate", json.dumps({"text": [text, "the key"]}).encode())
                if status != 200 or re.findall(r"mark\d+x\d+", body) != [f"mark{mark}x{turn}"] * body.count("mark"):
                    return False
            return True

        with ThreadPoolExecutor(50) as threads:
            assert all(threads.map(session, range(50)))

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
    def test_a_stop_answers_or_refuses_all_that_are_in_flight(self) -> None:
        server = Server()
        try:
            ready(server)
            with ThreadPoolExecutor(20) as threads:
                going = [threads.submit(server.get, "/v1/translate", b'{"text": "the key slowly"}') for _ in range(20)]
                begun = known = 0
                while begun < WORKERS:
                    begun += server.process.stderr.readline().count("translating slowly")
                while known < len(going):  # what only the system has taken in is reset, whoever serves
                    waiting = re.search(r"^seq2seq_queue (\d+)", server.get("/metrics")[1], re.MULTILINE)
                    known = int(waiting[1]) + sum(each.done() for each in going)
                server.tell()
                answers = [each.result(timeout=service.GRACE) for each in going]
            assert [status for status, _ in answers if status not in (200, 503)] == []
            assert sum(status == 200 for status, _ in answers) >= WORKERS
            assert server.stop() == 0
        finally:
            server.process.kill()

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
    def test_a_stop_lets_what_is_in_flight_finish(self) -> None:
        server = Server()
        try:
            ready(server)  # the page may still be built, which a stop survives too
            with ThreadPoolExecutor(1) as thread:
                going = thread.submit(server.get, "/v1/translate", b'{"text": "the key slowly"}')
                assert "translating slowly\n" in iter(server.process.stderr.readline, "")
                server.tell()
                status, body = going.result(timeout=service.GRACE)
            assert status == 200 and json.loads(body)["translations"][0]["text"] == "der Schlüssel slowly"
            assert server.stop() == 0
        finally:
            server.process.kill()
        assert "Traceback" not in server.error


class TestStart:
    def test_the_api_waits_for_its_model_and_is_there_before_the_page(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from seq2seq.web.room import Room

        loaded, built = threading.Event(), threading.Event()

        def load() -> Translator:
            loaded.wait(10)
            return Translator()

        def build(room: Room, shelf: Shelf) -> None:
            built.wait(10)
            raise ValueError("The page must be built. Received: an end of the test")

        monkeypatch.setattr(Room, "_build", build)
        room = Room(lambda: single(load), patience=0.2)
        with TestClient(room.application()) as client:
            assert (client.get("/readyz").status_code, client.get("/readyz").json()) == (503, {"status": "starting"})
            early = client.post("/v1/translate", json={"text": "you"})
            assert (early.status_code, early.headers["retry-after"], said(early)) == (
                503,
                "2",
                "The server is still starting.",
            )
            loaded.set()
            room._patience = 10.0
            assert client.post("/v1/translate", json={"text": "you"}).json()["translations"][0]["text"] == "Sie"
            assert (client.get("/readyz").status_code, client.get("/healthz").json()["ready"]) == (200, False)
            built.set()

    def test_a_memory_that_is_something_else_ends_the_server_with_a_sentence(self, tmp_path: Path) -> None:
        (tmp_path / "x.db").write_text("text " * 1000)
        with pytest.raises(ValueError, match="A translation memory must be a file that can be read"):
            service.run(lambda: single(Translator), port=0, memory=lambda: TranslationMemory(tmp_path / "x.db"))


def test_the_forms_name_every_setting_of_the_search() -> None:
    from seq2seq.config import SearchConfig

    assert set(forms.Search.model_fields) | {"n_best"} == set(SearchConfig.__struct_fields__)
