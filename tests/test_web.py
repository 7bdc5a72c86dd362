"""The web package without a browser: limits, the desk, what is drawn, and the server from start to end."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import web_standin
from web_server import Server, running

from seq2seq.config import SearchConfig
from seq2seq.web import languages, limits, panels, service
from seq2seq.web.desk import WORKERS, Desk, Overdue
from seq2seq.web.shelf import single

needs_gradio = pytest.mark.skipif(
    __import__("importlib.util").util.find_spec("gradio") is None, reason="the extra `app` is not installed"
)


class TestLimits:
    @pytest.mark.parametrize(
        ("check", "value", "sentence"),
        [
            (limits.text, "x" * 5001, "The text must be at most 5,000 characters long. Received: 5,001 characters"),
            (limits.text, 7, "The text must be a string. Received: int"),
            (limits.search, "wide", "The search must be one of beam, greedy. Received: 'wide'"),
            (limits.search, ["beam"], "The search must be one of beam, greedy. Received: ['beam']"),
            (limits.beam, 1, "The beam size must be a whole number from 2 to 10. Received: 1"),
            (limits.beam, 11, "The beam size must be a whole number from 2 to 10. Received: 11"),
            (limits.beam, 2.5, "The beam size must be a whole number from 2 to 10. Received: 2.5"),
            (limits.beam, True, "The beam size must be a whole number from 2 to 10. Received: True"),
            (limits.length_penalty, -0.1, "The length penalty must be a number from 0 to 2. Received: -0.1"),
            (limits.length_penalty, float("nan"), "The length penalty must be a number from 0 to 2. Received: nan"),
            (limits.length_penalty, 10**400, "The length penalty must be a number from 0 to 2. Received: 1000"),
            (limits.length_penalty, "1", "The length penalty must be a number from 0 to 2. Received: '1'"),
        ],
    )
    def test_what_is_outside_is_refused_in_one_sentence(
        self, check: Callable[[object], object], value: object, sentence: str
    ) -> None:
        with pytest.raises(limits.LimitError) as error:
            check(value)
        assert str(error.value).startswith(sentence)
        assert len(str(error.value)) < 120

    def test_the_longest_text_and_the_ends_of_the_ranges_are_accepted(self) -> None:
        assert limits.text("x" * 5000) == "x" * 5000
        assert limits.text(None) == ""
        assert (limits.beam(2), limits.beam(10.0)) == (2, 10)
        assert (limits.length_penalty(0), limits.length_penalty(2)) == (0.0, 2.0)

    def test_the_longest_text_fits_into_a_request_however_it_is_escaped(self) -> None:
        assert len(json.dumps("😀" * limits.MAX_CHARACTERS)) < limits.MAX_BODY


class TestDesk:
    def test_greedy_is_a_beam_of_one_and_beam_asks_for_every_hypothesis(self) -> None:
        translator = web_standin.Translator()
        desk = Desk(translator)
        for search in ("greedy", "beam"):
            asyncio.run(desk.translate(desk.wish("the key", search, 4, 0.5)))
        greedy, beam = translator.searches
        assert (greedy.beam, greedy.n_best) == (1, 1)
        assert (beam.beam, beam.n_best, beam.length_penalty) == (4, 4, 0.5)

    def test_what_has_waited_for_half_of_its_time_is_not_begun(self) -> None:
        desk = Desk(web_standin.Translator(delay=3.0), patience=2.0)

        async def all_at_once() -> list[object]:
            wishes = (desk.translate(desk.wish("slowly", "beam", 5, 1.0)) for _ in range(WORKERS + 5))
            return await asyncio.gather(*wishes, return_exceptions=True)

        answers = asyncio.run(all_at_once())
        late = [each for each in answers if isinstance(each, Overdue)]
        assert len(late) == 5 and answers[-5:] == late
        assert str(late[0]) == "Too much waits to be done in time; please try again in a moment."

    def test_its_limit_is_the_one_it_was_given(self) -> None:
        with pytest.raises(limits.LimitError, match="at most 3 characters"):
            Desk(web_standin.Translator(), max_characters=3).wish("four", "beam", 5, 1.0)


class TestPanels:
    def test_the_page_starts_from_the_settings_of_the_model_within_what_it_can_show(self) -> None:
        start = json.loads(json.dumps(panels.start(SearchConfig(beam=20, length_penalty=3.0))))
        assert start["search"] == {"kind": "beam", "beam": limits.MAX_BEAM, "length_penalty": 2.0}
        assert start["beams"] == [limits.MIN_BEAM, limits.MAX_BEAM]
        assert isinstance(start["gradients"], bool)
        greedy = panels.start(SearchConfig(beam=1))["search"]
        assert (greedy["kind"], greedy["beam"]) == ("greedy", limits.MIN_BEAM)

    def test_hypotheses_have_scores_and_probabilities(self) -> None:
        desk = Desk(web_standin.Translator())
        best = panels.hypotheses(asyncio.run(desk.translate(desk.wish("the key", "beam", 3, 1.0))))
        assert [each["text"] for each in best] == ["der Schlüssel", "der Schlüssel (1)", "der Schlüssel (2)"]
        assert best[0]["probability"] == pytest.approx(np.exp(-0.5), abs=1e-3)

    def test_the_head_holds_every_asset_and_what_was_measured_cannot_end_its_script(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        assets = Path(panels.__file__).parent / "assets"
        for kind, names in (("*.js", panels.SCRIPTS), ("*.css", panels.STYLES)):
            assert {path.name for path in assets.glob(kind)} == set(names)
        shutil.copytree(assets, tmp_path / "assets")
        monkeypatch.setattr(panels.importlib.resources, "files", lambda package: tmp_path)
        (tmp_path / "assets" / panels.MEASURED).write_text('{"units": "</script><script>alert(1)</script>"}')
        head = panels.head()
        assert head.count("</script>") == head.count("<script>") == 1
        (tmp_path / "assets" / panels.MEASURED).unlink()
        assert "seq2seq.measured = null;" in panels.head()


class TestLanguages:
    def test_every_example_and_direction_is_of_a_language_with_a_name(self) -> None:
        assert set(languages.EXAMPLES) <= set(languages.NAMES)
        assert languages.name("pt_BR") == "Portuguese"
        assert languages.right_to_left("ar-EG") and not languages.right_to_left("en")
        assert languages.examples("xx") == ()


class TestService:
    def test_a_taken_port_is_one_sentence(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(service.ServiceError, match="with a free port. Received: 127.0.0.1, port") as error:
                service.listen("127.0.0.1", port)
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize(("host", "port"), [("192.0.2.1", 0), ("127.0.0.1", 70000)])
    def test_an_address_that_is_not_ours_is_one_sentence(self, host: str, port: int) -> None:
        with pytest.raises(service.ServiceError, match=f"Received: {host}, port {port}"):
            service.listen(host, port)

    def test_without_a_model_that_ships_one_must_be_named(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(service.importlib.resources, "files", lambda package: tmp_path)
        with pytest.raises(service.ServiceError, match="A model must be named"):
            service.serve()

    def test_without_the_extra_the_sentence_names_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "uvicorn", None)
        with pytest.raises(service.ServiceError, match=re.escape("pip install 'seq2seq[app]'")):
            service.run(lambda: single(web_standin.Translator), port=0)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    yield from running()


@needs_gradio
class TestRoom:
    def test_health_is_answered_before_the_model_is_there(self) -> None:
        from starlette.testclient import TestClient

        from seq2seq.web.room import Room

        loaded = threading.Event()

        def load() -> web_standin.Translator:
            loaded.wait(10)
            return web_standin.Translator()

        with TestClient(Room(lambda: single(load)).application()) as client:
            assert client.get("/healthz").json() == {"status": "ok", "ready": False}
            loaded.set()
            assert client.get("/").status_code == 200  # waits for the page
            health = client.get("/healthz").json()
        assert health == {
            "status": "ok", "ready": True, "source_language": "en", "target_language": "de", "engine": "litert-int8",
        }  # fmt: skip

    def test_a_model_that_does_not_load_is_told_and_kept(self) -> None:
        from starlette.testclient import TestClient

        from seq2seq.web.room import Room

        def load() -> web_standin.Translator:
            raise ValueError("The model must be whole. Received: half of one")

        told = threading.Event()
        room = Room(lambda: single(load), failed=told.set)
        with TestClient(room.application()) as client:
            assert told.wait(10)
            assert client.get("/").status_code == 503
        assert "half of one" in str(room.failure)

    def test_a_model_that_does_not_load_ends_the_server(self) -> None:
        def load() -> web_standin.Translator:
            raise ValueError("The model must be whole. Received: half of one")

        with pytest.raises(ValueError, match="half of one"):
            service.run(lambda: single(load), port=0)


@needs_gradio
class TestServer:
    def test_health_comes_first_and_the_page_follows(self, server: Server) -> None:
        assert json.loads(server.get("/healthz")[1])["status"] == "ok"
        status, page = server.get("/")
        assert status == 200
        assert "English to German" in page

    def test_the_page_names_no_other_host(self, server: Server) -> None:
        page = server.get("/")[1] + server.get("/theme.css")[1]
        hosts = set(re.findall(r"https?://([^\s\"'`<>()/\\]+)", page))
        assert hosts <= {f"127.0.0.1:{server.port}", "www.w3.org"}  # the latter names SVG, and is not called

    @pytest.mark.parametrize(
        "path", ["/gradio_api/upload", "/gradio_api/file=/etc/hostname", "/gradio_api/proxy=x", "/monitoring", "/docs"]
    )
    def test_doors_that_the_page_does_not_need_are_shut(self, server: Server, path: str) -> None:
        assert server.get(path)[0] == 404

    def test_a_request_that_is_too_large_is_refused(self, server: Server) -> None:
        status, sentence = server.get("/gradio_api/queue/join", b"x" * (limits.MAX_BODY + 1))
        assert (status, sentence) == (413, "A request must be at most 262,144 bytes long.\n")

    def test_the_queue_cannot_be_passed_by(self, server: Server) -> None:
        assert server.get("/gradio_api/run/translate", b'{"data": ["a", "beam", 5, 1]}')[0] == 404

    def test_the_browser_may_call_this_server_alone(self, server: Server) -> None:
        with urllib.request.urlopen(server.url) as answer:
            policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self' 'sha256-")
        assert "unsafe" not in policy.replace("style-src-attr 'unsafe-inline'", "")


@pytest.fixture(scope="module")
def client(server: Server) -> SimpleNamespace:
    gradio_client = pytest.importorskip("gradio_client")
    return gradio_client.Client(server.url, verbose=False, analytics_enabled=False)


@needs_gradio
class TestApi:
    def test_translates(self, client: SimpleNamespace) -> None:
        answer = client.predict("The key", "beam", 3, 1.0, api_name="/translate")
        assert answer["text"] == "der Schlüssel"
        assert answer["engine"] == "litert-int8"
        assert [h["text"] for h in answer["hypotheses"]] == ["der Schlüssel", "der Schlüssel (1)", "der Schlüssel (2)"]

    def test_only_the_text_is_needed(self, client: SimpleNamespace) -> None:
        assert len(client.predict("The key", api_name="/translate")["hypotheses"]) == 5
        assert len(client.predict(text="The key", search="greedy", api_name="/translate")["hypotheses"]) == 1

    def test_it_is_the_only_door(self, client: SimpleNamespace) -> None:
        assert list(client.view_api(return_format="dict")["named_endpoints"]) == ["/translate"]

    @pytest.mark.parametrize("text", ["", " \n", "a\0b", "😀", "שלום", "x" * 5000, "<script>alert(1)</script>"])
    def test_any_text_is_answered(self, client: SimpleNamespace, text: str) -> None:
        assert isinstance(client.predict(text, api_name="/translate")["text"], str)

    def test_plain_http_does_as_well_and_half_a_character_is_no_harm(self, server: Server) -> None:
        status, body = server.get("/gradio_api/call/translate", b'{"data": ["key \\ud800", "beam", 2, 1]}')
        assert status == 200, body
        events = server.get(f"/gradio_api/call/translate/{json.loads(body)['event_id']}")[1]
        assert "event: complete" in events, events

    def test_a_call_with_too_few_values_is_a_sentence_that_quotes_nothing(self, server: Server) -> None:
        _, body = server.get("/gradio_api/call/translate", b'{"data": ["very private"]}')
        events = server.get(f"/gradio_api/call/translate/{json.loads(body)['event_id']}")[1]
        assert "A call must have 4 values, as /gradio_api/info says. Received: 1" in events
        assert "private" not in events

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (("x" * 5001,), "The text must be at most 5,000 characters long. Received: 5,001 characters"),
            (("x", "wide"), "The search must be one of beam, greedy. Received: 'wide'"),
            (("x", "beam", 64), "The beam size must be a whole number from 2 to 10. Received: 64"),
            (("explode",), "Something went wrong on the server, and its log says what; please try another text."),
        ],
    )
    def test_a_mistake_is_one_sentence(self, client: SimpleNamespace, arguments: tuple, sentence: str) -> None:
        with pytest.raises(Exception, match=re.escape(sentence)):
            client.predict(*arguments, api_name="/translate")


@needs_gradio
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_sigterm_lets_a_translation_in_flight_finish_and_ends_with_zero() -> None:
    gradio_client = pytest.importorskip("gradio_client")
    server = Server()
    try:
        server.wait()
        client = gradio_client.Client(server.url, verbose=False, analytics_enabled=False)
        page = f"{server.url}/gradio_api/heartbeat/{client.session_hash}"
        with urllib.request.urlopen(page, timeout=60) as open_page:
            assert open_page.readline() == b"data: ALIVE\n"
            job = client.submit("the key slowly", api_name="/translate")
            assert "translating slowly\n" in iter(server.process.stderr.readline, "")
            started = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - started < service.GRACE
        assert job.result(timeout=5)["text"] == "der Schlüssel slowly"
    finally:
        server.process.kill()
    assert "Traceback" not in server.error


@needs_gradio
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_an_open_page_does_not_keep_the_server_from_ending() -> None:
    server = Server()
    try:
        server.wait()
        with urllib.request.urlopen(server.url + "/gradio_api/heartbeat/someone", timeout=60) as open_page:
            assert open_page.readline() == b"data: ALIVE\n"
            started = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - started < service.GRACE - 5
    finally:
        server.process.kill()
    assert server.error.count("\n") == 1  # what it listens on, and nothing else


@needs_gradio
def test_app_py_serves_the_model_that_ships(root: Path) -> None:
    gradio_client = pytest.importorskip("gradio_client")
    try:
        service.pretrained()
    except service.ServiceError:
        pytest.skip("no model ships yet")
    server = Server(str(root / "app.py"))
    try:
        server.wait()
        client = gradio_client.Client(server.url, verbose=False, analytics_enabled=False)
        assert "Hund" in client.predict("The dog is sleeping.", api_name="/translate")["text"]
    finally:
        assert server.stop() == 0


class TestAppPy:
    @staticmethod
    def run(root: Path, *arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, str(root / "app.py"), *arguments], capture_output=True, text=True, timeout=120
        )
        return done.returncode, done.stderr

    @needs_gradio
    def test_a_taken_port_is_one_sentence_and_code_1(self, root: Path, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            code, said = self.run(root, str(tmp_path), "--port", str(taken.getsockname()[1]))
        assert code == 1
        assert "with a free port. Received: 127.0.0.1" in said
        assert said.count("\n") == 1

    @needs_gradio
    def test_a_folder_that_is_no_model_is_one_sentence_and_code_4(self, root: Path, tmp_path: Path) -> None:
        code, said = self.run(root, str(tmp_path), "--port", "0")
        assert code == 4
        assert "Traceback" not in said
