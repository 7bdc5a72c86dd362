"""Requests of any kind: every answer is a result or one sentence, and the server is never at fault."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import web_standin
from hypothesis import given
from hypothesis import strategies as st
from robust import damaged, shared

pytest.importorskip("fastapi", reason="the extra `app` is not installed")

import schemathesis
from starlette.testclient import TestClient

from seq2seq.translation_memory import TranslationMemory
from seq2seq.web import api
from seq2seq.web.shelf import Model, Shelf

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

FORMS = [
    b'{"text": "the key", "n_best": 3, "search": {"beam": 4, "length_penalty": 0.5}, "min_confidence": 0.2}',
    b'{"text": ["the key", "you"], "terms": {"prefix": "der", "glossary": {"key": "x"}, "attend": {"key": 2.0}}}',
    b'{"text": "the key", "target": "der", "cells": true, "beam": true, "alternatives": 3, "step": 1}',
    b'{"source": "the key", "target": "der", "source_language": "en", "target_language": "de"}',
]
SCRAPS = [b"NaN", b"Infinity", b"1e400", b"-0", b"true", b"null", b'"\\ud800"', b"[[[[", b'{"a":' * 50, b"9" * 5000]
FILES = [b"the key\nyou\n", b'{"a": "the key"}', b"<p>the <b>key</b></p>", b'msgid "a"\nmsgstr ""\n', b"PK\3\4"]
NAMES = [
    "a.txt",
    "a.tsv",
    "a.json",
    "a.html",
    "a.po",
    "a.docx",
    "../a.md",
    ".srt",
    "a",
    "",
    "\udcff.txt",
    "x" * 300 + ".vtt",
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The API with two models and a memory, in this process, and its own description."""
    shelf = Shelf(
        [
            Model("en-de", ("en", "de"), lambda: web_standin.Translator(delay=0)),
            Model("de-en", ("de", "en"), lambda: web_standin.Translator(delay=0, languages=("de", "en"))),
        ],
        max_characters=500,
    )
    memory = TranslationMemory(tmp_path_factory.mktemp("memory") / "memory.db")
    application = api.Api(shelf, memory=memory).application()
    schema = schemathesis.openapi.from_asgi("/v1/openapi.json", application)
    operations = {each.label: each for each in (found.ok() for found in schema.get_all_operations())}
    return SimpleNamespace(client=TestClient(application), operations=operations)


def is_answered(code: int, text: str) -> None:
    assert code < 500, text
    assert "Traceback" not in text and "/tmp" not in text
    if code >= 400:
        said = json.loads(text)
        assert list(said) == ["error"] and list(said["error"]) == ["message"] and "\n" not in said["error"]["message"]


def test_requests_from_the_apis_own_description(place: SimpleNamespace) -> None:
    """What it says is allowed and, as often, what it says is not."""
    codes: dict[str, set[int]] = {label: set() for label in place.operations}

    def caller() -> Callable[[schemathesis.Case], None]:
        def call(case: schemathesis.Case) -> None:
            answer = case.call()
            is_answered(answer.status_code, answer.text)
            codes[case.operation.label].add(answer.status_code)

        return call

    for operation in place.operations.values():
        given(operation.as_strategy())(shared(2 * len(place.operations))(caller()))()
    print({label: sorted(seen) for label, seen in codes.items()})
    assert set(codes) >= {"POST /v1/translate", "POST /v1/explain", "POST /v1/corrections", "GET /v1/models"}
    assert 200 in codes["POST /v1/translate"] and 422 in codes["POST /v1/translate"]


def test_forms_of_any_bytes(place: SimpleNamespace) -> None:
    @given(st.sampled_from(["translate", "explain", "corrections"]), damaged(FORMS, SCRAPS))
    @shared(4)
    def send(path: str, body: bytes) -> None:
        answer = place.client.post(f"/v1/{path}", content=body, headers={"content-type": "application/json"})
        is_answered(answer.status_code, answer.text)

    send()


def test_files_of_any_bytes_and_names(place: SimpleNamespace, tmp_path: Path) -> None:
    asked = {
        "column": st.lists(st.text(max_size=3), max_size=2),
        "encoding": st.sampled_from(["utf-8", "latin-1", "klingon", "hex", "idna", "undefined", "\0"]),
    }

    @given(
        st.sampled_from(NAMES) | st.text(max_size=12),
        damaged(FILES),
        st.fixed_dictionaries({}, optional=asked),
        st.sampled_from(["*/*", "application/x-ndjson"]),
    )
    @shared(4)
    def send(name: str, body: bytes, settings: dict, accept: str) -> None:
        settings = {"name": name.encode("utf-8", "replace").decode(), **settings}
        answer = place.client.post("/v1/documents", params=settings, content=body, headers={"accept": accept})
        is_answered(answer.status_code, answer.text if answer.status_code >= 400 else "")
        if answer.status_code == 200 and accept != "*/*":
            lines = [json.loads(line) for line in answer.text.splitlines()]
            assert "content" in lines[-1] or lines[-1]["error"]["message"] != "", lines

    send()


METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "X"]
HEADS = st.dictionaries(
    st.sampled_from(["content-type", "accept", "content-length", "host", "x-a", "transfer-encoding", "range"]),
    st.binary(max_size=20).map(lambda value: value.replace(b"\r", b"").replace(b"\n", b"")),
    max_size=3,
)


def test_heads_and_paths_of_any_kind(place: SimpleNamespace) -> None:
    import asyncio

    application = place.client.app

    @given(st.sampled_from(METHODS), st.text(max_size=20), st.binary(max_size=20), HEADS, st.binary(max_size=40))
    @shared(4)
    def send(method: str, path: str, query: bytes, heads: dict[str, bytes], body: bytes) -> None:
        scope = {"type": "http", "method": method, "path": f"/v1/{path}", "query_string": query, "root_path": ""}
        scope |= {"headers": [(name.encode(), value) for name, value in heads.items()], "http_version": "1.1"}
        scope |= {"client": ("127.0.0.1", 1), "server": ("x", 80), "scheme": "http", "raw_path": b"/v1/"}
        said: list[dict] = []
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict:
            return messages.pop() if messages else {"type": "http.disconnect"}

        async def hear(message: dict) -> None:
            said.append(message)

        asyncio.run(application(scope, receive, hear))
        if said:  # nothing is said to a client that has left
            assert said[0]["status"] < 500, said

    send()
