"""One sentence cleaned, and many at once: the same result either way, for every string there is."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seq2seq.corpus import normalise
from seq2seq.corpus.text import fold_all, normalise_all

# Every string, lone surrogates and all, with the troublemakers often.
NASTY = (
    "\x00\t\n\v\f\r\x1c\x1f \x7f\x85\x92\xa0\xad\u0301\u1680"
    "\u2003\u200b\u200d\u2028\u2029\u202e\u3000\ufeff\ufffd\uffff\ud800\udc80"
)
texts = st.text(st.one_of(st.sampled_from(NASTY), st.characters(exclude_categories=())), max_size=30)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("plain", "plain"),
        ("", ""),
        (" \t\r\n", ""),
        ("\ufeffbom", "bom"),
        ("a\ufeffb", "ab"),
        ("windows\r", "windows"),
        ("a\x85b\u2028c\u2029d", "a b c d"),
        ("a\n\nb", "a b"),
        ("nul\x00 bell\x07", "nul bell"),
        ("half \ud83d of an emoji", "half of an emoji"),
        ("no\xa0break\u3000space", "no break space"),
        ("e\u0301", "é"),
        ("emoji 👩‍👩‍👧 stays", "emoji 👩‍👩‍👧 stays"),
        ("می‌خواهم", "می‌خواهم"),  # a zero-width non-joiner is spelling
        ("שלום \u200fעולם", "שלום \u200fעולם"),
    ],
)
def test_one_sentence(raw: str, clean: str) -> None:
    assert normalise(raw) == clean
    assert normalise_all([raw]) == [clean]


def test_nfkc_unifies_what_nfc_keeps() -> None:
    assert normalise("ﬁne ＡＢＣ ½", "NFC") == "ﬁne ＡＢＣ ½"
    assert normalise("ﬁne ＡＢＣ ½", "NFKC") == "fine ABC 1⁄2"


def test_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="A Unicode form must be NFC or NFKC. Received: 'NFD'"):
        normalise("x", "NFD")  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
@given(text=texts)
@settings(max_examples=200, deadline=None)
def test_what_comes_out_is_clean(form: str, text: str) -> None:
    clean = normalise(text, form)  # type: ignore[arg-type]
    clean.encode("utf-8")
    assert len(clean.splitlines()) <= 1
    assert clean == clean.strip()
    assert "  " not in clean
    assert not [letter for letter in clean if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")]
    assert unicodedata.is_normalized(form, clean)  # type: ignore[arg-type]
    assert normalise(clean, form) == clean  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
@given(lines=st.lists(texts, max_size=8))
@example(lines=["a\r", "b\r"])
@example(lines=["a\r"])
@example(lines=["\r", "\n"])
@example(lines=["", " ", ""])
@settings(max_examples=150, deadline=None)
def test_many_at_once_are_cleaned_as_one_by_one(form: str, lines: list[str]) -> None:
    assert normalise_all(lines, form) == [normalise(line, form) for line in lines]  # type: ignore[arg-type]


def test_folding_forgets_case_punctuation_and_spaces() -> None:
    equal = ["Hello, World!", "hello world", "HELLO — “world”…", "hello‑world", "¡Hello world?", "(hello) [world]"]
    assert len(set(fold_all(equal))) == 1
    assert fold_all(["Straße", "STRASSE"])[0] == fold_all(["STRASSE"])[0]
    assert len(set(fold_all(["5 + 3", "5 × 3", "$5", "€5", "नमस्ते", "नमसत"]))) == 6


def test_folding_never_leaves_nothing() -> None:
    assert fold_all(["?", "!", "...", "a"]) == ["?", "!", "...", "a"]
    assert fold_all([]) == []


@given(lines=st.lists(texts.map(normalise), max_size=6))
@settings(max_examples=200, deadline=None)
def test_folding_is_the_same_for_one_and_for_many(lines: list[str]) -> None:
    folded = fold_all(lines)
    assert folded == [fold_all([line])[0] for line in lines]
    assert all(bool(key) == bool(line) for key, line in zip(folded, lines, strict=True))
