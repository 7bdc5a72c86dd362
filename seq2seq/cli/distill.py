"""`seq2seq distill`: training text as a model translates it, for a smaller model to learn from.

It knows which files were named and what is to be done next; what a line becomes is the library's.
"""

from __future__ import annotations

import contextlib
import hashlib
import shlex
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seq2seq.cli import direction, errors, shell, streams
from seq2seq.cli.errors import DataError, Interrupted, UsageError
from seq2seq.cli.shell import app

if TYPE_CHECKING:
    from seq2seq.distillation import Distilled


@app.command()
def distill(
    model: shell.Model,
    source: shell.Source,
    output: Annotated[Path, typer.Option("--output", help="The folder to write; the same one goes on after a stop.")],
    target: Annotated[Path | None, typer.Option("--target", help="Its own translations, line by line.")] = None,
    n_best: Annotated[
        int | None,
        typer.Option("--n-best", min=1, max=64, help="Keep the one of the best N that is nearest to --target."),
    ] = None,
    back: Annotated[
        Path | None,
        typer.Option("--back", help="A model of the other direction, which chooses where --target has no line."),
    ] = None,
    keep_original: Annotated[
        bool, typer.Option("--keep-original", help="Add the pairs of --source and --target after the others.")
    ] = False,
    beam: shell.Beam = None,
    greedy: shell.Greedy = False,
    length_penalty: shell.LengthPenalty = None,
    coverage_penalty: shell.CoveragePenalty = None,
    max_ratio: shell.MaxRatio = None,
    no_repeat: shell.NoRepeat = None,
    engine: shell.Engine = "litert",
    threads: shell.Threads = None,
) -> None:
    """Translate training text, for a smaller model to learn from. Prints the two files.

    A translation that was cut, is empty or says the same again and again gives way to the line of --target; without one
    the line is left out. What was stopped goes on when the command is given again.
    """
    flags = shell.search_flags(locals())
    several = (n_best or 1) > 1
    for flag, given, needed in (
        ("--n-best", several and back is None, "--target or --back"),
        ("--keep-original", keep_original, "--target"),
    ):
        if given and target is None:
            raise UsageError(f"{flag} needs {needed}. Received: {flag} alone")
    if back and not several:
        raise UsageError("--back needs --n-best 2 or more, to choose from. Received: --back alone")
    if "-" in (str(source), str(target)):
        raise UsageError("Text to distill must be in files, which are read more than once. Received: -")
    streams.refuse_tables(source, target)
    lines = _count(source, target)
    import msgspec

    from seq2seq import bundle, distillation

    translator = shell.load(model, engine, threads)
    if target:
        direction.check(translator, source, target)
    search = shell.search_config(translator, flags)
    backwards = shell.load(back, engine, threads) if back else None
    identity = {
        "model": bundle.load(model, verify=False).digest,
        "engine": translator.engine_name,
        "search": msgspec.to_builtins(search),
        "references": _digest(target) if target else False,
    } | ({"back": bundle.load(back, verify=False).digest} if back else {})
    with _going_on(output), streams.Progress("lines", total=lines) as progress:
        made = distillation.distill(
            translator,
            lambda: _pairs(source, target),
            output,
            search=search,
            identity=identity,
            back=backwards,
            keep_original=keep_original,
            progress=progress.reach,
        )
    streams.show(f"{made.source}\n{made.target}")
    errors.say("note", ", ".join(f"{count:,} {kind}" for kind, count in made.counts.items()))
    errors.say("note", f"next: {_next(made, source)}")


@contextlib.contextmanager
def _going_on(output: Path) -> Iterator[None]:
    """While entered, who stops what was begun in a folder is told how it goes on."""
    from seq2seq import distillation

    try:
        yield
    except KeyboardInterrupt:
        if not (output / distillation.JOURNAL).exists():
            raise
        raise Interrupted(f"stopped; what is done is saved. The same command goes on, in {output}") from None


def _count(source: Path, target: Path | None) -> int:
    """How many lines there are, all of them readable and as many on either side, before hours of work."""
    counts = []
    for path in filter(None, (source, target)):
        lines, filled = streams.Lines(path), 0
        for line in lines:
            filled += bool(line.strip())
        lines.check()
        if not filled:
            raise DataError(f"Text to distill must hold at least one sentence. Received: {path}, which is empty")
        counts.append(lines.count)
    if len(set(counts)) > 1:
        raise DataError(
            "Source and target must have the same number of lines. "
            f"Received: {source} with {counts[0]}, {target} with {counts[1]}"
        )
    return counts[0]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pairs(source: Path, target: Path | None) -> Iterator[tuple[str, str]]:
    references = streams.Lines(target) if target else ()
    yield from zip_longest(streams.Lines(source), references, fillvalue="")


def _next(made: Distilled, source: Path) -> str:
    """The command that trains a student. It is judged on real translations: those held out beside the text, if any."""
    languages = made.source.suffix, made.target.suffix
    words: list[str | Path] = [
        "seq2seq",
        "train",
        "--source",
        made.source,
        "--target",
        made.target,
        "--output",
        "STUDENT",
    ]
    for name in ("valid", "test"):
        held_out = [source.parent / f"{name}{language}" for language in languages]
        if not all(path.exists() for path in held_out):
            held_out = [Path(f"{name.upper()}{language}") for language in languages]
        words += [f"--{name}-source", held_out[0], f"--{name}-target", held_out[1]]
    return shlex.join(map(str, words))
