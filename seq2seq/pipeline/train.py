"""Training from raw text to a model folder, step by step.

It owns the order; each step is another file's.
"""

from __future__ import annotations

import contextlib
import platform
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import seq2seq
from seq2seq import allocation, checkpoint, distribution, inference, precision, preflight, progress, release, training
from seq2seq.batches import Pairs
from seq2seq.bundle import Bundle
from seq2seq.config import Config
from seq2seq.distribution import Devices, DistributionError
from seq2seq.model import Seq2Seq
from seq2seq.pipeline import material, parent
from seq2seq.pipeline.alone import alone
from seq2seq.pipeline.budget import AS_USUAL, Before, Budget
from seq2seq.pipeline.judge import Judge
from seq2seq.pipeline.material import Resample
from seq2seq.pipeline.run import (
    ASTRAY,
    Files,
    Run,
    check_folder,
    check_settings,
    check_text,
    found,
    resumable,
    stopped,
    sweep,
)
from seq2seq.pipeline.start import start
from seq2seq.pipeline.watching import Watch
from seq2seq.tokenizer import Tokenizer
from seq2seq.training import Trainer, TrainingError

Say = Callable[[str], None]


def train(
    files: Files,
    output: Path,
    *,
    settings: Mapping[str, Any],
    provenance: Mapping[str, Any] | None = None,
    resume: bool = False,
    gpus: int = 1,
    before: Before = AS_USUAL,
    say: Say = print,
) -> Bundle | None:
    """Trains a translator from raw text and writes its model folder, `output/model`.

    Several machines, named in TF_CONFIG, each call it with the same arguments; the first one writes, the others
    return None when training is done.

    Arguments:
        files: the corpus; what is not given of valid and test is split off.
        output: the run folder; it must not exist, or hold a run to resume.
        settings: what differs from the defaults for a corpus of this size, as from `config.load`.
        provenance: "data" and "licence" for the model card.
        resume: go on where the run in `output` was stopped, whatever stopped it; the result is that of a run
            that was never stopped. One that is finished stays as it is.
        gpus: how many of each machine share a batch.
        before: whether a few pairs are tried first, and the time that all must end in.
        say: called with each line of progress.

    Raises:
        PipelineError: `output` is in use, or there is nothing to resume.
        Interrupted: SIGINT or SIGTERM came; the message says how to go on.
        ConfigError, CorpusError, TokenizerError, TrainingError, PreflightError, DistributionError:
            from the step that failed.
    """
    run = Run(Path(output))
    check_folder(run.folder, resume)
    devices = distribution.connect(gpus, say)
    say = say if devices.chief else _silence
    with resumable(run.folder), alone(run.folder) if devices.chief else contextlib.nullcontext():
        return _train(files, run, settings, provenance or {}, resume=resume, devices=devices, before=before, say=say)


def _train(
    files: Files,
    run: Run,
    settings: Mapping[str, Any],
    provenance: Mapping[str, Any],
    *,
    resume: bool,
    devices: Devices,
    before: Before,
    say: Say,
) -> Bundle | None:
    """The steps, one after the other; each machine takes them, and the first one writes."""
    if devices.chief and resume:
        sweep(run)
    with _left_as_it_was(run, resume or not devices.chief):
        finished = devices.first(lambda: _begun(files, run, settings, say, budget=before.budget))
        devices.wait(run.config)
        check(run, files, settings)
        if finished:
            devices.part()
            return found(run, say) if devices.chief else None
        resolved = run.resolved
        tokenizers = material.tokenizers(run, resolved)
        pairs, valid, resample = material.encode(run, resolved, tokenizers, say)
        judge = Judge(run, resolved, tokenizers[1], valid, source=tokenizers[0])
        allocation.keep_large_blocks()  # not sooner, or what reading the text took would be kept too
        fresh = not (run.checkpoints / training.LATEST).exists()
        devices.first(lambda: _tried(resolved, pairs, tokenizers, say) if before.preflight and fresh else None)
        keras.utils.set_random_seed(resolved.training.seed)
        with devices.scope():
            model = material.network(resolved, tokenizers)
        _describe(resolved, model, pairs, say)
        origin = parent.adopt(run, model, judge=judge, say=say if fresh else _silence)
    left_out = material.left_out(run, resolved, len(pairs))
    watch = Watch(
        run, resolved, model, samples=judge.samples, history=lambda: trainer.standing.history, left_out=left_out
    )
    trainer = _trainer(run, resolved, model, judge, say=say, resample=resample, devices=devices, watch=watch)

    def shipped(**more: str) -> Bundle:
        arrays, chosen, bleu = _best(trainer, judge, resolved)
        if origin and bleu < (first := origin["parent"]["bleu"]):
            say(f"note: on the validation set the model that it went on from is better, BLEU {first:.1f} to {bleu:.1f}")
        facts = _facts(trainer, chosen) | {"pairs": len(pairs), **more, **origin, **provenance}
        return _ship(run, resolved, arrays, facts, watch=watch, say=say)

    try:
        trainer.run(resample(0) if resample else pairs, valid, resume=resume)
    except training.Interrupted:
        raise stopped(run.folder) from None
    except TrainingError as error:
        if not devices.chief:
            raise
        if not trainer.standing.history:
            watch.finish(say, str(error))
            raise
        path = shipped(**{ASTRAY: str(error)}).path
        raise TrainingError(f"{error}; what it had learned by then is in {path}") from None
    return shipped() if devices.chief else None


