"""`seq2seq ensemble`: one model folder made of several.

It knows which folders were named; what makes them one is the library's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seq2seq.cli import shell
from seq2seq.cli.shell import app


@app.command()
def ensemble(
    models: Annotated[list[Path], typer.Argument(metavar="MODEL MODEL...", help="Model or run folders, two or more.")],
    output: Annotated[Path, typer.Option("--output", help="The model folder to write.")],
) -> None:
    """Make one model of several. They share a tokenizer and choose each piece together. Prints the folder."""
    from seq2seq import bundle

    loaded = [bundle.load(model) for model in models]  # before the imports below, which take seconds
    shell.import_tensorflow()
    from seq2seq import release

    shell.show(release.ensemble(loaded, output).path, as_json=False)
