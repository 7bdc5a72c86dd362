"""The translation memory: what people made of texts, in a file, found again when the same or nearly the same comes.

It owns the file and what counts as nearly the same; it knows neither models nor servers.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import threading
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

FORMAT = 1
"""Version of the file that this code writes, and the newest that it reads."""
LEAST = 0.7
"""Least similarity of a fuzzy match."""
LONGEST = 500
"""Characters of a text that is compared with others; a longer one is found where it comes again as it was."""

_APPLICATION = 0x53325354
_WORDS, _CANDIDATES, _COMMON = 8, 40, 1000
_TABLES = (
    "CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY AUTOINCREMENT, direction TEXT NOT NULL,"
    " key TEXT NOT NULL, source TEXT NOT NULL, target TEXT NOT NULL, UNIQUE (direction, key))",
    "CREATE TABLE IF NOT EXISTS words (word TEXT NOT NULL, entry INTEGER NOT NULL, PRIMARY KEY (word, entry))"
    " WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS entry_words ON words (entry)",
)


class TranslationMemoryError(ValueError):
    """The file is no translation memory, or cannot be read or written."""


class CorrectionError(ValueError):
    """What is to be remembered is no text."""


@dataclass(frozen=True)
class Match:
    """A text that is remembered, and its translation.

    Arguments:
        number: of the entry, for `forget`.
        source, target: the pair, as it was given.
        similarity: of the source to what was asked for: 1 is the same but for white space.
        kind: "exact" or "fuzzy".
    """

    number: int
    source: str
    target: str
    similarity: float

    @property
    def kind(self) -> str:
        return "exact" if self.similarity == 1.0 else "fuzzy"


class TranslationMemory:
    """A file of corrected translations.

        memory = TranslationMemory("memory.db")
        memory.remember("A dog.", "Ein Hund.", ("en", "de"))
        memory.find("A dog!", ("en", "de"))

    1. A pair is on the disk when `remember` returns, whole or not at all; the newest translation of a text counts.
    2. What is asked for is found if it is the same but for white space, or if its characters are as much alike as
       `LEAST` says. Looked at are texts that share its rarest words.

    Methods may be called from several threads, and several processes may use the file at once.

    Arguments:
        path: the file, made if it is not there.

    Raises:
        TranslationMemoryError: from every method.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        with self._reading():
            self._open()

    def remember(self, source: str, target: str, languages: tuple[str, str]) -> int:
        """Keeps a pair instead of what was known of its source, and gives the number of its entry.

        Raises:
            CorrectionError: source or target hold no text.
        """
        for name, text in (("source", source), ("target", target)):
            if not isinstance(text, str) or not text.strip():
                raise CorrectionError(f"The {name} of a correction must be text. Received: {text!r:.40}")
        source, target = (text.encode("utf-8", "replace").decode("utf-8") for text in (source, target))
        direction, key = _direction(languages), _key(source)
        with self._writing():
            self._connection.execute(
                "INSERT INTO entries (direction, key, source, target) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (direction, key) DO UPDATE SET source = excluded.source, target = excluded.target",
                (direction, key, source, target),
            )
            number = int(
                self._connection.execute(
                    "SELECT id FROM entries WHERE direction = ? AND key = ?", (direction, key)
                ).fetchone()[0]
            )
            self._connection.executemany(
                "INSERT OR IGNORE INTO words VALUES (?, ?)",
                [(f"{direction} {word}", number) for word in _words(source)],
            )
        return number

    def forget(self, number: int) -> bool:
        """Removes an entry; says whether there was one."""
        with self._writing():
            self._connection.execute("DELETE FROM words WHERE entry = ?", (number,))
            return self._connection.execute("DELETE FROM entries WHERE id = ?", (number,)).rowcount > 0

    def find(self, text: str, languages: tuple[str, str], *, limit: int = 3) -> list[Match]:
        """What is remembered of a text: the most similar first, an exact one alone."""
        key, direction = _key(text), _direction(languages)
        if not key:
            return []
        with self._reading():
            row = self._connection.execute(
                "SELECT id, source, target FROM entries WHERE direction = ? AND key = ?", (direction, key)
            ).fetchone()
            if row:
                return [Match(row[0], row[1], row[2], 1.0)]
            rows = self._candidates([f"{direction} {word}" for word in _words(text)])
        found = [
            Match(number, source, target, min(_similarity(key, _key(source)), 0.999)) for number, source, target in rows
        ]
        likely = [match for match in found if match.similarity >= LEAST]
        return sorted(likely, key=lambda match: (-match.similarity, match.number))[:limit]

    def pairs(self, languages: tuple[str, str]) -> Iterator[tuple[str, str]]:
        """All pairs of a direction, the oldest first."""
        with self._reading():
            rows = self._connection.execute(
                "SELECT source, target FROM entries WHERE direction = ? ORDER BY id", (_direction(languages),)
            ).fetchall()
        yield from rows

    def table(self, languages: tuple[str, str]) -> str:
        """All pairs of a direction as TSV: a first line with the languages, then a pair in each."""
        rows = [languages, *self.pairs(languages)]
        return "".join("\t".join(" ".join(side.split()) for side in row) + "\n" for row in rows)

    def directions(self) -> list[tuple[tuple[str, str], int]]:
        """The directions that there are pairs of, and how many."""
        with self._reading():
            rows = self._connection.execute(
                "SELECT direction, COUNT(*) FROM entries GROUP BY direction ORDER BY direction"
            ).fetchall()
        return [((one, other), count) for direction, count in rows for one, _, other in [direction.partition(">")]]

    def close(self) -> None:
        """Closes the file; nothing is lost without it."""
        with self._lock:
            self._connection.close()

    def _open(self) -> None:
        self._connection = sqlite3.connect(self.path, timeout=10, isolation_level=None, check_same_thread=False)
        version, application = (
            self._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "application_id")
        )
        empty = not self._connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
        if not empty and application != _APPLICATION:
            raise TranslationMemoryError(
                f"A translation memory must be a file that seq2seq made. Received: {self.path}, another database"
            )
        if version > FORMAT:
            raise TranslationMemoryError(
                f"A translation memory must be of format {FORMAT} or older. Received: {self.path}, format {version}"
            )
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("BEGIN IMMEDIATE")
        for statement in _TABLES:
            self._connection.execute(statement)
        self._connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        self._connection.execute(f"PRAGMA user_version = {FORMAT}")
        self._connection.execute("COMMIT")

    def _candidates(self, words: list[str]) -> list[tuple[int, str, str]]:
        counts = {word: self._count(word) for word in words}
        known = sorted((word for word, count in counts.items() if count), key=counts.__getitem__)
        rare = [word for word in known if counts[word] < _COMMON][:_WORDS] or known[:1]
        marks = ", ".join("?" * len(rare))
        return self._connection.execute(
            f"SELECT id, source, target FROM entries JOIN (SELECT entry, COUNT(*) AS shared FROM words"
            f" WHERE word IN ({marks}) GROUP BY entry ORDER BY shared DESC LIMIT {_CANDIDATES}) ON entry = id",
            rare,
        ).fetchall()

    def _count(self, word: str) -> int:
        """How many texts have a word; nobody counts further than to what is common."""
        counted = f"SELECT COUNT(*) FROM (SELECT 1 FROM words WHERE word = ? LIMIT {_COMMON})"
        return int(self._connection.execute(counted, (word,)).fetchone()[0])

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                raise TranslationMemoryError(
                    f"A translation memory must be a file that can be read and written. Received: {self.path} ({error})"
                ) from None

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        with self._reading():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise


def _direction(languages: tuple[str, str]) -> str:
    return ">".join(language.replace("_", "-").lower() for language in languages)


def _key(text: str) -> str:
    """The text as it is compared: one form of each character, one space between words."""
    return " ".join(unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8")).split())


def _words(text: str) -> list[str]:
    """Words in small letters; of a long one without capitals or spaces, such as Chinese, pairs of characters."""
    found: dict[str, None] = {}
    for word in re.findall(r"\w+", _key(text).casefold()):
        if len(word) > 2 and not word.isascii() and word.lower() == word.upper():
            found |= dict.fromkeys(word[place : place + 2] for place in range(len(word) - 1))
        else:
            found[word] = None
    return list(found)


def _similarity(one: str, other: str) -> float:
    """The share of characters that are the same and in the same order; capitals count little."""
    shorter, longer = sorted((len(one), len(other)))
    if longer > LONGEST or 2 * shorter < LEAST * (shorter + longer):
        return 0.0
    matcher = SequenceMatcher(None, one.casefold(), other.casefold(), autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() >= LEAST else 0.0
