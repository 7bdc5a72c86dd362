"""`seq2seq explain`: what the network did while it translated, as JSON.

It knows lines and streams; what an explanation holds is `seq2seq.explanation`'s.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seq2seq.cli import shell, streams
from seq2seq.cli.errors import DataError
from seq2seq.cli.shell import app


@app.command()
def explain(
    model: shell.Model,
    source: Annotated[Path | None, typer.Option("--input", help="A file to read. Default: standard input.")] = None,
    output: Annotated[Path | None, typer.Option("--output", help="A file to write. Default: standard output.")] = None,
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
    prefix: shell.Prefix = None,
    require: shell.Require = None,
    forbid: shell.Forbid = None,
    glossary: shell.Glossary = None,
    no_protect: shell.NoProtect = False,
    engine: shell.Engine = "litert",
    threads: shell.Threads = None,
) -> None:
    """Look inside while it translates. A sentence in, a JSON object out: attention, alternatives, memory cell."""
    given = locals()
    flags, terms = shell.search_flags(given), shell.terms(given)
    lines = streams.Lines(source)
    translator = shell.load(model, engine, threads)
    search = shell.search_config(translator, flags)
    from seq2seq.engine import EngineError

    with streams.output(output) as out:
        for line in lines:
            try:
                streams.write(out, translator.explain(line, search=search, terms=terms).to_json())
            except EngineError as error:  # the model is well; the sentence is too long
                raise DataError(f"{error} ({lines.name}, line {lines.count})") from None
        lines.check()
