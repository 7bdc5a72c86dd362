"""Units in, translated units out: in batches, with their markup, and with every placeholder that they had.

It asks the translator; it knows no file format.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import numpy as np

from seq2seq.documents.projection import Link, links, project
from seq2seq.documents.units import Atom, Element, Node, Part, Unit, has_words, is_plain, merged, text_of

if TYPE_CHECKING:
    from seq2seq.translator import Terms, Translation

CHUNK, CHUNK_CHARACTERS = 256, 1 << 16
"""Most units, and characters, that are translated together."""

PLACEHOLDER = re.compile(
    r"""</?[A-Za-z][^<>]*>                              # <b>
    | \{\{[^{}]*\}\} | [$%]?\{[\w.:!\[\]$-]*\}         # {{name}}, {name}, ${name}, %{name}
    | &(?:\#\d+|\#x[0-9A-Fa-f]+|[A-Za-z]\w*);           # &hellip;
    | %\([\w.]+\)[-+#0]*\d*(?:\.\d+)?[a-zA-Z] | %%?\d*\$?[-+#0]*\d*(?:\.\d+)?l{0,2}[sdiuxXfFgGeEc@](?!\w) | %\w+%
    | (?<!\w)\$[A-Za-z_]\w*
    | https?://[^\s<>"]*[^\s<>".,;:!?)] | [\w.+-]+@[\w-]+(?:\.[\w-]+)+
    """,
    re.VERBOSE | re.ASCII,
)
"""What a program or a browser reads: it must stand in the translation as it is, and as often."""
_STOP = re.compile(r"(?<=[^\W\d_])[.!?。！？]+(?=\s*$)")


class Reader(Protocol):
    """What a document needs of a `Translator`."""

    @property
    def source_language(self) -> str: ...
    @property
    def target_language(self) -> str: ...
    @property
    def explain(self) -> Callable[..., Any]: ...
    def __call__(self, texts: list[str], *, search: Any = None, terms: Terms | None = None) -> list[Translation]: ...


@dataclass(frozen=True)
class Job:
    """One file under way: its name and both ends, the work, and who is told the share that is done."""

    path: Path
    stream: BinaryIO
    out: BinaryIO
    work: Work
    progress: Callable[[float], None]

    def whole(self, parts: Sequence[Part], first: float = 0.0, last: float = 1.0) -> Iterator[str]:
        """What the parts of a file become, when all of them are known; they are this stretch of the file."""
        place = 0

        def counted() -> Iterator[Part]:
            nonlocal place
            for part in parts:
                place += 1
                yield part

        def told() -> None:
            self.progress(first + (last - first) * place / max(1, len(parts)))

        return self.work.flow(counted(), told)


class Work:
    """Translates units.

    1. Text is translated in batches; a unit of several lines keeps its lines.
    2. Where a translation lost a placeholder, the texts between the placeholders are translated one by one.
    3. A text that ends with a word, such as a heading, gets no stop that the translator may have put behind it.
    4. Markup is put around the words that the network read there; for this the sentence is looked into again.

    Arguments:
        translator: a `Translator`.
        search, terms: as for a call of it.
    """

    def __init__(self, translator: Reader, *, search: Any = None, terms: Terms | None = None) -> None:
        self._translator = translator
        self._settings: dict[str, Any] = {"search": search, "terms": terms}
        self.languages = translator.source_language, translator.target_language
        self.texts = 0
        """Units that were translated."""
        self.split = 0
        """Of these those that were translated in parts, to keep their placeholders."""
        self.flagged = 0
        """Of these those that the translator itself has doubts about."""

    def flow(self, parts: Iterable[Part], after: Callable[[], None] = lambda: None) -> Iterator[str]:
        """What the parts of a file become, in order; `after` is called whenever some have been translated."""
        waiting: list[Part] = []
        units = characters = 0
        for part in parts:
            waiting.append(part)
            characters += len(part) if isinstance(part, str) else len(text_of(part.nodes))
            units += isinstance(part, Unit)
            if units >= CHUNK or characters >= CHUNK_CHARACTERS:
                yield from self._flushed(waiting)
                after()
                waiting, units, characters = [], 0, 0
        yield from self._flushed(waiting)
        after()

    def _flushed(self, parts: Sequence[Part]) -> Iterator[str]:
        done = iter(self([part.nodes for part in parts if isinstance(part, Unit)]))
        for part in parts:
            yield part if isinstance(part, str) else part.write(next(done))

    def __call__(self, trees: Sequence[Sequence[Node]]) -> list[tuple[Node, ...]]:
        """The translations of trees, in order."""
        cores = [_peeled(nodes) for nodes in trees]
        texts = [text_of(core) for core, _ in cores]
        wanted = dict.fromkeys(text.strip() for text in texts if has_words(text))
        found = dict(zip(wanted, self._translated(list(wanted)), strict=True))
        return [
            wrap(self._marked(core, text, found.get(text.strip())))
            for (core, wrap), text in zip(cores, texts, strict=True)
        ]

    def _translated(self, texts: list[str]) -> list[Translation]:
        return self._translator(texts, **self._settings) if texts else []

    def _marked(self, core: Sequence[Node], text: str, translation: Translation | None) -> tuple[Node, ...]:
        if translation is None:
            return tuple(core)
        self.texts += 1
        self.flagged += bool(translation.flags)
        start = len(text) - len(text.lstrip())
        before, after = text[:start], text[start + len(text.strip()) :]
        kept = _keeps(text, translation.text)
        self.split += not kept
        if is_plain(core):
            middle = translation.text if kept else "".join(part for part, _ in self._in_parts(text.strip()))
            return _ended_alike(text, (before + middle + after,))
        parts = [(translation.text, translation)] if kept else self._in_parts(text.strip())
        target, words, place = before, [], start
        for part, each in parts:
            words += self._links(part if each is None else each, place, len(target))
            target += part
            place += len(part if each is None else each.source)
        return _ended_alike(text, project(core, target + after, words))

    def _in_parts(self, text: str) -> list[tuple[str, Translation | None]]:
        """The text between placeholders translated, each part with its translation; placeholders have none."""
        parts = [part for part in re.split(rf"({PLACEHOLDER.pattern})", text, flags=PLACEHOLDER.flags) if part]
        parts = [piece for part in parts for piece in _apart(part)]
        wanted = [part for part in parts if has_words(part) and not PLACEHOLDER.fullmatch(part)]
        found = iter(self._translated(wanted))
        done: list[tuple[str, Translation | None]] = []
        for part in parts:
            each = next(found) if has_words(part) and not PLACEHOLDER.fullmatch(part) else None
            if each is not None and not _keeps(part, each.text):
                each = None
            done.append((part if each is None else text_of(_ended_alike(part, (each.text,))), each))
        return done

    def _links(self, translated: Translation | str, source_place: int, target_place: int) -> list[Link]:
        if isinstance(translated, str):
            pairs: list[tuple[str, str, bool]] = [(translated, translated, False)]
            source, target = translated, translated
        else:
            pairs = [(each.source, each.text, True) for each in translated.sentences or (translated,)]
            source, target = translated.source, translated.text
        found: list[Link] = []
        place = [0, 0]
        for one, other, is_translated in pairs:
            starts = [
                max(0, text.find(part, at)) for text, part, at in ((source, one, place[0]), (target, other, place[1]))
            ]
            found += [
                link.moved(starts[0] + source_place, starts[1] + target_place)
                for link in self._sentence_links(one, other, is_translated)
            ]
            place = [starts[0] + len(one), starts[1] + len(other)]
        return found

    def _sentence_links(self, source: str, target: str, is_translated: bool) -> list[Link]:
        if not is_translated or not source.strip():
            return links(source, target)
        try:
            trace = json.loads(self._translator.explain(source, target=target).to_json())
        except ValueError:  # more pieces than can be looked into
            return links(source, target)
        same = (trace.get("text"), trace.get("translation")) == (source, target)
        places = (trace["source_spans"], trace["target_spans"]) if same else ((), ())
        pieces = trace["source"], trace["target"]
        return links(source, target, np.array(trace["attention"], np.float32), pieces, places=places)


def _keeps(source: str, target: str) -> bool:
    return Counter(PLACEHOLDER.findall(source)) == Counter(PLACEHOLDER.findall(target))


def _apart(part: str) -> Iterator[str]:
    """A text, and what stands before and behind it: white space, and signs before it."""
    first = next((place for place, character in enumerate(part) if character.isalnum()), len(part))
    end = len(part.rstrip())
    if PLACEHOLDER.fullmatch(part) or first >= end:
        yield part
        return
    yield from (piece for piece in (part[:first], part[first:end], part[end:]) if piece)


def _ended_alike(source: str, nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """Without a stop at the end, where the source ends with a word, as headings, cells and parts of sentences do."""
    stop = _STOP.search(text_of(nodes)) if source.rstrip()[-1:].isalnum() else None
    if stop is None or isinstance(nodes[-1], Atom):
        return nodes
    last = nodes[-1]
    if isinstance(last, Element):
        return (*nodes[:-1], Element(last.payload, _ended_alike(source, last.children)))
    before, _, after = last.rpartition(stop[0])
    return merged((*nodes[:-1], before + after))


def _peeled(nodes: Sequence[Node]) -> tuple[tuple[Node, ...], Callable[[tuple[Node, ...]], tuple[Node, ...]]]:
    """What lies inside the markup that is around all of the text, and how to put that back."""
    worded = [index for index, node in enumerate(nodes) if text_of([node]).strip()]
    if not worded:
        return tuple(nodes), lambda done: done
    first, last = worded[0], worded[-1]
    ends = [index for index, node in enumerate(nodes) if isinstance(node, Atom)]
    start = max((index + 1 for index in ends if index < first), default=0)
    stop = min((index for index in ends if index > last), default=len(nodes))
    before, core, after = tuple(nodes[:start]), tuple(nodes[start:stop]), tuple(nodes[stop:])
    only = core[first - start]
    if first == last and isinstance(only, Element):
        inner, wrap = _peeled(only.children)
        left, right = core[: first - start], core[first - start + 1 :]
        return inner, lambda done: (*before, *left, Element(only.payload, wrap(done)), *right, *after)
    return core, lambda done: (*before, *done, *after)
