"""A server with several stand-ins on its shelf and a memory of corrections: `python web_shelf.py FILE PORT`."""

from __future__ import annotations

import sys
from pathlib import Path

import web_standin

from seq2seq.translation_memory import TranslationMemory
from seq2seq.web import service
from seq2seq.web.shelf import Model

DIRECTIONS = {"en-de": ("en", "de"), "de-en": ("de", "en"), "ar-en": ("ar", "en")}


class Loader:
    """Makes the stand-in for a direction."""

    def __init__(self, languages: tuple[str, str]) -> None:
        self.languages = languages

    def __call__(self) -> web_standin.Translator:
        return web_standin.Translator(languages=self.languages)


if __name__ == "__main__":
    web_standin._watch_connections()
    memory, port = Path(sys.argv[1]), int(sys.argv[-1])
    models = [Model(name, pair, Loader(pair)) for name, pair in DIRECTIONS.items()]
    service.run(lambda: models, port=port, memory=lambda: TranslationMemory(memory))
