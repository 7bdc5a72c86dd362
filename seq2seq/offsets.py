"""Where each piece stands in the text that it was cut from, or that it makes.

It owns spans, [start, end) in characters; how text becomes pieces is the tokenizer's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from seq2seq.tokenizer import Tokenizer, TokenizerError

Span = tuple[int, int]

_SPACE = "\u2581"
_BYTE = re.compile("<0x[0-9A-F]{2}>")


def of_text(tokenizer: Tokenizer, text: str) -> list[Span]:
    """The span of each piece of `tokenizer.encode(text)`.

    They follow each other from the first character to the last. A space belongs to the piece that it begins, white
    space at the ends to the first and the last piece. All bytes of one character have the character's span.

    Raises:
        TokenizerError: the text holds what no tokenizer reads, so that nothing would be counted right.
    """
    content = text.encode("utf-8", "ignore")
    if b"\0" in content or len(content.decode()) != len(text):
        raise TokenizerError(f"A text with spans must be without lone surrogates and NUL. Received: {text!r:.40}")
    ends = tokenizer.ends(text)
    ends[-1:] = [len(content)] * bool(ends)
    return _spans(tokenizer, tokenizer.encode(text), _characters(content, ends))


def of_pieces(tokenizer: Tokenizer, ids: Sequence[int]) -> list[Span]:
    """The span of each piece in `tokenizer.decode(ids)`, likewise."""
    text = tokenizer.decode(ids)
    reached, ends = 0, []
    for count, piece in enumerate(tokenizer.pieces(ids[:-1]), start=1):
        begun = tokenizer.decode(ids[:count])
        same = next((at for at, pair in enumerate(zip(begun, text, strict=False)) if pair[0] != pair[1]), len(begun))
        same += piece.endswith(_SPACE) and text[same : same + 1] == " "  # decoding strips a space at the end
        reached = max(reached, min(same, len(text)))
        ends.append(reached)
    return _spans(tokenizer, ids, ends + [len(text)] * bool(ids))


def _characters(text: bytes, places: Iterable[int]) -> list[int]:
    """How many characters stand before each of these places, which are in order."""
    counts, start, count = [], 0, 0
    for place in places:
        count += len(text[start:place].decode("utf-8", "ignore"))
        start = place
        counts.append(count)
    return counts


def _spans(tokenizer: Tokenizer, ids: Sequence[int], ends: Sequence[int]) -> list[Span]:
    """From one end to the next; the span of a character, which its last byte has, is its other bytes' too."""
    spans = list(zip([0, *ends][: len(ends)], ends, strict=True))
    character: Span | None = None
    for place, piece in reversed(list(enumerate(tokenizer.pieces(ids)))):
        if not _BYTE.fullmatch(piece):
            character = None
        elif spans[place][0] < spans[place][1]:
            character = spans[place]
        elif character is not None:
            spans[place] = character
    return spans
