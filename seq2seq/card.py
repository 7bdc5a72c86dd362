"""The model card: what a model folder says of itself to people.

It owns the words and their order; every fact in it comes from the configuration, the provenance and the scores.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from seq2seq.bundle import Member
from seq2seq.calibration import Calibration
from seq2seq.config import Config, dump

_CARD = """---
{front}---

# {source} to {target}

{made}

    seq2seq translate MODEL < input.txt

## Data

{data}

## Scores

{scores}

BLEU and chrF are sacreBLEU's, cased and detokenised. The engine is part of a result: the 8-bit file words some
sentences differently from float32. Signatures: {signatures}.

{confidence}## Limits

It was trained on the data above and on nothing else: text of another kind is translated worse, and a sentence that it
does not understand is still given a fluent translation. It translates sentence by sentence. Numbers and names are
usually, not always, kept. Do not rely on it where a mistake does harm.

## Recipe

{recipe}"""

_CONFIDENCE = """## Confidence

Each translation comes with the estimated chance that it is right. Right means here: chrF of {right:.0f} or more with
what a person wrote, which is near it in words, not always in meaning. It was fitted on {sentences:,} held-out
sentences; on others it was off by {error:.1%} on average (expected calibration error, ten bins).

![What was claimed and what was right](reliability.svg)

{bins}

"""

_SINGLE = "An LSTM encoder-decoder with attention, {parameters:,} parameters, trained with seq2seq {version}."

_ENSEMBLE = """An ensemble of {count} LSTM encoder-decoders with attention, {parameters:,} parameters in all, made with
seq2seq {version}: each says how probable every next piece is, and the mean counts.

{members}"""

_LICENCES = """

