"""The teacher of a run: what is taken over from it, and what it would say of the training text.

It owns what a run with a teacher must keep to; it does not know what a teacher's opinion does to the loss.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from seq2seq import bundle, checkpoint, config, inference, teacher
from seq2seq.batches import Pairs
from seq2seq.bundle import Bundle
from seq2seq.config import Config
from seq2seq.distribution import Devices
from seq2seq.pipeline import parent
from seq2seq.pipeline.run import Files, PipelineError, Run, replace

USUAL = 0.7
"""training.teacher_weight where there is a teacher and nobody said how much it counts."""
KEPT = ("source_language", "target_language", "corpus.unicode", "tokenizer.")

Say = Callable[[str], None]


def asked(files: Files, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, with those that a student shares with its teacher, and how much it counts.

    Raises:
        PipelineError: a weight without a teacher; a setting or a parent with other pieces than the teacher's.
        BundleError: the teacher cannot be loaded.
    """
    training = settings.get("training", {})
    if not files.teacher:
        if training.get("teacher_weight"):
            raise PipelineError(
                "training.teacher_weight needs a model to learn from; give --teacher. "
                f"Received: {training['teacher_weight']} without"
            )
        return dict(settings)
    model = bundle.load(files.teacher, verify=False)
    _refuse_others(model, settings)
    if files.parent and not _same_pieces(model, bundle.load(files.parent, verify=False)):
        raise PipelineError(
            "A model that is trained further must have the tokenizers of its teacher, byte for byte. "
            f"Received: {files.parent} and {files.teacher}"
        )
    shared = msgspec.to_builtins(model.config.tokenizer)
    return {**settings, "tokenizer": shared, "training": {"teacher_weight": USUAL, **training}}


def adopt(path: Path, run: Run) -> None:
    """Writes the teacher's tokenizers into the run."""
    model = bundle.load(path, verify=False)
    for name in dict.fromkeys(model.tokenizers):
        replace(run.folder / name, model.read(name))


def prepare(
    path: Path | None, run: Run, resolved: Config, pairs: Callable[[], Pairs], *, devices: Devices, say: Say
) -> dict[str, Any]:
    """Asks the teacher about the training text, if the run has one and that is not done; what provenance should say.

    Args:
        path: the model folder that was named, if one was.
        pairs: gives those to train on, split as usual.

    Raises:
        PipelineError: the run needs a teacher and none is named, or another one than it began with.
    """
    if not resolved.training.teacher_weight:
        return {}
    origin = _opinions(path, run, pairs, say) if devices.chief else {}
    devices.wait(run.teacher)
    return {"teacher": origin}


def taught(run: Run, resolved: Config, pairs: Pairs) -> Pairs:
    """The pairs, with what the teacher would say of them if it was asked."""
    if not resolved.training.teacher_weight or not run.teacher.exists():
        return pairs
    arrays, _ = checkpoint.load(run.teacher)
    if len(arrays["pieces"]) != len(pairs.target.ids):
        raise PipelineError(f"A run must keep the text that its teacher was asked about. Received: {run.teacher}")
    hint = teacher.opinions(arrays["pieces"], arrays["shares"], pairs)
    return dataclasses.replace(pairs, hints=(*pairs.hints, hint))


def _opinions(path: Path | None, run: Run, pairs: Callable[[], Pairs], say: Say) -> dict[str, Any]:
    """Writes what the teacher would say, where that is not done; name, digest, data and licence of the teacher."""
    if run.teacher.exists():
        _, origin = checkpoint.load(run.teacher)
        if path and bundle.load(path, verify=False).digest != origin["digest"]:
            raise PipelineError(
                f"A resumed run keeps the teacher that it began with; another one needs a new folder. Received: {path}"
            )
        return origin
    if path is None:
        raise PipelineError(f"--teacher must name the model to learn from again. Received: none, for {run.folder}")
    model, text = bundle.load(path), pairs()
    say(f"asking the teacher, {model.name}, about {len(text):,} pairs")
    pieces, shares = teacher.ask(inference.network(model), text)
    origin = parent.origin(model)
    checkpoint.save(run.teacher, {"pieces": pieces, "shares": shares}, origin)
    return origin


def _refuse_others(model: Bundle, settings: Mapping[str, Any]) -> None:
    own = msgspec.to_builtins(model.config)
    wanted = config.build(own, {name: value for name, value in settings.items() if name != "model"})
    changed = [change for change in config.changes(model.config, wanted) if change.startswith(KEPT)]
    if changed:
        raise PipelineError(
            "A student has the languages and the tokenizers of its teacher. "
            f"Received: {', '.join(changed)}, for {model.path}"
        )


def _same_pieces(one: Bundle, other: Bundle) -> bool:
    return [one.read(name) for name in one.tokenizers] == [other.read(name) for name in other.tokenizers]
