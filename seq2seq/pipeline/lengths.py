"""How long a translation may be: what nearly all pairs of the training text keep to, and some more.

It owns `search.max_ratio` of a run; it does not know the search.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from seq2seq import batches, config
from seq2seq.config import Config
from seq2seq.engine import batching
from seq2seq.pipeline import material
from seq2seq.pipeline.run import Run

LOOKED_AT = 20_000
"""About how many pairs, spread over the text."""
NEARLY_ALL = 99.9
"""Per cent; what the others say is seldom a translation."""
MORE = 1.2
"""New text is allowed so many times what the known text needs."""
MOST = 8.0
"""As of `search.max_ratio`."""


def fit(run: Run, resolved: Config, settings: Mapping[str, Any]) -> Config:
    """The configuration with a larger `search.max_ratio` where the text needs one and `settings` do not say it.

    A language of few and long pieces, such as one written without spaces, may be read in one piece where another
    writes four. The tokenizers must lie in the run folder.
    """
    if "max_ratio" in settings.get("search", {}):
        return resolved
    needed = min(MOST, math.ceil(10 * MORE * _ratio(run, resolved)) / 10)
    ratio = max(resolved.search.max_ratio, needed)
    return config.build(msgspec.to_builtins(resolved), {"search": {"max_ratio": ratio}})


def _ratio(run: Run, resolved: Config) -> float:
    """Pieces of the target, but for those that all may have, by pieces of the source, ends included."""
    apart = max(1, int(run.report["splits"]["train"]) // LOOKED_AT)
    languages = resolved.source_language, resolved.target_language
    source, target = (
        batches.encode(itertools.islice(run.lines("train", language), 0, None, apart), tokenizer).lengths
        for language, tokenizer in zip(languages, material.tokenizers(run, resolved), strict=True)
    )
    return float(np.percentile((target - batching.SPARE) / source, NEARLY_ALL)) if len(source) else 0.0
