"""The typer application that the commands hang themselves on, and the flags that several of them share.

It knows names and ranges of flags; it does not know what a command does with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from seq2seq import __version__
from seq2seq.cli import errors, streams
from seq2seq.cli.errors import UsageError

if TYPE_CHECKING:
    from seq2seq.config import SearchConfig
    from seq2seq.translator import Translator

# rich would double the time to the first line of help.
app = typer.Typer(name="seq2seq", pretty_exceptions_enable=False, rich_markup_mode=None)

Model = Annotated[Path, typer.Argument(metavar="MODEL", help="A model folder, or the run folder that holds one.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SourceLanguage = Annotated[
    str | None, typer.Option("--source-lang", metavar="LANG", help="Such as en. Default: what the files' names tell.")
]
TargetLanguage = Annotated[
    str | None, typer.Option("--target-lang", metavar="LANG", help="Such as de. Default: what the files' names tell.")
]
ValidSource = Annotated[Path | None, typer.Option("--valid-source", help="Validation set. Default: split off.")]
ValidTarget = Annotated[Path | None, typer.Option("--valid-target", help="Its translations, line by line.")]
TestSource = Annotated[Path | None, typer.Option("--test-source", help="Test set. Default: split off.")]
TestTarget = Annotated[Path | None, typer.Option("--test-target", help="Its translations, line by line.")]
Engine = Annotated[
    Literal["litert", "tensorflow"],
    typer.Option("--engine", help="litert is quick and needs no TensorFlow; tensorflow computes in float32."),
]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="Processor threads. Default: all.")]
Beam = Annotated[int | None, typer.Option("--beam", min=1, max=64, help="Hypotheses kept at each step.")]
Greedy = Annotated[bool, typer.Option("--greedy", help="The same as --beam 1.")]
LengthPenalty = Annotated[
    float | None, typer.Option("--length-penalty", min=0, max=4, help="Higher prefers longer translations.")
]
CoveragePenalty = Annotated[
    float | None, typer.Option("--coverage-penalty", min=0, max=4, help="Higher prefers to leave no source word out.")
]
MinLength = Annotated[int | None, typer.Option("--min-length", min=0, help="Fewest pieces of a translation.")]
MaxLength = Annotated[
    int | None, typer.Option("--max-length", min=0, max=1000, help="Most pieces of a translation; 0: by the source.")
]


def search_flags(*, beam: int | None, greedy: bool, **others: float | None) -> dict[str, Any]:
    """The search settings that were given, checked before any model is loaded.

    Raises:
        UsageError: greedy and a wider beam at once.
    """
    if greedy and beam not in (None, 1):
        raise UsageError(f"--greedy means --beam 1. Received: --greedy and --beam {beam}")
    given = {"beam": 1 if greedy else beam, **others}
    return {name: value for name, value in given.items() if value is not None}


def search_config(translator: Translator, flags: dict[str, Any]) -> SearchConfig:
    """The model's own search settings with the given ones over them."""
    import msgspec

    from seq2seq import config

    own = msgspec.to_builtins(translator.config.search)
    return config.build({"search": own}, {"search": flags}).search


def load(model: Path, engine: str, threads: int | None = None) -> Translator:
    """The translator of a model folder."""
    if engine == "tensorflow":
        import_tensorflow()
    from seq2seq.translator import Translator

    return Translator.load(model, engine=engine, threads=threads)


def languages(given: tuple[str | None, str | None], source: Path, target: Path | None) -> tuple[str, str]:
    """Source and target language: as given, else what the files' names tell.

    Raises:
        UsageError: they are not given, and the files do not tell.
    """
    if given[0] and given[1]:
        return given[0], given[1]
    from seq2seq import corpus

    try:
        told = corpus.languages_from(source, target)
    except corpus.CorpusError as error:
        if str(source) != "-" and not source.exists():
            raise
        raise UsageError(f"--source-lang and --target-lang must be given here. {error}") from None
    return given[0] or told[0], given[1] or told[1]


def held_out(
    valid_source: Path | None, valid_target: Path | None, test_source: Path | None, test_target: Path | None
) -> tuple[tuple[Path, Path | None] | None, tuple[Path, Path | None] | None]:
    """The validation and test sets that were named; a source alone is one file of pairs.

    Raises:
        UsageError: a target without its source.
    """
    for name, source, target in (("valid", valid_source, valid_target), ("test", test_source, test_target)):
        if target and not source:
            raise UsageError(f"--{name}-target needs --{name}-source. Received: --{name}-target alone")
    return (
        (valid_source, valid_target) if valid_source else None,
        (test_source, test_target) if test_source else None,
    )


def import_tensorflow() -> None:
    """Imports it without its talk: it announces its processor and its lack of a GPU, and has no switch for that."""
    with streams.hidden_stderr():
        import tensorflow
    if not errors.debugging():
        tensorflow.get_logger().setLevel("ERROR")


def show(value: Any, *, as_json: bool) -> None:
    """Prints a result: as JSON, or as its own text."""
    streams.show(streams.to_json(value, indent=2) if as_json else str(value))


def table(rows: Sequence[tuple[str, Any]]) -> str:
    """Two columns, the second aligned; rows without a value are left out."""
    shown = [(name, value) for name, value in rows if value not in (None, "", [], {})]
    width = max((len(name) for name, _ in shown), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in shown)


def _version(wanted: bool) -> None:
    if wanted:
        streams.show(f"seq2seq {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Train, look inside and ship LSTM encoder-decoder translators with attention."""
