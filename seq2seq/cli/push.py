"""`seq2seq push`: a model folder to a model hub.

It prints the revision; what is pushed and how is `seq2seq.hub`'s.
"""

from __future__ import annotations

from typing import Annotated

import typer

from seq2seq.cli import errors, shell
from seq2seq.cli.shell import app

Repository = Annotated[str, typer.Argument(metavar="REPO", help="A repository of the hub, owner/name.")]


@app.command()
def push(
    model: shell.Model,
    repository: Repository,
    private: Annotated[
        bool, typer.Option("--private", help="A repository that is made is hidden from others.")
    ] = False,
) -> None:
    """Put a model on the Hugging Face Hub: the manifest and what it names. Prints the revision."""
    from seq2seq import hub

    pushed = hub.push(model, repository, private=private)
    shell.show(pushed.revision, as_json=False)
    errors.say("note", f"pushed to {pushed.address}")
