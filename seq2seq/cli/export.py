"""`seq2seq export`: a model in a form that other programs run, with a certificate.

It knows the names of the forms; how each is made and proven is the library's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from seq2seq.cli import direction, evaluate, shell, streams
from seq2seq.cli.errors import UsageError
from seq2seq.cli.shell import app


@app.command()
def export(
    model: shell.Model,
    output: Annotated[Path, typer.Option("--output", help="The folder to write.")],
    form: Annotated[
        Literal["saved_model", "saved_model_ids", "litert", "onnx", "web", "model"],
        typer.Option(
            "--format",
            help="saved_model: text to text, needs tensorflow-text where it runs; saved_model_ids: piece ids, core "
            "operations alone; litert: one file for phones and small machines; web: that file and a page that "
            "translates with it in the browser; onnx: for ONNX Runtime; "
            "model: the model folder with its graph made again, so that an older model can do what newer ones can.",
        ),
    ],
    precision: Annotated[
        Literal["int8", "float16", "float32"] | None,
        typer.Option("--precision", help="Of the weights of litert and web. Default: int8, the smallest and quickest."),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--source", help="Sentences to compare with the library. Default: a few of ours."),
    ] = None,
    reference: Annotated[
        Path | None, typer.Option("--reference", help="Their translations, for the BLEU of the export.")
    ] = None,
) -> None:
    """Write a SavedModel, a LiteRT file or a model folder made again, checked in a new process. Prints the folder."""
    if reference and not source:
        raise UsageError("--reference needs --source. Received: --reference alone")
    if precision and form not in ("litert", "web"):
        raise UsageError(f"--precision is for --format litert and web. Received: --precision {precision} for {form}")
    sentences, references = _test_set(source, reference)
    from seq2seq import bundle
    from seq2seq.web import languages

    loaded = bundle.load(model)  # before the imports below, which take seconds
    if source and reference:
        direction.check(loaded, source, reference)
    shell.import_tensorflow()
    from seq2seq import export as exports

    folder = exports.export(
        loaded,
        form,
        output,
        precision=precision or "",
        sentences=sentences if source else languages.examples(loaded.source_language),
        references=references,
        origin=source.name if source else "examples",
    )
    shell.show(folder, as_json=False)


def _test_set(source: Path | None, reference: Path | None) -> tuple[list[str], list[str]]:
    if source and reference:
        return evaluate.pairs(source, reference)
    streams.refuse_tables(source)
    return (streams.read(source) if source else []), []
