"""`seq2seq translate`: lines in, translations out, in order and as many.

It knows where lines come from and go to; how a line is translated is the translator's.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seq2seq.cli import documents, errors, printing, sharded, shell, streams
from seq2seq.cli.shell import app

if TYPE_CHECKING:
    from collections.abc import Iterable

    from seq2seq.config import SearchConfig
    from seq2seq.translator import Terms, Translation, Translator


@app.command()
def translate(
    model: shell.Model,
    source: Annotated[Path | None, typer.Option("--input", help="A file to read. Default: standard input.")] = None,
    output: Annotated[Path | None, typer.Option("--output", help="A file to write. Default: standard output.")] = None,
    n_best: Annotated[
        int | None, typer.Option("--n-best", min=1, help="Print the best N of each line, each on its own line.")
    ] = None,
    scores: Annotated[bool, typer.Option("--scores", help="Print the score and a tab before each.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for each line.")] = False,
    min_confidence: Annotated[
        float | None,
        typer.Option("--min-confidence", min=0, max=1, help="Leave a line empty where the model is less sure."),
    ] = None,
    file: documents.File = None,
    column: documents.Column = None,
    encoding: documents.Encoding = None,
    beam: shell.Beam = None,
    greedy: shell.Greedy = False,
    length_penalty: shell.LengthPenalty = None,
    coverage_penalty: shell.CoveragePenalty = None,
    word_reward: shell.WordReward = None,
    min_length: shell.MinLength = None,
    max_length: shell.MaxLength = None,
    min_ratio: shell.MinRatio = None,
    max_ratio: shell.MaxRatio = None,
    no_repeat: shell.NoRepeat = None,
    diversity: shell.Diversity = None,
    temperature: shell.Temperature = None,
    top_k: shell.TopK = None,
    top_p: shell.TopP = None,
    seed: shell.Seed = None,
    prefix: shell.Prefix = None,
    require: shell.Require = None,
    forbid: shell.Forbid = None,
    glossary: shell.Glossary = None,
    no_protect: shell.NoProtect = False,
    engine: shell.Engine = "litert",
    threads: shell.Threads = None,
    ray: Annotated[
        int | None,
        typer.Option(
            "--ray",
            min=1,
            help="Translate --input with N processes on a Ray cluster (RAY_ADDRESS, else this machine); started again, "
            "it goes on where it ended.",
        ),
    ] = None,
) -> None:
    """Translate text, line by line. One line in, one line out; blank lines stay."""
    given = locals()
    flags, terms = shell.search_flags(given), shell.terms(given)
    streams.refuse_to_overwrite(output, glossary)  # a text may be translated onto itself
    if documents.wanted(given):
        documents.translate(given, flags, terms)
        return
    if ray:
        sharded.translate(given, flags, terms)
        return
    lines = streams.Lines(source)
    translator = shell.load(model, engine, threads, sure=min_confidence is not None)
    search = shell.search_config(translator, flags)
    form = printing.form(given, search)
    quiet = lines.interactive or (output is None and streams.stdout_is_terminal())
    with streams.output(output) as out, streams.Progress("lines", quiet=quiet) as progress:
        withheld = 0
        for translation in _translations(translator, lines, search, terms):
            progress.step()
            printed, left_out = form(translation)
            withheld += left_out
            for line in printed:
                streams.write(out, line)
            printing.warn(progress.count, translation.warnings)
        lines.check()
    printing.tell_withheld(withheld, min_confidence)


def _translations(
    translator: Translator, lines: streams.Lines, search: SearchConfig, terms: Terms
) -> Iterable[Translation]:
    if not lines.interactive:
        return translator.stream(lines, search=search, terms=terms)
    errors.say("note", "type a sentence and press Enter; Ctrl-D ends")
    return (translator(line, search=search, terms=terms) for line in lines)
