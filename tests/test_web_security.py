"""What the server holds its clients to: tokens, rates, time, names; what browsers are told; what is written down."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import web_standin
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("fastapi", reason="the extra `app` is not installed")

from starlette.testclient import TestClient
from web_server import Server

from seq2seq.engine import EngineError
from seq2seq.engine.batching import RunError
from seq2seq.translation_memory import TranslationMemoryError
from seq2seq.web import answers, api, headers, journal, rates
from seq2seq.web.door import Door
from seq2seq.web.gate import Gate
from seq2seq.web.keys import COOKIE, Keys, KeysError
from seq2seq.web.metrics import Metrics
from seq2seq.web.rules import Rules, RulesError
from seq2seq.web.shelf import Shelf, single

TOKEN = "s3cret-token-of-sixteen"
BEARER = {"authorization": f"Bearer {TOKEN}"}


async def plain(scope: dict, receive: Callable, send: Callable) -> None:
    """An application that says yes."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"yes"})


def client(application: Any = plain, *, address: str = "192.0.2.1", **rules: Any) -> TestClient:
    door = Door(application, Rules(**rules), Metrics())
    return TestClient(door, client=(address, 5), follow_redirects=False)


class TestKeys:
    def test_a_file_has_one_a_line_and_comments(self, tmp_path: Path) -> None:
        file = tmp_path / "tokens"
        file.write_text(f"# of the page\n{TOKEN}\n\n another-token-of-mine \n")
        keys = Keys.read(file)
        assert keys.fits(TOKEN) and keys.fits("another-token-of-mine")
        assert not keys.fits("") and not keys.fits(TOKEN[:-1]) and not keys.fits("# of the page")

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (b"", "A file of tokens must hold from 1 to 1,000. Received: "),
            (b"# none\n", "A file of tokens must hold from 1 to 1,000. Received: "),
            (b"good-enough-for-us-all\nshort\n", "A token must be from 16 to 512 visible ASCII characters"),
            (b"with space in between\n", "A token must be from 16 to 512 visible ASCII characters"),
            (b"\xff\xfe", "The tokens must be in a file that can be read. Received: "),
            (None, "The tokens must be in a file that can be read. Received: "),
        ],
    )
    def test_anything_else_is_one_sentence_without_a_token(
        self, tmp_path: Path, content: bytes | None, sentence: str
    ) -> None:
        if content is not None:
            (tmp_path / "tokens").write_bytes(content)
        with pytest.raises(KeysError) as error:
            Keys.read(tmp_path / "tokens")
        assert str(error.value).startswith(sentence) and "\n" not in str(error.value)
        assert "short" not in str(error.value) and "space" not in str(error.value).replace("without spaces", "")

    def test_a_cookie_holds_no_token_and_opens_as_long_as_its_token_does(self) -> None:
        keys = Keys([TOKEN, "another-token-of-mine"])
        worn = keys.cookie(TOKEN)
        assert TOKEN not in worn and len(worn) == 64
        assert keys.opens("", worn) and not Keys(["another-token-of-mine"]).opens("", worn)
        assert not keys.opens("", TOKEN) and not keys.opens("", "") and not keys.opens("", "é" * 64)

    @pytest.mark.parametrize("given", ["", "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Token {TOKEN}"])
    def test_only_a_bearer_is_one(self, given: str) -> None:
        assert not Keys([TOKEN]).opens(given, "")
        assert Keys([TOKEN]).opens(f"bearer  {TOKEN}", "")


class TestRules:
    @pytest.mark.parametrize(
        ("rules", "sentence"),
        [
            ({"timeout": 0}, "The timeout must be from 0 to 3,600 seconds. Received: 0"),
            ({"timeout": float("nan")}, "The timeout must be"),
            ({"rate": 0}, "The rate must be from 1 to 1,000,000 requests a minute. Received: 0"),
            ({"workers": 0}, "The workers must be from 1 to 64. Received: 0"),
        ],
    )
    def test_what_is_outside_is_one_sentence(self, rules: dict, sentence: str) -> None:
        with pytest.raises(RulesError) as error:
            Rules(**rules)
        assert str(error.value).startswith(sentence)


