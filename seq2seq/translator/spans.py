"""What is no language in a sentence and stays as it is: addresses, numbers with units, placeholders, tags.

It knows how such spans look in the source and in a translation; it does not know what is done when one is missing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from seq2seq.digits import latin
from seq2seq.translator.text import LETTER

_UNITS = (
    "% ‰ ° °C °F € $ £ ¥ m km cm mm µm nm m² km² m³ kg mg g µg t l ml V kV mV W kW MW kWh Hz kHz MHz GHz kB KB MB GB TB"
    " Pa hPa kPa dB min km/h m/s mph px dpi fps"
)
_UNIT = "|".join(map(re.escape, sorted(_UNITS.split(), key=len, reverse=True)))
_CURRENCY = "[$€£¥]"
_VALUE = r"\d+(?:[.,]\d+)*"
_DATE = r"(?:0?[1-9]|[12]\d|3[01])\.(?:0?[1-9]|1[0-2])\.(?:\d\d|\d{4})(?!\d|\.\d)"
_UNIT_WORD = r"[^\W\d_]{3,}|[^\W\d_\u0000-\u024f]"  # of other scripts any word, such as км and 公里

_KINDS = {
    "url": r"(?a:\b(?:https?|ftp)://|\bwww\.)(?a:[\w\-.~:/?#\[\]@!$&'()*+,;=%])+",
    "mail": r"(?a:(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+)",
    "tag": r"</?(?a:[A-Za-z][\w:-]*)(?:\s[^<>]*)?/?>",
    "braces": r"\{\{[^{}]*\}\}|%?\{(?a:[\w.:!\[\]-])*\}",
    "percent": r"(?a:(?<![\w%])%(?:\(\w+\)|\d+\$)?[-+#0]*\d*(?:\.\d+)?[sdifgexXuc](?!\w))",
    "variable": r"(?a:(?<!\w)\$(?:[A-Za-z_]\w*|\{\w+\}))",
    "price": rf"(?<!{LETTER}|\d)(?<![.,])(?P<currency>{_CURRENCY})\s?(?P<price_value>{_VALUE})(?!{LETTER})",
    "measure": rf"(?<!{LETTER}|\d)(?<![.,])(?P<measure_value>{_VALUE})\s?(?P<unit>{_UNIT})(?!{LETTER})",
    "number": rf"(?<!{LETTER}|\d)(?<![.,:/])(?!{_DATE})(?P<number_value>\d+(?:[.,]\d+)+)(?!{LETTER}|[:/])",
}
_SPAN = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _KINDS.items()))
_TRAILING = ".,;:!?'"
_SEPARATOR = "[.,'’ \u00a0\u202f]"


@dataclass(frozen=True)
class Span:
    """A part of a sentence that is no language."""

    text: str
    form: str
    """Regular expression of what counts as it in a translation, whose digits are those from 0 to 9."""
    glued: bool
    """Whether it stands right behind what is no space."""


def find(sentence: str) -> tuple[Span, ...]:
    """The spans of a sentence, in order.

    A number counts as said in the other language's fashion too: digits of another script, other separators, its unit
    before or after it or written as a word. Times of day, dates and plain whole numbers are language: 2:30 may become
    "halb drei".

    >>> [span.text for span in find("Pay $12.50 (or 8 %) to {name}, see www.a.org/b.")]
    ['$12.50', '8 %', '{name}', 'www.a.org/b']
    """
    return tuple(_span(found, sentence) for found in _SPAN.finditer(latin(sentence)))


def missing(spans: Iterable[Span], translation: str) -> tuple[Span, ...]:
    """What a translation lacks of the spans: a span that it has fewer times than the source, as often as it lacks.

    >>> [span.text for span in missing(find("1,000.5 km, %s and %s"), "%s: 1.000,5 Kilometer")]
    ['%s']
    """
    lacking: list[Span] = []
    written = latin(translation)
    first: dict[str, Span] = {}
    for text, count in Counter(first.setdefault(span.text, span).text for span in spans).items():
        lacking += [first[text]] * (count - len(re.findall(first[text].form, written)))
    return tuple(lacking)


def without(text: str) -> str:
    """The text with a space for each span."""
    return _SPAN.sub(" ", latin(text))


def _span(found: re.Match[str], sentence: str) -> Span:
    text = found[0]
    if found["url"]:
        text = text.rstrip(_TRAILING)
        while text.endswith((")", "]")) and text.count(text[-1]) > text.count("(" if text[-1] == ")" else "["):
            text = text[:-1].rstrip(_TRAILING)
    said = sentence[found.start() :][: len(text)]
    glued = found.start() > 0 and not sentence[found.start() - 1].isspace()
    value = found["price_value"] or found["measure_value"] or found["number_value"]
    if not value:
        before = r"(?<!\w)" if text[0].isalnum() else ""
        return Span(said, before + re.escape(text) + (r"(?!\w)" if text[-1].isalnum() else ""), glued)
    form = rf"(?<!{LETTER})(?<!\d[.,]){_number(value)}(?![.,]?\d)"
    if unit := found["currency"] or found["unit"]:
        sign = re.escape(unit)
        sign_end = f"(?!{LETTER})" if unit[-1].isalnum() else ""
        longer = f"(?!{sign})" if len(unit) > 1 else ""  # a unit that a word goes on from is none
        form = rf"(?:{sign}\s?{form}|{form}\s?(?:{sign}{sign_end}|{longer}(?:{_UNIT_WORD})))"
    else:
        form += f"(?!{LETTER})"
    return Span(said, form, glued)


def _number(value: str) -> str:
    """Its groups of digits with any separator between them; 1,000 may be 1000, 2.00 a plain 2, 10.30 10:30."""
    first, *others = re.split("[.,]", value)
    if re.fullmatch(r"\d{1,2}\.\d\d", value):
        return f"{first}(?:{_SEPARATOR}|:){others[0]}" if others[0] != "00" else f"{first}(?:(?:{_SEPARATOR}|:)00)?"
    groups = [f"{_SEPARATOR}{'?' if len(group) == 3 else ''}{group}" for group in others]
    if others and others[-1] in ("0", "00"):
        groups[-1] = f"(?:{groups[-1]})?"
    return first + "".join(groups)
