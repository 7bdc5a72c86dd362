"""The languages that a document says it is for, beside those of its translator.

It knows codes of languages; it does not know where a format has them.
"""

from __future__ import annotations

from pathlib import Path

from seq2seq.documents.units import DocumentError
from seq2seq.translator.text import primary

Languages = tuple[str, str]
"""Of the source and the target; "" where nothing is known."""


def check(languages: Languages, told: Languages, path: Path, line: int = 0) -> None:
    """Refuses a document that says that it is for other languages than its translator's; regions do not count.

    Arguments:
        languages: of the translator.
        told: by the document, which is `path` and tells it in `line`.

    Raises:
        DocumentError: they differ.
    """
    for own, other in zip(languages, told, strict=True):
        if own and other and primary(own) != primary(other):
            must = f"A document must be for the languages of its translator, {' to '.join(languages)}"
            raise DocumentError.at(f"{must}; take another translator, or correct the document", path, line, other)
