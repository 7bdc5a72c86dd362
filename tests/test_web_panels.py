"""The six panels in a real browser, over what the API says of a stand-in. Skipped where no Chromium is found."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import web_traces
from injections import PAYLOADS
from web_server import Server, running
from web_visit import launched, playwright, troubles

from seq2seq.explanation import Explanation
from seq2seq.web import panels

pytestmark = pytest.mark.slow
KEYS = ("attention", "confidence", "memory", "beam", "whatif", "influence")
SENTENCE = "Where is the nearest station?"  # ▁Where ▁is ▁the ▁neares t ▁statio n ? </s>
SOURCE, TARGET = 9, 9  # ▁wo ▁ist ▁der ▁nächst e ▁Bahnho f ? </s>
LAB = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>panels</title>{head}</head>
<body><div class="gradio-container"><div class="main"><div class="result"></div></div></div><script>
const props = {{ value: null }}, heard = [];
seq2seq.result(document.querySelector(".result"), props, (name, hear) => heard.push(hear));
window.give = (value) => {{ props.value = value; heard.forEach((hear) => hear()); }};
</script></body></html>"""


class Lab:
    """A page that holds the panels alone, beside a server whose API they ask."""

    def __init__(self, page: Any, server: Server) -> None:
        self.page = page
        self.asked: list[dict[str, Any]] = []
        self.troubles = troubles(page, server.url)
        page.set_default_timeout(20_000)
        page.on("request", lambda r: "/v1/explain" in r.url and self.asked.append(r.post_data_json))
        body = LAB.format(head=panels.head())
        page.route(f"{server.url}/lab", lambda route: route.fulfill(content_type="text/html; charset=utf-8", body=body))
        page.goto(f"{server.url}/lab")

    def give(self, *sentences: str, **more: Any) -> None:
        best = [{"text": "wo", "score": -0.1, "log_prob": -0.5, "probability": 0.6, "finished": True}]
        value = {
            "sentences": [{"source": each, "hypotheses": best} for each in sentences],
            "search": {"beam": 3, "length_penalty": 1.0},
            "gradients": True,
        }
        self.page.evaluate("value => give(value)", value | more)

    def open(self, key: str) -> Any:
        """The panel, drawn."""
        self.page.locator(f"#tab-{key}").click()
        return self.drawn(key)

    def drawn(self, key: str) -> Any:
        panel = self.page.locator(f".panel[data-open={key}]")
        panel.locator(".body:not([aria-busy]) > *").first.wait_for()
        return panel

    def answered_by(self, body: str) -> None:
        self.page.route("**/v1/explain", lambda route: route.fulfill(content_type="application/json", body=body))

    def download(self, panel: Any, kind: str) -> str:
        with self.page.expect_download() as arriving:
            panel.locator(f"[data-save={kind}]").click()
        assert arriving.value.suggested_filename == f"{panel.get_attribute('data-open')}.{kind}"
        return Path(arriving.value.path()).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    yield from running()


@pytest.fixture(scope="module")
def context() -> Iterator[Any]:
    for browser in launched():
        yield browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)


@pytest.fixture
def lab(context: Any, server: Server) -> Iterator[Lab]:
    lab = Lab(context.new_page(), server)
    lab.give(SENTENCE)
    lab.drawn("attention")
    yield lab
    lab.page.close()
    assert lab.troubles == []


def has(locator: Any, text: str | re.Pattern[str]) -> None:
    playwright.expect(locator).to_contain_text(text)


def number(text: str) -> float:
    return float(text.replace("−", "-").replace("(", "").replace(")", ""))


def test_only_the_open_panel_asks_and_each_thing_once(lab: Lab) -> None:
    assert lab.asked == [{"text": SENTENCE, "search": {"beam": 3, "length_penalty": 1.0}}]
    for key in (*KEYS, *KEYS):
        lab.open(key)
    wanted = [sorted(set(body) - {"text", "search"}) for body in lab.asked]
    assert wanted == [[], ["alternatives"], ["cells"], ["beam"], ["influence"]]
    lab.give("the key. Can you", model="model", terms={"protect": False})
    lab.drawn("influence")
    assert lab.asked[-1]["model"] == "model"
    assert lab.asked[-1]["terms"] == {"protect": False}


