"""How quick the page is for the one who uses it: start, key presses, panels, in headless Chromium.

    python benchmarks/page.py

The app is started in a process of its own with the model that ships. Three figures, each beside what it should be:
seconds from the start of the process to the first translation on the screen; milliseconds from a key press at the end
of a sentence of 20 words to its new translation; milliseconds to draw each panel for a sentence of about 60 pieces. The
command ends with 1 where a figure is beyond its limit.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

FIRST, KEY, PANEL = 5.0, 100.0, 200.0
"""Seconds to the first translation; milliseconds of a key press and of a panel."""
SENTENCE = (
    "When the rain finally stopped in the evening, the children ran into the garden and looked for the little grey cat"
)
LONG = (
    f"{SENTENCE}, but it had gone to sleep under the old table in the kitchen, where it was warm and dry, and did not "
    "want to come out before the next morning, although they called it again and again until it was quite dark"
)
PANELS = ("attention", "confidence", "memory", "beam", "influence")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")

TYPE = """async (letter) => {
    const source = document.querySelector("#source textarea"), facts = document.querySelector(".facts");
    const shown = new Promise((done) => {
        const watch = new MutationObserver(() => {
            watch.disconnect();
            requestAnimationFrame(() => done(performance.now()));
        });
        watch.observe(facts, { childList: true, characterData: true, subtree: true });
    });
    const pressed = performance.now();
    source.value += letter;
    source.dispatchEvent(new Event("input", { bubbles: true }));
    return (await shown) - pressed;
}"""


@contextmanager
def app(model: list[str]) -> Iterator[tuple[str, float]]:
    """The address of the app, and when it was started."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    started = time.perf_counter()
    command = [sys.executable, "-m", "seq2seq", "serve", *model, "--port", str(port)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}", started
    finally:
        process.terminate()
        process.wait(30)


def listening(url: str) -> None:
    """Waits until the server answers."""
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{url}/healthz", timeout=60).close()
            return
        except urllib.error.URLError:
            time.sleep(0.02)
    raise TimeoutError(f"The app must answer within a minute. Received: silence at {url}")


def first(page: Any, url: str, started: float) -> float:
    """Seconds from the start of the server to the first translation."""
    listening(url)
    page.goto(url)
    page.locator("#source textarea").fill(SENTENCE)
    page.wait_for_function('document.querySelector("#target textarea").value.length > 20')
    return time.perf_counter() - started


def keys(page: Any, times: int) -> list[float]:
    """Milliseconds of each key press; a pause between them, as of one who types."""
    taken = []
    for number in range(times + 3):
        letter = " in the house and in the garden"[number % 31]
        taken.append(page.evaluate(TYPE, letter))
        time.sleep(0.4)
    return taken[3:]


def panels(page: Any) -> dict[str, float]:
    """Milliseconds to draw each panel of a sentence of about 60 pieces, the best of three."""
    page.locator("#source textarea").fill(LONG)
    page.wait_for_function('document.querySelector("#target textarea").value.length > 150')
    found: dict[str, float] = {}
    for key in PANELS * 3:
        page.evaluate("delete document.querySelector('#studio-panel').dataset.milliseconds")
        page.locator(f"#tab-{key}").click()
        page.wait_for_function("document.querySelector('#studio-panel').dataset.milliseconds > 0")
        taken = float(page.locator("#studio-panel").get_attribute("data-milliseconds"))
        found[key] = min(taken, found.get(key, taken))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="*", default=[], help="model folders; default: the one that ships")
    parser.add_argument("--keys", type=int, default=30, help="key presses")
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=list(FLAGS))
        page = browser.new_page(bypass_csp=True)  # for the conditions that are waited for, which are evaluated
        with app(arguments.model) as (url, started):
            rows = [("first translation, s", first(page, url, started), FIRST)]
            taken = keys(page, arguments.keys)
            rows.append(("a key press, ms, median", statistics.median(taken), KEY))
            rows += [(f"the panel {name}, ms", value, PANEL) for name, value in panels(page).items()]
        browser.close()
    print("| | seen | limit |\n|---|---|---|")
    for name, value, limit in rows:
        print(f"| {name} | {value:,.1f} | {limit:,.0f} |")
    print(f"\nkey presses: {len(taken)}, of them within {KEY:.0f} ms {sum(each <= KEY for each in taken)}")
    if late := [name for name, value, limit in rows if value > limit]:
        sys.exit(f"beyond the limit: {', '.join(late)}")


if __name__ == "__main__":
    main()
