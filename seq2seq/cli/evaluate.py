"""`seq2seq evaluate`: translate a test set and say how good and how quick that was.

It knows how a score card is laid out; the metrics and the significance test are the library's.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seq2seq.cli import direction, shell, streams
from seq2seq.cli.errors import DataError, GateMissed
from seq2seq.cli.shell import app

if TYPE_CHECKING:
    from seq2seq.translator import Terms, Translator


@app.command()
def evaluate(
    model: shell.Model,
    source: shell.Source,
    reference: shell.Reference,
    against: Annotated[
        Path | None, typer.Option("--against", metavar="MODEL", help="A second model, for a paired bootstrap test.")
    ] = None,
    minimum_bleu: Annotated[
        float | None,
        typer.Option("--minimum-bleu", min=0, max=100, help="A lower BLEU than this ends with exit code 1."),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", help="A file for the translations.")] = None,
    as_json: shell.Json = False,
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
    glossary: shell.Glossary = None,
    no_protect: shell.NoProtect = False,
    engine: shell.Engine = "litert",
    threads: shell.Threads = None,
) -> None:
    """Score a model on a test set. BLEU, chrF and TER with their signatures, speed, and which engine it was."""
    given = locals()
    flags, terms = shell.search_flags(given), shell.terms(given)
    streams.refuse_to_overwrite(output, source, reference, glossary)
    sources, references = pairs(source, reference)
    import sacrebleu  # noqa: F401 - before the work: where it is missing, that must not cost a test set's time

    from seq2seq import evaluation

    first, *second = [(each, shell.load(each, engine, threads)) for each in (model, against) if each is not None]
    direction.check(first[1], source, reference)
    for path, other in second:
        direction.check_second(first[1], other, path)
    with contextlib.ExitStack() as stack:  # opened before the work, or the scores would be lost with the file
        out = stack.enter_context(streams.output(output)) if output else None
        card, hypotheses = _card(*first, sources, references, (flags, terms))
        for text in hypotheses:
            if out:
                streams.write(out, text)
    for path, other in second:
        card["against"], others = _card(path, other, sources, references, (flags, terms))
        card["bootstrap"] = evaluation.bootstrap(hypotheses, others, references)
    shell.show(card if as_json else _text(card), as_json=as_json)
    if minimum_bleu is not None and card["bleu"] < minimum_bleu:
        raise GateMissed(f"BLEU must be at least {minimum_bleu}. Received: {card['bleu']:.2f}")


def pairs(source: Path, reference: Path) -> tuple[list[str], list[str]]:
    """A test set: sentences and their translations, as many of one as of the other."""
    sources, references = streams.read_pairs(source, reference, "reference")
    for path, texts in ((source, sources), (reference, references)):
        if not any(text.strip() for text in texts):
            raise DataError(f"A test set must hold at least one sentence. Received: {path}, which is empty")
    return sources, references


def _card(
    model: Path, translator: Translator, sources: list[str], references: list[str], wanted: tuple[dict[str, Any], Terms]
) -> tuple[dict[str, Any], list[str]]:
    from seq2seq import evaluation

    flags, terms = wanted
    search = shell.search_config(translator, flags)
    start = time.monotonic()
    hypotheses = []
    faults: Counter[str] = Counter()
    with streams.Progress("sentences") as progress:
        for translation in translator.stream(sources, search=search, terms=terms):
            hypotheses.append(translation.text)
            faults.update(translation.flags)
            progress.step()
    seconds = time.monotonic() - start
    scores = evaluation.score(hypotheses, references)
    return {
        "model": str(model),
        "engine": translator.engine_name,
        "beam": search.beam,
        "length_penalty": search.length_penalty,
        "coverage_penalty": search.coverage_penalty,
        "flags": dict(faults.most_common()),
        "sentences": len(sources),
        "seconds": round(seconds, 3),
        "sentences_per_second": round(len(sources) / seconds, 1) if seconds else None,
        "bleu": scores.bleu,
        "chrf": scores.chrf,
        "ter": scores.ter,
        "signatures": dict(scores.signatures),
    }, hypotheses


def _text(card: dict[str, Any]) -> str:
    signatures = card["signatures"]
    rows = [
        ("model", card["model"]),
        ("engine", card["engine"]),
        ("search", f"beam {card['beam']}, length penalty {card['length_penalty']}"),
        ("speed", f"{card['sentences_per_second']} sentences a second ({card['sentences']} in {card['seconds']} s)"),
        ("flags", ", ".join(f"{flag} {count}" for flag, count in card["flags"].items())),
        *((name, f"{card[name.lower()]:5.2f}  {signatures.get(name.lower(), '')}") for name in ("BLEU", "chrF", "TER")),
    ]
    text = shell.table(rows)
    if "against" in card:
        text += f"\n\nagainst\n{_text(card['against'])}\n\n"
        text += f"paired bootstrap: this model, the other, 95 % intervals\n{card['bootstrap']}"
    return text
