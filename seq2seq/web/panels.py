"""What the page starts from, and the scripts and styles that make it; they ask /v1 for all else.

The drawing is in assets, where every piece of text becomes a text node; nothing here is HTML.
"""

from __future__ import annotations

import importlib.resources
import importlib.util
import json
import math
from typing import TYPE_CHECKING, Any

from seq2seq.web import languages, limits

if TYPE_CHECKING:
    from seq2seq.translator import Translation

SCRIPTS = (
    "page.js",
    "language.js",
    "drawing.js",
    "charts.js",
    "trace.js",
    "attention.js",
    "confidence.js",
    "cell.js",
    "unit.js",
    "beam.js",
    "whatif.js",
    "influence.js",
    "panels.js",
    "live.js",
    "panes.js",
    "switches.js",
    "files.js",
    "session.js",
    "app.js",
    "start.js",
)
"""In the order in which they must run."""
STYLES = ("style.css", "translator.css", "panels.css")
MEASURED = "memory.json"
"""What benchmarks/memory.py measured, if it stands among the assets."""


def head() -> str:
    """The styles and scripts of the page, as the content of its head."""
    styles = "".join(f"<style>{_asset(name)}</style>" for name in STYLES)
    scripts = "\n".join(map(_asset, SCRIPTS))
    return f"{styles}<script>{scripts}\nseq2seq.measured = {_measured()};</script>"


def beginning(search: Any) -> str:
    """The script that starts the page, after all others."""
    return f"<script>seq2seq.start({_plain(start(search))});</script>"


def start(search: Any) -> dict[str, Any]:
    """What the page starts from, beside /v1/models.

    Arguments:
        search: the model's own settings.
    """
    return {
        "beams": [limits.MIN_BEAM, limits.MAX_BEAM],
        "search": {
            "kind": "greedy" if search.beam == 1 else "beam",
            "beam": min(max(search.beam, limits.MIN_BEAM), limits.MAX_BEAM),
            "length_penalty": min(search.length_penalty, limits.MAX_LENGTH_PENALTY),
        },
        "gradients": importlib.util.find_spec("tensorflow") is not None,
        "examples": languages.EXAMPLES,
    }


def hypotheses(translation: Translation) -> list[dict[str, Any]]:
    """The n-best list, best first."""
    return [
        {
            "text": candidate.text,
            "score": round(candidate.score, 3),
            "log_prob": round(candidate.log_prob, 3),
            "probability": float(f"{math.exp(min(0.0, candidate.log_prob)):.3g}"),
            "finished": bool(candidate.finished),
        }
        for candidate in translation.hypotheses
    ]


def _asset(name: str) -> str:
    return (importlib.resources.files("seq2seq.web") / "assets" / name).read_text(encoding="utf-8")


def _measured() -> str:
    file = importlib.resources.files("seq2seq.web") / "assets" / MEASURED
    return _plain(json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None)


def _plain(value: Any) -> str:
    """As JavaScript that cannot end the script it stands in."""
    return json.dumps(value).replace("<", "\\u003c")