class TestTokens:
    def test_probes_are_open_and_all_else_is_not(self) -> None:
        door = client(keys=Keys([TOKEN]))
        for path in ("/healthz", "/readyz"):
            assert door.get(path).status_code == 200
        for path in ("/metrics", "/v1/models", "/assets/x.js", "/gradio_api/info", "/session", "/nothing"):
            refused = door.get(path)
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer"), path
            assert door.get(path, headers={"authorization": "Bearer wrong"}).status_code == 401
            assert door.get(path, headers=BEARER).status_code == 200
        assert "A token is needed" in door.get("/v1/models").json()["error"]["message"]

    def test_a_browser_gives_a_token_in_a_form_and_wears_a_cookie(self) -> None:
        door = client(keys=Keys([TOKEN]))
        form = door.get("/")
        assert form.status_code == 401 and 'type="password"' in form.text
        assert "form-action 'self'" in form.headers["content-security-policy"]
        assert form.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
        wrong = door.post("/session", data={"token": "wrong<script>"})
        assert (wrong.status_code, "script" in wrong.text, "not known" in wrong.text) == (401, False, True)
        assert "set-cookie" not in wrong.headers
        right = door.post("/session", data={"token": f" {TOKEN}\n"})
        assert (right.status_code, right.headers["location"]) == (303, "./")
        cookie = right.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Secure" not in cookie and TOKEN not in cookie
        assert door.get("/").text == "yes"  # the client wears it from now on

    def test_behind_a_proxy_with_tls_the_cookie_is_for_tls_alone(self) -> None:
        for proxy in (True, False):
            door = client(keys=Keys([TOKEN]), proxy=proxy)
            got = door.post("/session", data={"token": TOKEN}, headers={"x-forwarded-proto": "https"})
            assert ("Secure" in got.headers["set-cookie"]) == proxy

    def test_another_site_cannot_send_the_form_and_a_large_one_is_refused(self) -> None:
        door = client(keys=Keys([TOKEN]))
        elsewhere = {"sec-fetch-site": "cross-site"}
        assert door.post("/session", data={"token": TOKEN}, headers=elsewhere).status_code == 403
        assert door.post("/session", content=b"x" * 5000).status_code == 413
        assert door.get("/", headers={"cookie": f"{COOKIE}=;;=é".encode()}).status_code == 401

    def test_without_tokens_there_is_no_session(self) -> None:
        assert client().post("/session", data={"token": TOKEN}).text == "yes"  # what is behind the door answers


