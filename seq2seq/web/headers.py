"""What browsers are told about answers: what a page may load and run, and who may show it.

It knows headers and HTML as text; it does not know who asks or what is answered.
"""

from __future__ import annotations

import base64
import hashlib
import re

NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The policy of everything that is no page: data, scripts, styles."""
COMMON = {
    "content-security-policy": NOTHING,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""Of every answer that does not say something else."""

_SCRIPT = re.compile(r"<script\b[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE)
_STYLE = re.compile(r"<style\b[^>]*>(.*?)</style>", re.DOTALL | re.IGNORECASE)


def page_policy(*parts: str) -> str:
    """The policy of the page: only the scripts and styles that stand in it, and this server.

    Arguments:
        parts: HTML that the server itself wrote: the page, and what Gradio's script adds to its head.

    >>> "unsafe" in page_policy("<script>1</script>").replace("style-src-attr 'unsafe-inline'", "")
    False
    """
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' {_hashes(_SCRIPT, parts)}".rstrip(),
            f"style-src-elem 'self' {_hashes(_STYLE, parts)}".rstrip(),
            "style-src-attr 'unsafe-inline'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'self'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def form_policy(html: str) -> str:
    """The policy of a page that is one form: its own styles, and this server to send it to.

    >>> form_policy("<form></form>")
    "default-src 'none'; style-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    """
    styles = _hashes(_STYLE, (html,)) or "'none'"
    return f"default-src 'none'; style-src {styles}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"


def _hashes(element: re.Pattern[str], parts: tuple[str, ...]) -> str:
    found = (text for part in parts for text in element.findall(part) if text)
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in found)
    return " ".join(dict.fromkeys(f"'sha256-{digest}'" for digest in digests))
