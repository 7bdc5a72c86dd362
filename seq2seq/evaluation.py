"""How good translations are: BLEU, chrF and TER with their signatures, and whether a difference means anything.

It hands texts to sacreBLEU, whose numbers anyone can repeat; it does not know where the texts come from.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, cast

METRICS = ("BLEU", "chrF", "TER")
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa]")  # without the dot and the dash, which Chinese has too
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]")
_OTHER_SPACELESS = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf]"
)  # Thai to Burmese, Khmer


class EvaluationError(ValueError):
    """Texts cannot be scored as they are, or sacreBLEU is missing."""


@dataclass(frozen=True)
class Scores:
    """The scores of one system on one test set, from 0 to 100; TER can be higher."""

    bleu: float
    """Share of words and word sequences that stand in the reference; higher is better."""
    chrf: float
    """The same of characters; higher is better."""
    ter: float
    """Edits it would take to make the reference, for every 100 words; lower is better."""
    signatures: dict[str, str]
    """By "bleu", "chrf" and "ter", what a number must be quoted with: tokenisation, case, version."""
    sentences: int


@dataclass(frozen=True)
class Comparison:
    """Two systems under one metric."""

    metric: str
    first: float
    second: float
    first_interval: float
    """Half the width of the 95 % confidence interval around the first system's score."""
    second_interval: float
    p_value: float
    """Probability of a difference of this size or more if the systems were equally good."""
    signature: str

    def __str__(self) -> str:
        first = f"{self.first:6.2f} ± {self.first_interval:.2f}"
        second = f"{self.second:6.2f} ± {self.second_interval:.2f}"
        return f"{self.metric:<4}  {first}  {second}  p = {self.p_value:.3f}"


@dataclass(frozen=True)
class Bootstrap:
    """The outcome of a paired bootstrap test; `str` of it is a table with a row for each metric."""

    comparisons: tuple[Comparison, ...]
    samples: int

    def __str__(self) -> str:
        return "\n".join(str(each) for each in self.comparisons)


def tokenization(references: Sequence[str]) -> str:
    """How sacreBLEU should cut texts such as these into words: the name of its tokenizer.

    "13a", its default, needs spaces between words. Where most letters are of a script without them, it is "zh" for
    Chinese, "ja-mecab" for Japanese where MeCab is installed, and else "char": each character is a word.

    >>> tokenization(["Ein Hund."]), tokenization(["一只狗。"]), tokenization(["สุนัขตัวหนึ่ง"])
    ('13a', 'zh', 'char')
    """
    text = "".join(references)
    kana, han = len(_KANA.findall(text)), len(_HAN.findall(text))
    if 2 * (kana + han + len(_OTHER_SPACELESS.findall(text))) <= sum(map(str.isalpha, text)):
        return "13a"
    if 20 * kana > han:  # Japanese has more than that, and Chinese may quote a word of it
        return "ja-mecab" if find_spec("MeCab") and find_spec("ipadic") else "char"
    return "zh" if han else "char"


def score(hypotheses: Sequence[str], references: Sequence[str], *, words: str | None = None) -> Scores:
    """Corpus scores, cased and detokenised, with sacreBLEU's defaults and the `tokenization` of the references.

    Arguments:
        hypotheses: translations, one a sentence.
        references: what they should be, in the same order.
        words: another tokenizer of sacreBLEU, that of a whole of which these are a part.

    Raises:
        EvaluationError: there are none, or not as many of the one as of the other, or sacreBLEU is not installed.
    """
    _check(references, hypotheses)
    results, signatures = {}, {}
    for name, metric in _metrics(words or tokenization(references)).items():
        results[name.lower()] = metric.corpus_score(list(hypotheses), [list(references)]).score
        signatures[name.lower()] = str(metric.get_signature())
    return Scores(**results, signatures=signatures, sentences=len(references))


def nearest(texts: Sequence[str], reference: str) -> int:
    """Which of several texts has the highest chrF with the reference; the first of equals.

    chrF, unlike BLEU, tells sentences of a few words apart: it counts runs of characters, not of four words.

    Raises:
        EvaluationError: sacreBLEU is not installed.
    """
    scores = sentences(texts, [reference] * len(texts))
    return max(range(len(texts)), key=scores.__getitem__)


