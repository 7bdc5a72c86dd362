"""Puts the markup of a sentence around the words of its translation that the network read there.

It knows trees of text and attention as a matrix; it knows no file format and does not translate.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq.documents.units import Element, Node, text_of

Span = tuple[int, int]

# A word, or one character of a script that puts no spaces, or a sign.
_TOKEN = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u312f\u31a0-\u9fff\uf900-\ufaff]"
    r"|[^\W\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u312f\u31a0-\u9fff\uf900-\ufaff]+|[^\w\s]"
)

HALF, LITTLE = 0.45, 0.1
"""Shares of attention: from the first on a word belongs to markup, from the second on it may where no other does."""


@dataclass(frozen=True)
class Link:
    """A word of the translation, and where in the source the network looked for it."""

    start: int
    end: int
    places: tuple[tuple[float, float], ...]
    """Middles of words of the source, and the share of attention that each got."""

    def inside(self, span: Span) -> float:
        """The share of a part of the source."""
        return sum(share for place, share in self.places if span[0] <= place < span[1])

    @property
    def source(self) -> float:
        """The middle of the word that got most."""
        return max(self.places, key=lambda place: place[1])[0]

    def moved(self, source: int, target: int) -> Link:
        """The same, of sentences that begin there."""
        places = tuple((place + source, share) for place, share in self.places)
        return Link(self.start + target, self.end + target, places)


def tokens(text: str) -> list[Span]:
    """Where the words and signs of a text are."""
    return [found.span() for found in _TOKEN.finditer(text)]


def links(
    source: str,
    target: str,
    attention: np.ndarray | None = None,
    pieces: Sequence[Sequence[str]] = (),
    *,
    places: Sequence[Sequence[Span]] = ((), ()),
) -> list[Link]:
    """For each word of a translation the word of its source.

    That is the word with the most attention; a word that stands once in both (a name, a number) is its own. Without
    attention the place in the sentence decides.

    Arguments:
        source, target: one sentence and its translation.
        attention: (T, S).
        pieces: of source and target.
        places: where the pieces stand in these; nothing where that is not known.
    """
    read, written = tokens(source), tokens(target)
    if not read:
        return [Link(start, end, ((0.0, 1.0),)) for start, end in written]
    middles = [(start + end) / 2 for start, end in read]
    shares = None
    if attention is not None and attention.shape == (len(pieces[1]), len(pieces[0])):
        columns = _shares(pieces[0], source, read, places[0])  # (S, source words)
        weights = _shares(pieces[1], target, written, places[1]).T @ attention @ columns
        shares = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    words = [Counter(text[a:b].casefold() for a, b in spans) for text, spans in ((source, read), (target, written))]
    own = {source[a:b].casefold(): number for number, (a, b) in enumerate(read)}
    found = []
    for number, (start, end) in enumerate(written):
        word = target[start:end].casefold()
        came: tuple[tuple[float, float], ...] = ((middles[number * len(read) // len(written)], 1.0),)
        if words[0][word] == words[1][word] == 1:
            came = ((middles[own[word]], 1.0),)
        elif shares is not None and shares[number].any():
            came = tuple((middles[place], float(shares[number, place])) for place in np.flatnonzero(shares[number]))
        found.append(Link(start, end, came))
    return found


def project(nodes: Sequence[Node], target: str, words: Sequence[Link]) -> tuple[Node, ...]:
    """The tree of a translation: every element and atom of the source, once.

    1. An element goes around the run of words that has the most words from inside it and the fewest from outside.
    2. One from whose inside no word came, and an atom, stand after the word that came from before them.

    Arguments:
        nodes: the source.
        target: the text of the translation.
        words: its words, in order, with their places in the source.
    """
    return _place(nodes, 0, target, words, (0, len(target)))


def _place(nodes: Sequence[Node], offset: int, target: str, words: Sequence[Link], space: Span) -> tuple[Node, ...]:
    starts = [offset]
    for node in nodes:
        starts.append(starts[-1] + len(text_of([node])))
    free = [True] * len(words)
    placed: dict[int, Span] = {}
    elements = [index for index, node in enumerate(nodes) if isinstance(node, Element)]
    for index in sorted(elements, key=lambda i: starts[i] - starts[i + 1]):
        run = _best_run(words, free, (starts[index], starts[index + 1]))
        if run is not None:
            placed[index] = run = _without_signs(words, run, target, text_of([nodes[index]]))
            free[run[0] : run[1]] = [False] * (run[1] - run[0])
    taken = [(words[a].start, words[b - 1].end) for a, b in placed.values()]
    events: list[tuple[int, int, int, tuple[Node, ...]]] = []
    for index, node in enumerate(nodes):
        if isinstance(node, Element) and index in placed:
            first, last = placed[index]
            inner = (words[first].start, words[last - 1].end)
            children = _place(node.children, starts[index], target, words[first:last], inner)
            events.append((*inner, index, (Element(node.payload, children),)))
        elif not isinstance(node, str):
            point = _point(words, starts[index], (offset, starts[-1]), space)
            point = next((end for start, end in taken if start < point < end), point)
            point, spaced = _spaced(nodes, index, target, point, space)
            events.append((point, point, index, (_emptied(node), " ") if spaced else (_emptied(node),)))
    return _assembled(events, target, space)


def _without_signs(words: Sequence[Link], run: Span, target: str, source: str) -> Span:
    """The run without a comma or stop at its end, where the source has none there."""
    first, last = run
    while last - first > 1 and not target[words[last - 1].start].isalnum() and source.rstrip()[-1:].isalnum():
        last -= 1
    return first, last


def _assembled(events: list[tuple[int, int, int, tuple[Node, ...]]], target: str, space: Span) -> tuple[Node, ...]:
    found: list[Node] = []
    place = space[0]
    for start, end, _, made in sorted(events, key=lambda event: (event[0], event[1] > event[0], event[2])):
        if start > place:
            found.append(target[place:start])
        found += made
        place = max(place, end)
    if place < space[1]:
        found.append(target[place : space[1]])
    return tuple(found)


def _best_run(words: Sequence[Link], free: Sequence[bool], inside: Span) -> Span | None:
    """The words in a row with most attention inside; at least one, if any word has a little."""
    best: tuple[float, Span] | None = None
    total, first = 0.0, 0
    shares = [word.inside(inside) if open_ else 0.0 for word, open_ in zip(words, free, strict=True)]
    for number, share in enumerate(shares):
        total += share - HALF if free[number] else -len(words)
        if total <= 0:
            total, first = 0.0, number + 1
        elif best is None or total > best[0]:
            best = total, (first, number + 1)
    if best is not None:
        return best[1]
    highest = max(range(len(shares)), key=shares.__getitem__, default=None)
    return None if highest is None or shares[highest] < LITTLE else (highest, highest + 1)


def _point(words: Sequence[Link], place: int, whole: Span, space: Span) -> int:
    """Behind the word that was read last before a place of the source."""
    if place <= whole[0] or not words:
        return space[0]
    if place >= whole[1]:
        return space[1]
    before = [(word.source, word.end) for word in words if word.source < place]
    return max(before)[1] if before else space[0]


def _spaced(nodes: Sequence[Node], index: int, target: str, point: int, space: Span) -> tuple[int, bool]:
    """Behind the white space there, if the source has some before the markup; and whether some must follow."""
    before, after = text_of(nodes[:index])[-1:], text_of(nodes[index + 1 :])[:1]
    if before.isspace():
        while point < space[1] and target[point].isspace():
            point += 1
    follows = target[point : space[1]][:1]
    glued = not follows or follows.isspace() or follows in ".,;:!?)]}%"
    return point, before.isspace() and after.isspace() and not glued


def _emptied(node: Node) -> Node:
    """An element without its text; the markup inside it stays."""
    if not isinstance(node, Element):
        return node
    return Element(node.payload, tuple(_emptied(child) for child in node.children if not isinstance(child, str)))


def _shares(pieces: Sequence[str], text: str, spans: list[Span], places: Sequence[Span]) -> np.ndarray:
    """Which share of a piece's characters each token has."""
    shares = np.zeros((len(pieces), len(spans)))
    for number, (begin, end) in enumerate(places or _spread(pieces, text)):
        for token, (start, stop) in enumerate(spans):
            shares[number, token] = max(0.0, min(end, stop) - max(begin, start))
    totals = shares.sum(axis=1, keepdims=True)
    return np.divide(shares, totals, out=np.zeros_like(shares), where=totals > 0)


def _spread(pieces: Sequence[str], text: str) -> Iterator[tuple[float, float]]:
    """Where pieces stand in a text by their letters; pieces that do not spell it are spread over it."""
    shown = ["" if piece in ("</s>", "<s>", "<pad>") else piece.replace("▁", " ") for piece in pieces]
    scale = 1.0
    if "".join(shown).strip() != text.strip():
        scale = len(text) / max(1, len("".join(shown)))
    place = 0.0 if shown and not shown[0].startswith(" ") else -1.0
    for piece in shown:
        yield place * scale, (place + len(piece)) * scale
        place += len(piece)