class TestRates:
    def test_a_minutes_worth_at_once_and_then_as_the_bucket_fills(self) -> None:
        now = [0.0]
        bucket = rates.Rates(6, clock=lambda: now[0])
        assert [bucket.wait("a") for _ in range(7)] == [0, 0, 0, 0, 0, 0, pytest.approx(10)]
        assert bucket.wait("b") == 0
        now[0] = 9.0
        assert bucket.wait("a") == pytest.approx(1)
        now[0] = 10.1
        assert bucket.wait("a") == 0 and bucket.wait("a") > 9
        now[0] = 1000.0
        assert [bucket.wait("a") == 0 for _ in range(7)] == [True] * 6 + [False]

    def test_not_more_clients_are_remembered_than_fit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rates, "CLIENTS", 3)
        bucket = rates.Rates(1, clock=lambda: 0.0)
        for name in "abcabcd":
            bucket.wait(name)
        assert len(bucket._buckets) == 3
        assert bucket.wait("c") > 0 and bucket.wait("a") == 0  # who asked longest ago was forgotten

    def test_too_many_are_429_and_say_when_to_come_again(self) -> None:
        door = client(rate=2)
        assert [door.get("/v1/models").status_code for _ in range(3)] == [200, 200, 429]
        refused = door.get("/v1/models")
        assert 1 <= int(refused.headers["retry-after"]) <= 30
        assert refused.json()["error"]["message"].startswith("Too many requests from this address")
        for path in ("/", "/assets/x.js", "/healthz", "/readyz"):
            assert door.get(path).status_code == 200

    def test_a_path_with_a_line_break_is_counted_too(self) -> None:
        door = client(rate=2)
        codes = [door.get("/v1/models%0A").status_code for _ in range(3)]
        assert codes[2] == 429

    @pytest.mark.parametrize(("proxy", "third"), [(True, 200), (False, 429)])
    def test_a_proxy_names_the_client_only_where_there_is_one(self, proxy: bool, third: int) -> None:
        door = client(rate=2, proxy=proxy)
        for address in ("198.51.100.1", "198.51.100.2"):
            assert door.get("/v1/models", headers={"x-forwarded-for": f"10.0.0.1, {address}"}).status_code == 200
        assert door.get("/v1/models", headers={"x-forwarded-for": "198.51.100.3"}).status_code == third

    def test_what_a_proxy_says_reaches_the_page_only_where_there_is_one(self) -> None:
        async def named(scope: dict, receive: Callable, send: Callable) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            found = [value for name, value in scope["headers"] if b"forwarded" in name]
            await send({"type": "http.response.body", "body": b",".join(found)})

        said = {"x-forwarded-host": "evil.example", "forwarded": "for=1.2.3.4"}
        assert client(named).get("/", headers=said).text == ""
        assert client(named, proxy=True).get("/", headers=said).text == "evil.example,for=1.2.3.4"

    def test_who_guesses_tokens_is_held_to_it_everywhere(self) -> None:
        door = client(rate=2, keys=Keys([TOKEN]))
        wrong = [door.get("/metrics", headers={"authorization": f"Bearer {k}"}).status_code for k in range(3)]
        assert wrong == [401, 401, 429]

    @pytest.mark.parametrize(
        ("named", "address"),
        [
            ("192.0.2.9:4711", "192.0.2.9"),
            ("[2001:db8:1:2:3::4]:80", "2001:db8:1:2::/64"),
            ("::ffff:192.0.2.9", "192.0.2.9"),
            ("unknown", "unknown"),
            ("", "192.0.2.1"),
        ],
    )
    def test_addresses_in_every_form(self, named: str, address: str) -> None:
        scope = {"headers": [(b"x-forwarded-for", named.encode())], "client": ("192.0.2.1", 5)}
        assert rates.client(scope, proxy=True) == address
        assert rates.client({"headers": []}) == ""


class TestNames:
    @pytest.mark.parametrize("host", ["localhost:7860", "127.0.0.1:7860", "[::1]:7860", "a.localhost", "192.0.2.1", ""])
    def test_a_server_for_this_machine_answers_to_its_names(self, host: str) -> None:
        assert client(local=True).get("/v1/models", headers={"host": host}).status_code == 200

    def test_and_to_no_name_that_another_site_can_choose(self) -> None:
        refused = client(local=True).get("/v1/models", headers={"host": "evil.example:7860"})
        assert (refused.status_code, "names of its own machine" in refused.text) == (421, True)
        assert client(local=True).get("/healthz", headers={"host": "evil.example"}).status_code == 200
        assert client().get("/v1/models", headers={"host": "app.example"}).status_code == 200


