"""Between forms and the library: settings out of what was asked, plain JSON out of what came back.

It knows the fields of both; it knows neither HTTP nor when something is asked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from seq2seq.translator import Terms
from seq2seq.web import forms, limits

if TYPE_CHECKING:
    from seq2seq.translation_memory import Match
    from seq2seq.translator import Translation, Translator


def search(own: Any, form: forms.Search, n_best: int) -> Any:
    """The model's own settings with the given ones over them; the beam is wide enough for the `n_best`."""
    given = form.model_dump(exclude_none=True)
    if not given.get("temperature"):
        given.setdefault("beam", max(min(own.beam, limits.MAX_BEAM), n_best))
    return msgspec.structs.replace(own, **given, n_best=n_best)


def terms(form: forms.Terms | None) -> Terms | None:
    """The demands of a form.

    Raises:
        TermsError: no translation can meet them.
    """
    if form is None:
        return None
    given = form.model_dump()
    pieces = {place: added for place, added in enumerate(given.pop("attention_bias")) if added}
    return Terms(**{**given, "attend": {**given["attend"], **pieces}})


def trace(translator: Translator, form: forms.Explain, wanted: dict[str, Any], go_on: Callable[[], object]) -> str:
    """The trace as JSON, with what the source pieces do where that is asked for.

    Arguments:
        translator: is asked.
        form: says what else is wanted.
        wanted: what `Translator.explain` is called with.
        go_on: called before what takes long; what it raises ends the work.
    """
    found = translator.explain(form.text, **wanted)
    told = {key: wanted[key] for key in ("target", "search", "terms") if key in wanted}
    for name in ("influence", "saliency"):
        if getattr(form, name):
            go_on()
            found = dataclasses.replace(found, **{name: getattr(translator, name)(form.text, **told)})
    return found.to_json()


def translation(
    done: Translation, given: str, known: Mapping[str, Sequence[Match]], least: float = 0.0
) -> dict[str, Any]:
    """A translation as JSON; where the text is remembered, what is remembered is its text.

    Arguments:
        done: what the model made of it.
        given: the text as it came.
        known: what is remembered of texts and sentences.
        least: the confidence under which the model's own translation is withheld.
    """
    found = known.get(given, [])
    unsure = done.unsure(least)
    exact = next((match.target for match in found if match.kind == "exact"), None)
    return {
        "source": given,
        "text": exact if exact is not None else "" if unsure else done.text,
        "origin": "memory" if exact is not None else "withheld" if unsure else "model",
        "score": done.score,
        "confidence": done.confidence,
        "hypotheses": [] if unsure else _hypotheses(done),
        "sentences": [
            {
                "source": each.source,
                "text": each.text,
                "score": each.score,
                "confidence": each.confidence,
                "hypotheses": _hypotheses(each),
                "flags": list(each.flags),
                "memory": _matches(known.get(each.source, [])),
            }
            for each in (() if unsure else done.sentences)
        ],
        "flags": list(done.flags),
        "warnings": list(done.warnings),
        "memory": _matches(found),
    }


def _hypotheses(done: Translation) -> list[dict[str, Any]]:
    return [
        {"text": each.text, "score": each.score, "log_prob": each.log_prob, "finished": bool(each.finished)}
        for each in done.hypotheses
    ]


def _matches(found: Sequence[Match]) -> list[dict[str, Any]]:
    return [
        {
            "id": match.number,
            "kind": match.kind,
            "similarity": round(match.similarity, 3),
            "source": match.source,
            "target": match.target,
        }
        for match in found
    ]
