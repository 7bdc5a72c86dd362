"""What the first bytes of a file say that it is, where it is no text, and what makes text of it.

It knows names and bytes; it reads nothing.
"""

from __future__ import annotations

from pathlib import Path

WIDE = "UTF-16 or UTF-32; iconv -f UTF-16 -t UTF-8 converts it"
SHEET = "a spreadsheet; saved as CSV it can be read"
ARCHIVE = "an archive; unpack it first"
HEADS = {
    b"\xff\xfe": WIDE,
    b"\xfe\xff": WIDE,
    b"\x00\x00\xfe\xff": WIDE,
    b"\x1f\x8b": "packed; gunzip unpacks it",
    b"BZh": "packed; bunzip2 unpacks it",
    b"\xfd7zXZ\x00": "packed; unxz unpacks it",
    b"\x28\xb5\x2f\xfd": "packed; unzstd unpacks it",
    b"PK\x03\x04": ARCHIVE,
    b"7z\xbc\xaf\x27\x1c": ARCHIVE,
    b"Rar!\x1a\x07": ARCHIVE,
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": SHEET,
}
SHEETS = {".xlsx", ".xlsm", ".ods"}
TAR = 257
"""Where the word ustar stands in a tar file."""


def foreign(head: bytes, name: str) -> str:
    """What a file with these first bytes is, and what to do with it; empty if they may be text."""
    if head[TAR : TAR + 5] == b"ustar":
        return ARCHIVE
    found = next((what for start, what in HEADS.items() if head.startswith(start)), "")
    if head.startswith(b"BZh") and head[4:10] != b"1AY&SY":
        return ""
    return SHEET if found == ARCHIVE and Path(name).suffix.casefold() in SHEETS else found
