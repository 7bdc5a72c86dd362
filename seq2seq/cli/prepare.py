"""`seq2seq prepare`: clean, check and split parallel text, and report what was found.

It knows which files and limits were named; everything else is the corpus package's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from seq2seq.cli import direction, shell, streams
from seq2seq.cli.shell import app
from seq2seq.config import CorpusConfig

DEFAULT = CorpusConfig()


@app.command()
def prepare(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="Source sentences, or one file of pairs.")],
    target: Annotated[Path | None, typer.Argument(metavar="TARGET", help="Their translations, line by line.")] = None,
    *,
    output: Annotated[Path, typer.Option("--output", help="The folder to write.")],
    valid_source: shell.ValidSource = None,
    valid_target: shell.ValidTarget = None,
    test_source: shell.TestSource = None,
    test_target: shell.TestTarget = None,
    source_lang: shell.SourceLanguage = None,
    target_lang: shell.TargetLanguage = None,
    max_characters: Annotated[
        int, typer.Option("--max-characters", min=1, help="Longest side of a pair.")
    ] = DEFAULT.max_characters,
    max_ratio: Annotated[
        float, typer.Option("--max-ratio", min=1, help="Longest side over shortest side, in characters.")
    ] = DEFAULT.max_ratio,
    valid: Annotated[
        int, typer.Option("--valid", min=0, help="Most pairs held out to validate; at most a tenth.")
    ] = DEFAULT.valid,
    test: Annotated[
        int, typer.Option("--test", min=0, help="Most pairs held out to test; at most a tenth.")
    ] = DEFAULT.test,
    unicode: Annotated[
        Literal["NFC", "NFKC"], typer.Option("--unicode", help="Unicode normalisation form.")
    ] = DEFAULT.unicode,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the draw of valid and test.")] = 1,
    as_json: shell.Json = False,
) -> None:
    """Clean, check and split a corpus. Prints what was found.

    SOURCE and TARGET are aligned files; or SOURCE alone is a TSV, CSV, JSONL or TMX file of pairs. Files may be
    compressed (gz, bz2, xz, zst); - is standard input.
    """
    from seq2seq import corpus

    languages = direction.told((source_lang, target_lang), source, target)
    direction.refuse_reversed(languages, source, target)
    valid_files, test_files = shell.held_out(valid_source, valid_target, test_source, test_target)
    direction.refuse_others(languages, (source, target), (valid_files, test_files))
    with streams.Progress("pairs") as progress:
        prepared = corpus.prepare(
            source,
            target,
            output=output,
            source_language=languages[0],
            target_language=languages[1],
            cleaning=corpus.Cleaning(max_characters=max_characters, max_ratio=max_ratio, unicode=unicode),
            holdout=corpus.Holdout(valid=valid, test=test, seed=seed, valid_files=valid_files, test_files=test_files),
            progress=progress.reach,
        )
    shell.show(prepared.report.to_dict() if as_json else prepared.report, as_json=as_json)
