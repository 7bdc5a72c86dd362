"""Numbers as they are written in any script, in the one way in which they can be compared.

It knows digits and the signs beside them; it does not know what is a number.
"""

from __future__ import annotations

import re
import unicodedata

_SIGNS = str.maketrans({"\u066a": "%", "\u066b": ".", "\u066c": ",", "\uff05": "%", "\uff0e": "."})
_DIGIT = re.compile(r"[^\D0-9]")


def latin(text: str) -> str:
    """The text with 0 to 9 for the digits of all scripts, and with the full stop, comma and per cent sign for the
    Arabic and the full-width ones; it has as many characters as before.

    >>> latin("\u0663\u066b\u0665 kg, \uff13\uff0e\uff15 kg, 3.5 m\u00b2")
    '3.5 kg, 3.5 kg, 3.5 m²'
    """
    if text.isascii():
        return text
    return _DIGIT.sub(lambda found: str(unicodedata.decimal(found[0])), text.translate(_SIGNS))
