"""The model that a run goes on from: what is kept of it, and its weights.

It owns what a child inherits; it does not know how the child is trained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from seq2seq import bundle, card, checkpoint, config, weights
from seq2seq.bundle import Bundle
from seq2seq.config import Config
from seq2seq.model import Seq2Seq
from seq2seq.pipeline.run import PipelineError, Run, replace

LANGUAGES = {"source_language": "--source-lang", "target_language": "--target-lang"}
KEPT = ("corpus.unicode", "tokenizer.", "model.")
FREE = (*(f"model.{name}" for name in config.DROPOUTS), "model.variational_dropout")


def load(path: Path, settings: Mapping[str, Any]) -> Bundle:
    """The model folder to go on from, which must be able to, with these settings.

    Raises:
        PipelineError: it is an ensemble, or a setting contradicts what a child keeps.
        BundleError: it cannot be loaded.
    """
    parent = bundle.load(path)
    if parent.members:
        raise PipelineError(
            "An ensemble cannot be trained further, only its members can, or a student of it (seq2seq distill). "
            f"Received: {path}, an ensemble of {len(parent.members)}"
        )
    asked = config.build(msgspec.to_builtins(parent.config), dict(settings))
    _check_languages(parent.config, asked, path)
    changed = [
        change for change in config.changes(parent.config, asked) if change.startswith(KEPT) and not _free(change)
    ]
    if changed:
        raise PipelineError(
            "A model that is trained further keeps its tokenizers and sizes. "
            f"Received: {', '.join(changed)}, for {path}"
        )
    return parent


def _check_languages(own: Config, asked: Config, path: Path) -> None:
    wrong = [name for name in LANGUAGES if getattr(asked, name) != getattr(own, name)]
    if wrong:
        must = " and ".join(f"{LANGUAGES[name]} must be {getattr(own, name)}" for name in wrong)
        told = " and ".join(getattr(asked, name) for name in wrong)
        raise PipelineError(
            f"A model that is trained further keeps its languages; {must}. Received: {told}, for {path}"
        )


def inherit(parent: Bundle, run: Run, settings: Mapping[str, Any], pairs: int) -> Config:
    """Writes the tokenizers and the weights of the parent into the run, and gives the run's configuration."""
    for name in dict.fromkeys(parent.tokenizers):
        replace(run.folder / name, parent.read(name))
    origin = {
        "name": parent.name,
        "digest": parent.digest,
        "data": card.data(parent.provenance),
        "licence": parent.provenance.get("licence") or "other",
    }
    checkpoint.save(run.parent, weights.load(parent), origin)
    return config.build(msgspec.to_builtins(parent.config), config.fine_tuning(parent.config, pairs), dict(settings))


def check(run: Run, again: Path | None) -> None:
    """Refuses another parent than the run was begun with.

    Raises:
        PipelineError: a resumed run names another one.
    """
    if again and bundle.load(again, verify=False).digest != _kept(run)[1].get("digest"):
        raise PipelineError(
            f"A resumed run keeps the model that it began with; another one needs a new folder. Received: {again}"
        )


def adopt(
    run: Run,
    model: Seq2Seq,
    *,
    judge: Callable[[Seq2Seq], Mapping[str, float]],
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Gives the model its parent's weights, if the run has a parent; what provenance should say of it, "bleu" included.

    Args:
        judge: says how good the parent is on the validation set, before anything is learned.
    """
    arrays, origin = _kept(run)
    if not origin:
        return {}
    checkpoint.assign(checkpoint.by_path(model.weights), arrays)
    origin["bleu"] = judge(model)["bleu"]
    say(f"going on from {origin['name']}: valid BLEU {origin['bleu']:.1f}")
    return {"parent": origin}


def _kept(run: Run) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The weights of the parent, and what is known of it; nothing where the run has none."""
    return checkpoint.load(run.parent) if run.parent.exists() else ({}, {})


def _free(change: str) -> bool:
    return change.partition("=")[0] in FREE