class TestHeaders:
    def test_every_answer_has_them_or_its_own(self) -> None:
        answer = client().get("/")
        for name, value in headers.COMMON.items():
            assert answer.headers[name] == value

        async def own(scope: dict, receive: Callable, send: Callable) -> None:
            told = [(b"content-security-policy", b"default-src 'self'")]
            await send({"type": "http.response.start", "status": 200, "headers": told})
            await send({"type": "http.response.body"})

        answer = client(own).get("/")
        assert answer.headers["content-security-policy"] == "default-src 'self'"
        assert answer.headers["x-frame-options"] == "DENY"

    def test_the_policy_of_a_page_names_its_scripts_and_no_host(self) -> None:
        policy = headers.page_policy(
            "<script>a()</script><script src=x></script><style>b{}</style>", "<script>c</script>"
        )
        rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
        digest = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"  # of nothing, which needs none
        assert len(rules["script-src"].split()) == 3 and digest not in rules["script-src"]
        assert len(rules["style-src-elem"].split()) == 2
        assert {name for name, rule in rules.items() if "unsafe" in rule} == {"style-src-attr"}
        assert not any(scheme in policy for scheme in ("http", "//", "*", "blob:"))
        assert rules["default-src"] == rules["frame-ancestors"] == rules["form-action"] == "'none'"


async def asked(guard: Any, messages: list[dict], pause: float = 0.0) -> list[dict]:
    """What a guard answers to a client that sends these and then stays, saying no more."""
    said: list[dict] = []

    async def receive() -> dict:
        if not messages:
            await asyncio.sleep(60)
        await asyncio.sleep(pause)
        return messages.pop(0)

    async def send(message: dict) -> None:
        said.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/translate",
        "headers": [(b"content-type", b"application/json")],
    }
    await asyncio.wait_for(guard(scope, receive, send), 5)
    return said


def guarded(application: Any, timeout: float = 0.1) -> answers.Guard:
    return answers.Guard(application, Metrics(), paths=frozenset({"/v1/translate"}), bodies={}, timeout=timeout)


WHOLE = {"type": "http.request", "body": b"{}", "more_body": False}
PART = {"type": "http.request", "body": b"{", "more_body": True}