def test_ribbons_and_heat_map_answer_to_each_other(lab: Lab) -> None:
    panel = lab.drawn("attention")
    reading, bands = panel.locator(".reading"), panel.locator("svg.matrix .band[visibility=visible]")
    assert panel.locator(".piece[data-side=source]").count() == SOURCE
    assert panel.locator(".piece[data-side=target]").count() == TARGET
    assert panel.locator(".covered").count() == SOURCE
    assert panel.locator("path.ribbon").count() > TARGET
    panel.locator(".piece[data-side=target]").nth(1).hover()
    has(reading, re.compile(r"“ist” \(probability \d+ %\) looks at is \d+ %"))
    playwright.expect(bands).to_have_count(1)
    assert panel.locator(".ribbon.on").count() > 0
    panel.locator(".piece[data-side=source]").first.focus()
    has(reading, re.compile(r"“Where” got attention \d\.\d\d in all, most from wo"))
    lab.page.keyboard.press("ArrowDown")
    has(reading, "“is” got attention")
    lab.page.keyboard.press("ArrowRight")
    has(reading, "“ist” (probability")
    panel.locator("svg.matrix").focus()
    lab.page.keyboard.press("ArrowDown")
    lab.page.keyboard.press("ArrowRight")
    has(reading, re.compile("“wo” gives .* of its attention to “is”"))
    playwright.expect(panel.locator(".piece.chosen")).to_have_count(2)
    assert "alignment" not in panel.inner_text().lower()


def test_another_piece_can_be_used_and_the_translation_goes_on(lab: Lab) -> None:
    panel = lab.open("confidence")
    tokens = panel.locator(".token")
    assert tokens.count() == TARGET
    doubts = [float(tokens.nth(k).evaluate("e => e.style.getPropertyValue('--doubt')")) for k in range(TARGET)]
    assert len({tokens.nth(k).evaluate("e => getComputedStyle(e).backgroundColor") for k in range(TARGET)}) > 3
    assert [("unsure" in tokens.nth(k).get_attribute("class")) for k in range(TARGET)] == [d > 0.5 for d in doubts]
    tokens.first.focus()
    lab.page.keyboard.press("ArrowRight")
    lab.page.keyboard.press("Enter")
    rows = panel.locator(".alternatives tbody tr")
    has(rows.nth(0), "said")
    has(rows.nth(1), "anders")
    playwright.expect(rows.nth(2).get_by_role("button")).to_be_disabled()  # no prefix can say the end
    rows.nth(1).get_by_role("button").press("Enter")
    has(panel.locator(".continued .text"), "wo anders der nächste Bahnhof?")
    assert lab.asked[-1]["terms"] == {"prefix": "wo anders"}
    assert [("forced" in tokens.nth(k).get_attribute("class")) for k in range(3)] == [True, True, False]
    panel.locator(".back").click()
    playwright.expect(panel.locator(".continued")).to_have_count(0)


def test_one_unit_with_its_equation_at_every_step(lab: Lab) -> None:
    panel = lab.open("memory")
    assert panel.locator("svg.plate image").count() == 6
    for side, direction in (("encoder", "0"), ("encoder", "1"), ("decoder", None)):
        panel.get_by_label("Network").select_option(side)
        if direction is not None:
            panel.get_by_label("Direction").select_option(direction)
        panel.locator(".unit summary").click()
        rows = panel.locator(".unit table tbody tr").all_inner_texts()
        for row in rows:
            f, before, i, g, c, o, h = map(number, row.split("\t")[1:])
            assert c == pytest.approx(f * before + i * g, abs=5e-3)
            assert h == pytest.approx(o * np.tanh(c), abs=5e-3)
        assert len(rows) == (SOURCE if side == "encoder" else TARGET)
    plate, title = panel.locator("svg.plate[data-gate=c]"), panel.locator(".unit h3")
    before = title.inner_text()
    plate.focus()
    lab.page.keyboard.press("ArrowRight")
    has(title, "“ist”")
    lab.page.keyboard.press("ArrowDown")
    assert title.inner_text().split(" at")[0] != before.split(" at")[0]
    panel.locator(".unit input").press("End")
    has(title, "“end”")
    found = re.search(r"= (\S+) · (\S+) \+ (\S+) · (\S+) = (\S+)", panel.locator(".equations p").first.inner_text())
    f, held, i, g, c = map(number, found.groups())
    assert c == pytest.approx(f * held + i * g, abs=0.03)


