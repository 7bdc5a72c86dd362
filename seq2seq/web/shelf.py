"""The models that the app offers, by name: the first is loaded at the start, each other when it is first asked for.

It knows names, languages and when a model is loaded; it does not know what is asked of one.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq.web import limits
from seq2seq.web.desk import Desk
from seq2seq.web.metrics import Metrics
from seq2seq.web.rules import DEFAULT

if TYPE_CHECKING:
    from seq2seq.bundle import Bundle
    from seq2seq.translator import Translator

logger = logging.getLogger(__name__)


class UnknownModel(limits.LimitError):
    """No model is called so, or none translates in that direction."""


class NotLoaded(RuntimeError):
    """A model is there, and cannot be loaded now; the message is for the person who asked, the log says why."""


@dataclass(frozen=True)
class Model:
    """A model that can be loaded.

    Arguments:
        name: what it is called.
        languages: codes of what it reads and what it writes; empty where only loading it tells.
        load: gives its translator.
        scores: how good it is, as its folder says.
    """

    name: str
    languages: tuple[str, str]
    load: Callable[[], Translator]
    scores: Sequence[dict[str, Any]] = ()


class Shelf:
    """Models and their desks.

    Arguments:
        models: the first is the one that answers where none is named.
        max_characters: longest text that is accepted.
        metrics: where translations are counted.
        patience: seconds that a wish may wait to be begun.
    """

    def __init__(
        self,
        models: Sequence[Model],
        *,
        max_characters: int = limits.MAX_CHARACTERS,
        metrics: Metrics | None = None,
        patience: float = DEFAULT.patience,
    ) -> None:
        self.models = {model.name: model for model in models}
        self.max_characters = max_characters
        self.metrics = metrics or Metrics()
        self._patience = patience
        self._desks: dict[str, Desk] = {}
        self._locks = {name: threading.Lock() for name in self.models}

    @property
    def default(self) -> str:
        """The name of the first model."""
        return next(iter(self.models))

    def languages(self, name: str) -> tuple[str, str]:
        """What a model reads and writes."""
        desk = self._desks.get(name)
        if desk is None:
            return self.models[name].languages
        return desk.translator.source_language, desk.translator.target_language

    def loaded(self, name: str) -> bool:
        """Whether a model answers at once."""
        return name in self._desks

    def reverse(self, name: str) -> str | None:
        """The first model that translates back, if there is one."""
        source, target = self.languages(name)
        return next((other for other in self.models if self.languages(other) == (target, source) and source), None)

    def named(self, name: str | None = None, source: str | None = None, target: str | None = None) -> str:
        """The name of the model to ask: the named one, else the first of the languages, else the first.

        Raises:
            UnknownModel: there is none.
        """
        if name is not None and name not in self.models:
            raise UnknownModel(f"The model must be one of {', '.join(self.models)}. Received: {name!r:.60}")
        for each in [name] if name is not None else self.models:
            languages = self.languages(each)
            if source in (None, languages[0]) and target in (None, languages[1]):
                return each
        directions = ", ".join(f"{one} to {other}" for one, other in dict.fromkeys(map(self.languages, self.models)))
        raise UnknownModel(
            f"The languages must be those of a model ({directions}). Received: {source or 'any'!r:.20} to "
            f"{target or 'any'!r:.20}"
        )

    def desk(self, name: str) -> Desk:
        """The desk of a model, which is loaded if it was not; callers beside it wait for that.

        Raises:
            NotLoaded: it cannot be loaded.
        """
        with self._locks[name]:
            if name not in self._desks:
                try:
                    self._desks[name] = self._made(name)
                except Exception as error:
                    logger.error("the model %s cannot be loaded", name, exc_info=error)
                    raise NotLoaded(f"The model {name} cannot be loaded; the server's log says why.") from error
            return self._desks[name]

    def _made(self, name: str) -> Desk:
        translator = self.models[name].load()
        return Desk(
            translator,
            name=name,
            max_characters=self.max_characters,
            metrics=self.metrics,
            patience=self._patience,
        )

    def first(self) -> Desk:
        """The desk of the first model, loaded; whatever its loading raises is raised as it is."""
        name = self.default
        with self._locks[name]:
            if name not in self._desks:
                self._desks[name] = self._made(name)
            return self._desks[name]

    async def asked(self, name: str) -> Desk:
        """`desk`, for use where nothing may block."""
        desk = self._desks.get(name)
        return desk if desk is not None else await asyncio.to_thread(self.desk, name)


def single(load: Callable[[], Translator], name: str = "model") -> list[Model]:
    """One model of which only its translator is known."""
    return [Model(name, ("", ""), load)]


def models(
    paths: Sequence[Path], *, engine: str = "litert", threads: int | None = None, shared: bool = False
) -> list[Model]:
    """The models in folders; each is called what its folder is, or its run.

    Arguments:
        paths: the folders.
        engine, threads: passed to `Translator.load`.
        shared: whether to read all that LiteRT needs now, so that forks of this process have it in memory once.

    Raises:
        BundleError: a folder is missing, incomplete, altered or of a newer format.
    """
    from seq2seq import bundle

    found: dict[str, Model] = {}
    for path in paths:
        folder = bundle.load(path, verify=False)
        name, number = folder.name, 1
        while name in found:
            number += 1
            name = f"{folder.name}-{number}"
        if shared:
            folder.hold(bundle.GRAPH, *folder.tokenizers)
        languages = folder.source_language, folder.target_language
        found[name] = Model(name, languages, _loader(folder if shared else path, engine, threads), folder.scores)
    return list(found.values())


def _loader(model: Path | Bundle, engine: str, threads: int | None) -> Callable[[], Translator]:
    def load() -> Translator:
        from seq2seq.translator import Translator

        return Translator.load(model, engine=engine, threads=threads)

    return load
