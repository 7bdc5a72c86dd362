"""The words of the page: each is there in every language, none is left over, and what is filled in stays the same."""

from __future__ import annotations

import importlib.resources
import json
import re

import pytest

pytest.importorskip("fastapi", reason="the extra `app` is not installed")

from seq2seq.web import panels, words

STRING = r'"((?:[^"\\]|\\.)*)"'
SAID = re.compile(rf"\bt\({STRING}|\b(?:title|caption): {STRING}")
LISTED = re.compile(r"const (?:NAMES|METHODS|SORTS|STATES) = (.*?);\n(?:\n|  const|  //)", re.DOTALL)
CHOSEN = re.compile(rf"\bt\([^()\"]*\? {STRING} : {STRING}")


def said() -> set[str]:
    """Everything that the scripts say, in English."""
    assets = importlib.resources.files("seq2seq.web") / "assets"
    script = "".join((assets / name).read_text(encoding="utf-8") for name in panels.SCRIPTS)
    found = {text for match in [*SAID.findall(script), *CHOSEN.findall(script)] for text in match if text}
    found |= {text for listed in LISTED.findall(script) for text in re.findall(STRING, listed) if len(text) > 4}
    return {json.loads(f'"{text}"') for text in found}


def test_nothing_that_the_page_says_is_missing_and_nothing_is_left_over() -> None:
    known = set(words.phrases())
    assert said() - known == set()
    assert known - said() == set()


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_each_phrase_is_said_in_each_language_with_the_same_things_filled_in(language: str) -> None:
    for english, phrase in words.phrases().items():
        assert set(phrase) == set(words.LANGUAGES), english
        assert phrase[language].strip(), english
        assert sorted(re.findall(r"\{\w+\}", phrase[language])) == sorted(re.findall(r"\{\w+\}", english)), english


def test_no_phrase_ends_the_script_it_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "phrases", lambda: {"x": {"de": "</script><script>alert(1)</script>"}})
    assert words.head().count("</script>") == words.head().count("<script>") == 1
