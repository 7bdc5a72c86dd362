"""The words of the page in four languages, by the English ones: assets/words.json.

It does not know where they are shown.
"""

from __future__ import annotations

import importlib.resources
import json

LANGUAGES = ("de", "fr", "es")
"""Those that the words are translated into; English is what they are found by."""


def phrases() -> dict[str, dict[str, str]]:
    """What is said in each language, by what is said in English."""
    file = importlib.resources.files("seq2seq.web") / "assets" / "words.json"
    found: dict[str, dict[str, str]] = json.loads(file.read_text(encoding="utf-8"))
    return found


def head() -> str:
    """The words as a script for the head of the page, after the scripts of the panels."""
    plain = json.dumps(phrases(), ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return f"<script>seq2seq.words = {plain};</script>"
