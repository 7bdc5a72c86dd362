"""Tags in a row become a tree and back: what HTML, subtitles, Markdown and XLIFF have in common.

It knows that a tag opens, closes or stands alone; it does not know which tags there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from seq2seq.documents.units import Atom, Element, Node, hold, merged


@dataclass(frozen=True)
class Token:
    """A piece of text or of markup, as it stands in the file."""

    kind: str
    """text, open, close or atom."""
    raw: str
    """Of text: what it says, without escapes."""
    name: str = ""
    """Of a tag that opens or closes."""


def nest(tokens: Iterable[Token]) -> tuple[Node, ...]:
    """The tree; the payload of an element is its two tags, and a tag without its partner is an atom."""
    levels: list[tuple[Token | None, list[Node]]] = [(None, [])]
    for token in tokens:
        if token.kind == "text":
            levels[-1][1].append(token.raw)
        elif token.kind == "open":
            levels.append((token, []))
        elif token.kind == "close" and any(opened and opened.name == token.name for opened, _ in levels):
            while True:
                opened, children = levels.pop()
                if opened is None or opened.name == token.name:
                    break
                levels[-1][1].extend([Atom(opened.raw), *children])
            raw = opened.raw if opened else ""
            levels[-1][1].append(Element((raw, token.raw), merged(children)))
        else:
            levels[-1][1].append(Atom(token.raw))
    while len(levels) > 1:
        opened, children = levels.pop()
        levels[-1][1].extend([Atom(opened.raw if opened else ""), *children])
    return merged(levels[0][1])


def render(nodes: Sequence[Node], escape: Callable[[str], str] = str, *, held: bool = False) -> str:
    """The text of a tree whose payloads are tags; `held` writes their white space so that `reflow` keeps it."""
    found = []
    for node in nodes:
        if isinstance(node, str):
            found.append(escape(node))
        elif isinstance(node, Atom):
            found.append(hold(node.payload) if held else node.payload)
        else:
            before, after = map(hold, node.payload) if held else node.payload
            found += [before, render(node.children, escape, held=held), after]
    return "".join(found)
