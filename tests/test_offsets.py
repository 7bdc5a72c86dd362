"""Every piece knows where it stands: spans follow each other and are the text again, whatever the text."""

from __future__ import annotations

import itertools

import pytest
import scripted
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq import offsets
from seq2seq.tokenizer import TokenizerError

TOKENS = scripted.tokens()
TEXT = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0")) | st.text(
    "Hund e\u0301\u00ad\u200b\u3000 😀走了ﬁ\u1112\u1161"
)
IDS = st.lists(st.integers(4, len(TOKENS) - 1), max_size=12)


def rejoined(spans: list[offsets.Span], text: str) -> str:
    """The different spans of a text, joined; each begins where the one before ends."""
    different = list(dict.fromkeys(spans))
    for (_, end), (start, _) in itertools.pairwise(different):
        assert end == start
    return "".join(text[start:end] for start, end in different)


@settings(max_examples=200, deadline=None)
@given(TEXT)
def test_spans_of_a_text_are_the_text(text: str) -> None:
    ids, spans = TOKENS.encode(text), offsets.of_text(TOKENS, text)
    assert len(spans) == len(ids)
    assert rejoined(spans, text) == (text if ids else "")


@settings(max_examples=200, deadline=None)
@given(IDS)
def test_spans_of_pieces_are_what_they_say(ids: list[int]) -> None:
    text, spans = TOKENS.decode(ids), offsets.of_pieces(TOKENS, ids)
    assert len(spans) == len(ids)
    assert rejoined(spans, text) == text


def test_a_space_goes_with_its_word_and_a_character_with_all_its_bytes() -> None:
    text = " der  Hund 😀 é "
    said = [text[start:end] for start, end in offsets.of_text(TOKENS, text)]
    assert said == [" der", "  Hund", " ", *["😀"] * 4, " ", "é ", "é "]
    ids = TOKENS.encode(text)
    text = TOKENS.decode(ids)
    said = [text[start:end] for start, end in offsets.of_pieces(TOKENS, ids)]
    assert said == ["der", " Hund", " ", *["😀"] * 4, " ", "é", "é"]


@pytest.mark.parametrize("text", ["a\ud800", "a\0b"])
def test_text_that_no_tokenizer_reads_is_refused(text: str) -> None:
    with pytest.raises(TokenizerError, match=r"^A text with spans must be without lone surrogates"):
        offsets.of_text(TOKENS, text)
