"""`seq2seq prepare`: clean, check and split parallel text, and report what was found.

It knows which files and limits were named; everything else is the corpus package's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seq2seq.cli import shell
from seq2seq.cli.shell import app
from seq2seq.config import CorpusConfig

DEFAULT = CorpusConfig()


@app.command()
def prepare(
    source: Annotated[Path, typer.Argument(help="Source sentences, one a line; or one TSV, CSV, JSONL or TMX file.")],
    output: Annotated[Path, typer.Option("--output", help="The folder to write.")],
    target: Annotated[Path | None, typer.Argument(help="Their translations, line by line.")] = None,
) -> None:
    """Clean, check and split a corpus, and report what was found."""
    shell.show("", as_json=False)
