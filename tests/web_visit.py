"""A page of the app in a real browser, with everything that went wrong on it; for the tests that look at one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from web_server import Server

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("gradio", reason="the extra `app` is not installed")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    pytest.skip("Chromium is not installed", allow_module_level=True)

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


playwright.expect.set_options(timeout=20_000)


def launched() -> Iterator[Any]:
    """The body of a fixture: Chromium."""
    with playwright.sync_playwright() as driver:
        try:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        except playwright.Error as error:
            pytest.skip(f"Chromium does not start: {str(error).splitlines()[0]}")
        yield browser
        browser.close()


def troubles(page: Any, home: str) -> list[str]:
    """What goes wrong on the page from now on; it grows."""
    seen: list[str] = []

    def elsewhere(url: str) -> None:
        if not url.startswith((home + "/", "data:", "blob:")):
            seen.append(f"a request to {url}")

    page.on("console", lambda m: m.type in ("error", "warning") and seen.append(m.text))
    page.on("pageerror", lambda e: seen.append(str(e)))
    page.on("dialog", lambda d: (seen.append(f"ran {d.message}"), d.dismiss()))
    page.on("request", lambda r: elsewhere(r.url))
    return seen


class Visit:
    """One page, with everything that went wrong on it."""

    def __init__(self, context: Any, server: Server) -> None:
        self.page = context.new_page()
        self.page.set_default_timeout(60_000)
        self.troubles = troubles(self.page, server.url)
        self.page.on("response", lambda r: r.status >= 400 and self.troubles.append(f"{r.status} {r.url}"))
        self.source = self.page.locator("#source textarea")
        self.target = self.page.locator("#target textarea")
        self.go(server)

    def go(self, server: Server) -> None:
        self.page.goto(server.url)
        self.source.wait_for()

    def type(self, text: str) -> None:
        self.source.click()
        self.page.keyboard.insert_text(text)

    def shows(self, text: str) -> None:
        playwright.expect(self.target).to_have_value(text, timeout=60_000)

    def leave(self) -> None:
        self.page.close()
        assert self.troubles == []
