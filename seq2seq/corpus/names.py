"""What columns and fields are called: which of them is the source, and which the target.

It owns when two names mean the same language; it knows no file.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

PAIRS = (("source", "target"), ("src", "tgt"))
CODES: dict[str, str] = dict(
    re.findall(
        r"(\w+)=(\w+)",
        """
    afrikaans=af albanian=sq amharic=am arabic=ar armenian=hy azerbaijani=az basque=eu belarusian=be bengali=bn
    bosnian=bs bulgarian=bg burmese=my catalan=ca chinese=zh croatian=hr czech=cs danish=da dutch=nl english=en
    esperanto=eo estonian=et finnish=fi french=fr galician=gl georgian=ka german=de greek=el gujarati=gu hausa=ha
    hebrew=he hindi=hi hungarian=hu icelandic=is indonesian=id irish=ga italian=it japanese=ja kannada=kn kazakh=kk
    khmer=km korean=ko kurdish=ku kyrgyz=ky lao=lo latin=la latvian=lv lithuanian=lt luxembourgish=lb macedonian=mk
    malay=ms malayalam=ml maltese=mt marathi=mr mongolian=mn nepali=ne norwegian=no pashto=ps persian=fa polish=pl
    portuguese=pt punjabi=pa romanian=ro russian=ru serbian=sr sinhala=si slovak=sk slovenian=sl somali=so
    spanish=es swahili=sw swedish=sv tagalog=tl tamil=ta telugu=te thai=th turkish=tr ukrainian=uk urdu=ur uzbek=uz
    vietnamese=vi welsh=cy xhosa=xh yoruba=yo zulu=zu
    """,
    )
)
"""Languages by their English names, which people write above the columns of a spreadsheet."""


@functools.lru_cache(maxsize=4096)
def same(one: str, two: str) -> bool:
    """Whether two names mean the same language: en, EN, en_GB and English do, en-US and en-GB do not."""
    one, two = (CODES.get(name, name) for name in (name.casefold().replace("_", "-") for name in (one, two)))
    return bool(one and two) and (one == two or one.startswith(two + "-") or two.startswith(one + "-"))


def find(names: Sequence[str], wanted: str) -> int | None:
    """Where the language stands among the names; nowhere if that name stands there twice.

    Written out comes before the very same code (a column id beside one called Indonesian holds numbers), and that
    before a code that means the same.
    """
    alike = [place for place, name in enumerate(names) if same(name, wanted)]
    best = min(alike, key=lambda place: (names[place].casefold() not in CODES, names[place] != wanted), default=None)
    return best if best is not None and names.count(names[best]) == 1 else None


def sides(names: Sequence[str], languages: tuple[str, str]) -> tuple[int, int] | None:
    """Where source and target stand among these names: the languages, or else source and target, or src and tgt.

    >>> sides(["note", "Finnish", "en-GB"], ("en", "fi"))
    (2, 1)
    """
    for pair in (languages, *PAIRS):
        source, target = (find(names, name) for name in pair)
        if source is not None and target is not None and source != target:
            return source, target
    return None


def misunderstood(names: Sequence[str], languages: tuple[str, str]) -> bool:
    """Whether a row without both sides looks like names all the same: of other languages, or one of these alone."""
    if names and all(name.casefold() in CODES for name in names):
        return True
    # "Hi" may well be the first word of a book of phrases; who writes codes writes hi, HI or hi-IN.
    return any(name != name.title() and find([name], language) is not None for name in names for language in languages)
