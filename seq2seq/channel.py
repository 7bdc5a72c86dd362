"""The noisy channel: candidates ranked by how probable they make the source that they came from.

It owns the weight of the model that translates back; it knows neither searches nor files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from seq2seq.engine import EngineError, RunError
from seq2seq.translator import Translation, Translator

WEIGHT = 0.4
"""Of the model that translates back."""
BLOCK = 64
"""How many texts' candidates are scored together."""


def reranked(translations: Iterable[Translation], back: Translator) -> Iterator[Translation]:
    """The same translations, their candidates ranked by log p(target | source) + WEIGHT log p(source | target).

    What leaves a word out makes it improbable in the source, and what is dull makes any source as probable as this one.
    So lengths need no penalty. A text of more pieces than can be scored keeps its order. Sentences, flags and warnings
    stay those of the candidate that the search put first.

    Args:
        translations: each with all the candidates that are to be compared.
        back: translates from the target to the source language.

    Source: Yee et al. 2019, "Simple and effective noisy channel modeling for neural machine translation".
    """
    rest = iter(translations)
    while block := list(islice(rest, BLOCK)):
        for translation, log_probs in zip(block, _log_probs(block, back), strict=True):
            yield _ranked(translation, log_probs) if log_probs else translation


def _log_probs(block: Sequence[Translation], back: Translator) -> list[list[float]]:
    """Of each source after each of its candidates; none where there is but one, or where a text is too long."""
    compared = [each.hypotheses if len(each.hypotheses) > 1 else () for each in block]
    pairs = [(said.text, each.source) for each, several in zip(block, compared, strict=True) for said in several]
    try:
        scores = iter(back.score([target for target, _ in pairs], [source for _, source in pairs]))
    except RunError:  # not the text's fault
        raise
    except EngineError:
        return [_log_probs([each], back)[0] for each in block] if len(block) > 1 else [[]]
    return [[next(scores).log_prob for _ in several] for several in compared]


def _ranked(translation: Translation, log_probs: Sequence[float]) -> Translation:
    joint = [each.log_prob + WEIGHT * back for each, back in zip(translation.hypotheses, log_probs, strict=True)]
    order = sorted(range(len(joint)), key=lambda place: -joint[place])
    hypotheses = tuple(translation.hypotheses[place] for place in order)
    return replace(translation, text=hypotheses[0].text, score=hypotheses[0].score, hypotheses=hypotheses)
