"""Whether line N of one side still translates line N of the other, told without knowing either language.

It owns four numbers a line (length, words, digits, question marks) and how well those of the two sides agree; it does
not know what is done about a warning.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WINDOW = 4096
"""Lines that are judged together."""
SMALLEST = 256
"""Lines at the end of a corpus that are."""
CERTAIN = 1024
"""Lines from which on every window of real parallel text gave its best evidence for no shift."""
REACH = 64
"""Lines by which a shift is looked for, in both directions."""
UNRELATED = 0.3
"""Correlation of line lengths below which two sides do not look like translations. Real corpora (Tatoeba en-de, en-fr,
en-es, Multi30k en-de, en-fr) have 0.86 to 0.90, the same with one side shuffled -0.05 to 0.02."""
ENOUGH = 20
"""Pairs from which on a correlation says something."""
VARIED = 0.15
"""Least standard deviation of the logarithm of the line lengths for which their correlation says something; corpora
sorted by length have none within a window."""


@dataclass(frozen=True)
class Span:
    """Consecutive lines in which the sides do not stand beside each other.

    Attributes:
        first: first line.
        last: last line.
        shift: by how many lines the target comes late (negative: early); 0 where no shift explains it.
    """

    first: int
    last: int
    shift: int


@dataclass(frozen=True)
class Alignment:
    """What the lengths and marks of all lines say.

    Attributes:
        correlation: of the logarithms of the line lengths; None where they say nothing (few pairs, or all of a length).
        related: whether the corpus as a whole looks parallel.
        spans: lines that do not, although others do, and lines that would if the target were shifted.
    """

    correlation: float | None
    related: bool
    spans: tuple[Span, ...]


class Aligner:
    """Collects pairs and judges them window by window, in constant memory.

    A window's evidence for a shift of d lines is the sum over the four numbers of the correlation between source line
    i + d and target line i. In parallel text d = 0 beats every other d, even where a corpus is sorted by length so that
    the lengths alone would fit any small shift (as they do for Tatoeba: 0.87 aligned, 0.87 one line off). Measured on
    windows of 4,096 real pairs, d = 0 beats the rest by 0.22 at least in aligned text, loses by 0.22 at least in text
    that is one to five lines off, and stays under 0.06 in shuffled text.
    """

    def __init__(self) -> None:
        self._sums = np.zeros(6)
        self._waiting: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._rows = 0
        self._windows: list[tuple[int, int, int | None]] = []  # first line, last line, shift (None: unrelated)
        self._silent: list[int] = []  # windows without a sign that they are in order, nor that they are not

    def add(self, lines: np.ndarray, source: bytes, target: bytes) -> None:
        """Takes pairs that have text on both sides, each side as UTF-8 with "\\n" after every line."""
        if not len(lines):
            return
        left, right = _numbers(source), _numbers(target)
        x, y = left[0], right[0]
        self._sums += [len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y]
        self._waiting.append((lines, left, right))
        self._rows += len(x)
        while self._rows >= WINDOW:
            self._judge(WINDOW)

    def result(self) -> Alignment:
        """The verdict on all pairs so far; nothing can be added afterwards."""
        if self._rows >= SMALLEST:
            self._judge(self._rows)
        if 2 * len(self._silent) > len(self._windows):  # in translations most windows give a sign
            for number in self._silent:
                self._windows[number] = (*self._windows[number][:2], None)
        n, x, y, xx, yy, xy = self._sums
        deviations = np.sqrt(np.maximum(0, [n * xx - x * x, n * yy - y * y])) / max(n, 1)
        correlation = None
        if n >= ENOUGH and deviations.min() > 1e-6:
            correlation = float((n * xy - x * y) / (n * n * deviations.prod()))
        related = correlation is None or correlation >= UNRELATED or deviations.min() < VARIED
        spans = tuple(span for span in _merge(self._windows) if related or span.shift)
        return Alignment(correlation, bool(related), spans)

    def _judge(self, count: int) -> None:
        lines, left, right = (np.concatenate(part, axis=-1) for part in zip(*self._waiting, strict=True))
        self._waiting = [(lines[count:], left[:, count:], right[:, count:])]
        self._rows -= count
        left, right = left[:, :count], right[:, :count]
        evidence = _evidence(left, right)
        total = evidence.sum(axis=0)
        second, first = np.sort(total)[-2:]
        best = int(np.argmax(total)) - REACH
        shift: int | None = 0
        if best and first - second > 10 / np.sqrt(count):
            shift = -best
        elif (best or first - second < 0.1) and evidence[0, REACH] < UNRELATED and _varied(left[0], right[0]):
            shift = None  # no shift explains it, and the lengths would tell if this were in order
        elif best and first > 1e-6 and count >= CERTAIN:
            self._silent.append(len(self._windows))
        self._windows.append((int(lines[0]), int(lines[count - 1]), shift))


def _varied(*lengths: np.ndarray) -> bool:
    return min(float(side.std()) for side in lengths) > VARIED


def _numbers(text: bytes) -> np.ndarray:
    """(4, lines): logarithms of characters and words, digits and question marks (at most 3) of every line."""
    codes = np.frombuffer(text, np.uint8)
    starts = np.concatenate(([0], np.flatnonzero(codes == ord("\n"))[:-1] + 1))
    kinds = ((codes & 0xC0) != 0x80, codes == ord(" "), codes - np.uint8(ord("0")) < 10, codes == ord("?"))
    counts = np.stack([np.add.reduceat(kind, starts, dtype=np.int32) for kind in kinds]).astype(np.float64)
    counts[:2] = np.log1p(counts[:2])
    counts[2:] = np.minimum(counts[2:], 3)
    return counts


def _evidence(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(4, 2 REACH + 1): correlation of source line i + d with target line i for every shift d."""
    count = left.shape[1]
    size = count + REACH
    spectra = [np.fft.rfft(_standard(side), size) for side in (left, right)]
    products = np.fft.irfft(spectra[0] * np.conj(spectra[1]), size) / count
    return np.concatenate((products[:, -REACH:], products[:, : REACH + 1]), axis=1)


def _standard(numbers: np.ndarray) -> np.ndarray:
    centred = numbers - numbers.mean(axis=1, keepdims=True)
    deviation = centred.std(axis=1, keepdims=True)
    return np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > 1e-9)


def _merge(windows: list[tuple[int, int, int | None]]) -> tuple[Span, ...]:
    """Consecutive windows of the same verdict as one span; windows that are in order are left out."""
    spans: list[Span] = []
    previous: int | None = 0
    for first, last, shift in windows:
        if shift == 0:
            pass
        elif spans and shift == previous:
            spans[-1] = Span(spans[-1].first, last, spans[-1].shift)
        else:
            spans.append(Span(first, last, shift or 0))
        previous = shift
    return tuple(spans)
