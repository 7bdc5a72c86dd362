"""`seq2seq train`: from parallel text to a model folder.

It knows which files and settings were named; everything else is the pipeline's.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import time
from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import Annotated, Any

import typer

from seq2seq.cli import direction, errors, shell
from seq2seq.cli.errors import UsageError
from seq2seq.cli.shell import app


@app.command()
def train(
    output: Annotated[Path, typer.Option("--output", help="The run folder; the model is written inside it.")],
    sources: Annotated[
        list[Path] | None, typer.Option("--source", help="Source sentences, or one file of pairs; may be repeated.")
    ] = None,
    targets: Annotated[
        list[Path] | None, typer.Option("--target", help="Their translations, line by line; may be repeated.")
    ] = None,
    weights: Annotated[
        list[float] | None,
        typer.Option("--weight", min=0.001, max=1000, help="How often an epoch the pairs of each --source are seen."),
    ] = None,
    alignments: Annotated[
        list[Path] | None,
        typer.Option("--alignment", help="Links of the words of each --source, such as 0-0 1-2, to guide attention."),
    ] = None,
    valid_source: shell.ValidSource = None,
    valid_target: shell.ValidTarget = None,
    test_source: shell.TestSource = None,
    test_target: shell.TestTarget = None,
    source_lang: shell.SourceLanguage = None,
    target_lang: shell.TargetLanguage = None,
    configuration: Annotated[Path | None, typer.Option("--config", help="A YAML file of settings.")] = None,
    init_from: Annotated[
        Path | None, typer.Option("--init-from", metavar="MODEL", help="A model to train further, on this text.")
    ] = None,
    assign: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="One setting; may be repeated.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --output exactly where it stopped.")
    ] = False,
    seeds: Annotated[
        str | None, typer.Option("--seeds", metavar="N,N,...", help="Train once with each, in folders of --output.")
    ] = None,
    teachers: Annotated[
        int | None,
        typer.Option("--teachers", min=2, max=8, help="Train so many models first, and this one on what they say."),
    ] = None,
    gpus: Annotated[int, typer.Option("--gpus", min=1, help="GPUs of each machine that share a batch.")] = 1,
    ray_workers: Annotated[
        int | None, typer.Option("--ray-workers", min=1, help="Share each batch among so many workers on Ray.")
    ] = None,
    no_preflight: Annotated[
        bool, typer.Option("--no-preflight", help="Do not try a network on a few pairs before the training.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be trained and how long it would take; train nothing.")
    ] = False,
    budget: Annotated[
        str | None,
        typer.Option("--budget", metavar="TIME", help="End in this time, such as 10m or 1h30m: sizes and epochs fit."),
    ] = None,
    data: Annotated[str | None, typer.Option("--data", help="For the model card: what it was trained on.")] = None,
    licence: Annotated[str | None, typer.Option("--licence", help="For the model card: the model's licence.")] = None,
) -> None:
    """Train a translator on parallel text. Prints the model's folder.

    --source and --target are aligned files; or --source alone is a TSV, CSV, JSONL or TMX file of pairs. Settings that
    are not given suit the size of the corpus.
    """
    held_out = shell.held_out(valid_source, valid_target, test_source, test_target)
    begun, seconds = time.monotonic(), _seconds(budget) if budget is not None else 0.0
    _refuse_dry(dry_run, {"--resume": resume, "--ray-workers": ray_workers, "--gpus": gpus > 1})
    settings = _settings(configuration, assign or [])
    alone = {"--dry-run": dry_run, "--budget": budget, "--gpus": gpus > 1, "--ray-workers": ray_workers}
    numbers = _seeds(seeds, settings, alone)
    _refuse_teachers(teachers, {**alone, "--seeds": seeds, "--init-from": init_from})
    _refuse_incomplete(len(sources or []), {"--target": targets, "--weight": weights, "--alignment": alignments})
    (source, target), *more = _corpora(sources or [], targets or [], weights or [], settings)
    if source is not None:
        _set_languages(settings, (source_lang, target_lang), source, target, told=init_from is None)
        wanted = settings.get("source_language"), settings.get("target_language")
        direction.refuse_reversed(wanted, source, target)
        direction.refuse_others(wanted, (source, target), (*more, *held_out))
        if not (resume or os.environ.get("TF_CONFIG")):  # else the text may have been read, or be another machine's
            _refuse_missing(((source, target), *more, *held_out), alignments or [], init_from)
    elif not resume:
        raise UsageError("--source must name the text to train on, or --resume a run to go on with. Received: neither")

    shell.import_tensorflow()
    from seq2seq import pipeline

    kind = "--teachers" if teachers else "--seeds" if numbers else ""
    _refuse_machines(kind)
    if resume and output.is_dir():
        pipeline.check_kind(output, kind)
    if source is None and output.is_dir() and not pipeline.has_text(output):
        raise UsageError(f"--source must be given again, the run stopped before it was read. Received: {output}")
    sets = valid_source, valid_target, test_source, test_target
    links = tuple(alignments or [])
    files = pipeline.Files(source or Path("-"), target, *sets, parent=init_from, more=tuple(more), alignments=links)
    limit = pipeline.Budget(seconds, begun) if seconds else None
    if dry_run:
        shell.show(str(pipeline.plan(files, settings=settings, budget=limit, say=_say)), as_json=False)
        return
    before = pipeline.Before(preflight=not no_preflight, budget=limit)
    card = {name: value for name, value in (("data", data), ("licence", licence)) if value}
    shared: dict[str, Any] = {"settings": settings, "provenance": card, "resume": resume, "before": before, "say": _say}
    models: Sequence[Any]
    if numbers:
        models = pipeline.train_seeds(files, output, {number: {} for number in numbers}, **shared)
    elif teachers:
        models = [pipeline.train_with_teachers(files, output, teachers, **shared)]
    elif ray_workers:
        models = [_train_on_ray(files, output, pipeline.Workers(ray_workers, gpus), **shared)]
    else:
        models = [pipeline.train(files, output, gpus=gpus, **shared)]
    if any(models):  # on the first of several machines
        shell.show("\n".join(str(model.path) for model in models), as_json=False)


def _refuse_dry(dry_run: bool, against: dict[str, Any]) -> None:
    for flag, given in against.items():
        if dry_run and given:
            why = "shows a training that has not begun" if flag == "--resume" else "measures one device of this machine"
            raise UsageError(f"--dry-run {why}. Received: --dry-run and {flag}")


def _refuse_teachers(teachers: int | None, against: dict[str, Any]) -> None:
    for flag, given in against.items():
        if teachers and given:
            raise UsageError(f"--teachers trains several models, one after the other. Received: --teachers and {flag}")


def _refuse_missing(
    texts: Iterable[tuple[Path, Path | None] | None], alignments: list[Path], model: Path | None
) -> None:
    """Refuses what is not there before the imports that take seconds."""
    from seq2seq import bundle, corpus

    corpus.refuse_missing([*chain.from_iterable(filter(None, texts)), *alignments])
    if model:
        bundle.load(model, verify=False)


def _refuse_machines(kind: str) -> None:
    from seq2seq import distribution

    _, machines = distribution.machine_of(os.environ.get("TF_CONFIG", ""))
    if kind and machines > 1:
        raise UsageError(f"{kind} trains on one machine. Received: {kind}, and TF_CONFIG with {machines}")


def _train_on_ray(files: Any, output: Path, workers: Any, **shared: Any) -> Any:
    """Ray prints on stdout, which is for data, what it knows of dead workers; the error says it."""
    from seq2seq import pipeline

    with contextlib.redirect_stdout(sys.stderr if errors.debugging() else io.StringIO()):
        return pipeline.train_on_ray(files, output, workers, **shared)


def _seconds(text: str) -> float:
    """1h30m, 10m or 90s as seconds."""
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text.strip().lower())
    hours, minutes, rest = (int(number or 0) for number in found.groups()) if found else (0, 0, 0)
    seconds = 3600 * hours + 60 * minutes + rest
    if not seconds:
        raise UsageError(f"--budget must be a time such as 90s, 10m or 1h30m. Received: {text!r}")
    return float(seconds)


def _seeds(text: str | None, settings: dict[str, Any], against: dict[str, Any]) -> list[int]:
    """1,2,3 as numbers; nothing where none are asked for."""
    if text is None:
        return []
    for flag, given in against.items():
        if given:
            raise UsageError(f"--seeds trains whole runs on one device. Received: --seeds and {flag}")
    if "seed" in settings.get("training", {}):
        raise UsageError("--seeds sets training.seed. Received: both")
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) < 2**31 for part in parts) or len({*map(int, parts)}) < len(parts):
        raise UsageError(f"--seeds must be different numbers such as 1,2,3. Received: {text!r}")
    return [int(part) for part in parts]


def _settings(path: Path | None, assign: list[str]) -> dict[str, Any]:
    """What the file says, and over it what the flags say; a value out of range is refused before anything is read."""
    from seq2seq import config

    merged = config.merge(config.load(path) if path else {}, config.assignments(assign))
    config.build(merged)
    return merged


def _refuse_incomplete(sources: int, flags: dict[str, Any]) -> None:
    for flag, given in flags.items():
        if given and len(given) != sources:
            raise UsageError(
                f"{flag} must be given for each --source, or for none. Received: {len(given)}, for {sources}"
            )


def _corpora(
    sources: list[Path], targets: list[Path], weights: list[float], settings: dict[str, Any]
) -> list[tuple[Any, Path | None]]:
    """The corpora that were named, one at least; what they weigh goes to the settings."""
    if weights:
        settings["corpus"] = {**settings.get("corpus", {}), "weights": weights}
    named: list[Any] = sources or [None]
    return list(zip_longest(named, targets))


def _set_languages(
    settings: dict[str, Any],
    given: tuple[str | None, str | None],
    source: Path,
    target: Path | None,
    *,
    told: bool,
) -> None:
    """As the flags, the file of settings or the names of the text say; they must, or a model that goes on knows."""
    names = ("source_language", "target_language")
    named = [flag or settings.get(name) for flag, name in zip(given, names, strict=True)]
    try:
        settings.update(zip(names, direction.told((named[0], named[1]), source, target), strict=True))
    except UsageError:
        if told:
            raise


def _say(line: str) -> None:
    """A line of the story of a run on stderr; above the progress bar, where there is one."""
    from tqdm import tqdm

    tqdm.write(line, file=sys.stderr)
