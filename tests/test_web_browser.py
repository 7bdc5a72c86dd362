"""The whole page, Gradio around it, in a real browser: typing, keys, hostile text, a phone, files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from web_server import Server, running
from web_visit import Visit, launched, playwright

pytestmark = pytest.mark.slow
PAYLOADS = [
    "<img src=x onerror=\"document.title='run'\">",
    "<script>document.title='run'</script>",
    "${document.title='run'}",
    "`${(document.title='run')}`",
    "{{#with this}}{{constructor.constructor \"document.title='run'\"}}{{/with}}",
    "</script><svg onload=document.title='run'>",
    "[x](javascript:document.title='run')",
]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    yield from running()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    yield from launched()


@pytest.fixture(scope="module")
def context(browser: Any) -> Any:
    """One for all visits, so that only the first of them fetches what the page is made of."""
    return browser.new_context(
        permissions=["clipboard-read", "clipboard-write"], viewport={"width": 1280, "height": 900}
    )


@pytest.fixture
def visit(context: Any, server: Server) -> Iterator[Visit]:
    visit = Visit(context, server)
    yield visit
    visit.leave()


def test_translates_while_typing_and_the_latest_text_wins(visit: Visit) -> None:
    visit.source.press_sequentially("Where is the key", delay=15)
    visit.shows("wo ist der Schlüssel")
    playwright.expect(visit.page.locator(".count")).to_have_text("16 / 5,000")
    playwright.expect(visit.page.locator(".facts")).to_contain_text("LiteRT, 8-bit weights")
    playwright.expect(visit.page.locator(".facts")).to_contain_text("84% sure")
    visit.source.fill("")
    visit.shows("")
    playwright.expect(visit.page.locator("#result .card")).to_have_count(0)


def test_a_slow_answer_never_overwrites_a_later_text(visit: Visit) -> None:
    visit.type("slowly")
    visit.page.wait_for_timeout(600)
    visit.source.fill("the key")
    visit.shows("der Schlüssel")
    visit.page.wait_for_timeout(1500)
    visit.shows("der Schlüssel")


def test_greedy_beam_and_the_list_of_the_best(visit: Visit) -> None:
    visit.type("the key")
    rows = visit.page.locator(".candidates tbody tr")
    playwright.expect(rows).to_have_count(5)
    playwright.expect(rows.nth(1)).to_contain_text("−1.10")
    visit.page.get_by_label("Beam size").fill("3")
    playwright.expect(rows).to_have_count(3)
    visit.page.get_by_text("Greedy", exact=True).click()
    playwright.expect(rows).to_have_count(1)
    playwright.expect(visit.page.get_by_label("Beam size")).to_be_disabled()


def test_keys_buttons_examples_and_the_clipboard(visit: Visit) -> None:
    visit.page.get_by_role("button", name="Where is the nearest train station?").click()
    visit.shows("wo ist der nächste Zug Bahnhof?")
    visit.page.locator("#target").get_by_role("button", name="Copy").click()
    assert visit.page.evaluate("navigator.clipboard.readText()") == "wo ist der nächste Zug Bahnhof?"
    with visit.page.expect_request(lambda request: "v1/translate" in request.url):
        visit.source.press("Control+Enter")
    assert visit.source.input_value() == "Where is the nearest train station?"


def test_a_sentence_of_several_can_be_looked_into(visit: Visit) -> None:
    visit.type("He has lost the key. Can you help us?")
    visit.page.get_by_role("button", name="Can you help us?", exact=True).click()
    playwright.expect(visit.page.locator(".candidates .best .text")).to_have_text("können Sie helfen uns?")


def test_mistakes_and_warnings_are_sentences_in_the_page(visit: Visit) -> None:
    visit.type("x" * 5001)
    playwright.expect(visit.page.locator(".status .error")).to_have_text(
        "The text must be at most 5,000 characters long. Received: 5,001 characters"
    )
    playwright.expect(visit.page.locator(".count")).to_have_class("count over")
    visit.source.fill("")
    visit.shows("")
    visit.source.fill("explode")
    playwright.expect(visit.page.locator(".status .error")).to_contain_text("Something went wrong on the server")
    assert "secret" not in visit.page.content()
    visit.troubles.clear()  # the browser's console names a request that failed
    visit.source.fill("endless")
    playwright.expect(visit.page.locator(".status .warning")).to_contain_text("was split")
    playwright.expect(visit.page.locator(".status .error")).to_have_count(0)


def test_a_text_that_is_too_large_for_a_request_is_told_so_as_well(visit: Visit) -> None:
    visit.source.fill("x" * 1_000_000)
    playwright.expect(visit.page.locator(".status .error")).to_contain_text("Received: 1,000,000 characters")
    visit.source.fill("the key")
    visit.shows("der Schlüssel")
    playwright.expect(visit.page.locator(".status .error")).to_have_count(0)


def test_the_translation_can_be_reached_and_selected_but_not_changed(visit: Visit) -> None:
    visit.type("the key")
    visit.shows("der Schlüssel")
    playwright.expect(visit.target).to_be_enabled()
    playwright.expect(visit.target).to_have_attribute("readonly", "")
    playwright.expect(visit.target).to_have_accessible_name("German")
    playwright.expect(visit.source).to_have_accessible_name("English")
    playwright.expect(visit.target).to_have_css("opacity", "1")


def test_hostile_text_is_shown_and_not_run(visit: Visit) -> None:
    title = visit.page.title()
    for payload in PAYLOADS:
        visit.source.fill(f"{payload} and again {payload}")
        visit.shows(f"{payload} and again {payload}")
        visit.page.locator(".studio svg.ribbons").hover()
        visit.page.wait_for_timeout(100)
        assert visit.page.title() == title, payload
        assert visit.page.locator("#result :is(img, script, a), #target img, #status img").count() == 0


def test_a_phone_is_wide_enough(browser: Any, server: Server) -> None:
    phone = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    visit = Visit(phone, server)
    visit.type("She said that she would come tomorrow if it did not rain, and we believed her. Is she here?")
    visit.page.locator(".studio svg.ribbons").wait_for()
    assert visit.page.evaluate("document.documentElement.scrollWidth") == 390
    boxes = [pane.bounding_box() for pane in visit.page.locator("#panes .pane").all()]
    assert boxes[1]["y"] >= boxes[0]["y"] + boxes[0]["height"]
    visit.leave()


def test_dark_is_dark(browser: Any, server: Server) -> None:
    visit = Visit(browser.new_context(color_scheme="dark"), server)
    visit.type("the key")
    visit.page.locator(".card").first.wait_for()
    light = "element => getComputedStyle(element).backgroundColor.match(/\\d+/g).slice(0, 3).every(v => v < 60)"
    assert visit.page.locator("body").evaluate(light)
    assert visit.page.locator(".card").first.evaluate(light)
    visit.leave()


def test_the_labels_are_german_in_a_german_browser_and_files_come_back(browser: Any, server: Server) -> None:
    visit = Visit(browser.new_context(locale="de-DE"), server)
    visit.page.locator("#files input[type=file]").set_input_files(
        [{"name": "worte.txt", "mimeType": "text/plain", "buffer": b"the key\n"}]
    )
    with visit.page.expect_download() as found:
        visit.page.get_by_role("link", name="worte.de.txt herunterladen").click()
    assert Path(found.value.path()).read_text() == "der Schlüssel\n"
    visit.type("the key")
    visit.shows("der Schlüssel")
    playwright.expect(visit.page).to_have_title("Englisch – Deutsch · seq2seq")
    playwright.expect(visit.page.locator("html")).to_have_attribute("lang", "de")
    visit.leave()


def test_the_page_runs_its_own_scripts_and_no_other(visit: Visit) -> None:
    told = visit.page.request.get(visit.page.url).headers["content-security-policy"]
    assert "unsafe-eval" not in told and "script-src 'self' 'sha256-" in told
    visit.page.evaluate(
        """() => {
            window.refused = [];
            document.addEventListener("securitypolicyviolation", (e) => window.refused.push(e.effectiveDirective));
            const inline = document.createElement("script"), other = document.createElement("script");
            inline.textContent = "document.title = 'run'";
            other.src = "https://other.example/x.js";
            const button = document.createElement("button");
            button.setAttribute("onclick", "document.title = 'run'");
            document.head.append(inline, other);
            button.click();
            const style = document.createElement("style");
            style.textContent = "body { display: none }";
            document.head.append(style);
        }"""
    )
    refused = "window.refused.length >= 4"
    visit.page.wait_for_function(refused)
    found = visit.page.evaluate("window.refused")
    assert sorted(found) == ["script-src-attr", "script-src-elem", "script-src-elem", "style-src-elem"]
    assert visit.page.title() != "run"
    assert visit.page.locator("body").is_visible()
    visit.troubles.clear()  # the browser's console names what was refused


def test_with_tokens_and_two_workers_the_page_opens_by_a_form(browser: Any, root: Path, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("a-token-of-this-test\n")
    for server in running(str(root / "app.py"), "--token-file", str(tmp_path / "tokens"), "--workers", "2"):
        context = browser.new_context()
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(server.url)
        page.get_by_label("Token").fill("a-token-of-others-00")
        page.get_by_role("button", name="Open").click()
        playwright.expect(page.get_by_role("alert")).to_have_text("This token is not known.")
        page.get_by_label("Token").fill("a-token-of-this-test")
        page.get_by_role("button", name="Open").click()
        page.locator("#source textarea").wait_for()
        (cookie,) = context.cookies()
        assert cookie["httpOnly"] and cookie["sameSite"] == "Strict" and page.evaluate("document.cookie") == ""
        page.close()
        visit = Visit(context, server)
        visit.type("The dog is sleeping.")
        playwright.expect(visit.target).not_to_have_value("", timeout=60_000)
        visit.page.locator("#result .card").first.wait_for()
        visit.leave()
        context.close()
