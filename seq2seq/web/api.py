"""The REST API: translate, explain, correct, whole documents, and which models there are.

It turns forms into calls of desks and what comes back into plain JSON; limits, errors and counting are others'.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import FastAPI, Query, Request
from starlette.responses import Response

from seq2seq import __version__, calibration, documents
from seq2seq.web import answers, forms, languages, limits, plain
from seq2seq.web.answers import Busy, Guard, Missing
from seq2seq.web.desk import Desk
from seq2seq.web.dropped import LINES, MAX_FILE, Files
from seq2seq.web.journal import note
from seq2seq.web.rules import TIMEOUT
from seq2seq.web.shelf import Shelf

if TYPE_CHECKING:
    from seq2seq.translation_memory import Match, TranslationMemory
    from seq2seq.translator import Translation

Result = TypeVar("Result")

MAX_WAITING = 64
"""Most requests that wait or are under way; one more is told to come again."""
MAX_TOGETHER = 5
"""How many texts of the greatest length the texts of one request may amount to."""
MAX_SENTENCES = 50
"""Most sentences of a request that the memory is asked about, beside its texts."""
CODES = (401, 404, 408, 413, 415, 422, 429, 500, 503)
ERRORS: dict[int | str, dict[str, Any]] = {code: {"model": forms.Error} for code in CODES}
DESCRIPTION = "Translates text and shows how. Every error is one JSON form with one sentence."


class Api:
    """What answers at /v1.

    Arguments:
        shelf: the models.
        memory: where corrections are remembered; None remembers none.
        timeout: seconds that a request may take.
    """

    def __init__(self, shelf: Shelf, *, memory: TranslationMemory | None = None, timeout: float = TIMEOUT) -> None:
        self.shelf = shelf
        self._timeout = timeout
        self.memory = memory
        self._working = 0
        self._files = Files()
        self._gradients = threading.Lock()

    def close(self) -> None:
        """Ends what could go on for long."""
        self._files.close()

    def application(self) -> Guard:
        """The ASGI application."""
        made = FastAPI(
            title="seq2seq",
            version=__version__,
            description=DESCRIPTION,
            openapi_url="/v1/openapi.json",
            docs_url=None,
            redoc_url=None,
        )
        answers.install(made)
        routes: tuple[tuple[str, Callable[..., Any], str, Any, int], ...] = (
            ("/v1/translate", self.translate, "POST", forms.Translations, 200),
            ("/v1/explain", self.explain, "POST", None, 200),
            ("/v1/documents", self.document, "POST", None, 200),
            ("/v1/models", self.models, "GET", forms.Models, 200),
            ("/v1/corrections", self.correct, "POST", forms.Kept, 201),
            ("/v1/corrections", self.corrections, "GET", None, 200),
            ("/v1/corrections/{number}", self.forget, "DELETE", None, 204),
        )
        for path, route, method, model, code in routes:
            made.add_api_route(path, route, methods=[method], response_model=model, status_code=code, responses=ERRORS)
        paths = frozenset({"/v1/openapi.json", *(path for path, *_ in routes)})
        return Guard(made, self.shelf.metrics, paths=paths, bodies={"/v1/documents": MAX_FILE}, timeout=self._timeout)

    async def translate(self, form: forms.Translate) -> dict[str, Any]:
        """Translate one text, or several at once; `translations` has one entry for each, in order."""
        texts = [form.text] if isinstance(form.text, str) else form.text
        if not 1 <= len(texts) <= forms.MAX_TEXTS:
            raise limits.LimitError(
                f"A request must hold from 1 to {forms.MAX_TEXTS} texts. Received: {len(texts):,} texts"
            )
        for text in texts:
            limits.text(text, limit=self.shelf.max_characters)
        if (together := sum(map(len, texts))) > MAX_TOGETHER * self.shelf.max_characters:
            raise limits.LimitError(
                f"The texts of a request must be at most {MAX_TOGETHER * self.shelf.max_characters:,} characters long "
                f"together. Received: {together:,} characters"
            )
        name, desk = await self._asked(form)
        note(texts=len(texts), characters=together)
        if form.min_confidence is not None:
            calibration.check(desk.translator.calibration, name)
        search, terms = plain.search(desk.translator.config.search, form.search, form.n_best), plain.terms(form.terms)
        started = time.perf_counter()
        with answers.awaited() as go_on:
            translations, found = await self._do(desk, self._translated, desk, texts, (search, terms), go_on)
        known = {text: match for text, match in found.items() if form.use_memory}
        return {
            "model": name,
            "source_language": desk.translator.source_language,
            "target_language": desk.translator.target_language,
            "engine": desk.translator.engine_name,
            "milliseconds": round(1000 * (time.perf_counter() - started), 1),
            "translations": [
                plain.translation(each, given, known, form.min_confidence or 0)
                for each, given in zip(translations, texts, strict=True)
            ],
        }

    async def explain(self, form: forms.Explain) -> Response:
        """Look into the translation of one sentence: the trace that docs/explanation.md describes."""
        for text in (form.text, form.target):
            limits.text(text, limit=self.shelf.max_characters)
        _, desk = await self._asked(form)
        note(characters=len(form.text))
        search = plain.search(desk.translator.config.search, form.search, 1)
        wanted: dict[str, Any] = {"search": search, "terms": plain.terms(form.terms)}
        for key in ("target", "cells", "beam", "alternatives", "step"):
            if (value := getattr(form, key)) is not None and value is not False:  # a step of 0 is one
                wanted[key] = value
        with answers.awaited() as go_on:
            trace = await self._do(desk, self._traced, desk, form, wanted, go_on)
        return Response(trace, media_type="application/json")

    async def document(
        self,
        request: Request,
        name: Annotated[str, Query(description="Of the file; its ending says what it is.", max_length=1000)],
        model: str | None = None,
        source_language: str | None = None,
        target_language: str | None = None,
        column: Annotated[list[str] | None, Query(description="Of a table; numbers or names.", max_length=100)] = None,
        encoding: Annotated[str | None, Query(max_length=40)] = None,
    ) -> Response:
        """Translate a whole file, which is the body; the answer is the file, or with `Accept: application/x-ndjson`
        lines that tell the share that is done, and at last the file in base64."""
        model = self.shelf.named(model, source_language, target_language)
        note(model=model)
        settings = {"columns": column or (), "encoding": encoding}
        lines = LINES in request.headers.get("accept", "")
        return await self._files.answer(
            await self.shelf.asked(model), name, await request.body(), settings, lines=lines
        )

    async def models(self) -> dict[str, Any]:
        """The models that can be asked, and what a request may hold."""
        return {
            "models": [self._model(name) for name in self.shelf.models],
            "memory": self.memory is not None,
            "files": list(documents.SUFFIXES),
            "limits": {
                "characters": self.shelf.max_characters,
                "texts": forms.MAX_TEXTS,
                "beam": limits.MAX_BEAM,
                "body_bytes": limits.MAX_BODY,
                "file_bytes": MAX_FILE,
            },
        }

    async def correct(self, form: forms.Correction) -> dict[str, Any]:
        """Remember what a text should be called; it is on the disk when this answers."""
        memory = self._memory()
        for text in (form.source, form.target):
            limits.text(text, limit=self.shelf.max_characters)
        name = self.shelf.named(form.model, form.source_language, form.target_language)
        desk = await self.shelf.asked(name)
        pair = self.shelf.languages(name)
        number = await self._do(desk, memory.remember, form.source, form.target, pair)
        self.shelf.metrics.remembered.add(1)
        return {
            "id": number,
            "source": form.source,
            "target": form.target,
            "source_language": pair[0],
            "target_language": pair[1],
        }

    async def corrections(
        self, model: str | None = None, source_language: str | None = None, target_language: str | None = None
    ) -> Response:
        """All corrections of a direction as TSV, as `seq2seq train` reads it."""
        memory = self._memory()
        name = self.shelf.named(model, source_language, target_language)
        desk = await self.shelf.asked(name)
        text = await self._do(desk, memory.table, self.shelf.languages(name))
        headers = {"content-disposition": 'attachment; filename="corrections.tsv"'}
        return Response(text, headers=headers, media_type="text/tab-separated-values; charset=utf-8")

    async def forget(self, number: int) -> Response:
        """Forget a correction."""
        memory = self._memory()
        desk = await self.shelf.asked(self.shelf.default)
        if not 0 < number < 2**63 or not await self._do(desk, memory.forget, number):
            raise Missing(f"A correction must be there to be forgotten. Received: number {number}")
        return Response(status_code=204)

    async def _asked(self, form: forms.Ask) -> tuple[str, Desk]:
        name = self.shelf.named(form.model, form.source_language, form.target_language)
        note(model=name)
        return name, await self.shelf.asked(name)

    async def _do(self, desk: Desk, work: Callable[..., Result], *arguments: Any) -> Result:
        if self._working >= MAX_WAITING:
            raise Busy("Too many requests wait already; please try again in a moment.")
        self._working += 1
        try:
            return await desk.do(work, *arguments)
        finally:
            self._working -= 1

    def _memory(self) -> TranslationMemory:
        if self.memory is None:
            raise Missing("Corrections are remembered where the server was started with --memory FILE.")
        return self.memory

    def _model(self, name: str) -> dict[str, Any]:
        source, target = self.shelf.languages(name)
        return {
            "name": name,
            "source_language": source,
            "target_language": target,
            "source_name": languages.name(source),
            "target_name": languages.name(target),
            "right_to_left": [languages.right_to_left(source), languages.right_to_left(target)],
            "default": name == self.shelf.default,
            "loaded": self.shelf.loaded(name),
            "reverse": self.shelf.reverse(name),
            "scores": list(self.shelf.models[name].scores),
        }

    def _traced(self, desk: Desk, form: forms.Explain, wanted: dict[str, Any], go_on: Callable[[], object]) -> str:
        if not form.saliency:
            return plain.trace(desk.translator, form, wanted, go_on)
        if not self._gradients.acquire(blocking=False):  # they take seconds and a gigabyte, one after the other
            raise Busy("Gradients are computed for somebody else; please try again in a moment.")
        try:
            return plain.trace(desk.translator, form, wanted, go_on)
        finally:
            self._gradients.release()

    def _translated(
        self, desk: Desk, texts: Sequence[str], how: tuple[Any, Any], between: Callable[[], object]
    ) -> tuple[list[Translation], dict[str, list[Match]]]:
        """The translations, and what is remembered of the texts and their sentences."""
        done = desk.translations(texts, *how, between=between)
        if self.memory is None:
            return done, {}
        pair = desk.translator.source_language, desk.translator.target_language
        sentences = [part.source for each in done for part in each.sentences if len(each.sentences) > 1]
        wanted = [*texts, *sentences[:MAX_SENTENCES]]
        found = {}
        for text in dict.fromkeys(wanted):
            between()
            found[text] = self.memory.find(text, pair)
        return done, found