def sentences(hypotheses: Sequence[str], references: Sequence[str]) -> list[float]:
    """chrF of each sentence by itself.

    Raises:
        EvaluationError: as for `score`.
    """
    _check(references, hypotheses)
    chrf = _metrics("13a")["chrF"]
    return [chrf.sentence_score(*pair).score for pair in zip(hypotheses, ([each] for each in references), strict=True)]


def intervals(
    hypotheses: Sequence[str], references: Sequence[str], *, samples: int = 1000
) -> dict[str, tuple[float, float]]:
    """BLEU and chrF by name, each with half the width of its 95 % confidence interval.

    The sentences are drawn anew `samples` times with repetition, by sacreBLEU, from its own fixed seed.

    Raises:
        EvaluationError: as for `score`.
    """
    _check(references, hypotheses)
    metrics = _metrics(tokenization(references))
    # A metric's own bootstrap fails where some samples of a small test set score nothing; the paired one does not.
    wanted = {name: metrics[name] for name in ("BLEU", "chrF")}
    firsts = [first for _, (first, _) in _paired(hypotheses, hypotheses, references, wanted, samples)]
    return {name: (float(first.score), float(first.ci)) for name, first in zip(wanted, firsts, strict=True)}


def bootstrap(
    hypotheses_a: Sequence[str], hypotheses_b: Sequence[str], references: Sequence[str], *, samples: int = 1000
) -> Bootstrap:
    """Compares two systems by paired bootstrap resampling, with sacreBLEU's own code.

    The sentences are drawn anew `samples` times with repetition, from a seed that stands in the signature, so the same
    texts give the same numbers.

    Raises:
        EvaluationError: as for `score`.

    Source: Koehn 2004, "Statistical significance tests for machine translation evaluation".
    """
    _check(references, hypotheses_a, hypotheses_b)
    metrics = _metrics(tokenization(references))
    comparisons = []
    for name, (signature, (first, second)) in zip(
        METRICS, _paired(hypotheses_a, hypotheses_b, references, metrics, samples), strict=True
    ):
        # sacreBLEU finds a difference of nothing significant.
        p_value = 1.0 if first.score == second.score else float(second.p_value)
        intervals = float(first.ci), float(second.ci)
        comparisons.append(Comparison(name, first.score, second.score, *intervals, p_value, str(signature)))
    return Bootstrap(tuple(comparisons), samples)


def _paired(
    first: Sequence[str], second: Sequence[str], references: Sequence[str], metrics: dict[str, Any], samples: int
) -> list[tuple[Any, Any]]:
    """The signature and the two results of each metric, from sacreBLEU's paired bootstrap."""
    from sacrebleu.significance import PairedTest

    systems: list[tuple[str, Sequence[str]]] = [("first", list(first)), ("second", list(second))]
    test = PairedTest(systems, metrics, [list(references)], test_type="bs", n_samples=samples)
    signatures, results = cast("tuple[dict[str, Any], dict[str, Any]]", test())
    return [(signature, results[key]) for key, signature in signatures.items()]


def _metrics(words: str) -> dict[str, Any]:
    try:
        from sacrebleu.metrics import BLEU, CHRF, TER
    except ImportError:
        raise EvaluationError(
            "Scores need sacreBLEU: pip install 'seq2seq[train]'. Received: an environment without it"
        ) from None
    spaceless = words != "13a"
    edits = TER(normalized=spaceless, asian_support=spaceless)
    return dict(zip(METRICS, (BLEU(tokenize=words), CHRF(), edits), strict=True))


def _check(references: Sequence[str], *systems: Sequence[str]) -> None:
    for hypotheses in systems:
        if len(hypotheses) != len(references):
            raise EvaluationError(
                "There must be a reference for each translation. "
                f"Received: {len(hypotheses)} translations, {len(references)} references"
            )
    if not references:
        raise EvaluationError("There must be a sentence to score. Received: none")