def _begun(files: Files, run: Run, settings: Mapping[str, Any], say: Say, *, budget: Budget | None) -> bool:
    """Begins a run that is new; whether one that is not is finished."""
    if run.config.exists():
        return run.finished
    start(files, run, settings, say, budget=budget)
    return False


def check(run: Run, files: Files, settings: Mapping[str, Any]) -> None:
    """Refuses to go on with a run that was begun with other settings, other text or another parent.

    Raises:
        PipelineError: it was.
    """
    check_settings(run.resolved, settings)
    check_text(run, files)
    parent.check(run, files.parent)


def _tried(resolved: Config, pairs: Pairs, tokenizers: Sequence[Tokenizer], say: Say) -> None:
    say(str(preflight.check(resolved, pairs, material.vocabularies(resolved, tokenizers))))


@contextlib.contextmanager
def _left_as_it_was(run: Run, keep: bool) -> Iterator[None]:
    """While entered, a refusal takes with it what a new run wrote, so that other settings can have its folder; not so
    where the run is an older one, or another machine's, or only another machine is gone.
    """
    try:
        yield
    except (ValueError, OSError, MemoryError, tf.errors.ResourceExhaustedError) as error:
        if not (keep or (isinstance(error, DistributionError) and run.config.exists())):
            shutil.rmtree(run.folder, ignore_errors=True)
        raise


def _describe(resolved: Config, model: Seq2Seq, pairs: Pairs, say: Say) -> None:
    sizes, training_ = resolved.model, resolved.training
    numbers = model.dtype_policy.name
    if model.compute_dtype == "bfloat16" and not precision.computes_bfloat16():
        numbers += ", which this machine computes by way of float32"
    say(
        f"{len(pairs):,} pairs, {int(pairs.target.lengths.sum()):,} target pieces; "
        f"{model.count_params():,} parameters: "
        f"embedding {sizes.embedding}, units {sizes.units}, {sizes.encoder_layers} + {sizes.decoder_layers} layers, "
        f"{sizes.attention} attention; up to {training_.epochs} epochs of {training_.batch_tokens:,}-token batches, "
        f"{numbers}"
    )


def _silence(line: str) -> None:
    """What machines other than the first one have to say."""


def _trainer(
    run: Run,
    resolved: Config,
    model: Seq2Seq,
    judge: Judge,
    *,
    say: Say,
    resample: Resample,
    devices: Devices,
    watch: Watch,
) -> Trainer:
    shown = [
        progress.Bar(),
        progress.Story(say, run.folder / "training.log", judge.samples, watch.history),
        progress.TensorBoard(run.folder / "tensorboard", judge.looks),
        progress.Curve(run.folder / "curve.png", watch.history),
        watch,
    ]
    return Trainer(
        model,
        resolved.training,
        run.checkpoints,
        evaluate=judge.after_epoch,
        resample=resample,
        callbacks=shown if devices.chief else [],
        devices=devices,
    )


def _facts(trainer: Trainer, chosen: str) -> dict[str, Any]:
    """What the model folder says of the training that made it."""
    model, standing = trainer.model, trainer.standing
    return {
        "version": seq2seq.__version__,
        "parameters": model.count_params(),
        "epochs": standing.epoch,
        "minutes": standing.seconds / 60,
        "machine": f"{precision.processor()}, {platform.system()}",
        "precision": model.dtype_policy.name,
        "tensorflow": tf.__version__,
        "averaged": chosen,
        "history": standing.history,
    }


def _ship(
    run: Run, resolved: Config, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any], *, watch: Watch, say: Say
) -> Bundle:
    """Writes and measures the model folder, and the report card with what was translated for that."""
    made = release.release(
        run.model,
        resolved,
        arrays,
        tokenizers={path.name: path for path in run.folder.glob("tokenizer*.model")},
        tests={name: run.pair(name, resolved) for name in ("valid", "test")},
        provenance=facts,
        say=say,
        hear=watch.hear,
    )
    watch.finish(say, facts.get(ASTRAY))
    return made


def _best(trainer: Trainer, judge: Judge, resolved: Config) -> tuple[dict[str, np.ndarray], str, float]:
    """The weights to ship, in float16, a phrase that says which, and their BLEU: the mean of the best epochs, or the
    best alone.

    Rounded first, so that what is judged here, scored later and exported is the same.
    """
    several, one = trainer.standing.best(resolved.training.average), trainer.standing.best(1)
    candidates = {f"the weights are those of epoch {one[0]}": one}
    if len(several) > 1:
        candidates = {
            f"the weights are the average of epochs {', '.join(map(str, sorted(several)))}": several
        } | candidates
    rounded = {
        phrase: {path: array.astype(np.float16) for path, array in trainer.averaged(epochs).items()}
        for phrase, epochs in candidates.items()
    }
    network = inference.build(resolved, next(iter(rounded.values())))  # compiled once for all of them
    scores = {}
    for phrase, arrays in rounded.items():
        checkpoint.assign(checkpoint.by_path(network.weights), arrays)
        scores[phrase] = judge(network)["bleu"]
    best = max(scores, key=lambda phrase: scores[phrase])
    return rounded[best], best, scores[best]
