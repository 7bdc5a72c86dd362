"""The command line `seq2seq`: parse, one call into the library, print.

It owns exit codes and what goes to which stream; everything else is the library's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import typer

from seq2seq.cli import (
    calibrate,
    corrections,
    distill,
    ensemble,
    errors,
    evaluate,
    explain,
    export,
    info,
    interrupts,
    prepare,
    pull,
    push,
    score,
    serve,
    streams,
    train,
    translate,
)
from seq2seq.cli.shell import app

__all__ = ["app", "main", "run"]

COMMANDS = (
    prepare,
    train,
    ensemble,
    distill,
    translate,
    score,
    evaluate,
    calibrate,
    explain,
    export,
    push,
    pull,
    serve,
    corrections,
    info,
)
ORDER = [module.__name__.rpartition(".")[2] for module in COMMANDS]  # of the help page: that of a model's life
app.registered_commands.sort(key=lambda command: ORDER.index(getattr(command.callback, "__name__", "")))

# Read by TensorFlow and Keras when, and if, a command imports them; what the user has set stays.
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}

# What a malformed command line raises: an inner class of typer or of click, depending on the version.
ParseError: Any = typer.BadParameter.__mro__[2]


def main() -> None:
    """Runs the command line of this process and ends it."""
    if "_SEQ2SEQ_COMPLETE" in os.environ:
        app(prog_name="seq2seq")  # the shell asks for completions
    with interrupts.insisting():
        code = run(sys.argv[1:])
    sys.exit(code)


def run(argv: Sequence[str]) -> int:
    """Runs one command and returns its exit code; whatever it raises has become a sentence on stderr."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        code = _invoke(list(argv) or ["--help"])
        if sys.stdout is not None:
            sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        code = errors.report(error)
        streams.silence()
    return code


def _invoke(argv: list[str]) -> int:
    command = typer.main.get_command(app)
    try:
        with command.make_context("seq2seq", argv) as context:
            command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None
    except ParseError as error:
        path = error.ctx.command_path if getattr(error, "ctx", None) else "seq2seq"
        raise errors.UsageError(f"{error.format_message()} (see {path} --help)") from None
    return errors.DONE
