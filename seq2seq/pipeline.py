"""Raw text to a finished model folder in one call: prepare, tokenize, train, average, export, score.

It owns the order of these and the layout of a run folder; each step is another module's.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

import seq2seq
from seq2seq import batches, config, corpus, evaluation, inference, progress, release, training
from seq2seq.batches import Pairs
from seq2seq.bundle import Bundle
from seq2seq.config import Config, SearchConfig
from seq2seq.engine import batching
from seq2seq.model import Seq2Seq
from seq2seq.tokenizer import Tokenizer
from seq2seq.tokenizer import train as train_tokenizer
from seq2seq.training import Trainer

Say = Callable[[str], None]

VALIDATED = 1000
"""Sentences of the validation set that are translated after each epoch."""
SAMPLES = 3


class PipelineError(ValueError):
    """A run cannot start or go on."""


class Interrupted(Exception):
    """Someone stopped the run; the message says how to continue it."""


@dataclass(frozen=True)
class Files:
    """The text to train on: two aligned files, or one file of pairs."""

    source: Path
    target: Path | None = None
    valid_source: Path | None = None
    valid_target: Path | None = None
    test_source: Path | None = None
    test_target: Path | None = None


@dataclass(frozen=True)
class Run:
    """A run folder and what lies where in it."""

    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def model(self) -> Path:
        return self.folder / "model"

    def text(self, name: str, language: str) -> list[str]:
        """The lines of one side of train, valid or test."""
        return (self.data / f"{name}.{language}").read_text(encoding="utf-8").split("\n")[:-1]

    def pair(self, name: str, resolved: Config) -> tuple[list[str], list[str]]:
        """Both sides of train, valid or test; empty where there is none."""
        if not (self.data / f"{name}.{resolved.source_language}").exists():
            return [], []
        return self.text(name, resolved.source_language), self.text(name, resolved.target_language)


def train(
    files: Files,
    output: Path,
    *,
    settings: Mapping[str, Any],
    provenance: Mapping[str, Any] | None = None,
    resume: bool = False,
    say: Say = print,
) -> Bundle:
    """Trains a translator from raw text and writes its model folder, `output/model`.

    Arguments:
        files: the corpus; what is not given of valid and test is split off.
        output: the run folder; it must not exist, or hold a run to resume.
        settings: what differs from the defaults for a corpus of this size, as from `config.load`.
        provenance: "data" and "licence" for the model card.
        resume: go on where the run in `output` was stopped, whatever stopped it; the result is that of a run
            that was never stopped.
        say: called with each line of progress.

    Raises:
        PipelineError: `output` is in use, or there is nothing to resume.
        Interrupted: SIGINT or SIGTERM came; the message says how to go on.
        ConfigError, CorpusError, TokenizerError, TrainingError: from the step that failed.
    """
    run = Run(Path(output))
    if resume and not run.config.exists():
        raise PipelineError(f"There must be a run to resume; leave --resume out to start one. Received: {output}")
    if not resume and run.folder.exists() and any(run.folder.iterdir()):
        raise PipelineError(f"A new run needs a new folder, or --resume to go on with the old one. Received: {output}")
    resolved = config.build(config.load(run.config)) if resume else _prepare(files, run, settings, say)
    tokenizers = _tokenizers(run, resolved, say)
    pairs, valid = _encode(run, resolved, tokenizers, say)
    keras.utils.set_random_seed(resolved.training.seed)
    model = _network(resolved, tokenizers)
    _describe(resolved, model, pairs, say)
    judge = _Judge(run, resolved, tokenizers[1], valid)
    trainer = _trainer(run, resolved, model, judge, say)
    try:
        standing = trainer.run(pairs, valid, resume=resume)
    except training.Interrupted:
        raise Interrupted(
            f"stopped; everything is saved. Continue with the same command and --resume, in {output}"
        ) from None
    arrays, chosen = _best(trainer, judge, resolved)
    facts = {
        "version": seq2seq.__version__,
        "pairs": len(pairs),
        "parameters": model.count_params(),
        "epochs": standing.epoch,
        "minutes": standing.seconds / 60,
        "machine": f"{platform.processor() or platform.machine()}, {platform.system()}",
        "averaged": chosen,
        "history": standing.history,
        **(provenance or {}),
    }
    tokenizer_files = {path.name: path for path in run.folder.glob("tokenizer*.model")}
    tests = {name: run.pair(name, resolved) for name in ("valid", "test")}
    return release.release(
        run.model, resolved, arrays, tokenizers=tokenizer_files, tests=tests, provenance=facts, say=say
    )


def _prepare(files: Files, run: Run, settings: Mapping[str, Any], say: Say) -> Config:
    asked = config.build(dict(settings))
    wanted = asked.corpus
    prepared = corpus.prepare(
        files.source,
        files.target,
        output=run.data,
        source_language=asked.source_language,
        target_language=asked.target_language,
        cleaning=corpus.Cleaning(wanted.max_characters, wanted.max_ratio, wanted.unicode),
        holdout=corpus.Holdout(
            wanted.valid,
            wanted.test,
            asked.training.seed,
            valid_files=(files.valid_source, files.valid_target) if files.valid_source else None,
            test_files=(files.test_source, files.test_target) if files.test_source else None,
        ),
    )
    if prepared.valid is None:
        raise PipelineError("Training needs pairs to validate on; corpus.valid must be at least 1. Received: 0")
    say(str(prepared.report))
    source, target = prepared.report.languages
    languages = {"source_language": source, "target_language": target}
    resolved = config.build(config.defaults(prepared.report.splits["train"]), dict(settings), languages)
    _replace(run.config, config.dump(resolved).encode())
    return resolved


def _tokenizers(run: Run, resolved: Config, say: Say) -> tuple[Tokenizer, Tokenizer]:
    """The tokenizers of the source and the target, trained now unless the run has them; one object when joint."""
    wanted = resolved.tokenizer
    sides = [run.text("train", language) for language in (resolved.source_language, resolved.target_language)]
    learned_from = {"tokenizer.model": [*sides[0], *sides[1]]}
    if not wanted.joint:
        learned_from = {"tokenizer.source.model": sides[0], "tokenizer.target.model": sides[1]}
    made = []
    for name, sentences in learned_from.items():
        path = run.folder / name
        if not path.exists():
            say(f"training {name}, {wanted.vocabulary:,} pieces")
            model = train_tokenizer(
                sentences,
                vocabulary=wanted.vocabulary,
                kind=wanted.kind,
                symbols=wanted.symbols,
                form=resolved.corpus.unicode,
            )
            _replace(path, model)
        made.append(Tokenizer.load(path))
    return made[0], made[-1]


def _encode(run: Run, resolved: Config, tokenizers: Sequence[Tokenizer], say: Say) -> tuple[Pairs, Pairs]:
    languages = (resolved.source_language, resolved.target_language)

    def pairs(name: str) -> Pairs:
        sides = zip(languages, tokenizers, strict=True)
        return Pairs(*(batches.encode(run.text(name, language), tokenizer) for language, tokenizer in sides))

    everything = pairs("train")
    kept = batches.within(everything, resolved.training.max_tokens)
    if len(kept) < len(everything):
        say(
            f"{len(everything) - len(kept):,} pairs are left out: a side has more than training.max_tokens = "
            f"{resolved.training.max_tokens} pieces"
        )
    return kept, pairs("valid")


def _network(resolved: Config, tokenizers: Sequence[Tokenizer]) -> Seq2Seq:
    sizes = [len(tokenizer) for tokenizer in tokenizers]
    return Seq2Seq(
        resolved.model,
        sizes[0],
        None if resolved.tokenizer.joint else sizes[1],
        dtype=training.precision(resolved.training.precision),
    )


def _describe(resolved: Config, model: Seq2Seq, pairs: Pairs, say: Say) -> None:
    sizes, training_ = resolved.model, resolved.training
    say(
        f"{len(pairs):,} pairs, {int(pairs.target.lengths.sum()):,} target pieces; {model.count_params():,} parameters: "
        f"embedding {sizes.embedding}, units {sizes.units}, {sizes.encoder_layers} + {sizes.decoder_layers} layers, "
        f"{sizes.attention} attention; up to {training_.epochs} epochs of {training_.batch_tokens:,}-token batches, "
        f"{model.dtype_policy.name}"
    )


def _trainer(run: Run, resolved: Config, model: Seq2Seq, judge: _Judge, say: Say) -> Trainer:
    trainer = Trainer(model, resolved.training, run.checkpoints, evaluate=judge)
    shown = [
        progress.Bar(),
        progress.Story(say, run.folder / "training.log", judge.samples),
        progress.TensorBoard(run.folder / "tensorboard"),
        progress.Curve(run.folder / "curve.png", lambda: trainer.standing.history),
    ]
    for callback in shown:
        trainer.callbacks.append(callback)
    return trainer


class _Judge:
    """BLEU of a model's greedy translations of the first sentences of the validation set."""

    def __init__(self, run: Run, resolved: Config, target: Tokenizer, valid: Pairs) -> None:
        self._sources = [valid.source[row][:-1].tolist() for row in range(min(len(valid), VALIDATED))]
        self._texts = run.text("valid", resolved.source_language)[:VALIDATED]
        self._references = run.text("valid", resolved.target_language)[:VALIDATED]
        self._target = target
        self._translations: list[str] = []
        self._model: Seq2Seq | None = None

    def __call__(self, model: Seq2Seq) -> dict[str, float]:
        if self._model is not model:
            self._model, self._runner = model, inference.Runner(inference.Inference(model))
        found = batching.translate(self._run, self._sources, SearchConfig(beam=1))
        self._translations = [self._target.decode(each[0].ids) for each in found]
        return {"bleu": evaluation.score(self._translations, self._references).bleu}

    def _run(self, signature: str, inputs: batching.Arrays) -> batching.Arrays:
        return getattr(self._runner, signature)(**inputs)

    def samples(self) -> list[tuple[str, str, str]]:
        """Source, latest translation and reference of a few sentences, spread over the set."""
        step = max(1, len(self._translations) // SAMPLES)
        rows = range(step // 2, len(self._translations), step)[:SAMPLES]
        return [(self._texts[row], self._translations[row], self._references[row]) for row in rows]


def _best(trainer: Trainer, judge: _Judge, resolved: Config) -> tuple[dict[str, np.ndarray], str]:
    """The weights to ship, in float16, and a phrase that says which: the mean of the best epochs, or the best alone.

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
    scores = {phrase: judge(inference.build(resolved, arrays))["bleu"] for phrase, arrays in rounded.items()}
    best = max(scores, key=lambda phrase: scores[phrase])
    return rounded[best], best


def _replace(path: Path, content: bytes) -> None:
    """Writes a file that is whole or absent."""
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    partial.replace(path)
