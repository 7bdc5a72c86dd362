"""How probable a given translation is: its score, made as the search makes the scores of its own.

It owns the formula of the score for one sentence; how probabilities come about is the engine's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq.config import SearchConfig
from seq2seq.engine import EOS, Engine
from seq2seq.tokenizer import Tokenizer


@dataclass(frozen=True)
class Score:
    """What the model thinks of a given translation.

    Arguments:
        source, target: the pair, without control characters and lone surrogates.
        score: what a search would rank it by; see `Candidate.score`.
        log_prob: natural logarithm of its probability, end of sentence included; 0 for a pair without words.
        pieces: the tokenizer's pieces of the target, end of sentence included.
        log_probs: natural logarithm of the probability of each piece after those before it.
        engine: what computed it, such as "litert-int8".
    """

    source: str
    target: str
    score: float
    log_prob: float
    pieces: tuple[str, ...]
    log_probs: tuple[float, ...]
    engine: str


def score(
    engine: Engine, tokenizers: tuple[Tokenizer, Tokenizer], pairs: Sequence[tuple[str, str]], search: SearchConfig
) -> list[Score]:
    """The score of each pair; where neither side has words it is 0, as for a text that is not translated."""
    ids = [tuple(tuple(each.encode(text)) for each, text in zip(tokenizers, pair, strict=True)) for pair in pairs]
    asked = [pair for pair in dict.fromkeys(ids) if any(pair)]
    log_probs = dict(zip(asked, engine.score([read for read, _ in asked], [said for _, said in asked]), strict=True))
    scores = []
    for pair, (read, said) in zip(pairs, ids, strict=True):
        each = log_probs.get((read, said), ())
        attention = engine.explain(read, said)["attention"] if each and search.coverage_penalty else None
        pieces = tokenizers[1].pieces([*said, EOS]) if each else []
        scores.append(Score(*pair, ranked(each, attention, search), sum(each), tuple(pieces), each, engine.name))
    return scores


def ranked(log_probs: Sequence[float], attention: np.ndarray | None, search: SearchConfig) -> float:
    """log-probability / ((5 + length) / 6)^alpha + gamma length + beta sum_s log min(1, sum_t attention(t, s)).

    Arguments:
        log_probs: of each piece, end of sentence included.
        attention: weights (T, S); needed where there is a coverage penalty.
        search: alpha, gamma and beta.
    """
    if not log_probs:
        return 0.0
    length = len(log_probs)
    score = sum(log_probs) / ((5 + length) / 6) ** search.length_penalty + search.word_reward * length
    return score if attention is None else score + coverage_term(attention.sum(axis=0, dtype=np.float64), search)


def coverage_term(coverage: np.ndarray, search: SearchConfig) -> float:
    """The last term of the score, of what each source piece was looked at in all, (S,)."""
    return search.coverage_penalty * float(np.log(np.clip(coverage, 1e-6, 1.0)).sum())
