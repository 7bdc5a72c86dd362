"""`seq2seq pull`: a model folder from a model hub.

It prints the folder; what comes and how it is verified is `seq2seq.hub`'s.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seq2seq.cli import errors, shell
from seq2seq.cli.push import Repository
from seq2seq.cli.shell import app


@app.command()
def pull(
    repository: Repository,
    output: Annotated[Path, typer.Option("--output", help="The folder to write.")],
    revision: Annotated[
        str | None, typer.Option("--revision", help="A branch, a tag or a commit. Default: the main branch.")
    ] = None,
) -> None:
    """Bring a model from the Hugging Face Hub and verify every checksum. Prints the folder."""
    from seq2seq import hub

    pulled = hub.pull(repository, output, revision=revision)
    shell.show(str(pulled.path), as_json=False)
    errors.say("note", f"revision {pulled.revision}; with --revision the same comes again")
