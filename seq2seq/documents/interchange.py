"""XLIFF: a target for each source that has none, its placeholders and tags inside it.

It knows XLIFF 1.2 and 2; it knows neither files nor translators.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seq2seq.documents.languages import Languages, check
from seq2seq.documents.trees import fill, local, mixed, sentences
from seq2seq.documents.units import Node, Unit

_INSIDE = {"g", "mrk", "pc"}
"""Elements around text of the same sentence; any other stands for code."""


def xliff(tree: Any, path: Path, languages: Languages) -> Iterator[Unit]:
    """Units and segments without a target, or with an empty one, that are not marked translate="no".

    Arguments:
        tree: of the file.
        path: its name, for messages.
        languages: of the translator; the target's is put where the file does not say what its targets are in.

    Raises:
        DocumentError: what has no target is of other languages.
    """
    for holder in tree.iter("{*}trans-unit", "{*}segment"):
        source, target = holder.find("{*}source"), holder.find("{*}target")
        refused = next((e.get("translate") for e in (holder, *holder.iterancestors()) if e.get("translate")), "yes")
        if source is None or refused == "no" or (target is not None and (len(target) or (target.text or "").strip())):
            continue
        for element in source.iterancestors("{*}file", "{*}xliff"):
            check(languages, _told(element), path, element.sourceline or 0)
        copied = copy.deepcopy(source)
        nodes = mixed(copied, inside=lambda child: local(child) in _INSIDE and child.get("translate") != "no")
        yield from sentences(nodes, _is_break, functools.partial(_put, holder, source, languages[1]))


def _told(element: Any) -> Languages:
    names = (("source-language", "target-language"), ("srcLang", "trgLang"))
    one, other = ([element.get(name) for name in pair] for pair in names)
    return one[0] or other[0] or "", one[1] or other[1] or ""


def _is_break(code: Any) -> bool:
    return code.get("ctype") == "lb" or (code.get("id") or "").startswith("LINE_BREAK")


def _put(holder: Any, source: Any, language: str, nodes: tuple[Node, ...]) -> None:
    target = holder.find("{*}target")
    if target is None:
        target = source.makeelement(source.tag[: source.tag.rindex("}") + 1 if "}" in source.tag else 0] + "target")
        cut = holder.find("{*}seg-source")
        before = source if cut is None else cut
        target.tail = before.tail
        before.addnext(target)
        before.tail, target.tail = target.tail, before.tail
    fill(target, nodes)
    root = source.getroottree().getroot()
    if root.get("version", "").startswith("2"):
        _say(root, "trgLang", language)
    else:
        for file in source.iterancestors("{*}file"):
            _say(file, "target-language", language)


def _say(element: Any, name: str, language: str) -> None:
    if language and not element.get(name):
        element.set(name, language)