class TestTime:
    def test_an_answer_that_does_not_come_is_503_and_its_work_is_given_up(self) -> None:
        ended: list[str] = []

        async def endless(scope: dict, receive: Callable, send: Callable) -> None:
            try:
                await asyncio.sleep(60)
            finally:
                ended.append("given up")

        guard = guarded(endless)
        start, body = asyncio.run(asked(guard, [WHOLE.copy()]))
        assert (start["status"], ended) == (503, ["given up"])
        assert json.loads(body["body"])["error"]["message"].startswith("An answer must be there within 0.1 seconds;")
        assert (b"retry-after", b"5") in start["headers"]
        assert guard._metrics.requests.value("/v1/translate", "503") == 1 and guard._held == 0

    def test_at_the_end_who_still_waits_is_told_so_and_what_has_begun_goes_on(self) -> None:
        async def endless(scope: dict, receive: Callable, send: Callable) -> None:
            await asyncio.sleep(60)

        async def slow(scope: dict, receive: Callable, send: Callable) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await asyncio.sleep(0.2)
            await send({"type": "http.response.body"})

        async def ended(application: Any) -> list[dict]:
            guard = guarded(application, 30)
            asyncio.get_running_loop().call_later(0.1, guard.give_up)
            return await asked(guard, [WHOLE.copy()])

        start, body = asyncio.run(ended(endless))
        assert (start["status"], json.loads(body["body"])["error"]["message"]) == (503, "The server is stopping.")
        assert [each["type"] for each in asyncio.run(ended(slow))] == ["http.response.start", "http.response.body"]

    def test_at_the_end_what_comes_late_and_what_is_late_anyway_are_told_so_too(self) -> None:
        async def endless(scope: dict, receive: Callable, send: Callable) -> None:
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(0.3)  # its time is up meanwhile, and its limit cannot be moved any more

        async def several() -> list[list[dict]]:
            guard = guarded(endless, 0.2)
            asyncio.get_running_loop().call_later(0.3, guard.give_up)
            first = asyncio.create_task(asked(guard, [WHOLE.copy()]))
            await asyncio.sleep(0.15)
            second = asyncio.create_task(asked(guard, [PART.copy()]))
            answered = [await first, await second]
            return [*answered, await asked(guard, [WHOLE.copy()])]

        answers = asyncio.run(several())
        assert [start["status"] for start, _ in answers] == [503, 503, 503]
        assert all(json.loads(body["body"])["error"]["message"] == "The server is stopping." for _, body in answers)

    def test_a_body_that_does_not_come_is_hung_up_on_by_the_page(self) -> None:
        heard: list[dict] = []

        async def page(scope: dict, receive: Callable, send: Callable) -> None:
            while not heard or heard[-1]["type"] != "http.disconnect":
                heard.append(await receive())

        async def came() -> bool:
            shut = Gate(page, timeout=0.1)
            scope = {"type": "http", "path": "/gradio_api/call/translate", "headers": []}
            waiting = [{"type": "http.request", "body": b"{", "more_body": True}]

            async def receive() -> dict:
                return waiting.pop() if waiting else await asyncio.sleep(60, {})

            await asyncio.wait_for(shut(scope, receive, None), 5)
            return shut.idle.is_set()

        assert asyncio.run(came())
        assert [each["type"] for each in heard] == ["http.request", "http.disconnect"]

    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (TranslationMemoryError("A translation memory must be ... Received: /var/lib/x.db (disk is full)"), 500),
            (RunError("LiteRT must be able to run the graph. Received: x"), 500),
            (EngineError("A source must have at most 256 pieces. Received: 300"), 422),
        ],
    )
    def test_what_is_no_mistake_of_the_client_is_none(self, error: Exception, code: int, caplog) -> None:
        answer = answers.translated(error)
        assert answer.status_code == code
        assert (str(error) in answer.body.decode()) == (code == 422)
        assert bool(caplog.records) == (code == 500)

    def test_a_body_that_does_not_come_is_408(self) -> None:
        for messages in ([], [PART.copy()]):
            start, body = asyncio.run(asked(guarded(plain), messages))
            assert start["status"] == 408
            assert "must arrive whole within 0.1 seconds" in json.loads(body["body"])["error"]["message"]

    def test_an_answer_in_parts_may_take_as_long_as_it_goes_on(self) -> None:
        async def parts(scope: dict, receive: Callable, send: Callable, *, stall: float = 0.0) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(8):
                await asyncio.sleep(0.05)
                await send({"type": "http.response.body", "body": b".", "more_body": True})
            await asyncio.sleep(stall)
            await send({"type": "http.response.body"})

        async def stalling(*arguments: Any) -> None:
            await parts(*arguments, stall=60)

        assert len(asyncio.run(asked(guarded(parts, 0.2), [WHOLE.copy()]))) == 10
        said = asyncio.run(asked(guarded(stalling, 0.2), [WHOLE.copy()]))
        assert len(said) == 9 and said[0]["status"] == 200  # broken off, and nothing made up

    def test_what_has_waited_too_long_to_be_begun_is_503(self) -> None:
        shelf = Shelf(single(web_standin.Translator), patience=-1.0)  # so every one has
        late = TestClient(api.Api(shelf).application()).post("/v1/translate", json={"text": "you"})
        assert (late.status_code, late.headers["retry-after"]) == (503, "5")
        assert late.json()["error"]["message"].startswith("Too much waits to be done in time;")

    def test_the_api_holds_to_it(self) -> None:
        shelf = Shelf(single(lambda: web_standin.Translator(delay=1.0)))
        asking = TestClient(api.Api(shelf, timeout=0.2).application())
        started = time.monotonic()
        late = asking.post("/v1/translate", json={"text": "slowly"})
        assert (late.status_code, time.monotonic() - started < 1) == (503, True)


