"""The same training with several seeds: one preparation, a run folder each, and what the scores have in common.

It owns what the runs share and how their scores are put together; it does not know training.
"""

from __future__ import annotations

import gc
import shutil
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import msgspec

from seq2seq import bundle, config
from seq2seq.bundle import Bundle
from seq2seq.pipeline.budget import AS_USUAL, Before
from seq2seq.pipeline.run import ROOM, Files, PipelineError, Run, check_folder, check_settings, replace, resumable
from seq2seq.pipeline.train import train


def train_seeds(
    files: Files,
    output: Path,
    seeds: Mapping[int, Mapping[str, Any]],
    *,
    settings: Mapping[str, Any],
    provenance: Mapping[str, Any] | None = None,
    resume: bool = False,
    before: Before = AS_USUAL,
    say: Callable[[str], None] = print,
) -> list[Bundle]:
    """Trains `output/seed-N` for every seed N, one after the other, and says mean and spread of their scores.

    All have the data, the split and the tokenizers of the one begun first, so what differs is chance alone: first
    weights, order of the pairs, dropout; and what is said of single ones.

    Arguments:
        seeds: each with what else its run shall differ in, if it is not begun yet: settings that neither text nor
            tokenizers depend on.
        files, settings, provenance, before, say: as for `train`.
        resume: go on with what is there; models that are finished stay.

    Raises:
        PipelineError: `output` is in use, or there is nothing to resume.
        Interrupted: SIGINT or SIGTERM came; the message says how to go on.
    """
    check_folder(output, resume)
    named = Run(output / f"seed-{next(iter(seeds))}")
    there = (run for run in (named, *map(Run, sorted(output.glob("seed-*")))) if run.config.exists())
    first = next(there, named)
    models = []
    for seed, apart in seeds.items():
        run = Run(output / f"seed-{seed}")
        begun = run.config.exists()
        difference = config.merge({} if begun else apart, {"training": {"seed": seed}})
        if not begun and first.config.exists():
            _share(first, run, difference)
        own = config.merge(settings, difference)
        if run.finished:
            check_settings(run.resolved, own)
            models.append(bundle.load(run.model))
            continue
        say(f"seed {seed}")
        going = run.folder.exists()
        with resumable(output):
            made = train(files, run.folder, settings=own, provenance=provenance, resume=going, before=before, say=say)
        if made:
            models.append(made)
        keras.backend.clear_session()
        gc.collect()
    for line in spread([model.scores for model in models]):
        say(line)
    return models


def spread(scores: Sequence[Sequence[Mapping[str, Any]]]) -> list[str]:
    """Mean and standard deviation over models of each score that all of them have, a line for each way to measure."""
    found: dict[tuple[str, str, int], list[Mapping[str, Any]]] = {}
    for row in (row for rows in scores for row in rows):
        found.setdefault((row["test"], row["engine"], row["beam"]), []).append(row)
    lines = []
    for (test, engine, beam), rows in found.items():
        if len(rows) == len(scores) > 1:
            told = (f"{name} {_spread([row[name.lower()] for row in rows])}" for name in ("BLEU", "chrF"))
            lines.append(f"{test}, {engine}, beam {beam}, {len(rows)} seeds: {', '.join(told)}")
    return lines


def _spread(values: Sequence[float]) -> str:
    mean, deviation = statistics.fmean(values), statistics.stdev(values)
    return f"{mean:.1f} ± {deviation:.1f} ({min(values):.1f} to {max(values):.1f})"


def _share(first: Run, run: Run, difference: dict[str, Any]) -> None:
    """What a run begins with, from another one; the configuration last, so that it is there when all is."""
    shared = (*first.data.iterdir(), *first.folder.glob("tokenizer*.model"), *first.folder.glob(first.parent.name))
    try:
        run.data.mkdir(parents=True, exist_ok=True)
        for path in shared:
            shutil.copyfile(path, run.folder / path.relative_to(first.folder))
    except OSError as error:
        raise PipelineError(f"{ROOM}. Received: {run.folder} ({error.strerror})") from None
    resolved = config.build(msgspec.to_builtins(first.resolved), difference)
    replace(run.config, config.dump(resolved).encode())