The members are under different licences: what each of them asks for holds for the ensemble."""

_PARENT = " It went on from the weights of {name} (licence: {licence}; digest of its manifest: {digest:.16})."

_TAUGHT = (
    " It is the student of {models} models (digest of their ensemble's manifest: {digest:.16}), which translated the "
    "text below, and text drawn for it, to make most of the {learned:,} pairs that it learned from."
)

_BEFORE = "\n\nThe model that it went on from was trained on: {data}"

_RECIPE = "Trained for {epochs} epochs in {minutes:.0f} minutes on {machine}{numbers}; {averaged}."

_SCORED = ("engine", "beam", "BLEU", "chrF")
_SIZES = ("embedding", "units", "encoder_layers", "decoder_layers", "attention")


def write(
    config: Config,
    provenance: Mapping[str, Any],
    *,
    scores: Sequence[Mapping[str, Any]],
    calibration: Calibration | None = None,
) -> str:
    """The card as Markdown.

    Args:
        config: the resolved configuration.
        provenance: parameters, version, epochs, minutes, machine, averaged, pairs, and data (free text) and licence; of
            one that was trained further also its parent: name, digest, data and licence; of a student its teachers:
            models, digest, and pairs of their text.
        scores: test, sentences, engine, beam, bleu, chrf and signatures, as `release` measures them.
        calibration: how sure a translation is, if that was measured.
    """
    parent, teachers = provenance.get("parent"), provenance.get("teachers")
    made = _SINGLE.format(**provenance)
    made += _PARENT.format(**parent) if parent else ""
    made += _TAUGHT.format(learned=provenance["pairs"], **teachers) if teachers else ""
    return _CARD.format(
        front=_front(config, provenance.get("licence") or "other"),
        source=config.source_language,
        target=config.target_language,
        made=made,
        data=data(provenance) + (_BEFORE.format(**parent) if parent else ""),
        scores=_table(("test set", *_SCORED), map(_score, scores)) or "None were measured: there was no held-out text.",
        signatures=_signatures(scores),
        confidence=_confidence(calibration),
        recipe=_recipe(config, provenance),
    )


def write_ensemble(
    config: Config,
    provenance: Mapping[str, Any],
    *,
    scores: Sequence[Mapping[str, Any]],
    members: Sequence[Member],
    calibration: Calibration | None = None,
) -> str:
    """The card of an ensemble as Markdown: what it is made of, and what that says of itself.

    Args:
        config: the resolved configuration.
        provenance: parameters, version and data.
        scores: as `write` takes them.
        members: with provenance and scores of the same kind; a fact that is missing is left out.
        calibration: as `write` takes it.
    """
    named = [(f"{number}. {member.name}", member) for number, member in enumerate(members, start=1)]
    scored = [("the ensemble", score) for score in scores]
    scored += [(name, score) for name, member in named for score in member.scores]
    rows = [(name, *_score(score)) for name, score in scored]
    sizes = _table(("member", *_SIZES, "licence"), map(_sizes, named))
    several = len({licence(member) for member in members}) > 1
    return _CARD.format(
        front=_front(config, "other" if several else licence(members[0])),
        source=config.source_language,
        target=config.target_language,
        made=_ENSEMBLE.format(count=len(members), members=sizes, **provenance) + _LICENCES * several,
        data=provenance["data"],
        scores="The ensemble itself was not measured.\n\n" * (not scores)
        + _table(("model", "test set", *_SCORED), rows),
        signatures=_signatures([score for _, score in scored]),
        confidence=_confidence(calibration),
        recipe="\n".join(f"### {name}\n\n{_recipe(member.config, member.provenance)}" for name, member in named),
    )


def data(provenance: Mapping[str, Any]) -> str:
    """What a model was trained on, in a sentence."""
    own = provenance.get("teachers", provenance)
    pairs = f"{own['pairs']:,} sentence pairs" if "pairs" in own else "Text"
    return provenance.get("data") or f"{pairs} of the one who trained it."


def licence(member: Member) -> str:
    """As its card says it."""
    return member.provenance.get("licence") or "other"


def _front(config: Config, licence: str) -> str:
    """What programs read of a card, as YAML."""
    languages = [config.source_language, config.target_language]
    facts = {"license": licence, "language": languages, "library_name": "seq2seq", "pipeline_tag": "translation"}
    return yaml.safe_dump(facts, sort_keys=False, default_flow_style=None, allow_unicode=True, width=10_000)


def _score(score: Mapping[str, Any]) -> tuple[str, ...]:
    test = f"{score['test']} ({score['sentences']:,})"
    return test, score["engine"], str(score["beam"]), f"{score['bleu']:.1f}", f"{score['chrf']:.1f}"


def _sizes(named: tuple[str, Member]) -> tuple[str, ...]:
    name, member = named
    sizes = (str(getattr(member.config.model, size)) for size in _SIZES)
    return name, *sizes, licence(member)


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown's; nothing where there are no rows."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    head = [f"| {' | '.join(titles).replace('_', ' ')} |", "|" + "---|" * len(titles)]
    return "\n".join(head + lines) if lines else ""


def _confidence(calibration: Calibration | None) -> str:
    if calibration is None or calibration.error is None:
        return ""
    rows = [(f"{each.confidence:.0%}", f"{each.right:.0%}", f"{each.sentences:,}") for each in calibration.bins]
    return _CONFIDENCE.format(
        right=calibration.right,
        sentences=calibration.sentences,
        error=calibration.error,
        bins=_table(("claimed", "right", "sentences"), rows),
    )


def _signatures(scores: Sequence[Mapping[str, Any]]) -> str:
    each = sorted({score["signatures"][name] for score in scores for name in ("bleu", "chrf")})
    return ", ".join(f"`{signature}`" for signature in each) or "none"


def _recipe(config: Config, provenance: Mapping[str, Any]) -> str:
    numbers = f", in {provenance['precision']}" if "precision" in provenance else ""
    made = _RECIPE.format(**provenance, numbers=numbers) + "\n\n" if "epochs" in provenance else ""
    return f"{made}```yaml\n{dump(config)}```\n"
