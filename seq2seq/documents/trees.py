"""XML: paragraphs of mixed text and markup become units, and what was translated is put back into the tree.

It knows XML and lxml; which elements are paragraphs the formats say.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from seq2seq.documents.units import Atom, DocumentError, Element, Node, Unit, has_words, merged, text_of, writable

SPACE = "{http://www.w3.org/XML/1998/namespace}space"


def parse(data: bytes, path: Path, name: str = "") -> Any:
    """The tree of a file, or of a member of one; entities are not expanded and nothing is fetched.

    Raises:
        DocumentError: it is not well formed.
        ImportError: lxml is not installed.
    """
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        return etree.fromstring(data, parser).getroottree()
    except (etree.XMLSyntaxError, ValueError) as error:
        line = getattr(error, "lineno", 0) or 0
        reason = (f"{name}: " if name else "") + str(error).partition("\n")[0]
        raise DocumentError.at("XML must be well formed", path, line, reason) from None


def serialised(tree: Any, data: bytes) -> bytes:
    """The file again: in its encoding, with the declaration and the white space at the end that it had."""
    from lxml import etree

    declaration = re.match(rb"(?:\xef\xbb\xbf)?<\?xml[^>]*\?>\s*", data)
    if declaration is None and not data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):  # of two bytes a character
        return bytes(etree.tostring(tree, encoding=tree.docinfo.encoding, xml_declaration=True))
    body = etree.tostring(tree, encoding=tree.docinfo.encoding or "UTF-8", xml_declaration=False)
    return (declaration[0] if declaration else b"") + body + data[len(data.rstrip()) :]


def local(element: Any) -> str:
    """The name of an element without its namespace; "" for comments and the like."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def namespace(element: Any) -> str:
    """The namespace of an element."""
    return element.tag[1:].partition("}")[0] if local(element) and element.tag.startswith("{") else ""


def mixed(element: Any, *, inside: Callable[[Any], bool]) -> tuple[Node, ...]:
    """Text and markup in an element; `inside` says which children have text of the same sentence."""
    nodes: list[Node] = [element.text or ""]
    for child in element:
        nodes.append(Element(child, mixed(child, inside=inside)) if inside(child) else Atom(child))
        nodes.append(child.tail or "")
    return merged(nodes)


def fill(element: Any, nodes: Sequence[Node]) -> None:
    """Puts nodes whose payloads are elements into an element, instead of what it holds."""
    last = None
    for child in list(element):
        element.remove(child)
    element.text = None
    for node in nodes:
        if isinstance(node, str):
            if last is None:
                element.text = (element.text or "") + node
            else:
                last.tail = (last.tail or "") + node
            continue
        last = node.payload
        last.tail = None
        if isinstance(node, Element):
            fill(last, node.children)
        element.append(last)


def unit(nodes: tuple[Node, ...], put: Callable[[tuple[Node, ...]], None]) -> Iterator[Unit]:
    """A unit that changes a tree, if there is anything to translate."""
    if has_words(text_of(nodes)):

        def write(translated: tuple[Node, ...]) -> str:
            put(_writable(translated))
            return ""

        yield Unit(nodes, write)


def sentences(
    nodes: tuple[Node, ...], ends: Callable[[Any], bool], put: Callable[[tuple[Node, ...]], None]
) -> Iterator[Unit]:
    """Units of what some of the elements in it divide, such as line breaks; `put` gets all of it after the last."""
    groups: list[tuple[Node, ...]] = [()]
    for node in nodes:
        if isinstance(node, Atom) and ends(node.payload):
            groups += [(node,), ()]
        else:
            groups[-1] += (node,)

    left = [place for place, group in enumerate(groups) if has_words(text_of(group))]

    def put_one(place: int, done: tuple[Node, ...]) -> None:
        groups[place] = done
        if place == left[-1]:
            put(tuple(chain.from_iterable(groups)))

    for place in left:
        yield from unit(groups[place], functools.partial(put_one, place))


def _writable(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Before anything of the tree is taken away: lxml refuses the text that XML cannot hold."""
    return tuple(
        writable(node)
        if isinstance(node, str)
        else Element(node.payload, _writable(node.children))
        if isinstance(node, Element)
        else node
        for node in nodes
    )
