"""The server with the model that ships, under load: many at once, for long, with marked texts, stopped and killed."""

from __future__ import annotations

import json
import random
import re
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest

pytest.importorskip("gradio", reason="the extra `app` is not installed")
if not Path("/proc/self/status").exists():
    pytest.skip("this system has no /proc to measure a process by", allow_module_level=True)

from robust import BROKEN, REFUSED, Held, ask, await_ready, held, quantile, serving
from web_server import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

SENTENCES = (Path(__file__).parents[1] / "data" / "sample.en").read_text(encoding="utf-8").splitlines()
ODD = ["", " ", "x" * 6000, "漢字 " * 40, "\u202e<script>", "http://a.example " * 20, "\ud83d\ude00" * 30]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


def translated(server: Server, text: str) -> tuple[int, str]:
    return ask(server, "/v1/translate", {"text": text})


def by_gradio(server: Server, text: str) -> tuple[int, str]:
    code, said = ask(server, "/gradio_api/call/translate", {"data": [text, "beam", 2, 1.0]})
    return ask(server, f"/gradio_api/call/translate/{json.loads(said)['event_id']}") if code == 200 else (code, said)


def request(server: Server, draw: random.Random) -> tuple[int, str]:
    """One of all that a server is asked for: texts of every length, explanations, files, mistakes."""
    texts = [" ".join(draw.choices(SENTENCES, k=draw.choice((1, 1, 1, 2, 4, 12)))) for _ in range(5)]
    kinds: list[Callable[[], tuple[int, str]]] = [
        lambda: translated(server, texts[0]),
        lambda: translated(server, texts[1]),
        lambda: ask(server, "/v1/translate", {"text": texts, "n_best": 3}),
        lambda: ask(server, "/v1/explain", {"text": draw.choice(SENTENCES), "beam": True}),
        lambda: ask(server, "/v1/documents?name=a.txt", texts[0].encode()),
        lambda: by_gradio(server, texts[0]),
        lambda: by_gradio(server, ""),
        lambda: translated(server, draw.choice(ODD)),
        lambda: ask(server, "/v1/translate", b'{"text": '),
        lambda: ask(server, draw.choice(("/", "/metrics", "/v1/models", "/none"))),
    ]
    return draw.choice(kinds)()


PROBE = """
import http.client, sys, time
while True:
    begun = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=60)
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    connection.close()
    print(time.monotonic() - begun, flush=True)
    time.sleep(0.05)
"""


def test_many_clients_are_answered_or_told_to_come_again(server: Server, full: bool) -> None:
    clients, turns = (200, 5) if full else (60, 2)
    seconds, codes = list[float](), Counter[int]()

    def client(number: int) -> None:
        for turn in range(turns):
            begun = time.monotonic()
            code, said = translated(server, SENTENCES[(turns * number + turn) % len(SENTENCES)])
            seconds.append(time.monotonic() - begun)
            codes[code] += 1
            assert code in (200, 503), (code, said)

    probe = subprocess.Popen([sys.executable, "-c", PROBE, str(server.port)], stdout=subprocess.PIPE, text=True)
    try:
        with ThreadPoolExecutor(clients) as threads:
            list(threads.map(client, range(clients)))
    finally:
        probe.kill()
    health = [float(line) for line in probe.communicate()[0].splitlines()]
    told = {f"p{share}": round(1000 * quantile(seconds, share / 100)) for share in (50, 99)}
    told |= {f"healthz p{share}": round(1000 * quantile(health, share / 100)) for share in (50, 99)}
    print(f"{clients} clients x {turns}: {dict(codes)}, milliseconds {told}")
    assert sum(codes.values()) == clients * turns and codes[200] >= clients * turns // 4
    assert quantile(health, 0.5) < 0.1


