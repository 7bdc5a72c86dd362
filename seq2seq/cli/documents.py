"""`seq2seq translate --file`: a whole document in, the same document out.

It knows which flags belong to documents; what is in one is `seq2seq.documents`'.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seq2seq.cli import errors, shell, streams

if TYPE_CHECKING:
    from seq2seq.translator import Terms

File = Annotated[
    Path | None,
    typer.Option("--file", help="A document instead of lines: subtitles, Word, HTML, PO and more; needs --output."),
]
Column = Annotated[
    list[str] | None,
    typer.Option("--column", help="Of a TSV or CSV file: a number or a name; may be repeated. Default: the first."),
]
Encoding = Annotated[str | None, typer.Option("--encoding", help="Of a text file. Default: what it says, else UTF-8.")]

_LINES_ONLY = {
    "source": "--input",
    "n_best": "--n-best",
    "scores": "--scores",
    "as_json": "--json",
    "min_confidence": "--min-confidence",
    "ray": "--ray",
}


def wanted(flags: Mapping[str, Any]) -> bool:
    """Whether a document is to be translated.

    Raises:
        UsageError: flags of documents without one, or with those of lines.
    """
    if flags["file"] is None:
        for name in ("column", "encoding"):
            if flags[name]:
                raise errors.UsageError(f"--{name} needs --file. Received: --{name} alone")
        return False
    for name, flag in _LINES_ONLY.items():
        if flags[name] is not None and flags[name] is not False:
            raise errors.UsageError(f"{flag} is for lines, not for documents. Received: {flag} and --file")
    if flags["output"] is None or str(flags["output"]) == "-":
        raise errors.UsageError("--file needs --output, the name of a file. Received: --file alone")
    return True


def translate(flags: Mapping[str, Any], search: dict[str, Any], terms: Terms) -> None:
    """Translates the document and says what was done.

    Arguments:
        flags: the command's arguments by name.
        search, terms: what is asked of each translation.

    Raises:
        UsageError: the name of the output says that it is something else.
    """
    from seq2seq import documents

    fitting = documents.endings(documents.check(flags["file"], columns=flags["column"] or ()))
    if flags["output"].suffix.lower() not in fitting:
        raise errors.UsageError(
            f"--output must end in {' or '.join(fitting)}, for --file is such a document. Received: {flags['output']}"
        )
    with documents.opened(flags["file"]):
        pass  # it is there: what follows takes seconds
    translator = shell.load(flags["model"], flags["engine"], flags["threads"])
    with streams.Progress("per cent", total=100) as progress:
        report = documents.translate(
            translator,
            flags["file"],
            flags["output"],
            search=shell.search_config(translator, search),
            terms=terms,
            columns=flags["column"] or (),
            encoding=flags["encoding"],
            progress=lambda share: progress.reach(round(100 * share)),
        )
    errors.say("note", f"texts translated: {report.texts:,}; the document is in {flags['output']}")
    if report.in_parts:
        errors.say("warning", f"texts translated in parts, to keep their placeholders: {report.in_parts:,}")
    if report.flagged:
        errors.say("warning", f"texts whose translation may be wrong: {report.flagged:,}")
