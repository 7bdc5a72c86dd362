"""Edits a manifest the way a program that knows the seal would, so that tests can tell lies in one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path


def change(folder: Path, edit: Callable[[dict], None]) -> None:
    """Edits the manifest of a model folder and seals it again."""
    place = folder / "manifest.json"
    content = json.loads(place.read_text(encoding="utf-8"))
    edit(content)
    content["digest"] = "0" * 64
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    place.write_text(text.replace("0" * 64, hashlib.sha256(text.encode()).hexdigest(), 1), encoding="utf-8")
