"""`seq2seq calibrate`: how sure a model may be, measured on translations of a person.

It knows which files were named; how confidence is fitted is the library's.
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
def calibrate(
    model: shell.Model,
    source: shell.Source,
    reference: shell.Reference,
    output: Annotated[
        Path | None, typer.Option("--output", help="A new model folder. Default: the model itself is renewed.")
    ] = None,
) -> None:
    """Measure how often a model is right when it is so sure. Prints the folder.

    Give text of the kind that it will translate and was not trained on. One half of the lines is fitted, the other one
    tells by how much confidence is off; the model card shows it.
    """
    from seq2seq import bundle

    if output is not None and not bundle.is_free(output):
        raise UsageError(f"The output must be a new folder; without it the model itself is renewed. Received: {output}")
    pair = evaluate.pairs(source, reference)
    import sacrebleu  # noqa: F401 - before the work: where it is missing, that must not cost a test set's time

    loaded = bundle.load(model)
    direction.check(loaded, source, reference)
    shell.import_tensorflow()
    from seq2seq import release

    made = release.calibrate(
        loaded, {"given": pair}, output or loaded.path, say=lambda line: print(line, file=sys.stderr)
    )
    shell.show(made.path, as_json=False)
