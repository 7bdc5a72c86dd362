"""`seq2seq translate`: lines in, translations out, in order and as many.

It knows the forms of output; how a line is translated is the translator's.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seq2seq.cli import documents, errors, shell, streams
from seq2seq.cli.shell import app

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from seq2seq.config import SearchConfig
    from seq2seq.translator import Terms, Translation, Translator


WARNINGS = 3
"""Most of them that are printed for one line; a line of a megabyte would have thousands."""


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
) -> None:
    """Translate text, line by line. One line in, one line out; blank lines stay."""
    given = locals()
    flags, terms = shell.search_flags(given), shell.terms(given)
    if documents.wanted(given):
        documents.translate(given, flags, terms)
        return
    lines = streams.Lines(source)
    translator = shell.load(model, engine, threads)
    if min_confidence is not None:
        from seq2seq import calibration

        calibration.check(translator.calibration, model)
    search = shell.search_config(translator, flags)
    form = _as_json if as_json else _scored if scores else _plain
    quiet = lines.interactive or (output is None and streams.stdout_is_terminal())
    with streams.output(output) as out, streams.Progress("lines", quiet=quiet) as progress:
        withheld = 0
        for translation in _translations(translator, lines, search, terms):
            progress.step()
            if translation.unsure(min_confidence or 0):
                translation, withheld = _withheld(translation), withheld + 1
            for line in form(translation, search.n_best):
                streams.write(out, line)
            _warn(progress.count, translation.warnings)
        lines.check()
    if withheld:
        errors.say("note", f"left empty, for their confidence is under {min_confidence}: {withheld:,}")


def _withheld(translation: Translation) -> Translation:
    """It without what it would say."""
    return dataclasses.replace(translation, text="", score=0.0, hypotheses=())


def _translations(
    translator: Translator, lines: streams.Lines, search: SearchConfig, terms: Terms
) -> Iterable[Translation]:
    if not lines.interactive:
        return translator.stream(lines, search=search, terms=terms)
    errors.say("note", "type a sentence and press Enter; Ctrl-D ends")
    return (translator(line, search=search, terms=terms) for line in lines)


def _warn(line: int, warnings: Sequence[str]) -> None:
    for warning in warnings[:WARNINGS]:
        errors.say("warning", f"line {line}: {warning}")
    if len(warnings) > WARNINGS:
        errors.say("warning", f"line {line}: and {len(warnings) - WARNINGS} more of this line; --json has them all")


def _plain(translation: Translation, n_best: int) -> list[str]:
    return [text for text, _ in _candidates(translation, n_best)]


def _scored(translation: Translation, n_best: int) -> list[str]:
    return [f"{score:.4f}\t{text}" for text, score in _candidates(translation, n_best)]


def _as_json(translation: Translation, n_best: int) -> list[str]:
    """One line whatever was asked for; the keys are the fields of the library's Translation."""
    names = ("source", "text", "score", "confidence", "hypotheses", "flags", "warnings", "engine")
    value: dict[str, Any] = {name: getattr(translation, name) for name in names}
    value["hypotheses"] = [dataclasses.asdict(candidate) for candidate in translation.hypotheses[:n_best]]
    return [streams.to_json(value)]


def _candidates(translation: Translation, n_best: int) -> list[tuple[str, float]]:
    """Exactly n_best, so that line numbers can be worked out: where fewer were found, empty ones follow."""
    if n_best == 1:
        return [(translation.text, translation.score)]
    found = [(candidate.text, candidate.score) for candidate in translation.hypotheses[:n_best]]
    return found + [("", 0.0)] * (n_best - len(found))
