"""What the server counts, as text in Prometheus' exposition format.

It knows numbers with labels; it does not know what happens when.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence

TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Media type of the text."""
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of a histogram's buckets."""
SIZES = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 20.0, 40.0, 64.0)
"""The same of a batch."""

Labels = tuple[str, ...]


class Number:
    """A counter or a gauge: a number for each combination of its labels' values."""

    def __init__(self, name: str, kind: str, text: str, labels: Sequence[str] = ()) -> None:
        self.name, self.kind, self.text, self.labels = name, kind, text, tuple(labels)
        self._values: dict[Labels, float] = {} if labels else {(): 0.0}
        self._lock = threading.Lock()

    def add(self, amount: float, *values: str) -> None:
        """Adds to the number of these labels' values."""
        with self._lock:
            self._values[values] = self._values.get(values, 0.0) + amount

    def value(self, *values: str) -> float:
        """The number now."""
        return self._values.get(values, 0.0)

    def rows(self) -> list[tuple[Labels, list[float]]]:
        """The numbers by the values of their labels, for `sum`."""
        with self._lock:
            return [(labels, [value]) for labels, value in self._values.items()]

    def sum(self, labels: Labels, row: Sequence[float]) -> None:
        """Adds what another counted."""
        self.add(row[0], *labels)

    def lines(self) -> Iterator[str]:
        """The lines of the format."""
        yield from _head(self.name, self.kind, self.text)
        with self._lock:
            values = sorted(self._values.items())
        for labels, value in values:
            yield f"{self.name}{_braced(self.labels, labels)} {_number(value)}"


class Histogram:
    """Numbers counted in buckets, for each combination of its labels' values."""

    def __init__(self, name: str, text: str, labels: Sequence[str], bounds: Sequence[float] = SECONDS) -> None:
        self.name, self.text, self.labels, self.bounds = name, text, tuple(labels), tuple(bounds)
        self._values: dict[Labels, list[float]] = {}
        self._lock = threading.Lock()

    def observe(self, number: float, *values: str) -> None:
        """Counts one."""
        with self._lock:
            row = self._values.setdefault(values, [0.0] * (len(self.bounds) + 2))
            for place, bound in enumerate(self.bounds):
                row[place] += number <= bound
            row[-2] += 1
            row[-1] += number

    def rows(self) -> list[tuple[Labels, list[float]]]:
        """The numbers by the values of their labels, for `sum`."""
        with self._lock:
            return [(labels, list(row)) for labels, row in self._values.items()]

    def sum(self, labels: Labels, row: Sequence[float]) -> None:
        """Adds what another counted."""
        with self._lock:
            own = self._values.setdefault(labels, [0.0] * (len(self.bounds) + 2))
            for place, value in enumerate(row):
                own[place] += value

    def lines(self) -> Iterator[str]:
        """The lines of the format."""
        yield from _head(self.name, "histogram", self.text)
        with self._lock:
            values = sorted((labels, list(row)) for labels, row in self._values.items())
        for labels, row in values:
            for bound, count in zip([*map(_number, self.bounds), "+Inf"], row, strict=False):
                yield f"{self.name}_bucket{_braced((*self.labels, 'le'), (*labels, bound))} {_number(count)}"
            yield f"{self.name}_sum{_braced(self.labels, labels)} {_number(row[-1])}"
            yield f"{self.name}_count{_braced(self.labels, labels)} {_number(row[-2])}"


class Metrics:
    """All that one server counts."""

    def __init__(self) -> None:
        self.requests = Number("seq2seq_requests_total", "counter", "Requests answered.", ("path", "code"))
        self.errors = Number("seq2seq_errors_total", "counter", "Requests that failed on the server.", ("path",))
        self.texts = Number("seq2seq_texts_total", "counter", "Texts translated.", ("model",))
        self.sentences = Number("seq2seq_sentences_total", "counter", "Sentences translated.", ("model",))
        self.characters = Number("seq2seq_characters_total", "counter", "Characters of them.", ("model",))
        self.pieces = Number("seq2seq_pieces_total", "counter", "Pieces of the translations.", ("model",))
        self.remembered = Number("seq2seq_corrections_total", "counter", "Corrections remembered.")
        self.waiting = Number("seq2seq_queue", "gauge", "Wishes that wait or are under way.")
        self.seconds = Histogram("seq2seq_seconds", "Seconds from request to answer.", ("path",))
        self.translating = Histogram("seq2seq_translation_seconds", "Seconds a translation took.", ("model",))
        self.batches = Histogram("seq2seq_batch_sentences", "Sentences translated together.", ("model",), SIZES)

    def numbers(self) -> dict[str, list[tuple[Labels, list[float]]]]:
        """All numbers, as plain JSON."""
        return {name: each.rows() for name, each in vars(self).items()}

    def add(self, numbers: Mapping[str, Sequence[tuple[Sequence[str], Sequence[float]]]], *, living: bool) -> None:
        """Adds the `numbers` of another; of one that lives no more, those that only count what has been."""
        for name, each in vars(self).items():
            for labels, row in numbers.get(name, ()) if living or each is not self.waiting else ():
                each.sum(tuple(labels), row)

    def __str__(self) -> str:
        return "".join(f"{line}\n" for each in vars(self).values() for line in each.lines())


def _head(name: str, kind: str, text: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


def _braced(names: Labels, values: Labels) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True))
    return f"{{{pairs}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
