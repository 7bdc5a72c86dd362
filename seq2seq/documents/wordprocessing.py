"""Paragraphs of Office Open XML and OpenDocument: runs of text with their formats.

It knows the elements of the formats; it knows neither archives nor translators.
"""

from __future__ import annotations

import copy
import functools
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from seq2seq.documents.trees import SPACE, fill, local, mixed, namespace, sentences, unit
from seq2seq.documents.units import Atom, Element, Node, Unit, merged, text_of

_AROUND = {"hyperlink", "ins", "smartTag", "moveTo"}
"""Elements around runs of the same sentence."""
_ENDS = {"pPr", "endParaRPr", "rPh", "phoneticPr", "fld", "fldSimple", "br", "del", "moveFrom"}
"""Elements that end a sentence and hold nothing to translate."""
_DROPPED = {"proofErr", "lastRenderedPageBreak"}
"""Remarks about words that will be gone."""
_MARKS = {"commentReference", "footnoteReference", "endnoteReference", "drawing", "pict", "AlternateContent"}
"""What a run holds that stands in a sentence and says nothing: marks of remarks, pictures."""
_OFFICE = ("wordprocessingml", "drawingml", "spreadsheetml")
_RETURN = "_x000D_"
"""How Excel writes the first half of a line break."""
_CODE = re.compile("_x([0-9A-Fa-f]{4})_")
_TEXT = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"


@dataclass(frozen=True)
class _Run:
    """A run that has another format than most of its sentence."""

    element: Any


@dataclass(frozen=True)
class _Box:
    """An element around runs, and the run whose format most of its text has."""

    element: Any
    base: Any


def office(tree: Any, kept: Collection[str] = ()) -> Iterator[Unit]:
    """Paragraphs of Word and PowerPoint, p with runs r of text t, and strings of Excel, si and is.

    Arguments:
        kept: texts that stay.
    """
    for element in tree.iter("{*}p", "{*}si", "{*}is"):
        if not any(name in namespace(element) for name in _OFFICE):
            continue
        if local(element) != "p":
            if kept and shown("".join(each.text or "" for each in _own(element))) in kept:
                continue
            text = element.find("{*}t")
            if text is not None:
                yield from unit((_read(text),), _setter(text))
                continue
        for group in _groups(element):
            yield from _sentence(group)


def shown(text: str) -> str:
    """Text of Excel as it is shown: its codes for characters, such as _x000a_, are those, a line break is one."""
    return _CODE.sub(lambda code: chr(int(code[1], 16)), text).replace("\r\n", "\n")


def _own(element: Any) -> list[Any]:
    """Elements t of a string of Excel, those that say how it is pronounced left out."""
    return [*element.findall("{*}t"), *element.findall("{*}r/{*}t")]


def open_document(tree: Any) -> Iterator[Unit]:
    """Paragraphs p and headings h of OpenDocument, with spans."""
    for element in tree.iter(f"{{{_TEXT}}}p", f"{{{_TEXT}}}h"):
        nodes = mixed(element, inside=lambda child: local(child) in ("span", "a"))
        yield from sentences(
            nodes, lambda child: local(child) in ("tab", "line-break"), functools.partial(fill, element)
        )


def _groups(parent: Any, *, fields: int = 0) -> Iterator[list[Any]]:
    """Children in a row that make a sentence; breaks, tabs and fields end one, and their texts stand alone."""
    group: list[Any] = []
    for child in list(parent):
        name = local(child)
        marks = [_field(mark) for mark in child.iter("{*}fldChar")]
        fields += sum(marks)
        if name in _DROPPED:
            parent.remove(child)
        elif name == "sdt" and child.find("{*}sdtContent") is not None:
            yield group
            group = []
            yield from _groups(child.find("{*}sdtContent"))
        elif name in _ENDS or fields or marks or not _is_whole(child):
            yield group
            group = []
            if name not in _ENDS:
                yield from ([text] for text in _texts(child))
        else:
            group.append(child)
    yield group


def _field(mark: Any) -> int:
    kind = next((value for name, value in mark.attrib.items() if name.endswith("fldCharType")), "")
    return {"begin": 1, "end": -1}.get(kind, 0)


def _is_whole(child: Any) -> bool:
    """Whether it can be moved and divided as a part of a sentence."""
    if local(child) == "r":
        names = [local(each) for each in child if local(each) not in _DROPPED]
        if "t" in names:
            return names.count("t") == 1 and set(names) <= {"rPr", "t"}
        return bool(_MARKS & set(names)) and set(names) <= {"rPr"} | _MARKS
    if local(child) in _AROUND:
        return all(local(each) == "r" and _is_whole(each) for each in child)
    return not any(True for _ in _texts(child))


