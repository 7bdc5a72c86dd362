"""Train, look inside and ship LSTM encoder-decoder translators with attention.

This module names what users import; it loads each name when it is first asked for, so importing it is light.

    >>> import seq2seq
    >>> "Translator" in seq2seq.__all__
    True

Every docstring and shape comment uses one legend of axes:

    B  batch            S  source positions     K  beam
    D  units            T  target positions     E  embedding
    V  vocabulary       L  layers
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seq2seq.bundle import Bundle
    from seq2seq.config import Config, SearchConfig
    from seq2seq.explanation import Explanation
    from seq2seq.model import Seq2Seq
    from seq2seq.tokenizer import Tokenizer
    from seq2seq.translator import Terms, Translation, Translator

__version__ = "0.1.0"

__all__ = [
    "Bundle",
    "Config",
    "Explanation",
    "SearchConfig",
    "Seq2Seq",
    "Terms",
    "Tokenizer",
    "Translation",
    "Translator",
]

_HOME = {
    "Bundle": "bundle",
    "Config": "config",
    "Explanation": "explanation",
    "SearchConfig": "config",
    "Seq2Seq": "model",
    "Terms": "translator",
    "Tokenizer": "tokenizer",
    "Translation": "translator",
    "Translator": "translator",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'seq2seq' has no attribute {name!r}")
    try:
        value = getattr(importlib.import_module(f"seq2seq.{_HOME[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name not in ("keras", "tensorflow"):
            raise
        raise ImportError(f"seq2seq.{name} needs TensorFlow: pip install 'seq2seq[train]'") from None
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
