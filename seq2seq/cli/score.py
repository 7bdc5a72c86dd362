"""`seq2seq score`: how probable a model holds given translations, pair by pair.

It knows files and the forms of output; what a score is, is the translator's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seq2seq.cli import direction, shell, streams
from seq2seq.cli.errors import DataError
from seq2seq.cli.shell import app

if TYPE_CHECKING:
    from seq2seq.config import SearchConfig
    from seq2seq.translator import Score, Translator

CHUNK = 512


@app.command()
def score(
    model: shell.Model,
    source: Annotated[Path, typer.Option("--source", help="Sentences, one a line.")],
    target: Annotated[Path, typer.Option("--target", help="The translation of each, line by line.")],
    output: Annotated[Path | None, typer.Option("--output", help="A file to write. Default: standard output.")] = None,
    per_piece: Annotated[
        bool, typer.Option("--per-piece", help="After a tab, each piece and its log-probability.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for each pair.")] = False,
    length_penalty: shell.LengthPenalty = None,
    coverage_penalty: shell.CoveragePenalty = None,
    word_reward: shell.WordReward = None,
    engine: shell.Engine = "litert",
    threads: shell.Threads = None,
) -> None:
    """Score given translations, as translate --scores does its own. A line a pair; each is one sentence, not split."""
    flags = shell.search_flags(locals())
    streams.refuse_to_overwrite(output, source, target)
    pairs = list(zip(*streams.read_pairs(source, target, "target"), strict=True))
    translator = shell.load(model, engine, threads)
    direction.check(translator, source, target)
    search = shell.search_config(translator, flags)
    form = streams.to_json if as_json else _with_pieces if per_piece else _plain
    with streams.output(output) as out, streams.Progress("pairs", quiet=streams.stdout_is_terminal()) as progress:
        for each in _scores(translator, pairs, search):
            streams.write(out, form(each))
            progress.step()


def _scores(translator: Translator, pairs: list[tuple[str, str]], search: SearchConfig) -> Iterator[Score]:
    from seq2seq.engine import EngineError

    for start in range(0, len(pairs), CHUNK):
        chunk = pairs[start : start + CHUNK]
        try:
            yield from translator.score(*map(list, zip(*chunk, strict=True)), search=search)
        except EngineError:  # the model is well; a sentence is too long, and those before it are still scored
            for line, (source, target) in enumerate(chunk, start=start + 1):
                try:
                    yield from translator.score([source], [target], search=search)
                except EngineError as error:
                    raise DataError(f"{error} (line {line})") from None


def _plain(score: Score) -> str:
    return f"{score.score:.4f}"


def _with_pieces(score: Score) -> str:
    pieces = zip(score.pieces, score.log_probs, strict=True)
    return f"{score.score:.4f}\t" + " ".join(f"{piece} {log_prob:.4f}" for piece, log_prob in pieces)