def test_nobody_sees_the_mark_of_another(server: Server, full: bool) -> None:
    """A mark is an address, which a translation keeps to the letter."""
    sessions, turns = (50, 4) if full else (16, 1)
    patience = time.monotonic() + 3000

    def doors(text: str) -> list[Callable[[], tuple[int, str]]]:
        return [
            lambda: translated(server, text),
            lambda: ask(server, "/v1/translate", {"text": [text, "The key.", text], "n_best": 2}),
            lambda: ask(server, "/v1/explain", {"text": text}),
            lambda: ask(server, f"/v1/documents?name={quote('a.txt')}", f"{text}\n".encode() * 3),
            lambda: by_gradio(server, text),
        ]

    def refused(code: int, said: str) -> bool:
        """Told to come again; Gradio says so in a stream that has begun well."""
        return code == 503 or (code == 200 and said.startswith("event: error") and "again in a moment" in said)

    def session(number: int) -> int:
        seen = 0
        for turn in range(turns):
            mark = f"http://m{number}-{turn}.example"
            for door in doors(f"{SENTENCES[number]} {mark} is here."):
                while refused(*(answer := door())):
                    assert time.monotonic() < patience
                    time.sleep(0.5 + 0.01 * number)
                code, said = answer
                assert code == 200, (code, said)
                found = re.findall(r"http://m\d+-\d+\.example", said)
                assert found and set(found) == {mark}, (mark, said)
                seen += len(found)
        return seen

    with ThreadPoolExecutor(sessions) as threads:
        seen = list(threads.map(session, range(sessions)))
    print(f"{sessions} sessions, {5 * turns * sessions} answers, {sum(seen)} own marks, 0 foreign ones")


def test_it_holds_no_more_after_thousands_of_requests(full: bool) -> None:
    lasting, count = (600, 5000) if full else (20, 400)
    limit, more = (5, 0) if full else (10, 4)  # 480 requests neither end the warm-up nor fill every pool of threads
    with serving() as server, ThreadPoolExecutor(8) as threads:
        draws, codes = [random.Random(number) for number in range(8)], Counter[int]()

        def send(many: int, seconds: float) -> list[Held]:
            begun, seen = time.monotonic(), list[Held]()
            for sent in range(0, many, 8):
                for code, said in threads.map(request, [server] * 8, draws):
                    assert code in (200, 404, 422, 503), (code, said)
                    codes[code] += 1
                time.sleep(max(0.0, begun + seconds * sent / many - time.monotonic()))
                seen.append(held(server.process.pid))
            return seen

        send(count // 5, 0)  # until every thread has its interpreter, and met the longest of texts
        codes.clear()
        begun = time.monotonic()
        seen = send(count, lasting)
        took = time.monotonic() - begun
        tenth = max(1, len(seen) // 10)
        part = tenth if full else len(seen) // 3  # what is held goes up and down by a twentieth
        before, after = (statistics.median(each.bytes for each in some) for some in (seen[:part], seen[-part:]))
        drift = 100 * (after / before - 1)
        assert server.process.poll() is None
    print(
        f"{sum(codes.values())} requests in {took:.0f} s: {dict(codes)}; memory {before / 2**20:.0f} to "
        f"{after / 2**20:.0f} MB ({drift:+.1f} %), threads {seen[0].threads} to {seen[-1].threads}, "
        f"handles {seen[0].handles} to {seen[-1].handles}"
    )
    assert drift < limit
    for name in ("threads", "handles"):
        numbers = [getattr(each, name) for each in seen]
        assert statistics.median(numbers[-tenth:]) <= max(numbers[: len(seen) // 2]) + more, name


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_a_stop_answers_or_refuses_all_that_are_in_flight() -> None:
    with serving() as server, ThreadPoolExecutor(20) as threads:
        texts = [" ".join((str(number), *SENTENCES[: 3 * number + 3]))[:4900] for number in range(20)]
        going = [threads.submit(translated, server, text) for text in texts]
        while not re.search(r"^seq2seq_queue (1\d|20)", ask(server, "/metrics")[1], re.MULTILINE):
            time.sleep(0.01)
            assert not all(each.done() for each in going)
        server.tell()
        codes = Counter(each.result()[0] for each in going)
        code, said = server.stop(), server.error
    print(f"20 in flight: {dict(codes)}")
    assert code == 0 and "Traceback" not in said, said
    assert set(codes) <= {200, 503, REFUSED} and BROKEN not in codes and codes[200] >= 4


def test_killed_it_is_ready_again_soon(full: bool) -> None:
    seconds = []
    for _ in range(5 if full else 1):
        with serving() as server:
            assert translated(server, "The key.")[0] == 200
            server.process.send_signal(signal.SIGKILL)
            server.process.wait()
        begun = time.monotonic()
        again = Server("-m", "seq2seq", "serve")
        try:
            await_ready(again)
            seconds.append(time.monotonic() - begun)
            assert translated(again, "The key.")[0] == 200
        finally:
            again.process.kill()
            again.process.communicate()
    print(f"ready after {', '.join(f'{each:.1f}' for each in seconds)} s")
    assert statistics.median(seconds) < 5
