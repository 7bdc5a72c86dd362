"""Gradio, imported without its calls home and in half of its usual time.

It knows how Gradio is imported and nothing of what is built with it.
"""

from __future__ import annotations

import contextlib
import inspect
import os
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def _without_stubs() -> Iterator[None]:
    """Gradio parses and rewrites the .pyi stub of each of its components whenever it is imported, which takes longer
    than the import itself; it leaves out classes that come from no file, so here its classes come from none."""
    getfile = inspect.getfile

    def found(thing: Any) -> str:
        if inspect.isclass(thing) and thing.__module__.startswith("gradio."):
            raise OSError("not looked for")
        return getfile(thing)

    inspect.getfile = found  # type: ignore[assignment]
    try:
        yield
    finally:
        inspect.getfile = getfile


os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read while Gradio is imported
with _without_stubs():
    import gradio as gr

__all__ = ["gr"]
