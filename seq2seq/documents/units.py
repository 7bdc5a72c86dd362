"""What is translated in a document: a unit is a paragraph, a cell or a caption, with the markup inside it.

It owns the tree of text and markup; it knows no file format and no translator.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class DocumentError(ValueError):
    """A file that cannot be read, translated or written; the message is one sentence with the file, and the line."""

    @classmethod
    def at(cls, must: str, path: Path, line: int = 0, reason: str = "") -> DocumentError:
        """The sentence in its form: what must hold, and where it does not."""
        name = str(path) if str(path).isprintable() else repr(str(path))
        place = f"{name}, line {line}" if line else name
        return cls(f"{must}. Received: {place}{f' ({reason})' if reason else ''}")


@dataclass(frozen=True)
class Atom:
    """Markup without text inside a unit, such as a picture; `payload` is the format's own."""

    payload: Any


@dataclass(frozen=True)
class Element:
    """Markup around text inside a unit, such as bold type."""

    payload: Any
    children: tuple[Node, ...]


Node = str | Atom | Element


@dataclass(frozen=True)
class Unit:
    """A piece of text that is translated as a whole.

    Arguments:
        nodes: its text and markup. White space at its ends stays as it is.
        write: takes the translated nodes and gives what stands in the file instead; "" where it has changed a tree.
    """

    nodes: tuple[Node, ...]
    write: Callable[[tuple[Node, ...]], str]


Part = str | Unit
"""Of a text file: what stays as it is, or what is translated."""


def text_of(nodes: Sequence[Node]) -> str:
    """The text alone.

    >>> text_of(("A ", Element("b", ("dog", Atom("img")))))
    'A dog'
    """
    return "".join(
        node if isinstance(node, str) else text_of(node.children) if isinstance(node, Element) else "" for node in nodes
    )


def has_words(text: str) -> bool:
    """Whether there is a letter in it: numbers and signs alone are not translated.

    >>> has_words("12 %"), has_words("12 km")
    (False, True)
    """
    return any(map(str.isalpha, text))


def is_plain(nodes: Sequence[Node]) -> bool:
    """Whether there is no markup."""
    return all(isinstance(node, str) for node in nodes)


def plain(write: Callable[[str], str]) -> Callable[[tuple[Node, ...]], str]:
    """A `write` for units without markup."""
    return lambda nodes: write(text_of(nodes))


_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def writable(text: str) -> str:
    """The text without characters that XML cannot hold, which a network may say.

    >>> writable("a\\x0bb\\x00")
    'ab'
    """
    return _UNWRITABLE.sub("", text)


def merged(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """The same with strings side by side joined, and empty ones left out."""
    found: list[Node] = []
    for node in nodes:
        if isinstance(node, str) and found and isinstance(found[-1], str):
            found[-1] += node
        elif node != "":
            found.append(node)
    return tuple(found)


_SPACES = " \n\r\t\x0b\x0c\x1c\x1d\x1e\x1f\x85\u00a0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_HELD = {ord(space): 0xFDD0 + at for at, space in enumerate(_SPACES)}  # noncharacters, which no text has
_FREED = {held: space for space, held in _HELD.items()}


def hold(markup: str) -> str:
    """Markup with its white space written so that `reflow` does not break it."""
    return markup.translate(_HELD)


def reflow(text: str, lengths: Sequence[int], *, filler: str = "") -> list[str]:
    """The text in as many lines as it had, each with about its share of the characters.

    Text without spaces is broken anywhere.

    Arguments:
        text: words with any white space between them; that of `hold` stays.
        lengths: characters of the lines that the source had.
        filler: what a line holds for which no word is left.
    """
    words, space = text.split(), " "
    if len(lengths) > len(words) == 1 and not text.isascii() and not _FREED.keys() & set(map(ord, text)):
        words, space = list(words[0]), ""
    total, size = sum(lengths) or 1, sum(len(word) + len(space) for word in words)
    lines: list[str] = []
    taken = place = share = 0
    for number, length in enumerate(lengths, start=1):
        share += length
        left, first = len(lengths) - number, place
        while place < len(words) and (not left or place == first or len(words) - place > left):
            if left and place > first and taken + len(words[place]) / 2 >= size * share / total:
                break
            taken += len(words[place]) + len(space)
            place += 1
        lines.append(space.join(words[first:place]).translate(_FREED) or filler)
    return lines
