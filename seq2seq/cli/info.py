"""`seq2seq info`: what a model folder says of itself.

It knows how the manifest is laid out for reading; it computes nothing but sums.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from seq2seq.cli import shell
from seq2seq.cli.shell import app

if TYPE_CHECKING:
    from seq2seq.bundle import Bundle, Member


class _Score(TypedDict, total=False):
    bleu: float
    chrf: float
    ter: float
    signatures: dict[str, str]


class _Parent(TypedDict, total=False):
    name: str


class _Provenance(TypedDict, total=False):
    parent: _Parent


class _Told(TypedDict):
    """What the text looks into."""

    scores: list[_Score]
    provenance: _Provenance


@app.command()
def info(model: shell.Model, as_json: shell.Json = False) -> None:
    """Show what a model folder holds. Languages, sizes, scores, files; every checksum is verified."""
    import msgspec

    from seq2seq import bundle, engine, weights

    loaded = bundle.load(model)
    _check(loaded)
    facts = {
        "path": str(loaded.path),
        "source_language": loaded.source_language,
        "target_language": loaded.target_language,
        "engine": engine.load(loaded).name,
        "parameters": weights.count(loaded),
        "bytes": sum(file.size for file in loaded.files.values()),
        "files": {name: file.size for name, file in loaded.files.items()},
        "scores": loaded.scores,
        "calibration": msgspec.to_builtins(loaded.calibration),
        "provenance": loaded.provenance,
        "config": msgspec.to_builtins(loaded.config),
        "members": msgspec.to_builtins(loaded.members),
    }
    shell.show(facts if as_json else _text(facts), as_json=as_json)


def _check(loaded: Bundle) -> None:
    """Raises a BundleError where a manifest, whoever sealed it, tells of the model what cannot be shown."""
    import msgspec

    from seq2seq.bundle import BundleError

    models: list[Bundle | Member] = [loaded, *loaded.members]
    for told in models:
        try:
            msgspec.convert({"scores": told.scores, "provenance": told.provenance}, _Told)
        except msgspec.ValidationError as error:
            raise BundleError(
                f"A model must have numbers for scores, and a name for its parent. Received: {loaded.path} ({error})"
            ) from None


def _text(facts: dict[str, Any]) -> str:
    config = facts["config"]
    search = config["search"]
    rows = [
        ("model", facts["path"]),
        ("languages", f"{facts['source_language']} -> {facts['target_language']}"),
        ("engine", facts["engine"]),
        ("parameters", f"{facts['parameters']:,}" if facts["parameters"] else None),
        *(row for member in facts["members"] or [facts] for row in _network(member)),
        ("vocabulary", f"{config['tokenizer']['vocabulary']:,} {config['tokenizer']['kind']}"),
        ("search", f"beam {search['beam']}, length penalty {search['length_penalty']}"),
        ("size", f"{facts['bytes'] / 1e6:,.1f} MB"),
        *((f"  {name}", f"{size / 1e6:,.1f} MB") for name, size in facts["files"].items()),
        *(("score", _line(score)) for score in facts["scores"]),
        *(("", f"  {signature}") for signature in _signatures(facts["scores"])),
        ("confidence", _confidence(facts["calibration"])),
        ("parent", facts["provenance"].get("parent", {}).get("name")),
        *((name, _plain(value)) for name, value in facts["provenance"].items()),
    ]
    return shell.table(rows)


def _confidence(calibration: dict[str, Any] | None) -> str | None:
    if calibration is None:
        return None
    return f"fitted on {calibration['sentences']:,} sentences, right from chrF {calibration['right']:.0f} on"


def _network(facts: dict[str, Any]) -> list[tuple[str, Any]]:
    """Of a single model, or of one member of an ensemble with its name and scores."""
    model = facts["config"]["model"]
    rows: list[tuple[str, Any]] = [
        ("network", ", ".join(f"{name} {model[name]}" for name in ("embedding", "units", "attention"))),
        ("layers", f"encoder {model['encoder_layers']}, decoder {model['decoder_layers']}"),
    ]
    if "name" not in facts:
        return rows
    scores = [("  score", _line(score)) for score in facts["scores"]]
    return [("member", facts["name"]), *((f"  {name}", value) for name, value in rows), *scores]


def _line(score: dict[str, Any]) -> str:
    metrics = (f"{name} {score[name.lower()]:.1f}" for name in ("BLEU", "chrF", "TER") if name.lower() in score)
    about = (f"{score[name]}" for name in ("test", "engine") if name in score)
    beam = f"beam {score['beam']}" if "beam" in score else ""
    return f"{', '.join(filter(None, (*about, beam)))}: {', '.join(metrics)}"


def _signatures(scores: list[dict[str, Any]]) -> list[str]:
    """Each once, in the order met."""
    found = {f"{name} {text}": None for score in scores for name, text in score.get("signatures", {}).items()}
    return list(found)


def _plain(value: Any) -> str | None:
    """Numbers and texts to be read; lists and tables are for --json."""
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return value if isinstance(value, str) else None
