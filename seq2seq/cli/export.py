"""`seq2seq export`: a model in a form that other programs run.

It knows the names of the forms; how each is made is the library's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from seq2seq.cli import shell
from seq2seq.cli.shell import app


@app.command()
def export(
    model: shell.Model,
    output: Annotated[Path, typer.Option("--output", help="The folder to write.")],
    form: Annotated[
        Literal["saved_model", "saved_model_ids", "litert", "model"],
        typer.Option(
            "--format",
            help="saved_model: text to text, needs tensorflow-text where it runs; saved_model_ids: piece ids, core "
            "operations alone; litert: float32 (the model folder holds the 8-bit file already); model: the model "
            "folder with its graph made again, so that an older model can do what newer ones can.",
        ),
    ],
) -> None:
    """Write a SavedModel, a LiteRT file or a model folder made again. Prints the folder."""
    from seq2seq import bundle

    loaded = bundle.load(model)  # before the imports below, which take seconds
    shell.import_tensorflow()
    from seq2seq import export as exports

    shell.show(exports.export(loaded, form, output), as_json=False)
