"""`seq2seq corrections`: what people corrected, as pairs to train with.

It knows files and languages; the memory itself is `seq2seq.translation_memory`'s.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seq2seq.cli import errors, shell, streams
from seq2seq.cli.shell import app


@app.command()
def corrections(
    memory: Annotated[Path, typer.Argument(metavar="MEMORY", help="The file that serve was given as --memory.")],
    output: Annotated[Path | None, typer.Option("--output", help="A TSV to write. Default: standard output.")] = None,
    source_language: shell.SourceLanguage = None,
    target_language: shell.TargetLanguage = None,
) -> None:
    """Export remembered corrections as TSV, which train --init-from takes as --source."""
    from seq2seq.translation_memory import TranslationMemory

    if not memory.is_file():
        raise errors.DataError(f"A translation memory must be a file that is there. Received: {memory}")
    streams.refuse_to_overwrite(output, memory)
    kept = TranslationMemory(memory)
    there = [
        (languages, count)
        for languages, count in kept.directions()
        if source_language in (None, languages[0]) and target_language in (None, languages[1])
    ]
    if len(there) != 1:
        known = ", ".join(f"{one} to {other}" for (one, other), _ in kept.directions()) or "none"
        raise errors.DataError(
            f"The languages must be those of one direction that was corrected ({known}). "
            f"Received: {source_language or 'any'} to {target_language or 'any'}"
        )
    languages, count = there[0]
    with streams.output(output) as out:
        out.write(kept.table(languages).encode("utf-8"))
    errors.say("note", f"corrections from {languages[0]} to {languages[1]}: {count:,}")
