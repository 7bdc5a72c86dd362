"""Asks the translator on behalf of the page: limits first, then threads of its own.

It knows texts and translations, and nothing of Gradio.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from seq2seq.web import limits
from seq2seq.web.metrics import Metrics
from seq2seq.web.rules import DEFAULT

if TYPE_CHECKING:
    from seq2seq.translator import Translation, Translator

Result = TypeVar("Result")

WORKERS = 16
"""Wishes under way at the same time: more than cores, for those that wait for the engine share batches."""


class Overdue(RuntimeError):
    """A wish has waited for too long to be begun."""


@dataclasses.dataclass(frozen=True)
class Wish:
    """What is to be translated, and how; checked when it is made.

    Raises:
        LimitError: a value is outside what the app accepts.
    """

    text: str
    search: str = "beam"
    beam: int = 5
    length_penalty: float = 1.0
    limit: int = limits.MAX_CHARACTERS

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", limits.text(self.text, limit=self.limit))
        object.__setattr__(self, "search", limits.search(self.search))
        object.__setattr__(self, "beam", limits.beam(self.beam))
        object.__setattr__(self, "length_penalty", limits.length_penalty(self.length_penalty))


class Desk:
    """Answers wishes in the order they come, `WORKERS` at a time.

    Arguments:
        translator: a `Translator`.
        max_characters: longest text that is accepted.
        metrics: where translations are counted, under the `name` of the model.
        patience: seconds that a wish may wait to be begun.
    """

    def __init__(
        self,
        translator: Translator,
        *,
        max_characters: int = limits.MAX_CHARACTERS,
        metrics: Metrics | None = None,
        name: str = "model",
        patience: float = DEFAULT.patience,
    ) -> None:
        self.translator = translator
        self.max_characters = max_characters
        self._metrics = metrics or Metrics()
        self._name = name
        self._patience = patience
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="translate")
        translator.watched(lambda size: self._metrics.batches.observe(size, name))

    def wish(self, text: str, search: str, beam: int, length_penalty: float) -> Wish:
        """A wish within this desk's limits."""
        return Wish(text, search, beam, length_penalty, self.max_characters)

    async def translate(self, wish: Wish) -> Translation:
        """The translation alone."""
        return await self.do(self._translate, wish)

    async def do(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Does some work in one of this desk's threads, after what came before.

        Raises:
            Overdue: so much came before that this would not be done in time.
        """
        asked = time.monotonic()

        def begun() -> Result:
            if time.monotonic() - asked > self._patience:
                raise Overdue("Too much waits to be done in time; please try again in a moment.")
            return work(*arguments)

        self._metrics.waiting.add(1)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, begun)
        finally:
            self._metrics.waiting.add(-1)

    def translations(
        self, texts: Sequence[str], search: Any, terms: Any = None, *, between: Callable[[], object] = bool
    ) -> list[Translation]:
        """Translations of several texts at once, counted; what `between` raises, every few sentences, ends the work."""
        started = time.perf_counter()
        done = self.translator.stoppable(between)(list(texts), search=search, terms=terms)
        self._metrics.translating.observe(time.perf_counter() - started, self._name)
        self._metrics.texts.add(len(done), self._name)
        sentences = [part for each in done for part in each.sentences or (each,)]
        self._metrics.sentences.add(len(sentences), self._name)
        best = (part.hypotheses[0] for part in sentences if part.hypotheses)
        self._metrics.pieces.add(sum(len(each.pieces) for each in best), self._name)
        self._metrics.characters.add(sum(map(len, texts)), self._name)
        return done

    def warm_up(self) -> None:
        """Lets one thread make its interpreter before the first person waits for it."""
        self._threads.submit(self._translate, Wish("a")).result()
        self._threads.submit(self.translator.explain, "a").result()

    def _search(self, wish: Wish) -> Any:
        beam = 1 if wish.search == "greedy" else wish.beam
        settings = {"beam": beam, "n_best": beam, "length_penalty": wish.length_penalty}
        return msgspec.structs.replace(self.translator.config.search, **settings)

    def _translate(self, wish: Wish) -> Translation:
        return self.translations([wish.text], self._search(wish))[0]
