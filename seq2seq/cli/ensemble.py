"""`seq2seq ensemble`: one model folder made of several.

It knows which folders were named; what makes them one is the library's.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from seq2seq.cli import direction, evaluate, shell
from seq2seq.cli.errors import UsageError
from seq2seq.cli.shell import app


@app.command()
def ensemble(
    models: Annotated[list[Path], typer.Argument(metavar="MODEL MODEL...", help="Model or run folders, two or more.")],
    output: Annotated[Path, typer.Option("--output", help="The model folder to write.")],
    test_source: Annotated[Path | None, typer.Option("--test-source", help="Text to score it on.")] = None,
    test_target: Annotated[Path | None, typer.Option("--test-target", help="Its translations, line by line.")] = None,
) -> None:
    """Make one model of several. They share a tokenizer and choose each piece together. Prints the folder."""
    tests = {}
    if test_source and test_target:
        tests["test"] = evaluate.pairs(test_source, test_target)
    elif test_source or test_target:
        raise UsageError(
            f"--test-source and --test-target belong together. Received: {test_source or test_target} alone"
        )
    from seq2seq import bundle

    loaded = [bundle.load(model) for model in models]  # before the imports below, which take seconds
    if test_source and test_target:
        direction.check(loaded[0], test_source, test_target)
    shell.import_tensorflow()
    from seq2seq import release

    made = release.ensemble(loaded, output, tests=tests, say=lambda line: print(line, file=sys.stderr))
    shell.show(made.path, as_json=False)