def test_the_slider_of_pieces_can_be_dragged(lab: Lab) -> None:
    panel = lab.open("memory")
    slider, title = panel.locator(".unit input"), panel.locator(".unit h3")
    slider.press("Home")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    lab.page.mouse.move(box["x"] + 8, box["y"] + box["height"] / 2)
    lab.page.mouse.down()
    titles = set()
    for part in range(1, 11):
        lab.page.mouse.move(box["x"] + box["width"] * part / 10, box["y"] + box["height"] / 2)
        titles.add(title.inner_text())
    lab.page.mouse.up()
    has(title, "“end”")
    assert len(titles) > 4


def test_units_are_sorted_and_what_flows_back_is_shown(lab: Lab) -> None:
    panel = lab.open("memory")
    orders = {}
    for by in ("shuts", "saturation", "variance", "position", "ending", "word", "half", "none"):
        panel.get_by_label("Units sorted by").select_option(by)
        table = panel.locator("details").last.locator("tbody tr")
        rows = table.evaluate_all("rows => rows.map((row) => [...row.cells].map((cell) => cell.textContent))")
        orders[by] = [row[0] for row in rows]
        scores = [number(row[1]) for row in rows]
        assert scores == sorted(scores, reverse=by != "none"), by
    assert len({tuple(order) for order in orders.values()}) > 4
    assert orders["none"] == [str(k) for k in range(web_traces.UNITS // 2)]
    has(panel, re.compile(r"Half of what unit \d+ was told is left after [\d.]+ steps"))
    panel.get_by_label("Of the target piece").select_option("2")
    playwright.expect(panel.get_by_label("Of the target piece")).to_have_value("2")
    assert lab.asked[-1]["step"] == 2
    has(panel.locator(".back"), "64 units")
    assert panel.locator(".line.plain").count() == 1
    lab.page.evaluate("seq2seq.measured = null")
    lab.open("beam")
    assert lab.open("memory").locator(".line.plain").count() == 0


def test_the_search_is_replayed_and_ranked_anew_without_decoding(lab: Lab) -> None:
    panel = lab.open("beam")
    asked, nodes = len(lab.asked), panel.locator(".node[visibility=visible]")
    everything = nodes.count()
    has(panel.locator("output").first, "2 finished")
    has(panel.locator(".node.pruned").first, "× ")
    has(panel.locator(".node.finished").first, "✓ ")
    step = panel.get_by_label("Step of the search")
    step.focus()
    lab.page.keyboard.press("Home")
    playwright.expect(nodes).to_have_count(1)
    lab.page.keyboard.press("ArrowRight")
    playwright.expect(nodes).to_have_count(3)
    panel.get_by_role("button", name="Replay").click()
    playwright.expect(nodes).to_have_count(everything)
    best = panel.locator(".ranking tr.best")
    has(best, "wo ist der nächste Bahnhof?")
    penalty = panel.get_by_label("Length penalty")
    penalty.focus()
    lab.page.keyboard.press("Home")
    scores = [number(text) for text in panel.locator(".ranking tbody td:nth-child(5)").all_inner_texts()]
    totals = [number(text) for text in panel.locator(".ranking tbody td:nth-child(4)").all_inner_texts()]
    assert scores == totals == sorted(totals, reverse=True)
    assert "?" not in best.inner_text()
    lab.page.keyboard.press("End")
    longest = -0.4 * TARGET / ((5 + TARGET) / 6) ** 2
    assert number(best.locator("td").nth(4).inner_text()) == pytest.approx(longest, abs=0.01)
    assert len(lab.asked) == asked
    panel.locator(".node").first.focus()
    lab.page.keyboard.press("ArrowRight")
    has(panel.locator(".reading"), "Step 1, rank 1: “wo”")
    lab.page.keyboard.press("ArrowDown")
    has(panel.locator(".reading"), "it fell out of the beam")


def test_what_if_compares_before_and_after(lab: Lab) -> None:
    panel = lab.open("whatif")
    panel.get_by_label("Must not say").fill("Bahnhof, Haus")
    panel.get_by_label("Must not say").press("Enter")
    has(panel.locator(".side").nth(1).locator("ins"), "Ding?")
    has(panel.locator(".side").nth(0).locator("del"), "Bahnhof?")
    assert lab.asked[-1]["terms"] == {"forbidden": ["Bahnhof", "Haus"]}
    panel.get_by_label("Must not say").fill("")
    panel.get_by_label("Begins with").fill("Sag wo")
    panel.locator(".chip").nth(2).click()
    panel.locator(".chip").nth(3).press("Enter")
    panel.locator(".chip").nth(3).press("Enter")
    playwright.expect(panel.locator(".chip").nth(3)).to_have_accessible_name("neares: boosted")
    panel.get_by_role("button", name="Try it").click()
    has(panel.locator(".side").nth(1), "Sag wo der")
    assert lab.asked[-1]["terms"] == {"prefix": "Sag wo", "attention_bias": [0, 0, -10000, 2.302585, 0, 0, 0, 0, 0]}
    has(panel.locator(".side").nth(1).locator("text.column").nth(2), "× the")
    panel.get_by_label("Replace").select_option(label="station")
    panel.get_by_label("with", exact=True).fill("train")
    panel.get_by_label("with", exact=True).press("Tab")
    playwright.expect(panel.locator(".chip")).to_have_count(SOURCE - 1)
    panel.get_by_role("button", name="Try it").click()
    has(panel.locator(".side").nth(1).locator("p.text"), "Sag wo der nächste Zug?")
    assert lab.asked[-1] == {
        "text": "Where is the nearest train?",
        "search": {"beam": 3, "length_penalty": 1.0},
        "terms": {"prefix": "Sag wo"},
    }


def test_what_was_chosen_and_written_is_there_at_another_width(lab: Lab) -> None:
    def other_width() -> None:
        wide = lab.page.viewport_size["width"]
        before = lab.page.locator(".studio .body").evaluate("e => e.clientWidth")
        lab.page.set_viewport_size({"width": 1800 - wide, "height": 900})
        changed = "before => document.querySelector('.studio .body').clientWidth !== before"
        lab.page.wait_for_function(changed, arg=before)
        lab.page.evaluate("() => new Promise((seen) => requestAnimationFrame(() => requestAnimationFrame(seen)))")

    panel = lab.open("confidence")
    panel.locator(".token").nth(1).click()
    panel.locator(".alternatives tbody tr").nth(1).get_by_role("button").click()
    has(panel.locator(".continued .text"), "wo anders der")
    panel.locator(".token").nth(2).click()
    panel.locator("summary").click()
    narrow = panel.locator("svg").get_attribute("width")
    other_width()
    assert panel.locator("svg").get_attribute("width") != narrow
    has(panel.locator(".continued .text"), "wo anders der")
    playwright.expect(panel.locator(".token").nth(2)).to_have_attribute("aria-pressed", "true")
    playwright.expect(panel.locator(".alternatives")).to_have_count(1)
    playwright.expect(panel.locator("details")).to_have_attribute("open", "")

    panel = lab.open("memory")
    panel.get_by_label("Of the target piece").select_option("2")
    playwright.expect(panel.locator(".back select")).to_have_value("2")
    panel.locator(".body:not([aria-busy])").wait_for()
    other_width()
    playwright.expect(panel.locator(".back select")).to_have_value("2")

    panel = lab.open("beam")
    panel.get_by_role("button", name="One step back").click()
    other_width()
    has(panel.locator("output").first, f"step {TARGET - 1} of {TARGET}")

    panel = lab.open("whatif")
    panel.get_by_label("Begins with").fill("Sag wo")
    panel.get_by_role("button", name="Try it").click()
    has(panel.locator(".side").nth(1), "Sag wo der")
    other_width()
    playwright.expect(panel.get_by_label("Begins with")).to_have_value("Sag wo")
    has(panel.locator(".side").nth(1), "Sag wo der")

    panel = lab.open("influence")
    panel.get_by_role("button", name="Gradient times input").click()
    has(panel.locator(".method"), "Shown is gradient times input")
    other_width()
    has(panel.locator(".method"), "Shown is gradient times input")
    lab.page.set_viewport_size({"width": 1280, "height": 900})


def test_influence_stands_beside_attention_and_says_how_it_was_found(lab: Lab) -> None:
    panel = lab.open("influence")
    assert panel.locator("svg.matrix").count() == 2
    has(panel.locator(".method"), "Shown is occlusion")
    has(panel.locator(".method"), "litert-int8")
    has(panel.locator(".verdict"), "Rank correlation with attention, on average: 1.00")
    panel.locator("svg.matrix").first.focus()
    lab.page.keyboard.press("ArrowDown")
    has(panel.locator(".reading"), re.compile("Without “Where”, “wo” loses .* nats"))
    assert panel.locator("svg.matrix .mark[visibility=visible]").count() == 2
    panel.get_by_role("button", name="Gradient times input").click()
    has(panel.locator(".method"), "Shown is gradient times input")
    has(panel.locator(".method"), "tensorflow-float32")
    assert lab.asked[-1]["saliency"] is True
    lab.give("the key", gradients=False)
    playwright.expect(panel.locator("[data-method]")).to_have_count(0)


def test_the_latest_choice_wins_whichever_answer_comes_last(lab: Lab) -> None:
    panel, held = lab.open("influence"), []
    lab.page.route("**/v1/explain", lambda r: held.append(r) if "saliency" in r.request.post_data else r.continue_())
    panel.get_by_role("button", name="Gradient times input").click()
    while not held:
        lab.page.wait_for_timeout(20)
    panel.get_by_role("button", name="Hiding each piece").click()
    with lab.page.expect_response("**/v1/explain"):
        held[0].continue_()
    lab.page.wait_for_timeout(300)
    has(panel.locator(".method"), "Shown is occlusion")
    lab.page.unroute("**/v1/explain")


@pytest.mark.parametrize("key", KEYS)  # a page of its own each: Chromium stops what saves more than ten files
def test_every_panel_has_words_a_table_and_downloads(lab: Lab, key: str) -> None:
    panel = lab.open(key)
    assert len(panel.locator(".caption").first.inner_text()) > 150
    if key == "whatif":
        panel.get_by_role("button", name="Try it").click()
        panel.locator(".side").nth(1).wait_for()
    details = panel.locator("details.numbers").first
    details.locator("summary").focus()
    lab.page.keyboard.press("Enter")
    assert details.locator("caption").inner_text()
    assert details.locator("tbody tr").count() >= 3
    assert json.loads(lab.download(panel, "json"))["panel"] == key
    drawing = ET.fromstring(lab.download(panel, "svg"))
    tags = {element.tag.partition("}")[2] for element in drawing.iter()}
    assert tags <= {"svg", "g", "rect", "path", "text", "line", "image"}
    assert {"rect", "text"} <= tags
    styles = [element.get("style", "") for element in drawing.iter() if element.tag.endswith("}text")]
    assert styles and all("fill:rgb" in style for style in styles)


def test_tabs_are_reached_by_keyboard_alone(lab: Lab) -> None:
    lab.page.locator("#tab-attention").focus()
    for key in (*KEYS[1:], KEYS[0]):
        lab.page.keyboard.press("ArrowRight")
        playwright.expect(lab.page.locator(f"#tab-{key}")).to_be_focused()
        playwright.expect(lab.page.locator("[role=tab][aria-selected=true]")).to_have_attribute("id", f"tab-{key}")
        lab.drawn(key)
    lab.page.keyboard.press("End")
    lab.drawn("influence")
    lab.page.keyboard.press("Tab")
    playwright.expect(lab.page.locator("[data-save=json]")).to_be_focused()
    lab.give("He has lost the key.", "Can you help us?")
    lab.page.get_by_role("button", name="Can you help us?").press("Enter")
    playwright.expect(lab.page.get_by_role("button", name="Can you help us?")).to_be_focused()
    has(lab.drawn("influence").locator("svg.matrix").first, "können")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_is_wide_enough_in_light_and_dark(lab: Lab, theme: str) -> None:
    lab.page.set_viewport_size({"width": 390, "height": 844})
    lab.page.evaluate("theme => document.body.classList.toggle('dark', theme === 'dark')", theme)
    lab.give("He has never seen such a beautiful sunset that gave him a train station, where is the key?")
    dark = "e => getComputedStyle(e).{} .match(/\\d+/g).slice(0, 3).every(v => v < 90)"
    for key in KEYS:
        panel = lab.open(key)
        assert lab.page.evaluate("document.documentElement.scrollWidth") == 390, key
        assert panel.locator("svg").first.is_visible()
        assert lab.page.locator(".studio").evaluate(dark.format("backgroundColor")) is (theme == "dark")
        assert panel.locator("svg text").first.evaluate(dark.format("fill")) is False or theme == "light"


def test_what_goes_wrong_is_a_sentence_and_the_latest_sentence_wins(lab: Lab) -> None:
    lab.give("explode")
    lab.drawn("attention")
    lab.page.route("**/v1/explain", lambda route: route.fulfill(status=422, json={"error": {"message": "Too long."}}))
    lab.give("the nearest key")
    has(lab.page.locator(".notes .error"), "Too long.")
    playwright.expect(lab.page.locator("[data-save=svg]")).to_be_disabled()
    lab.page.unroute("**/v1/explain")
    lab.page.route("**/v1/explain", lambda route: route.abort())
    lab.give("the key the key")
    has(lab.page.locator(".notes .error"), "The server does not answer.")
    lab.page.unroute("**/v1/explain")
    for count in range(1, 6):
        lab.give("the " * count + "station")
    playwright.expect(lab.page.locator(".piece[data-side=target]")).to_have_count(8)
    playwright.expect(lab.page.locator(".notes .error")).to_have_count(0)
    assert len(lab.troubles) == 2 and all("Failed to load" in each for each in lab.troubles)
    lab.troubles.clear()


def hostile() -> Explanation:
    """A trace whose every text is a payload."""
    pieces = [f"▁{payload}" for payload in PAYLOADS]
    text = " ".join(PAYLOADS)
    return web_traces.trace(text, text, pieces, pieces, cells=True, beam=True, influence=True, alternatives=1)


def test_nothing_that_a_trace_says_is_run(lab: Lab) -> None:
    told = json.loads(hostile().to_json())
    told["alternatives"] = [[[piece, -0.1 - k] for k, piece in enumerate(told["target"])]] * len(told["target"])
    told["warnings"] = [*PAYLOADS]
    told["engine"] = told["influence"]["engine"] = PAYLOADS[0]
    told["saliency"], told["gradient"] = told["influence"], None
    lab.answered_by(json.dumps(told))
    lab.give(*PAYLOADS)
    for key in KEYS:
        panel = lab.open(key)
        for button in panel.locator(".body button:not(:disabled)").all()[:3]:
            if button.is_visible():
                button.click()
        panel.locator("svg").first.hover()
        for kind in ("json", "svg"):
            content = lab.download(panel, kind)
            if kind == "svg":
                tags = {element.tag.partition("}")[2] for element in ET.fromstring(content).iter()}
                assert not tags & {"script", "foreignObject", "a", "iframe"}
    odd = ".result :is(img, script, iframe, object, embed, a, style, meta, link, math, form:not(.wishes))"
    assert lab.page.locator(odd).count() == 0
    assert lab.page.title() == "panels"


def test_sixty_by_sixty_pieces_are_drawn_at_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_traces, "UNITS", 512)
    source, target = ([f"▁{word}{k}" for k in range(59)] for word in ("word", "Wort"))
    told = web_traces.trace("a", "b", source, target, cells=True, beam=True, influence=True)
    lab.answered_by(told.to_json())
    lab.give("sixty pieces")
    taken = {}
    for key in (*KEYS, *KEYS):  # the first time the browser compiles
        milliseconds = float(lab.open(key).get_attribute("data-milliseconds"))
        taken[key] = min(milliseconds, taken.get(key, milliseconds))
    print("milliseconds to draw 60 x 60 pieces:", taken)
    assert max(taken.values()) < 2000, taken
