"""The translator in a real browser: models, stopping, corrections, files, the session, languages, keys, a phone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import web_shelf
from injections import PAYLOADS
from web_visit import Visit, launched, playwright

from seq2seq.web import words

pytestmark = pytest.mark.slow
expect = playwright.expect
AXE = Path(os.environ.get("AXE") or "node_modules/axe-core/axe.min.js")
PANELS = ("attention", "confidence", "memory", "beam", "whatif", "influence")
WIDTH = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    yield from web_shelf.serving(tmp_path_factory.mktemp("memory") / "memory.db")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    yield from launched()


@pytest.fixture(scope="module")
def shared(browser: Any, server: Any) -> Iterator[Visit]:
    visit = Visit(browser.new_context(viewport=WIDTH, locale="en-US", color_scheme="light"), server)
    yield visit
    visit.leave()


@pytest.fixture
def visit(shared: Visit) -> Iterator[Visit]:
    """The shared page, as empty as it was."""
    shared.source.fill("")
    if shared.page.locator("#model").input_value() != "en-de":
        shared.page.locator("#model").select_option("en-de")
    yield shared
    assert shared.troubles == []


def sent(visit: Visit, path: str = "v1/translate") -> Any:
    return visit.page.expect_request(lambda request: path in request.url)


def saved(visit: Visit, name: str) -> str:
    with visit.page.expect_download() as found:
        visit.page.locator("#session").get_by_role("button", name=name).click()
    return Path(found.value.path()).read_text()


class TestLive:
    def test_what_is_overtaken_is_hung_up_on(self, visit: Visit) -> None:
        with visit.page.expect_event("requestfailed", lambda request: "v1/translate" in request.url):
            with sent(visit):
                visit.source.fill("slowly")
            visit.source.fill("the key")
        visit.shows("der Schlüssel")
        visit.page.wait_for_timeout(1200)
        visit.shows("der Schlüssel")

    def test_escape_stops(self, visit: Visit) -> None:
        visit.source.fill("the train slowly")
        visit.page.locator("#stop").wait_for()
        visit.page.keyboard.press("Escape")
        expect(visit.page.locator(".status .notes")).to_have_text("Stopped.")
        expect(visit.page.locator("#stop")).to_be_hidden()
        visit.page.wait_for_timeout(1200)
        visit.shows("")

    def test_translates_when_asked_alone_if_one_wants_that(self, visit: Visit) -> None:
        visit.page.get_by_label("As I type").uncheck()
        asked: list[Any] = []
        visit.page.on("request", lambda request: "v1/translate" in request.url and asked.append(request))
        visit.source.fill("the key")
        visit.page.wait_for_timeout(400)
        assert not asked
        visit.source.press("Control+Enter")
        visit.shows("der Schlüssel")
        assert asked[0].post_data_json == {
            "text": "the key", "model": "en-de", "search": {"beam": 5, "length_penalty": 1}, "n_best": 5,
        }  # fmt: skip
        visit.page.get_by_label("As I type").check()

    def test_clear_empties_both_panes_and_gives_the_focus_back(self, visit: Visit) -> None:
        visit.source.fill("the key 😀")
        expect(visit.page.locator(".count")).to_have_text("9 / 5,000")
        visit.shows("der Schlüssel 😀")
        visit.page.get_by_role("button", name="Clear").click()
        visit.shows("")
        expect(visit.source).to_be_focused()
        expect(visit.page.locator("#copy")).to_be_hidden()

    def test_told_to_come_again_it_comes_again(self, visit: Visit) -> None:
        busy = {"status": 429, "headers": {"retry-after": "1"}, "json": {"error": {"message": "Too many."}}}
        visit.page.route("**/v1/translate", lambda route: route.fulfill(**busy), times=1)
        visit.source.fill("the key")
        expect(visit.page.locator(".status .error")).to_have_text("Too many.")
        visit.shows("der Schlüssel")
        expect(visit.page.locator(".status .error")).to_have_count(0)
        visit.troubles.clear()  # the console names the request that failed

    def test_what_failed_below_the_translation_comes_with_it_again(self, visit: Visit) -> None:
        visit.page.route("**/v1/explain", lambda route: route.abort(), times=1)
        visit.source.fill("the station")
        expect(visit.page.locator(".studio .notes .error")).to_have_count(1)
        visit.troubles.clear()  # the console names the request that failed
        visit.source.press("Control+Enter")
        visit.page.locator(".studio .body:not([aria-busy]) > *").first.wait_for()
        expect(visit.page.locator(".studio .notes .error")).to_have_count(0)

    def test_nothing_but_the_same_is_wholly_the_same(self, visit: Visit) -> None:
        assert visit.page.evaluate("[0.994, 0.996, 0.999, 1].map(seq2seq.parts)") == ["99%", "99%", "99%", "100%"]

    def test_a_server_that_is_silent_is_a_sentence(self, visit: Visit) -> None:
        visit.page.route("**/v1/translate", lambda route: route.abort())
        visit.source.fill("the key")
        expect(visit.page.locator(".status .error")).to_have_text("The server does not answer. Please try again.")
        visit.page.unroute("**/v1/translate")
        visit.troubles.clear()  # the console names the request that failed
        visit.page.get_by_role("button", name="Translate", exact=True).click()
        visit.shows("der Schlüssel")


class TestModels:
    def test_swapping_takes_the_translation_along(self, visit: Visit) -> None:
        visit.source.fill("the key")
        visit.shows("der Schlüssel")
        visit.page.get_by_role("button", name="Swap languages").click()
        expect(visit.source).to_have_value("der Schlüssel")
        expect(visit.source).to_have_accessible_name("German")
        expect(visit.target).to_have_accessible_name("English")
        expect(visit.page.locator("#model")).to_have_value("de-en")
        expect(visit.page.locator("h1")).to_have_text("German to →English")
        expect(visit.page.get_by_role("button", name="Swap languages")).to_be_focused()
        visit.shows("der Schlüssel")  # the stand-in knows no German word

    def test_swapping_keeps_what_is_not_translated_yet(self, visit: Visit) -> None:
        visit.source.fill("the key")
        visit.shows("der Schlüssel")
        visit.page.get_by_label("As I type").uncheck()
        visit.source.fill("the station")
        visit.page.get_by_role("button", name="Swap languages").click()
        expect(visit.source).to_have_value("the station")
        visit.page.get_by_label("As I type").check()

    def test_arabic_is_written_from_the_right_and_has_no_way_back_here(self, visit: Visit) -> None:
        visit.page.locator("#model").select_option("ar-en")
        expect(visit.page.get_by_role("button", name="Swap languages")).to_be_disabled()
        assert visit.source.evaluate("box => getComputedStyle(box).direction") == "rtl"
        visit.source.fill("أين المفتاح")
        visit.shows("أين المفتاح")
        for box in (visit.source, visit.target):
            assert box.evaluate("box => getComputedStyle(box).direction") == "rtl"
        visit.source.fill("the key")
        visit.shows("der Schlüssel")
        assert visit.target.evaluate("box => getComputedStyle(box).direction") == "ltr"


def corrected(visit: Visit, source: str, target: str) -> None:
    """A correction that is remembered."""
    visit.source.fill(source)
    visit.page.get_by_role("button", name="Correct", exact=True).click()
    visit.target.fill(target)
    visit.page.get_by_role("button", name="Keep").click()
    expect(visit.page.locator(".found .kind")).to_have_text("Your correction")


class TestCorrections:
    def test_a_correction_is_kept_shown_as_such_and_forgotten(self, visit: Visit) -> None:
        visit.source.fill("He has lost the key that I gave him.")
        visit.page.get_by_role("button", name="Correct", exact=True).click()
        expect(visit.target).to_be_focused()
        visit.target.fill("Er hat meinen Schlüssel verloren.")
        visit.page.get_by_role("button", name="Keep").click()
        expect(visit.page.locator(".found h3")).to_have_text("From your corrections")
        expect(visit.page.locator(".status .notes")).to_have_text("Remembered.")
        visit.shows("Er hat meinen Schlüssel verloren.")
        visit.source.fill("He has lost the key that you gave him.")
        expect(visit.page.locator(".found .kind")).to_contain_text("% alike")
        assert "er hat verloren" in visit.target.input_value()
        visit.page.get_by_role("button", name="Use “Er hat meinen Schlüssel verloren.”").click()
        visit.shows("Er hat meinen Schlüssel verloren.")
        visit.page.keyboard.press("Escape")
        assert "er hat verloren" in visit.target.input_value()
        visit.page.get_by_role("button", name="Forget “Er hat meinen Schlüssel verloren.”").click()
        expect(visit.page.locator(".found li")).to_have_count(0)

    def test_typing_on_ends_a_correction_and_the_corrections_can_be_had(self, visit: Visit) -> None:
        visit.source.fill("the sunset")
        visit.page.get_by_role("button", name="Correct", exact=True).click()
        visit.target.press("End")
        visit.page.keyboard.type("!")
        visit.target.press("Control+Enter")
        expect(visit.page.locator(".found .kind")).to_have_text("Your correction")
        with visit.page.expect_download() as found:
            visit.page.get_by_role("link", name="All corrections (TSV)").click()
        assert Path(found.value.path()).read_text() == "en\tde\nthe sunset\tder Sonnenuntergang!\n"
        visit.page.get_by_role("button", name="Correct", exact=True).click()
        visit.source.fill("the key")
        visit.shows("der Schlüssel")
        expect(visit.target).to_have_attribute("readonly", "")

    def test_a_remembered_sentence_takes_the_place_of_this_sentence_alone(self, visit: Visit) -> None:
        corrected(visit, "the key.", "das Ding.")
        visit.source.fill("can you help us? the key.")
        visit.shows("können Sie helfen uns? der Schlüssel.")
        visit.page.get_by_role("button", name="Use “das Ding.”").click()
        visit.shows("können Sie helfen uns? das Ding.")
        visit.page.locator("#language").select_option("de")
        visit.shows("können Sie helfen uns? das Ding.")
        expect(visit.page.get_by_role("button", name="Behalten")).to_be_visible()
        visit.page.locator("#language").select_option("en")
        visit.page.keyboard.press("Escape")
        visit.page.get_by_role("button", name="Forget “das Ding.”").click()

    def test_it_takes_its_place_and_no_other(self, visit: Visit) -> None:
        corrected(visit, "the key.", "das Ding.")
        visit.source.fill("I have the key. the key.")
        visit.shows("ich habe der Schlüssel. der Schlüssel.")
        visit.page.get_by_role("button", name="Use “das Ding.”").click()
        visit.shows("ich habe der Schlüssel. das Ding.")
        visit.page.keyboard.press("Escape")
        visit.page.get_by_role("button", name="Forget “das Ding.”").click()
        expect(visit.target).to_be_focused()

    def test_a_correction_is_of_the_text_that_it_was_begun_for(self, visit: Visit) -> None:
        visit.source.fill("the train")
        visit.shows("der Zug")
        with sent(visit):
            visit.source.fill("the train slowly")
        visit.page.get_by_role("button", name="Correct", exact=True).click()
        visit.target.fill("Eisenbahn")
        expect(visit.page.locator("#stop")).to_be_hidden()
        with visit.page.expect_request("**/v1/corrections") as posted:
            visit.page.get_by_role("button", name="Keep").click()
        assert posted.value.post_data_json["source"] == "the train"
        visit.shows("der Zug slowly")
        visit.source.fill("the train")
        visit.page.get_by_role("button", name="Forget “Eisenbahn”").click()

    def test_what_was_forgotten_in_another_tab_is_forgotten_here(self, visit: Visit, server: Any) -> None:
        corrected(visit, "the sunset that you gave him.", "Abendrot.")
        answer = visit.page.request.post(f"{server.url}/v1/translate", data={"text": "the sunset that you gave him."})
        number = answer.json()["translations"][0]["memory"][0]["id"]
        assert visit.page.request.delete(f"{server.url}/v1/corrections/{number}").status == 204
        visit.page.get_by_role("button", name="Forget “Abendrot.”").click()
        expect(visit.page.locator(".status .notes")).to_have_text("Forgotten.")
        expect(visit.page.locator(".found li")).to_have_count(0)
        assert len(visit.troubles) == 2  # the browser's own words about a 404
        visit.troubles.clear()

    def test_a_correction_that_is_refused_is_not_said_to_be_kept(self, visit: Visit) -> None:
        visit.source.fill("the sunset.")
        visit.page.get_by_role("button", name="Correct", exact=True).click()
        visit.target.fill("Abendrot.")
        visit.page.get_by_role("button", name="Keep").click()
        expect(visit.page.locator(".status .notes")).to_have_text("Remembered.")
        visit.page.get_by_role("button", name="Correct", exact=True).click()
        visit.target.fill(" ")
        visit.page.get_by_role("button", name="Keep").click()
        expect(visit.page.locator(".status .notes")).to_have_text(
            "The target of a correction must be text. Received: ' '"
        )
        assert len(visit.troubles) == 2  # the browser's own words about a 422
        visit.troubles.clear()
        visit.page.keyboard.press("Escape")


class TestFiles:
    def give(self, visit: Visit, *files: tuple[str, bytes]) -> Any:
        """Chooses files; the lines of the list."""
        kind = "application/octet-stream"
        given = [{"name": name, "mimeType": kind, "buffer": content} for name, content in files]
        visit.page.locator("#files input[type=file]").set_input_files(given)
        return visit.page.locator("#files li")

    @pytest.fixture(autouse=True)
    def tidy(self, visit: Visit) -> Iterator[None]:
        yield
        while visit.page.locator("#files li").count():
            visit.page.locator("#files li button").first.click()

    def test_a_file_comes_back_in_the_same_structure(self, visit: Visit) -> None:
        line = self.give(visit, ("words.srt", b"1\n00:00:01,000 --> 00:00:02,000\nthe key\n"))
        expect(line).to_have_attribute("data-state", "done")
        with visit.page.expect_download() as found:
            line.get_by_role("link", name="Download words.de.srt").click()
        assert found.value.suggested_filename == "words.de.srt"
        assert Path(found.value.path()).read_text() == "1\n00:00:01,000 --> 00:00:02,000\nder Schlüssel\n"

    def test_the_column_of_a_table_can_be_said(self, visit: Visit) -> None:
        visit.page.get_by_label("Column of a table").fill("2")
        line = self.give(visit, ("t.tsv", b"the\tthe key\n"))
        with visit.page.expect_download() as found:
            line.get_by_role("link").click()
        assert Path(found.value.path()).read_text() == "the\tder Schlüssel\n"
        visit.page.get_by_label("Column of a table").fill("")

    def test_an_encoding_can_be_said_and_a_file_without_text_is_told(self, visit: Visit) -> None:
        visit.page.get_by_label("Encoding of text").fill("cp1252")
        line = self.give(visit, ("t.txt", b"the key \x96 you"))
        with visit.page.expect_download() as found:
            line.get_by_role("link").click()
        assert Path(found.value.path()).read_bytes() == "der Schlüssel – Sie".encode("cp1252")
        visit.page.get_by_label("Encoding of text").fill("")
        lines = self.give(visit, ("n.csv", b"1,the key\n"), ("n.txt", b"12"))
        expect(lines.nth(1)).to_contain_text("There was nothing to translate in this column.")
        expect(lines.nth(2)).to_contain_text("There was nothing to translate in it.")

    def test_progress_is_shown_and_a_file_can_be_given_up(self, visit: Visit) -> None:
        text = b"\n".join(b"slowly %d" % k for k in range(8))
        lines = self.give(visit, ("long.txt", text), ("next.txt", b"the key"))
        lines.first.get_by_role("progressbar", name="Progress of long.txt").wait_for()
        expect(lines.last).to_contain_text("Waiting")
        lines.first.get_by_role("button", name="Stop long.txt").click()
        expect(lines).to_have_attribute("data-state", "done")
        expect(lines).to_contain_text("next.txt")

    def test_what_cannot_be_translated_is_told_in_a_sentence(self, visit: Visit) -> None:
        lines = self.give(
            visit, ("a.exe", b"MZ"), ("b.txt", b"x" * (4 << 20) + b"x"), ("c.docx", b"PK\3\4"), ("d.txt", b"ok")
        )
        expect(lines.nth(0)).to_contain_text("Files of this kind cannot be translated here.")
        expect(lines.nth(1)).to_contain_text("A file must be at most 4,096 KiB long.")
        expect(lines.nth(2)).to_have_attribute("data-state", "failed")
        assert "Received" in lines.nth(2).inner_text()
        expect(lines.nth(3)).to_have_attribute("data-state", "done")

    def test_a_file_may_be_dropped_anywhere(self, visit: Visit) -> None:
        visit.page.evaluate("""() => {
            const data = new DataTransfer();
            data.items.add(new File(["the key"], "dropped.txt"));
            for (const kind of ["dragover", "drop"]) {
                document.querySelector("h1").dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
            }
        }""")  # noqa: E501
        expect(visit.page.locator("#files li")).to_have_attribute("data-state", "done")


class TestSession:
    def test_it_can_be_had_and_is_nowhere_but_in_the_tab(self, visit: Visit, server: Any) -> None:
        visit.page.locator("#session summary").click()
        visit.page.get_by_role("button", name="Forget all").click()
        said = {"the": "der", "the key": "der Schlüssel", "a\tsunset\nhe": "einen\tSonnenuntergang\ner"}
        for text, translation in said.items():
            visit.source.fill(text)
            visit.shows(translation)
            visit.source.press("Control+Enter")
        visit.page.get_by_role("button", name="Clear").click()
        expect(visit.page.locator("#session li")).to_have_count(2)  # "the" became "the key"
        entries = json.loads(saved(visit, "Download JSON"))
        assert [(each["source"], each["target"]) for each in entries] == [
            ("the key", "der Schlüssel"), ("a\tsunset\nhe", "einen\tSonnenuntergang\ner"),
        ]  # fmt: skip
        rows = saved(visit, "Download TSV").splitlines()
        assert rows[0] == "time\tmodel\tsource_language\ttarget_language\torigin\tsource\ttarget"
        assert rows[2].split("\t")[1:] == ["en-de", "en", "de", "model", "a sunset he", "einen Sonnenuntergang er"]
        assert "the key" not in visit.page.evaluate("JSON.stringify(localStorage) + document.cookie")
        visit.go(server)
        visit.page.locator("#session summary").click()
        visit.page.locator("#session li button").last.click()
        visit.shows("der Schlüssel")
        visit.page.get_by_role("button", name="Forget all").click()
        expect(visit.page.locator("#session li")).to_have_count(0)


TEXTS = """() => {
    const found = [], walker = document.createTreeWalker(document.querySelector(".app"), NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) found.push(walker.currentNode.textContent.trim());
    for (const node of document.querySelectorAll(".app *")) for (const name of ["aria-label", "placeholder", "title"]) {
        if (node.hasAttribute(name)) found.push(node.getAttribute(name));
    }
    return found;
}"""


class TestLanguages:
    @pytest.mark.parametrize(
        ("locale", "title", "name"),
        [("en-GB", "English to German", "Translate"), ("de-AT", "Englisch – Deutsch", "Übersetzen"),
         ("fr-FR", "Anglais – Allemand", "Traduire"), ("es-MX", "Inglés – Alemán", "Traducir"),
         ("ja-JP", "English to German", "Translate")],
    )  # fmt: skip
    def test_the_labels_are_in_the_language_of_the_browser(
        self, browser: Any, server: Any, locale: str, title: str, name: str
    ) -> None:
        visit = Visit(browser.new_context(locale=locale, viewport=WIDTH), server)
        visit.type("the key")
        visit.shows("der Schlüssel")
        visit.page.locator(".studio [role=tab]").first.wait_for()
        expect(visit.page.get_by_role("button", name=name, exact=True)).to_have_count(1)
        assert visit.page.title().startswith(title)
        code = visit.page.locator("html").get_attribute("lang")
        assert visit.page.locator("#language").input_value() == code
        if code != "en":
            phrases = words.phrases()
            english = {text for text in visit.page.evaluate(TEXTS) if phrases.get(text, {}).get(code, text) != text}
            assert english == set()
        visit.leave()

    def test_the_switch_keeps_what_is_there_and_is_remembered(self, visit: Visit, server: Any) -> None:
        visit.source.fill("the key")
        visit.shows("der Schlüssel")
        visit.page.locator("#language").select_option("de")
        expect(visit.page.get_by_role("button", name="Übersetzen", exact=True)).to_be_visible()
        expect(visit.page.locator("#language")).to_be_focused()
        expect(visit.page.locator(".count")).to_have_text("7 / 5.000")
        visit.shows("der Schlüssel")
        expect(visit.page.locator(".candidates tbody tr")).to_have_count(5)
        visit.go(server)
        expect(visit.page.locator("html")).to_have_attribute("lang", "de")
        visit.page.locator("#language").select_option("en")


FOCUSED = """() => {
    const at = document.activeElement, style = getComputedStyle(at), next = at.nextElementSibling && getComputedStyle(at.nextElementSibling);
    const seen = [style, next].some((each) => each && each.outlineStyle !== "none" && parseFloat(each.outlineWidth) > 0);
    return [at.id || at.getAttribute("aria-label") || at.textContent.trim() || at.tagName, seen || at.matches("#source textarea")];
}"""  # noqa: E501


class TestEverybody:
    def test_by_keyboard_alone(self, visit: Visit) -> None:
        visit.source.focus()
        visit.page.keyboard.type("the key")
        visit.shows("der Schlüssel")
        passed = []
        for _ in range(14):
            visit.page.keyboard.press("Tab")
            passed.append(visit.page.evaluate(FOCUSED))
        assert all(seen for _, seen in passed), passed
        names = [name for name, _ in passed]
        assert names[:5] == ["live", "translate", "copy", "correct", "German"], names
        assert {"beam-size", "length-penalty", "Choose a file"} <= set(names), names
        visit.page.locator("#dark").focus()
        visit.page.keyboard.press("Space")
        expect(visit.page.locator("body")).to_have_class("dark")
        visit.page.keyboard.press("Space")
        expect(visit.page.locator("body")).not_to_have_class("dark")
        visit.page.locator("input[value=beam]").focus()
        visit.page.keyboard.press("ArrowRight")
        expect(visit.page.locator(".candidates tbody tr")).to_have_count(1)
        visit.page.keyboard.press("ArrowLeft")
        expect(visit.page.locator(".candidates tbody tr")).to_have_count(5)

    def test_a_translation_that_stands_is_read_out(self, visit: Visit) -> None:
        visit.source.fill("the key")
        expect(visit.page.locator(".spoken")).to_have_text("der Schlüssel")
        expect(visit.page.locator(".spoken")).to_have_attribute("aria-live", "polite")

    def test_a_phone_has_room_for_everything(self, visit: Visit) -> None:
        visit.page.set_viewport_size({"width": 390, "height": 844})
        visit.source.fill("Where is the key?" * 20)
        visit.page.locator("#language").select_option("fr")
        visit.page.locator("#files input[type=file]").set_input_files(
            [{"name": "n" * 120 + ".txt", "mimeType": "text/plain", "buffer": b"the key"}]
        )
        expect(visit.page.locator("#files li")).to_have_attribute("data-state", "done")
        assert visit.page.evaluate("document.documentElement.scrollWidth") == 390
        visit.page.locator("#files li button").click()
        visit.page.locator("#language").select_option("en")
        visit.page.set_viewport_size(WIDTH)

    def test_nothing_that_comes_from_outside_is_run(self, visit: Visit) -> None:
        names = [payload.replace("/", "").replace("\0", "") + ".txt" for payload in PAYLOADS]
        given = [{"name": name, "mimeType": "text/plain", "buffer": b"the key"} for name in names]
        visit.page.locator("#files input[type=file]").set_input_files(given)
        for payload in PAYLOADS:
            visit.source.fill(payload + " the key")
            visit.page.get_by_role("button", name="Correct", exact=True).click()
            visit.target.fill(payload)
            visit.target.press("Control+Enter")
            expect(visit.page.locator(".found .kind").first).to_have_text("Your correction")
            visit.page.locator(".found").get_by_role("button", name="Forget").first.click()
            visit.page.get_by_role("button", name="Clear").click()
        expect(visit.page.locator("#files li").last).to_have_attribute("data-state", "done")
        assert visit.page.locator(".app :is(script, iframe, object, img, meta, style, math)").count() == 0
        while visit.page.locator("#files li").count():
            visit.page.locator("#files li button").first.click()

    @pytest.mark.parametrize("dark", [False, True])
    def test_axe_finds_nothing_serious(self, visit: Visit, dark: bool) -> None:
        if not AXE.is_file():
            pytest.skip(f"axe-core is looked for at $AXE or in node_modules; there is no {AXE}")
        visit.source.fill("He has lost the key. Can you help us?")
        visit.page.locator("#files input[type=file]").set_input_files(
            [{"name": "a.txt", "mimeType": "text/plain", "buffer": b"the key"}]
        )
        expect(visit.page.locator("#files li")).to_have_attribute("data-state", "done")
        visit.page.locator(".studio .body svg").first.wait_for()
        if dark:
            visit.page.locator("#dark").click()
        visit.page.wait_for_timeout(500)  # colours fade
        visit.page.evaluate(AXE.read_text())
        serious = []
        for key in PANELS:
            visit.page.locator(f"#tab-{key}").click()
            visit.page.locator(f"#studio-panel[data-open={key}] .body:not([aria-busy]) > *").first.wait_for()
            expect(visit.page.locator(".studio .body")).to_have_css("opacity", "1")  # it fades while it waits
            found = visit.page.evaluate("axe.run('.app', { resultTypes: ['violations'] })")
            serious += [
                (key, each["id"], [(node["target"], node["failureSummary"]) for node in each["nodes"]])
                for each in found["violations"]
                if each["impact"] in ("serious", "critical")
            ]
        visit.page.locator("#tab-attention").click()
        if dark:
            visit.page.locator("#dark").click()
        visit.page.locator("#files li button").click()
        assert serious == []


def test_another_wording_is_taken_over_into_the_translation(visit: Visit) -> None:
    visit.type("Where is the nearest train station? I have the key.")
    visit.shows("wo ist der nächste Zug Bahnhof? ich habe der Schlüssel.")
    visit.page.locator("#tab-confidence").click()
    panel = visit.page.locator("#studio-panel")
    panel.locator(".flow button").nth(1).click()
    panel.locator(".alternatives button:not(:disabled)").first.click()
    other = panel.locator(".continued .text").inner_text()
    assert other != "wo ist der nächste Zug Bahnhof?"
    panel.locator(".take").click()
    visit.shows(f"{other} ich habe der Schlüssel.")
    panel.locator(".flow button").nth(0).click()
    panel.locator(".alternatives button:not(:disabled)").first.click()
    expect(panel.locator(".continued .text")).not_to_have_text(other)
    other = panel.locator(".continued .text").inner_text()
    panel.locator(".take").click()
    visit.shows(f"{other} ich habe der Schlüssel.")
    expect(visit.page.locator("#target .notes")).to_have_text("Taken over.")
    visit.page.locator("#copy").click()
    visit.page.locator("#tab-attention").click()


def test_of_two_sentences_that_hold_the_same_the_one_that_was_meant_is_taken_over(visit: Visit) -> None:
    visit.type("I have the key. the key.")
    visit.shows("ich habe der Schlüssel. der Schlüssel.")
    visit.page.locator("#tab-confidence").click()
    visit.page.locator("[data-key^=sentence]").nth(1).click()
    panel = visit.page.locator("#studio-panel")
    expect(panel.locator(".flow")).not_to_contain_text("ich")
    panel.locator(".flow button").nth(1).click()
    panel.locator(".alternatives button:not(:disabled)").first.click()
    other = panel.locator(".continued .text").inner_text()
    panel.locator(".take").click()
    visit.shows(f"ich habe der Schlüssel. {other}")
    visit.page.locator("#tab-attention").click()
    panel.locator(".piece").first.wait_for()
    visit.page.locator("#tab-confidence").click()
    panel.locator(".flow button").nth(0).click()
    panel.locator(".alternatives button:not(:disabled)").first.click()
    expect(panel.locator(".continued .text")).not_to_have_text(other)
    another = panel.locator(".continued .text").inner_text()
    panel.locator(".take").click()
    visit.shows(f"ich habe der Schlüssel. {another}")
    visit.page.locator("#tab-attention").click()
