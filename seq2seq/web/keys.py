"""Tokens that open the server: read from a file, compared in constant time, worn by a browser as a cookie.

It knows tokens and headers; it does not know what they open.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from pathlib import Path

COOKIE = "seq2seq_session"
SHORTEST, MOST = 16, 1000
_WORN = b"seq2seq session"
_TOKEN = re.compile(rf"[!-~]{{{SHORTEST},512}}")


class KeysError(ValueError):
    """A file of tokens is none; the message names a line and never a token."""


class Keys:
    """The tokens that are accepted.

        keys = Keys(["0123456789abcdef"])
        keys.fits("0123456789abcdef")

    Every comparison takes the same time whatever is right in what was given, and looks at every token. A browser's
    cookie holds no token: it holds what only someone with a token can compute.

    Arguments:
        tokens: what clients must send, each of at least `SHORTEST` visible ASCII characters.
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        kept = [token.encode() for token in tokens]
        self._tokens = [hashlib.sha256(token).digest() for token in kept]
        self._worn = [hmac.new(token, _WORN, hashlib.sha256).hexdigest().encode() for token in kept]

    @classmethod
    def read(cls, path: str | Path) -> Keys:
        """The tokens of a file, one a line; empty lines and those that begin with # are passed over.

        Raises:
            KeysError: the file cannot be read, or holds no token, too many, or something else.
        """
        try:
            lines = Path(path).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8"
            raise KeysError(f"The tokens must be in a file that can be read. Received: {path} ({reason})") from None
        found = {number: line.strip() for number, line in enumerate(lines, 1)}
        found = {number: line for number, line in found.items() if line and not line.startswith("#")}
        for number, line in found.items():
            if not _TOKEN.fullmatch(line):
                raise KeysError(
                    f"A token must be from {SHORTEST} to 512 visible ASCII characters without spaces. "
                    f"Received: {path}, line {number}"
                )
        if not 1 <= len(found) <= MOST:
            raise KeysError(f"A file of tokens must hold from 1 to {MOST:,}. Received: {path} with {len(found):,}")
        return cls(found.values())

    def fits(self, token: str) -> bool:
        """Whether it is one of the tokens."""
        given = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        return _among(given, self._tokens)

    def cookie(self, token: str) -> str:
        """What the browser of someone with this token wears."""
        return hmac.new(token.encode(), _WORN, hashlib.sha256).hexdigest()

    def opens(self, authorization: str, worn: str) -> bool:
        """Whether an `authorization` header or the value of a cookie comes of a token."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return self.fits(token.strip())
        return _among(worn.encode("utf-8", "replace"), self._worn)


def _among(given: bytes, all_of_them: Iterable[bytes]) -> bool:
    found = False
    for each in all_of_them:
        found |= hmac.compare_digest(given, each)
    return found
