"""The typer application that the commands hang themselves on, and the flags that several of them share.

It knows names and ranges of flags; it does not know what a command does with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from seq2seq import __version__
from seq2seq.cli import errors, streams
from seq2seq.cli.errors import DataError, UsageError

if TYPE_CHECKING:
    from seq2seq.config import SearchConfig
    from seq2seq.translator import Terms, Translator

# rich would double the time to the first line of help.
app = typer.Typer(name="seq2seq", pretty_exceptions_enable=False, rich_markup_mode=None)

Model = Annotated[Path, typer.Argument(metavar="MODEL", help="A model folder, or the run folder that holds one.")]
Source = Annotated[Path, typer.Option("--source", help="Text to translate, one sentence a line.")]
Reference = Annotated[Path, typer.Option("--reference", help="Its translations, line by line.")]
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
Threads = Annotated[
    int | None, typer.Option("--threads", min=1, help="Processor threads. Default: all, litert at most four.")
]
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
WordReward = Annotated[
    float | None, typer.Option("--word-reward", min=-10, max=10, help="Added to the score for each piece.")
]
MinRatio = Annotated[
    float | None, typer.Option("--min-ratio", min=0, max=4, help="Fewest pieces of a translation per source piece.")
]
MaxRatio = Annotated[
    float | None, typer.Option("--max-ratio", min=0.1, max=8, help="Most pieces per source piece, and ten more.")
]
NoRepeat = Annotated[
    int | None,
    typer.Option("--no-repeat", min=0, max=8, help="Never say N pieces in a row twice; 0: repeats are free."),
]
Diversity = Annotated[
    float | None, typer.Option("--diversity", min=0, max=10, help="Higher makes the best N differ more.")
]
Temperature = Annotated[
    float | None,
    typer.Option("--temperature", min=0, max=10, help="Draw at random instead of searching; 1 is the model."),
]
TopK = Annotated[int | None, typer.Option("--top-k", min=0, help="Draw from the K most probable pieces.")]
TopP = Annotated[
    float | None, typer.Option("--top-p", min=0.001, max=1, help="Draw from the fewest pieces of this probability.")
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, max=2**31 - 1, help="Of what is drawn at random.")]
Prefix = Annotated[str | None, typer.Option("--prefix", metavar="TEXT", help="What each translation begins with.")]
Require = Annotated[
    list[str] | None, typer.Option("--require", metavar="TEXT", help="What each translation must say; may be repeated.")
]
Forbid = Annotated[
    list[str] | None, typer.Option("--forbid", metavar="TEXT", help="What no translation may say; may be repeated.")
]
Glossary = Annotated[
    Path | None,
    typer.Option("--glossary", help="A file: a source term, a tab, and what it must be called; # comments."),
]
NoProtect = Annotated[
    bool, typer.Option("--no-protect", help="Do not search again for lost URLs, numbers, placeholders and tags.")
]


def search_flags(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The search settings among a command's arguments that were given, checked before any model is loaded.

    Arguments:
        flags: what the command was called with, by name: its `locals()`.

    Raises:
        UsageError: flags that contradict each other, or that do nothing without another.
    """
    from seq2seq.config import SearchConfig

    if flags.get("greedy") and flags.get("beam") not in (None, 1):
        raise UsageError(f"--greedy means --beam 1. Received: --greedy and --beam {flags['beam']}")
    given: dict[str, Any] = {name: flags.get(name) for name in SearchConfig.__struct_fields__}
    given |= {"beam": 1} if flags.get("greedy") else {}
    given = {name: value for name, value in given.items() if value is not None}
    if given.get("temperature"):
        against = [name for name in ("beam", "greedy", "diversity", "require", "glossary") if flags.get(name)]
        if against:
            raise UsageError(f"--temperature draws and does not search. Received: --temperature and --{against[0]}")
    else:
        for name in ("top_k", "top_p", "seed"):
            if name in given:
                raise UsageError(f"{_flag(name)} needs --temperature. Received: {_flag(name)} {given[name]} alone")
    if given.get("diversity") and given.get("beam") == 1:
        raise UsageError("--diversity needs a beam wider than 1. Received: --diversity and a beam of 1")
    for least, most in (("min_length", "max_length"), ("min_ratio", "max_ratio")):
        if given.get(most) and given.get(least, 0) > given[most]:
            raise UsageError(
                f"{_flag(least)} must be at most {_flag(most)}. Received: {given[least]} and {given[most]}"
            )
    return given


def terms(flags: Mapping[str, Any]) -> Terms:
    """What a command's arguments demand of translations, checked before any model is loaded.

    Raises:
        TermsError: a phrase without text, or one that is both demanded and forbidden.
        DataError: the glossary cannot be read.
    """
    from seq2seq.translator import Terms

    if flags.get("prefix") is not None and not flags["prefix"].strip():
        raise UsageError(f"--prefix must be text. Received: {flags['prefix']!r}")
    return Terms(
        prefix=flags.get("prefix") or "",
        required=tuple(flags.get("require") or ()),
        forbidden=tuple(flags.get("forbid") or ()),
        glossary=_glossary(flags["glossary"]) if flags.get("glossary") else {},
        protect=not flags.get("no_protect"),
    )


def _glossary(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(streams.read(path), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        term, _, target = (part.strip() for part in line.partition("\t"))
        if not term or not target or "\t" in target:
            raise DataError(
                f"A line of a glossary must be a term, a tab and what it is called. Received: {path}, line {number}"
            )
        if found.setdefault(term, target) != target:
            raise DataError(f"A term must be called one thing. Received: {term!r} again in {path}, line {number}")
    if not found:
        raise DataError(f"A glossary must hold at least one term. Received: {path}")
    return found


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def search_config(translator: Translator, flags: dict[str, Any]) -> SearchConfig:
    """The model's own search settings with the given ones over them."""
    import msgspec

    from seq2seq import config

    own = msgspec.to_builtins(translator.config.search)
    return config.build({"search": own}, {"search": flags}).search


def load(model: Path, engine: str, threads: int | None = None, *, sure: bool = False) -> Translator:
    """The translator of a model folder; where it must be `sure` of itself, one whose confidence was measured."""
    if engine == "tensorflow":
        import_tensorflow()
    from seq2seq.translator import Translator

    translator = Translator.load(model, engine=engine, threads=threads)
    if sure:
        from seq2seq import calibration

        calibration.check(translator.calibration, model)
    return translator


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