def _texts(child: Any) -> Iterator[Any]:
    """Elements t in it, those of text boxes left out, which are paragraphs of their own."""
    paragraph = next(child.iterancestors("{*}p", "{*}si", "{*}is"), None)
    for text in child.iter(f"{{{namespace(child.getparent())}}}t"):  # and so not those of an equation
        if next(text.iterancestors("{*}p", "{*}si", "{*}is"), None) is paragraph:
            yield text


def _sentence(group: Sequence[Any]) -> Iterator[Unit]:
    if len(group) == 1 and local(group[0]) == "t":
        yield from unit((_read(group[0]),), _setter(group[0]))
        return
    base = _base(group)
    nodes = _nodes(group, base)

    def put(done: tuple[Node, ...]) -> None:
        parent = group[0].getparent()
        place = parent.index(group[0])
        for child in group:
            parent.remove(child)
        for number, element in enumerate(_elements(done, base)):
            parent.insert(place + number, element)

    yield from unit(nodes, put)


def _nodes(children: Sequence[Any], base: Any) -> tuple[Node, ...]:
    nodes: list[Node] = []
    for child in children:
        if _says(child):
            same = base is not None and _format(child) == _format(base)
            nodes.append(_text(child) if same else Element(_Run(child), (_text(child),)))
        elif local(child) in _AROUND:
            inner = _base(list(child))
            nodes.append(Element(_Box(child, inner), _nodes(list(child), inner)))
        else:
            nodes.append(Atom(child))
    return merged(nodes)


def _elements(nodes: Sequence[Node], base: Any) -> Iterator[Any]:
    for node in nodes:
        if isinstance(node, str):
            yield _with_text(base, node)
        elif isinstance(node, Atom):
            yield node.payload
        elif isinstance(node.payload, _Box):
            box = node.payload.element
            inner = list(_elements(node.children, node.payload.base))
            for child in list(box):
                box.remove(child)
            box.extend(inner)
            yield box
        elif text_of(node.children):
            yield _with_text(node.payload.element, text_of(node.children))


def _says(child: Any) -> bool:
    """Whether it is a run with text."""
    return local(child) == "r" and child.find("{*}t") is not None


def _base(children: Sequence[Any]) -> Any:
    """The run whose format most of the text has; where all text is in boxes, one of theirs."""
    lengths: dict[bytes, int] = {}
    runs: dict[bytes, Any] = {}
    found = [child for child in children if _says(child)]
    for run in found or [run for child in children if local(child) in _AROUND for run in child if _says(run)]:
        form = _format(run)
        lengths[form] = lengths.get(form, 0) + len(_text(run))
        runs.setdefault(form, run)
    return runs[max(lengths, key=lambda form: lengths[form])] if lengths else None


def _format(run: Any) -> bytes:
    """The properties of a run, without the language and what the spelling checker found."""
    from lxml import etree

    properties = run.find("{*}rPr")
    if properties is None:
        return b""
    plain = copy.deepcopy(properties)
    for name in ("lang", "noProof"):
        for child in plain.findall(f"{{*}}{name}"):
            plain.remove(child)
    for name in ("lang", "dirty", "err", "noProof"):
        plain.attrib.pop(name, None)
    if not len(plain) and not plain.attrib:
        return b""
    try:
        return etree.tostring(plain, method="c14n", with_tail=False)
    except etree.C14NError:  # which has no form for a namespace that is no whole address
        return etree.tostring(plain, with_tail=False)


def _text(run: Any) -> str:
    return _read(run.find("{*}t"))


def _with_text(run: Any, text: str) -> Any:
    made = copy.deepcopy(run)
    made.tail = None
    for child in list(made):
        if local(child) in _DROPPED:
            made.remove(child)
    _write(made.find("{*}t"), text)
    return made


def _setter(element: Any) -> Callable[[tuple[Node, ...]], None]:
    return lambda nodes: _write(element, text_of(nodes))


def _read(element: Any) -> str:
    return (element.text or "").replace(_RETURN, "\r")


def _write(element: Any, text: str) -> None:
    """Word and Excel drop white space at the ends if they are not told; PowerPoint knows no such attribute."""
    element.text = text.replace("\r", _RETURN)
    if text != text.strip() and "drawingml" not in namespace(element):
        element.set(SPACE, "preserve")
