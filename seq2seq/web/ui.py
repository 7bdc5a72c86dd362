"""The page and the one door of Gradio's own API, built with Gradio: a place that the scripts of the page fill.

It does not know what the scripts of the page draw, nor how.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from seq2seq.web import languages, panels, words
from seq2seq.web.desk import WORKERS, Desk, Overdue
from seq2seq.web.toolkit import gr

if TYPE_CHECKING:
    from seq2seq.web.shelf import Shelf

logger = logging.getLogger(__name__)
FAILED = "Something went wrong on the server, and its log says what; please try another text."
LATE = "The translation took too long; please try a shorter text, or again in a moment."
SESSIONS = 64
"""Sessions that Gradio remembers: the endpoint needs none, and each keeps a copy of the page's settings, 14 KB."""
FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
MONOSPACED = ("ui-monospace", "Menlo", "Consolas", "monospace")


def application(shelf: Shelf, *, timeout: float | None = None) -> FastAPI:
    """The page mounted in FastAPI. Its `state.end_streams` ends the streams that otherwise only end with the page;
    `state.head` is what the page's own script adds to its head.

    Arguments:
        shelf: the models; the page's own endpoint asks the first.
        timeout: seconds that a translation may take there.
    """
    desk = shelf.desk(shelf.default)
    page = blocks(desk, timeout=timeout)
    head = panels.head() + words.head() + panels.beginning(desk.translator.config.search)
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
        head=head,
    )
    mounted: Any = application.routes[-1]
    application.state.end_streams = mounted.app.stop_event.set
    application.state.head = head
    return application


def blocks(desk: Desk, *, timeout: float | None = None) -> Any:
    """The place that the scripts fill, and the endpoint that `gradio_client` calls.

    The place is a column and no `gr.HTML`: what that draws, it draws by evaluating text as a script.
    """
    translator = desk.translator
    source_name, target_name = languages.name(translator.source_language), languages.name(translator.target_language)
    with gr.Blocks(title=f"{source_name} to {target_name} · seq2seq", analytics_enabled=False) as page:
        gr.Column(elem_id="app")
        gr.api(_endpoint(desk, timeout), api_name="translate", concurrency_id="translate")
    page.validate_inputs = _whole
    page.state_session_capacity = SESSIONS
    return page


def _whole(function: Any, inputs: list[Any]) -> None:
    """In the place of Gradio's own, which writes what a client has sent into the log."""
    if len(inputs) != len(function.inputs):
        raise gr.Error(
            f"A call must have {len(function.inputs)} values, as /gradio_api/info says. Received: {len(inputs)}",
            print_exception=False,
        )


def _endpoint(desk: Desk, timeout: float | None) -> Callable[..., Any]:
    async def translate(text: str, search: str = "beam", beam: int = 5, length_penalty: float = 1.0) -> dict:
        """Translates a text. `search` is "beam" or "greedy". Returns text, score, hypotheses, warnings and engine."""
        try:
            async with asyncio.timeout(timeout):
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


def _sentence(error: Exception) -> str:
    """What a person is told: our own sentences as they are, one plain sentence for anything else."""
    ours = type(error).__module__.startswith("seq2seq.") or "Received:" in str(error)
    if isinstance(error, Overdue) or (isinstance(error, ValueError) and ours):
        return str(error)
    if isinstance(error, TimeoutError):
        return LATE
    logger.error("a translation failed", exc_info=error)
    return FAILED
