"""What a run begins with: clean text, tokenizers, the resolved configuration.

It owns how the settings of a run come about; it does not know training.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from seq2seq import config, corpus, precision
from seq2seq.config import Config
from seq2seq.pipeline import fitting, guiding, lengths, mixture, parent, vocabulary
from seq2seq.pipeline.budget import Budget, rungs
from seq2seq.pipeline.run import Files, PipelineError, Run, replace

Say = Callable[[str], None]


def start(files: Files, run: Run, settings: Mapping[str, Any], say: Say, *, budget: Budget | None = None) -> None:
    """Writes what a run begins with: its data, its tokenizers and, last, its resolved configuration.

    With a budget, sizes and epochs that nobody asked for are those that end in time. Which numbers it computes in is
    settled here too, so that a run that goes on elsewhere goes on in the same.
    """
    settings = guiding.asked(files, settings)
    origin = parent.load(files.parent, settings) if files.parent else None
    inherited = [msgspec.to_builtins(origin.config), {"corpus": config.OWN}] if origin else []
    asked = config.build(*inherited, dict(settings))
    mixture.check(asked.corpus.weights, 1 + len(files.more))
    if not (files.valid_source or asked.corpus.valid):
        raise PipelineError("Training needs pairs to validate on; corpus.valid must be at least 1. Received: 0")
    report = _prepare(files, run, asked)
    replace(run.given, json.dumps(files.names).encode())
    say(str(report))
    if files.more and not files.valid_source:
        say("note: pairs to validate on are drawn from all corpora alike; --valid-source names those that count")
    pairs = report.splits["train"]
    if origin:
        candidates = [parent.inherit(origin, run, settings, pairs)]
    else:
        languages = dict(zip(("source_language", "target_language"), report.languages, strict=True))
        candidates = rungs(pairs, settings, languages)

    def learn(candidate: Config) -> Config:
        exact = "vocabulary" in settings.get("tokenizer", {})
        learned = candidate if origin else vocabulary.learn(run, candidate, exact, say)
        return lengths.fit(run, learned, settings)

    if budget:
        epochs = settings.get("training", {}).get("epochs")
        resolved = fitting.fit(run, candidates, budget, learn=learn, epochs=epochs, say=say)
    else:
        resolved = learn(candidates[0])
    settled = {"training": {"precision": precision.settled(resolved.training.precision)}}
    replace(run.config, config.dump(config.build(msgspec.to_builtins(resolved), settled)).encode())


def _prepare(files: Files, run: Run, asked: Config) -> corpus.Report:
    wanted = asked.corpus
    several = None
    if files.more or files.alignments:
        several = corpus.Mixture(((files.source, files.target), *files.more), files.alignments)
    prepared = corpus.prepare(
        several or files.source,
        None if several else files.target,
        output=run.data,
        source_language=asked.source_language,
        target_language=asked.target_language,
        cleaning=corpus.Cleaning(wanted.max_characters, wanted.max_ratio, wanted.unicode),
        holdout=corpus.Holdout(
            wanted.valid,
            wanted.test,
            wanted.seed,
            valid_files=(files.valid_source, files.valid_target) if files.valid_source else None,
            test_files=(files.test_source, files.test_target) if files.test_source else None,
        ),
    )
    return prepared.report
