"""The page: two panes, the switches of the search, and below them what the network did; built with Gradio.

It arranges components and connects events; the desk translates, the panels say what is drawn, the assets draw it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from seq2seq.web import languages, limits, panels
from seq2seq.web.desk import WORKERS, Answer, Desk
from seq2seq.web.toolkit import gr

if TYPE_CHECKING:
    from seq2seq.web.shelf import Shelf

logger = logging.getLogger(__name__)
FAILED = "Something went wrong on the server, and its log says what; please try another text."
MAX_WARNINGS = 3
FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
MONOSPACED = ("ui-monospace", "Menlo", "Consolas", "monospace")
ENGINES = {
    "litert-int8": "LiteRT, 8-bit weights",
    "litert-float32": "LiteRT, float weights",
    "tensorflow-float32": "TensorFlow, float weights",
}


def application(shelf: Shelf) -> FastAPI:
    """The page mounted in FastAPI. Its `state.end_streams` ends the streams that otherwise only end with the page."""
    desk = shelf.desk(shelf.default)
    page = blocks(desk)
    page.queue(default_concurrency_limit=WORKERS, max_size=64, api_open=False)
    application = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    gr.mount_gradio_app(
        application,
        page,
        path="/",
        footer_links=[],
        run_history=False,
        show_error=True,
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        pwa=False,
        theme=gr.themes.Base(font=FONTS, font_mono=MONOSPACED),
        head=panels.head(),
    )
    mounted: Any = application.routes[-1]
    application.state.end_streams = mounted.app.stop_event.set
    desk.warm_up()
    return application


def blocks(desk: Desk) -> Any:
    """The components, and what each of them sets off."""
    translator = desk.translator
    source_name, target_name = languages.name(translator.source_language), languages.name(translator.target_language)
    with gr.Blocks(title=f"{source_name} to {target_name} · seq2seq", analytics_enabled=False) as page:
        _drawn("header", {"source": source_name, "target": target_name})
        with gr.Row(elem_id="panes"):
            source, button = _source_pane(translator.source_language, source_name, desk.max_characters)
            target, status = _target_pane(translator.target_language, target_name)
        _examples(translator.source_language, source)
        search, beam, length_penalty = _switches(translator.config.search)
        result = _drawn("result", None)
        _connect(desk, [source, search, beam, length_penalty], button, [target, status, result])
        gr.api(_endpoint(desk), api_name="translate", concurrency_id="translate")
    return page


def _source_pane(code: str, name: str, limit: int) -> tuple[Any, Any]:
    with gr.Column(elem_classes="pane", min_width=320):
        source = gr.Textbox(
            label=name,
            placeholder="Type or paste text",
            lines=4,
            max_lines=14,
            autofocus=True,
            rtl=languages.right_to_left(code),
            html_attributes=gr.InputHTMLAttributes(lang=code or None, spellcheck=True),
            elem_id="source",
        )
        with gr.Row(elem_classes="foot"):
            _drawn("counter", {"limit": limit})
            button = gr.Button("Translate", variant="primary", size="sm", scale=0, min_width=104, elem_id="translate")
    return source, button


def _target_pane(code: str, name: str) -> tuple[Any, Any]:
    with gr.Column(elem_classes="pane", min_width=320):
        target = gr.Textbox(
            label=name,
            placeholder="The translation appears here",
            lines=4,
            max_lines=14,
            interactive=False,
            rtl=languages.right_to_left(code),
            html_attributes=gr.InputHTMLAttributes(lang=code or None),
            buttons=["copy"],
            elem_id="target",
        )
        with gr.Row(elem_classes="foot"):
            status = _drawn("status", None)
    return target, status


def _examples(code: str, source: Any) -> None:
    sentences = languages.examples(code)
    if sentences:
        with gr.Row(elem_id="examples"):
            for sentence in sentences:
                example = gr.Button(sentence, size="sm", scale=0, min_width=0)
                example.click(None, [], source, js=f"() => {json.dumps(sentence)}")


def _switches(default: Any) -> tuple[Any, Any, Any]:
    beam_size = min(max(default.beam, limits.MIN_BEAM), limits.MAX_BEAM)
    alpha = min(default.length_penalty, limits.MAX_LENGTH_PENALTY)
    with gr.Row(elem_id="switches"):
        search = gr.Radio(
            [("Beam", "beam"), ("Greedy", "greedy")],
            value="greedy" if default.beam == 1 else "beam",
            label="Search",
            info="Several translations at once, or the likeliest piece each time.",
            min_width=260,
        )
        beam = gr.Slider(
            limits.MIN_BEAM,
            limits.MAX_BEAM,
            value=beam_size,
            step=1,
            label="Beam size",
            info="How many translations are kept.",
            min_width=200,
            buttons=[],
        )
        length_penalty = gr.Slider(
            0,
            limits.MAX_LENGTH_PENALTY,
            value=alpha,
            step=0.1,
            label="Length penalty",
            info="More is kinder to long translations.",
            min_width=200,
            buttons=[],
        )

    def of_beam_alone(value: str) -> tuple[Any, Any]:
        return gr.update(interactive=value == "beam"), gr.update(interactive=value == "beam")

    search.change(of_beam_alone, search, [beam, length_penalty], show_progress="hidden", api_visibility="private")
    return search, beam, length_penalty


def _connect(desk: Desk, inputs: list[Any], button: Any, outputs: list[Any]) -> None:
    """Whatever changes, the latest text and switches are translated; one that is overtaken is dropped."""

    async def respond(text: str, search: str, beam: int, length_penalty: float) -> tuple[str, Any, Any]:
        if isinstance(text, str) and not text.strip() and len(text) <= desk.max_characters:
            return "", None, None
        try:
            answer = await desk.answer(desk.wish(text, search, beam, length_penalty))
        except Exception as error:
            return "", {"error": _sentence(error)}, None
        return answer.translation.text, _facts(answer), panels.result(answer)

    quiet = {"trigger_mode": "always_last", "api_visibility": "private", "concurrency_id": "translate"}
    triggers = [button.click, *(component.change for component in inputs)]
    target = outputs[0]
    gr.on(triggers, respond, inputs, outputs, show_progress="minimal", show_progress_on=target, **quiet)


def _endpoint(desk: Desk) -> Callable[..., Any]:
    async def translate(text: str, search: str = "beam", beam: int = 5, length_penalty: float = 1.0) -> dict:
        """Translates a text. `search` is "beam" or "greedy". Returns text, score, hypotheses, warnings and engine."""
        try:
            translation = await desk.translate(desk.wish(text, search, beam, length_penalty))
        except Exception as error:
            raise gr.Error(_sentence(error), print_exception=False) from None
        return {
            "text": translation.text,
            "score": translation.score,
            "hypotheses": panels.hypotheses(translation),
            "warnings": list(translation.warnings),
            "engine": translation.engine,
        }

    return translate


def _facts(answer: Answer) -> dict[str, Any]:
    engine, warnings = answer.translation.engine, list(answer.translation.warnings)
    if len(warnings) > MAX_WARNINGS:
        warnings[MAX_WARNINGS:] = [f"And {len(warnings) - MAX_WARNINGS} more of this kind."]
    return {
        "engine": ENGINES.get(engine, engine),
        "milliseconds": round(answer.milliseconds, 1),
        "warnings": warnings,
    }


def _sentence(error: Exception) -> str:
    """What a person is told: our own sentences as they are, one plain sentence for anything else."""
    if isinstance(error, ValueError) and (type(error).__module__.startswith("seq2seq.") or "Received:" in str(error)):
        return str(error)
    logger.error("a translation failed", exc_info=error)
    return FAILED


def _drawn(name: str, value: Any) -> Any:
    """A place that the scripts in assets fill from a JSON value; the template holds no text, so no text is ever run."""
    return gr.HTML(
        value,
        html_template=f'<div class="{name}"></div>',
        js_on_load=f"seq2seq.{name}(element.querySelector('.{name}'), props, watch, trigger)",
        apply_default_css=False,
        elem_id=name,
    )
