"""A page that translates in the browser with the LiteRT file beside it, and needs no server but one of files.

It owns which files the page is made of and what they are told about the model; it does not know how they translate.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import json
import re
from collections.abc import Sequence
from pathlib import Path

from seq2seq.bundle import Bundle
from seq2seq.export import browser
from seq2seq.export.faces import GRAPH, plain_search

FILES = ("index.html", "page.js", "translator.js", "pieces.js", "style.css", "package.json")
SETTINGS = "settings.json"


def write(folder: Path, bundle: Bundle, examples: Sequence[str]) -> None:
    """Puts the page beside a graph and its tokenizers."""
    for name in FILES:
        text = (importlib.resources.files("seq2seq.export") / "assets" / name).read_text(encoding="utf-8")
        (folder / name).write_text(allowed(text) if name == "index.html" else text, encoding="utf-8", newline="\n")
    (folder / SETTINGS).write_text(settings(bundle, examples), encoding="utf-8", newline="\n")


def settings(bundle: Bundle, examples: Sequence[str]) -> str:
    """What the page must know of the model, as JSON."""
    search = plain_search(bundle)
    told = {
        "name": bundle.name,
        "source_language": bundle.source_language,
        "target_language": bundle.target_language,
        "graph": GRAPH,
        "tokenizers": list(bundle.tokenizers),
        "pieces": browser.SOURCE,
        "beam": search.beam,
        "max_length": search.max_length,
        "max_ratio": search.max_ratio,
        "examples": list(examples[:1]),
    }
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def allowed(page: str) -> str:
    """The page, its policy naming the one script that stands in it: where imports are found."""
    script = re.search(r'<script type="importmap">(.*?)</script>', page)
    digest = hashlib.sha256(script[1].encode() if script else b"").digest()
    return page.replace("IMPORTMAP", f"sha256-{base64.b64encode(digest).decode()}")
