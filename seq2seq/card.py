"""The model card: what a model folder says of itself to people.

It owns the words and their order; every fact in it comes from the configuration, the provenance and the scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seq2seq.config import Config, dump

_CARD = """---
license: {licence}
language: [{source}, {target}]
library_name: seq2seq
pipeline_tag: translation
---

# {source} to {target}

An LSTM encoder-decoder with attention, {parameters:,} parameters, trained with seq2seq {version}.

    seq2seq translate MODEL < input.txt

## Data

{data}

## Scores

{scores}

BLEU and chrF are sacreBLEU's, cased and detokenised. The engine is part of a result: the 8-bit file words some
sentences differently from float32. Signatures: {signatures}.

## Limits

It was trained on the data above and on nothing else: text of another kind is translated worse, and a sentence that it
does not understand is still given a fluent translation. It translates sentence by sentence. Numbers and names are
usually, not always, kept. Do not rely on it where a mistake does harm.

## Recipe

Trained for {epochs} epochs in {minutes:.0f} minutes on {machine}; {averaged}.

```yaml
{recipe}```
"""


def write(config: Config, provenance: Mapping[str, Any], scores: Sequence[Mapping[str, Any]]) -> str:
    """The card as Markdown.

    Args:
        config: the resolved configuration.
        provenance: parameters, version, epochs, minutes, machine, averaged, pairs, and data (free text) and licence.
        scores: test, sentences, engine, beam, bleu, chrf and signatures, as `release` measures them.
    """
    rows = ["| test set | engine | beam | BLEU | chrF |", "|---|---|---|---|---|"]
    rows += [
        f"| {score['test']} ({score['sentences']:,}) | {score['engine']} | {score['beam']} "
        f"| {score['bleu']:.1f} | {score['chrf']:.1f} |"
        for score in scores
    ]
    signatures = sorted({score["signatures"][name] for score in scores for name in ("bleu", "chrf")})
    return _CARD.format(
        licence=provenance.get("licence") or "other",
        source=config.source_language,
        target=config.target_language,
        parameters=provenance["parameters"],
        version=provenance["version"],
        data=provenance.get("data") or f"{provenance['pairs']:,} sentence pairs of the one who trained it.",
        scores="\n".join(rows) if scores else "None were measured: there was no held-out text.",
        signatures=", ".join(f"`{signature}`" for signature in signatures) or "none",
        epochs=provenance["epochs"],
        minutes=provenance["minutes"],
        machine=provenance["machine"],
        averaged=provenance["averaged"],
        recipe=dump(config),
    )
