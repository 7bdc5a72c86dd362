"""`seq2seq explain`: what the network did while it translated, as JSON.

It knows lines, flags and streams; what an explanation holds is `seq2seq.explanation`'s.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seq2seq.cli import shell, streams
from seq2seq.cli.errors import DataError, UsageError
from seq2seq.cli.shell import app

if TYPE_CHECKING:
    from seq2seq.translator import Terms


@app.command()
def explain(
    model: shell.Model,
    source: Annotated[Path | None, typer.Option("--input", help="A file to read. Default: standard input.")] = None,
    output: Annotated[Path | None, typer.Option("--output", help="A file to write. Default: standard output.")] = None,
    _: Annotated[bool, typer.Option("--json", help="Print JSON, which is all that this command prints.")] = False,
    target: Annotated[
        str | None, typer.Option("--target", metavar="TEXT", help="Explain this translation instead of searching.")
    ] = None,
    cells: Annotated[bool, typer.Option("--cells", help="Gates, states and the gradient through time too.")] = False,
    step: Annotated[
        int | None, typer.Option("--step", min=0, help="Of which target piece the gradient is. Default: the last.")
    ] = None,
    beam_tree: Annotated[bool, typer.Option("--beam-tree", help="The search as a tree too.")] = False,
    alternatives: Annotated[
        int, typer.Option("--alternatives", min=1, max=1000, help="How many pieces are told at each position.")
    ] = 5,
    influence: Annotated[
        bool, typer.Option("--influence", help="What each source piece does, by hiding it, too.")
    ] = False,
    saliency: Annotated[
        bool, typer.Option("--saliency", help="The same by gradients, which needs TensorFlow, too.")
    ] = False,
    mute: Annotated[
        list[str] | None,
        typer.Option("--mute", metavar="WORD", help="A source word that gets no attention; may be repeated."),
    ] = None,
    boost: Annotated[
        list[str] | None,
        typer.Option("--boost", metavar="WORD", help="A source word that gets ten times the attention; likewise."),
    ] = None,
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
    """Look inside while it translates. A sentence in, a JSON object out; docs/explanation.md describes it."""
    given = locals()
    flags, terms = shell.search_flags(given), _attending(shell.terms(given), given)
    if target is not None and beam_tree:
        raise UsageError("--beam-tree shows a search, and --target leaves nothing to search. Received: both")
    streams.refuse_to_overwrite(output, source, glossary)
    lines = streams.Lines(source)
    translator = shell.load(model, engine, threads)
    if saliency:
        shell.import_tensorflow()
    search = shell.search_config(translator, flags)
    from seq2seq.engine import EngineError, OlderGraphError

    told: dict[str, Any] = {"target": target, "search": search, "terms": terms}
    more: dict[str, Any] = {"cells": cells, "beam": beam_tree, "alternatives": alternatives, "step": step}
    with streams.output(output) as out:
        for line in lines:
            try:
                shown = translator.explain(line, **told, **more)
                if influence:
                    shown = dataclasses.replace(shown, influence=translator.influence(line, **told))
                if saliency:
                    shown = dataclasses.replace(shown, saliency=translator.saliency(line, **told))
            except OlderGraphError:
                raise
            except EngineError as error:  # the model is well; the sentence is too long, or shorter than the step
                raise DataError(f"{error} ({lines.name}, line {lines.count})") from None
            streams.write(out, shown.to_json())
        lines.check()


def _attending(terms: Terms, given: Mapping[str, Any]) -> Terms:
    """The terms with the words that get more attention or none."""
    from seq2seq.translator import BOOST, MUTE

    muted, boosted = given["mute"] or (), given["boost"] or ()
    for word in (*muted, *boosted):
        if not word.strip():
            raise UsageError(f"A word to mute or boost must be text. Received: {word!r}")
    if both := set(muted) & set(boosted):
        raise UsageError(f"A word must not be muted and boosted at once. Received: {min(both)!r}")
    return dataclasses.replace(terms, attend=dict.fromkeys(muted, MUTE) | dict.fromkeys(boosted, BOOST))