class TestJournal:
    def lines(self, capsys: pytest.CaptureFixture) -> list[dict]:
        return [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]

    def test_a_request_is_one_line_without_text(self, capsys: pytest.CaptureFixture) -> None:
        shelf = Shelf(single(web_standin.Translator, name="en-de"))
        door = client(api.Api(shelf).application(), json_log=True)
        answer = door.post(
            "/v1/translate?x=private", json={"text": ["Very private", "b"]}, headers={"x-request-id": "a-1"}
        )
        (line,) = self.lines(capsys)
        assert answer.headers["x-request-id"] == "a-1"
        assert 0 <= line.pop("milliseconds") < 60_000 and line.pop("time").endswith("Z")
        assert line == {
            "id": "a-1",
            "method": "POST",
            "path": "/v1/translate",
            "status": 200,
            "bytes_received": len(answer.request.content),
            "bytes_sent": len(answer.content),
            "model": "en-de",
            "texts": 2,
            "characters": 13,
        }

    def test_whatever_could_be_text_is_left_out(self, capsys: pytest.CaptureFixture) -> None:
        door = client(json_log=True, keys=Keys([TOKEN]))
        door.get("/v1/private", headers={"x-request-id": "private text", **BEARER})
        door.request("PRIVATE", f"/{TOKEN}?token={TOKEN}", headers=BEARER)
        door.post("/session", data={"token": TOKEN})
        said = capsys.readouterr().err
        assert said.count("\n") == 3
        assert "private" not in said.lower() and TOKEN not in said and "192.0.2.1" not in said
        assert [json.loads(line)["path"] for line in said.splitlines()] == ["other", "other", "/session"]

    def test_it_is_quiet_unless_asked_and_every_answer_has_an_id(self, capsys: pytest.CaptureFixture) -> None:
        ids = {
            client().get("/v1/models", headers={"x-request-id": given}).headers["x-request-id"] for given in ("", "a b")
        }
        assert len(ids) == 2 and all(len(each) == 32 for each in ids)
        assert capsys.readouterr().err == ""

    def test_a_mistake_is_written_with_its_place_and_without_its_message(self, capsys: pytest.CaptureFixture) -> None:
        shelf = Shelf(single(web_standin.Translator))
        door = client(api.Api(shelf).application(), json_log=True)
        with journal.json_logging():
            assert door.post("/v1/translate", json={"text": "explode"}).status_code == 500
            logging.getLogger("someone").error("a private text")
        mistake, request, other = self.lines(capsys)
        assert (mistake["error"], mistake["message"], mistake["id"]) == (
            "RuntimeError",
            "a request failed",
            request["id"],
        )
        assert mistake["where"][-1].endswith("__call__") and "secret" not in json.dumps(mistake)
        assert request["status"] == 500 and "message" not in other

    def test_every_path_of_the_api_has_a_name_in_it(self) -> None:
        document = (
            TestClient(api.Api(Shelf(single(web_standin.Translator))).application()).get("/v1/openapi.json").json()
        )
        for path in (*document["paths"], "/gradio_api/queue/data", "/assets/index.js", "/readyz"):
            assert journal.written(path) != "other", path
        assert journal.written("/v1/corrections/secret") == "/v1/corrections/*"
        assert journal.written("/gradio_api/call/translate/secret") == "/gradio_api/call/*"


def test_it_is_ready_when_the_model_has_answered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from seq2seq.web.room import Room

    asked_for, may_answer = threading.Event(), threading.Event()

    class Slow(web_standin.Translator):
        def __call__(self, text: Any, **wanted: Any) -> Any:
            asked_for.set()
            may_answer.wait(10)
            return super().__call__(text, **wanted)

    monkeypatch.setattr(Room, "_build", lambda room, shelf: time.sleep(0.5))
    with TestClient(Room(lambda: single(Slow)).application()) as asking:
        assert asked_for.wait(10)
        assert (asking.get("/readyz").status_code, asking.get("/healthz").status_code) == (503, 200)
        may_answer.set()
        assert asking.post("/v1/translate", json={"text": "the key"}).status_code == 200  # waits until it is ready


