"""`seq2seq train`: from parallel text to a model folder.

It knows which files and settings were named; everything else is the pipeline's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from seq2seq.cli import shell
from seq2seq.cli.errors import UsageError
from seq2seq.cli.shell import app

@app.command()
def train(
    output: Annotated[Path, typer.Option("--output", help="The run folder; the model is written inside it.")],
    source: Annotated[
        Path,
        typer.Option("--source", help="Source sentences, one a line; or one TSV, CSV, JSONL or TMX file of pairs."),
    ],
    target: Annotated[Path | None, typer.Option("--target", help="Their translations, line by line.")] = None,
    valid_source: Annotated[Path | None, typer.Option("--valid-source", help="Validation set.")] = None,
    valid_target: Annotated[Path | None, typer.Option("--valid-target", help="Validation set.")] = None,
    test_source: Annotated[Path | None, typer.Option("--test-source", help="Test set.")] = None,
    test_target: Annotated[Path | None, typer.Option("--test-target", help="Test set.")] = None,
    source_lang: Annotated[
        str | None, typer.Option("--source-lang", help="Such as en. Default: the ending of --source.")
    ] = None,
    target_lang: Annotated[
        str | None, typer.Option("--target-lang", help="Such as de. Default: the ending of --target.")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", help="A YAML file of settings.")] = None,
    assign: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="One setting; may be repeated.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in --output exactly where it was.")
    ] = False,
) -> None:
    """Train a translator on your own parallel text; without valid and test files both are split off."""
    for one, other, name in ((valid_source, valid_target, "valid"), (test_source, test_target, "test")):
        if (one is None) != (other is None):
            raise UsageError(f"--{name}-source and --{name}-target belong together. Received: one of them")
    settings = _settings(config, assign or [])
    _set_languages(settings, (source_lang, target_lang), source, target)

    from seq2seq import pipeline

    files = pipeline.Files(source, target, valid_source, valid_target, test_source, test_target)
    shell.show(pipeline.train(files, output, settings=settings, resume=resume), as_json=False)


def _settings(path: Path | None, assign: list[str]) -> dict[str, Any]:
    from seq2seq import config

    layers = ([config.load(path)] if path else []) + [config.assignments(assign)]
    merged: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            merged[name] = {**merged.get(name, {}), **value} if isinstance(value, dict) else value
    config.build(merged)  # a value out of range is refused before anything is read
    return merged


def _set_languages(
    settings: dict[str, Any], given: tuple[str | None, str | None], source: Path, target: Path | None
) -> None:
    """What a flag names, else what the configuration names, else what the files tell."""
    from seq2seq import corpus

    names = ("source_language", "target_language")
    named = [flag or settings.get(name) for flag, name in zip(given, names, strict=True)]
    if not all(named):
        try:
            told = corpus.languages_from(source, target)
        except corpus.CorpusError as error:
            raise UsageError(f"--source-lang and --target-lang must be given here. {error}") from None
        named = [name or found for name, found in zip(named, told, strict=True)]
    settings.update(zip(names, named, strict=True))
