"""A doctor for corpora: near-duplicates, outlying lengths, odd encodings and leaks, each with examples.

It owns what counts as odd; it changes nothing and drops nothing.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from seq2seq.corpus.keys import among, mixed, repeats
from seq2seq.corpus.report import Example, Finding
from seq2seq.corpus.store import Part
from seq2seq.corpus.text import normalise

SHOWN = 5
"""Examples of each finding."""
FAR = 6.0
"""Deviations from the median beyond which a length or ratio is an outlier (a deviation is 1.48 median deviations)."""

_AFTER = "\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
_CONTROL = "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff"
_KINDS = {
    "mojibake": (
        "UTF-8 that was once read as another encoding",
        f"Ã[{_AFTER}]|Â[\x80-\xbf]|â[\x80€]|(?:[ÐÑ][{_AFTER}]){{2}}",
    ),
    "replacement characters": ("text that an earlier conversion lost", "\ufffd"),
    "private characters": ("characters that only one font or program knows", "[\ue000-\uf8ff]"),
    "control characters": ("removed, but they hint at a broken conversion", f"[{_CONTROL}]"),
    "lone surrogates": ("removed, halves of characters", "[\ud800-\udfff]"),
    "markup": ("HTML entities or tags", r"&(?:[a-z]{2,6}|\#\d{2,6}|\#x[0-9a-fA-F]{2,5});|</?[a-z]{1,6}(?: [^<>]*)?/?>"),
}
# A class of single characters is searched for ten times faster than the alternatives, and most text has none of them.
_SUSPECT = re.compile(f"[ÃÂâÐÑ&<\ufffd\ue000-\uf8ff\ud800-\udfff{_CONTROL}]")
_ODD = re.compile("|".join(f"(?P<k{number}>{pattern})" for number, (_, pattern) in enumerate(_KINDS.values())))


class OddText:
    """Looks at raw text, before it is cleaned, for signs of a broken encoding."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, list[Example]] = defaultdict(list)

    def add(self, lines: Sequence[int], sources: Sequence[str], targets: Sequence[str]) -> None:
        """Takes the raw texts of some pairs."""
        suspects: set[int] = set()
        for side in (sources, targets):
            if _SUSPECT.search("\n".join(side)):
                suspects.update(row for row, text in enumerate(side) if _SUSPECT.search(text))
        for row in sorted(suspects):
            matches = [match for match in (_ODD.search(sources[row]), _ODD.search(targets[row])) if match]
            for kind, match in {
                list(_KINDS)[int(match.lastgroup[1:])]: match for match in matches if match.lastgroup
            }.items():
                self._counts[kind] += 1
                if len(self._examples[kind]) < SHOWN:
                    found = match[0]
                    note = found if found.isprintable() else " ".join(f"U+{ord(letter):04X}" for letter in found[:4])
                    example = _example(lines[row], normalise(sources[row]), normalise(targets[row]), note[:40])
                    self._examples[kind].append(example)

    def findings(self) -> list[Finding]:
        return [
            Finding(kind, self._counts[kind], meaning, tuple(self._examples[kind]))
            for kind, (meaning, _) in _KINDS.items()
            if self._counts[kind]
        ]


def near_duplicates(part: Part) -> list[Finding]:
    """Pairs that differ from an earlier one in nothing but case, punctuation or spaces."""
    columns = part.columns
    again, first = repeats(mixed(columns.source, columns.target))
    if not len(again):
        return []
    shown = np.argsort(again)[:SHOWN]
    notes = [f"like line {columns.line[other]:,}" for other in first[shown]]
    meaning = "differ from an earlier pair in case, punctuation or spaces only; kept"
    return [Finding("near-duplicates", len(again), meaning, _examples(part, again[shown].tolist(), notes))]


def outliers(part: Part) -> list[Finding]:
    """Pairs whose length, or ratio of lengths, lies far from that of the others."""
    lengths = part.columns.source_length, part.columns.target_length
    source, target = (np.log1p(side.astype(np.float32)) for side in lengths)
    ratio = np.where(np.maximum(*lengths) >= 20, np.abs(_distance(target - source)), 0)
    length = np.maximum(_distance(source), _distance(target))
    found = []
    for kind, meaning, distance in (
        ("outlying length ratios", "one side is far longer for the other than usual; kept", ratio),
        ("outlying lengths", "far longer than the other sentences; kept", length),
    ):
        far = np.flatnonzero(distance > FAR)
        if len(far):
            most = far[np.argsort(-distance[far], kind="stable")[:SHOWN]].tolist()
            notes = [f"{lengths[0][row]:,} and {lengths[1][row]:,} characters" for row in most]
            found.append(Finding(kind, len(far), meaning, _examples(part, most, notes)))
    return found


def leaks(name: str, part: Part, train: Part) -> tuple[dict[str, int], list[Finding]]:
    """Held-out pairs whose source or target, case, punctuation and spaces aside, stands in train.

    Args:
        name: valid or test.
        part: the held-out pairs.
        train: the training pairs.
    """
    source = among(part.columns.source, train.columns.source)
    target = among(part.columns.target, train.columns.target)
    counts = {"source": int(source.sum()), "target": int(target.sum()), "both": int((source & target).sum())}
    either = np.flatnonzero(source | target)
    if not len(either):
        return counts, []
    worst = either[np.argsort(~(source & target)[either], kind="stable")[:SHOWN]].tolist()
    notes = []
    for row in worst:
        side = "source" if source[row] else "target"
        place = int(np.argmax(getattr(train.columns, side) == getattr(part.columns, side)[row]))
        both = "both sides" if source[row] and target[row] else f"the {side}"
        notes.append(f"{both}; train line {train.columns.line[place]:,}")
    meaning = "their source or target, case and punctuation aside, stands in train too"
    return counts, [Finding(f"{name} sentences in train", len(either), meaning, _examples(part, worst, notes))]


def shared(test: Part, valid: Part) -> int:
    """How many test pairs have a sentence of the validation set."""
    source = among(test.columns.source, valid.columns.source)
    return int((source | among(test.columns.target, valid.columns.target)).sum())


def _examples(part: Part, pairs: Sequence[int], notes: Sequence[str]) -> tuple[Example, ...]:
    texts = part.texts(pairs)
    return tuple(
        _example(part.columns.line[pair], *text, note) for pair, text, note in zip(pairs, texts, notes, strict=True)
    )


def _example(line: int, source: str, target: str, note: str) -> Example:
    return Example(int(line), source[:200], target[:200], note)


def _distance(values: np.ndarray) -> np.ndarray:
    """How many robust standard deviations each value lies from the median; 0 where half of them are equal."""
    centred = values - np.median(values)
    deviation = 1.4826 * np.median(np.abs(centred))
    return centred / deviation if deviation > 1e-6 else np.zeros_like(centred)