class TestServer:
    """The command, with the model that ships, in a process of its own."""

    def test_tokens_rates_and_lines(self, root: Path, tmp_path: Path) -> None:
        import urllib.error
        import urllib.request

        (tmp_path / "tokens").write_text(TOKEN + "\n")
        flags = ["--token-file", str(tmp_path / "tokens"), "--rate", "3", "--log", "json", "--timeout", "30"]
        server = Server(str(root / "app.py"), *flags)

        def get(path: str, **headers: str) -> tuple[int, Any]:
            request = urllib.request.Request(server.url + path, headers=headers)
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return answer.status, answer.headers
            except urllib.error.HTTPError as error:
                return error.code, error.headers

        try:
            server.wait()  # one wrong guess
            for _ in range(300):
                if get("/readyz")[0] == 200:
                    break
                time.sleep(0.1)
            status, told = get("/v1/models", Authorization=f"Bearer {TOKEN}")
            assert (status, "server" in told, told["x-content-type-options"]) == (200, False, "nosniff")
            assert get("/metrics", Authorization=f"Bearer {TOKEN}")[0] == 200
            assert [get("/v1/models", Authorization="Bearer wrong")[0] for _ in range(2)] == [401, 429]
        finally:
            assert server.stop() == 0
        lines = [json.loads(line) for line in server.error.splitlines()[1:]]
        assert {"/readyz", "/v1/models", "/metrics"} <= {line["path"] for line in lines}
        assert TOKEN not in server.error

    @pytest.mark.parametrize(
        ("flags", "code", "sentence"),
        [
            (("--token-file", "/none"), 3, "The tokens must be in a file that can be read. Received: /none"),
            (("--rate", "0"), 2, "The rate must be from 1 to 1,000,000 requests a minute. Received: 0"),
            (("--timeout", "-1"), 2, "The timeout must be from 0 to 3,600 seconds. Received: -1"),
            (("--workers", "65"), 2, "The workers must be from 1 to 64. Received: 65"),
        ],
    )
    def test_what_is_outside_is_one_sentence_and_its_code(
        self, capsys: pytest.CaptureFixture, flags: tuple[str, ...], code: int, sentence: str
    ) -> None:
        from seq2seq import cli

        assert cli.run(["serve", *flags]) == code
        said = capsys.readouterr().err
        assert sentence in said and said.count("\n") == 1


def test_a_translation_on_gradios_own_door_has_its_time_too() -> None:
    pytest.importorskip("gradio", reason="the extra `app` is not installed")
    from seq2seq.web import ui
    from seq2seq.web.desk import Desk

    ask = ui._endpoint(Desk(web_standin.Translator(delay=1.0)), 0.1)
    with pytest.raises(Exception, match="The translation took too long"):
        asyncio.run(ask("slowly"))


@given(
    st.dictionaries(
        st.sampled_from([b"authorization", b"cookie", b"x-forwarded-for", b"x-request-id", b"host", b"content-length"]),
        st.binary(max_size=80) | st.sampled_from([b"Bearer " + TOKEN.encode(), f"{COOKIE}=x".encode()]),
    ),
    st.text(max_size=20),
    st.booleans(),
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_head_holds_is_answered(given_headers: dict[bytes, bytes], path: str, local: bool) -> None:
    door = Door(plain, Rules(keys=Keys([TOKEN]), rate=5, proxy=not local, local=local), Metrics())
    scope = {"type": "http", "method": "GET", "path": f"/{path}", "headers": list(given_headers.items())}
    said: list[dict] = []

    async def send(message: dict) -> None:
        said.append(message)

    async def receive() -> dict:
        return {"type": "http.disconnect"}

    asyncio.run(door(scope, receive, send))
    known = given_headers.get(b"authorization") == b"Bearer " + TOKEN.encode()
    assert said[0]["status"] in ((200, 421) if known else (401, 421))
    assert journal.GIVEN.fullmatch(dict(said[0]["headers"])[b"x-request-id"].decode())
