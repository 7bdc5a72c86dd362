"""The sample corpus is what its grammar writes, and the grammar's German is right where German is hard."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).resolve().parents[1] / "data"


@pytest.fixture
def grammar(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(DATA))
    import grammar

    yield grammar
    for name in ("grammar", "words"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def pairs() -> list[tuple[str, str]]:
    sides = [(DATA / f"sample.{side}").read_text(encoding="utf-8").splitlines() for side in ("en", "de")]
    return list(zip(*sides, strict=True))


def test_the_generator_writes_the_committed_files_to_the_byte(tmp_path: Path) -> None:
    subprocess.run([sys.executable, DATA / "generate.py", "--output", tmp_path], check=True, timeout=60)
    for name in ("sample.en", "sample.de"):
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes()


def test_there_are_2000_pairs_and_every_sentence_is_unlike_the_others(pairs: list[tuple[str, str]]) -> None:
    assert len(pairs) == 2000
    for side in (0, 1):
        sentences = [pair[side] for pair in pairs]
        assert len(set(sentences)) == 2000
        for sentence in sentences:
            assert sentence[0].isupper()
            assert sentence[-1] in ".?!"
            assert sentence == " ".join(sentence.split())


def test_hardly_a_word_is_seen_only_once(pairs: list[tuple[str, str]]) -> None:
    words = Counter(" ".join(de for _, de in pairs).lower().translate(str.maketrans("", "", ".,?!")).split())
    assert len([word for word, times in words.items() if times == 1]) < 50


@pytest.mark.parametrize(
    ("noun", "determiner", "plural", "adjective", "expected"),
    [
        ("man", "the", False, "old", "der alte Mann, den alten Mann, dem alten Mann"),
        ("man", "a", False, "old", "ein alter Mann, einen alten Mann, einem alten Mann"),
        ("woman", "my", False, "young", "meine junge Frau, meine junge Frau, meiner jungen Frau"),
        ("child", "a", False, "small", "ein kleines Kind, ein kleines Kind, einem kleinen Kind"),
        ("child", "this", False, "small", "dieses kleine Kind, dieses kleine Kind, diesem kleinen Kind"),
        ("book", "two", True, "new", "zwei neue Bücher, zwei neue Bücher, zwei neuen Büchern"),
        ("apple", "none", True, "red", "rote Äpfel, rote Äpfel, roten Äpfeln"),
        ("apple", "no", True, "red", "keine roten Äpfel, keine roten Äpfel, keinen roten Äpfeln"),
        ("car", "our", True, "", "unsere Autos, unsere Autos, unseren Autos"),
        ("door", "her", True, "big", "ihre großen Türen, ihre großen Türen, ihren großen Türen"),
        ("girl", "the", True, "beautiful", "die schönen Mädchen, die schönen Mädchen, den schönen Mädchen"),
        ("brother", "your", True, "", "deine Brüder, deine Brüder, deinen Brüdern"),
    ],
)
def test_phrases_are_inflected(
    grammar: Any, noun: str, determiner: str, plural: bool, adjective: str, expected: str
) -> None:
    from words import NOUNS

    word = next(entry for entry in NOUNS if entry.english == noun)
    german = grammar.noun_phrase(word, determiner, plural, adjective).german
    assert ", ".join(german[case] for case in ("nom", "acc", "dat")) == expected


def clause(grammar: Any, subject: str, verb: str, tense: str, **more: Any) -> Any:
    from words import NOUNS, VERBS

    who = grammar.noun_phrase(next(noun for noun in NOUNS if noun.english == subject), "the")
    return grammar.Clause(who, next(entry for entry in VERBS if entry.english[0] == verb), tense, **more)


def test_the_verb_stands_second_first_and_last(grammar: Any) -> None:
    from words import NOUNS

    window = grammar.noun_phrase(next(noun for noun in NOUNS if noun.english == "window"), "a")
    made = clause(grammar, "woman", "open", "present", object=window, time="today")
    assert made.english() == "the woman opens a window today"
    assert made.german() == "die Frau macht heute ein Fenster auf"
    assert made.german(front=True) == "heute macht die Frau ein Fenster auf"
    assert made.english(question=True) == "does the woman open a window today"
    assert made.german(question=True) == "macht die Frau heute ein Fenster auf"
    assert made.german_end() == "die Frau heute ein Fenster aufmacht"


def test_the_perfect_the_future_and_negation(grammar: Any) -> None:
    from words import NOUNS

    window = grammar.noun_phrase(next(noun for noun in NOUNS if noun.english == "window"), "a")
    made = clause(grammar, "woman", "open", "past", object=window, negated=True)
    assert made.english() == "the woman did not open a window"
    assert made.german() == "die Frau hat kein Fenster aufgemacht"
    assert made.german_end() == "die Frau kein Fenster aufgemacht hat"
    assert clause(grammar, "child", "get up", "past").german() == "das Kind ist aufgestanden"
    assert clause(grammar, "child", "get up", "will").german_end() == "das Kind aufstehen wird"
    assert clause(grammar, "man", "sleep", "can", negated=True).english() == "the man cannot sleep"
    assert clause(grammar, "man", "sleep", "can", negated=True).german() == "der Mann kann nicht schlafen"
    assert clause(grammar, "man", "sleep", "like", place="at home").german() == "der Mann schläft gern zu Hause"


@pytest.mark.parametrize(
    "word",
    ["kein", "dass", "weil", "wenn", "ob", "gern", "zumachen", "aufgestanden", "bist", "ihnen", "vor dem", "drei"],
)
def test_the_sample_shows_what_german_is_made_of(pairs: list[tuple[str, str]], word: str) -> None:
    assert sum(f" {word} " in f" {de.lower()} ".translate(str.maketrans(",.?!", "    ")) for _, de in pairs) >= 3
