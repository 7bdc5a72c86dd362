"""The report card: what a finished model does well on a test set and what it does not.

It counts and compares text; it does not know how the text was translated, nor how the card is shown.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from seq2seq import evaluation
from seq2seq.digits import latin

WORST = 10
BOUNDS = (10, 20, 30, 50)
"""The longest source sentences of each length bucket but the last, in words; twice as many in characters."""
_NUMBER = re.compile(r"\d+(?:[.,'\u00a0\u202f]\d+)*")
_WORD = re.compile(r"[^\W\d_]+")
_SENTENCE_END = re.compile(r"[.!?:…\"“”„»«(]\s*$")


@dataclass(frozen=True)
class Test:
    """Sentences with their translations.

    Arguments:
        name: "valid" or "test".
        engine: what translated them, and how.
        sources, translations, references: line by line.
        flags: names of the faults of each translation.
    """

    __test__ = False  # to pytest, a class of this name would be one of its own

    name: str
    engine: str
    sources: Sequence[str]
    translations: Sequence[str]
    references: Sequence[str]
    flags: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Bucket:
    """The sentences of some length."""

    length: str
    sentences: int
    bleu: float
    chrf: float


@dataclass(frozen=True)
class Share:
    """How many of some things were kept."""

    kept: int
    whole: int

    def __str__(self) -> str:
        return f"{100 * self.kept / self.whole:.1f} % of {self.whole:,}" if self.whole else "there are none"


@dataclass(frozen=True)
class Bad:
    """One of the worst translations."""

    chrf: float
    source: str
    translation: str
    reference: str


@dataclass(frozen=True)
class Card:
    """How good a model is on one test set.

    Attributes:
        name, engine: those of the test.
        sentences: how many it has.
        scores: BLEU and chrF, each with half the width of its 95 % confidence interval.
        unit: what the lengths of the buckets are counted in.
        buckets: scores by length of the source.
        numbers: of the source that stand in the translation.
        names: capitalised words inside the source sentence that the reference has too, and that stand in the
            translation.
        faults: translations by the name of what is wrong with them.
        worst: those with the lowest chrF, worst first.
    """

    name: str
    engine: str
    sentences: int
    scores: dict[str, tuple[float, float]]
    unit: str
    buckets: tuple[Bucket, ...]
    numbers: Share
    names: Share
    faults: dict[str, int]
    worst: tuple[Bad, ...]

    def __str__(self) -> str:
        told = ", ".join(f"{name} {score:.1f} ± {half:.1f}" for name, (score, half) in self.scores.items())
        lines = [f"report card, {self.name}, {self.engine}: {told} (95 %), {self.sentences:,} sentences"]
        lines += [
            f"    {each.length} {self.unit}: BLEU {each.bleu:.1f}, chrF {each.chrf:.1f}, {each.sentences:,} sentences"
            for each in self.buckets
        ]
        lines += [f"    numbers kept: {self.numbers}; names kept: {self.names}"]
        lines += [f"    {name}: {count:,} of {self.sentences:,}" for name, count in self.faults.items()]
        lines += ["    the worst sentences, by chrF:"]
        for bad in self.worst:
            lines += [
                f"    {bad.chrf:5.1f}  {bad.source}",
                f"           {bad.translation}",
                f"           {bad.reference}",
            ]
        return "\n".join(lines)


def mark(test: Test, faults: Iterable[str] = (), *, samples: int = 1000) -> Card:
    """The card of a test set, which must have a sentence.

    Arguments:
        faults: names that are counted even where no translation has them.
        samples: how often sentences are drawn for the confidence intervals.

    Raises:
        EvaluationError: there is not a translation for each reference, or sacreBLEU is not installed.
    """
    triples = list(zip(test.sources, test.translations, test.references, strict=True))
    chrf = evaluation.sentences(test.translations, test.references)
    found = Counter(flag for flags in test.flags for flag in set(flags))
    order = sorted(range(len(triples)), key=chrf.__getitem__)[:WORST]
    unit, buckets = _buckets(test)
    return Card(
        name=test.name,
        engine=test.engine,
        sentences=len(triples),
        scores=evaluation.intervals(test.translations, test.references, samples=samples),
        unit=unit,
        buckets=buckets,
        numbers=_share((numbers(source), numbers(said)) for source, said, _ in triples),
        names=_share((names(source) & _words(wanted), _words(said)) for source, said, wanted in triples),
        faults={name: found[name] for name in dict.fromkeys([*faults, *found])},
        worst=tuple(Bad(chrf[row], *triples[row]) for row in order),
    )


def numbers(text: str) -> Counter[str]:
    """Those written in digits of any script, without what separates thousands or decimals, for that differs too.

    >>> numbers("1,234.5 of 12") == numbers("12 von 1.234,5")
    True
    """
    return Counter("".join(filter(str.isdigit, each)) for each in _NUMBER.findall(latin(text)))


def names(text: str) -> Counter[str]:
    """Words that begin with a capital letter though no sentence begins there.

    >>> sorted(names("Then Ada met Grace. They left."))
    ['Ada', 'Grace']
    """
    found = _WORD.finditer(text)
    return Counter(
        word[0]
        for word in found
        if word[0][0].isupper() and text[: word.start()].strip() and not _SENTENCE_END.search(text[: word.start()])
    )


def _words(text: str) -> Counter[str]:
    return Counter(_WORD.findall(text))


def _share(pairs: Iterable[tuple[Counter[str], Counter[str]]]) -> Share:
    kept = whole = 0
    for wanted, said in pairs:
        kept, whole = kept + (wanted & said).total(), whole + wanted.total()
    return Share(kept, whole)


def _buckets(test: Test) -> tuple[str, tuple[Bucket, ...]]:
    spaces = evaluation.tokenization(test.sources) == "13a"
    words = evaluation.tokenization(test.references)
    lengths = [len(text.split()) if spaces else len(text) for text in test.sources]
    bounds = [bound if spaces else 2 * bound for bound in BOUNDS]
    buckets = []
    for low, high in zip([0, *bounds], [*bounds, None], strict=True):
        rows = [row for row, length in enumerate(lengths) if low < max(1, length) and (not high or length <= high)]
        if rows:
            said, wanted = ([side[row] for row in rows] for side in (test.translations, test.references))
            scores = evaluation.score(said, wanted, words=words)
            title = f"{low + 1} to {high}" if high else f"over {low}"
            buckets.append(Bucket(title, len(rows), scores.bleu, scores.chrf))
    return "words" if spaces else "characters", tuple(buckets)
