"""Word alignments in a run: whether they guide its attention, and the links of its pairs.

It owns what a run is asked for and what lies in its folder; it does not know how links become pieces or a loss.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from seq2seq import config, corpus, guidance
from seq2seq.batches import Pairs
from seq2seq.config import Config
from seq2seq.pipeline.run import Files, PipelineError, Run
from seq2seq.tokenizer import Tokenizer

USUAL = 0.1
"""training.guided_attention where alignments are given and nobody said how much they count."""


def asked(files: Files, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, with the weight of guided attention where alignments are given.

    Raises:
        PipelineError: there is not an alignment for each corpus, or a weight and none at all.
    """
    given, corpora = len(files.alignments), 1 + len(files.more)
    if given not in (0, corpora):
        raise PipelineError(
            f"There must be an alignment for each corpus, or none. Received: {given}, for {corpora} corpora"
        )
    training = settings.get("training", {})
    if training.get("guided_attention") and not given:
        raise PipelineError(
            "training.guided_attention needs the word alignments of the corpus; give --alignment. "
            f"Received: {training['guided_attention']} without"
        )
    return config.merge({"training": {"guided_attention": USUAL}} if given else {}, settings)


def guided(
    run: Run,
    resolved: Config,
    sides: Sequence[Tokenizer],
    *,
    pairs: Pairs,
    say: Callable[[str], None],
) -> Pairs:
    """All pairs of the training text, with the links that lie beside it if they should guide.

    Args:
        pairs: the training text as ids.

    Raises:
        PipelineError: they should, and there are none.
    """
    if not resolved.training.guided_attention:
        return pairs
    path = run.data / corpus.ALIGNMENT
    if not path.exists():
        raise PipelineError(f"A run with guided attention must keep its alignment. Received: no {path}")
    given = guidance.read(path.read_text(encoding="utf-8").split("\n")[:-1])
    tables = guidance.beginnings(sides[0]), guidance.beginnings(sides[1])
    links = guidance.links(given, run.pair("train", resolved), (pairs.source, pairs.target), tables)
    say(f"guided attention: {links.guided:,} of {len(pairs):,} pairs have links of words")
    return dataclasses.replace(pairs, hints=(*pairs.hints, links))
