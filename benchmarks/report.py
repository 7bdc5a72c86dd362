"""The figures of the benchmarks of decoding and training as Markdown, and a chart of the first.

It owns how they look; it measures nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any


def markdown(results: dict[str, Any]) -> str:
    """Everything, as tables."""
    return "\n\n".join([*_recipe(results), *_tables(results)])


def _recipe(results: dict[str, Any]) -> Iterator[str]:
    recipe = results["recipe"]
    yield machine(results)
    said = ", ".join(f"{pieces:.1f} with beam {beam}" for beam, pieces in recipe["target_pieces"].items())
    yield (
        f"Model {recipe['model']} ({recipe['network']}); {recipe['lines']} lines of {recipe['source']}, "
        f"{recipe['pieces']:.1f} source pieces a sentence, target pieces {said}; {recipe['single']} one at a time; "
        f"{recipe['repeats']} repeats, medians; two threads"
    )
    for name, about in recipe["peers"].items():
        yield (
            f"{name}: {about['version']}, {about['parameters'] / 1e6:.1f} M random weights, as many steps a batch as "
            "the longest translation by litert-int8 has"
        )
    yield from conditions(results)


def machine(results: dict[str, Any]) -> str:
    """What the figures were taken on."""
    about = results["machine"]
    versions = ", ".join(f"{name} {about[name]}" for name in ("tensorflow", "keras", "ai-edge-litert"))
    return f"{about['processor']}, {about['cores']} cores; {versions}"


def conditions(results: dict[str, Any]) -> Iterator[str]:
    """What the machine could do meanwhile, and who else used it."""
    yield "Matrix-product ceiling before and after: " + "; ".join(
        f"{dtype} {' and '.join(f'{each[dtype]:.0f}' for each in results['ceiling'])} GFLOP/s"
        for dtype in results["ceiling"][0]
    )
    if None not in results["busy"]:
        shares = " and ".join(f"{share:.0%}" for share in results["busy"])
        yield f"Share of the cores that others used before and after: {shares}"


def _tables(results: dict[str, Any]) -> Iterator[str]:
    engines = [row | {_title(row["batch"]): row[RATE]} for row in results["throughput"]]
    merged: dict[tuple[str, int], dict[str, Any]] = {}
    for row in [*engines, *results["latency"]]:
        merged.setdefault((row["engine"], row["beam"]), {}).update(row)
    titles = dict.fromkeys(_title(row["batch"]) for row in results["throughput"])
    yield listed(merged.values(), {"engine": "engine", "beam": "beam", **{each: each for each in titles}, **LATENCY})
    yield listed(
        results["threads"],
        {"engine": "engine", "threads": "threads", "beam": "beam", "file, sentences a second": RATE, **LATENCY},
    )
    yield listed(
        results["lengths"],
        {"engine": "engine", "beam": "beam", "source pieces": "source_pieces", "target pieces": "target_pieces"}
        | {"at once, sentences a second": RATE, **LATENCY},
    )
    yield listed(
        results["naive"],
        {"greedy, one at a time": "engine", "sentences": "sentences", "median ms": "median_ms"}
        | {"times as long as litert-int8": "times_slower_than_int8", "same as tensorflow": "same_as_tensorflow"},
    )
    yield listed(
        results["cold"],
        {"cold process to first translation and exit": "engine", "seconds": "seconds", "peak MB": "peak_megabytes"},
    )
    yield listed(
        results["memory"],
        {"file, text to text, after lines": "lines", "sentences a second": RATE}
        | {"resident MB": "resident", "peak MB": "peak"},
    )


RATE = "sentences_per_s"
LATENCY = {"one sentence, median ms": "median_ms", "p95": "p95_ms", "p99": "p99_ms"}


def _title(batch: int) -> str:
    return f"batch {batch}, a second" if batch else "file, a second"


def listed(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> str:
    """A table of some fields of each row, by the title of the column."""
    cells = [[_cell(row[name]) for name in columns.values()] for row in rows]
    return "\n".join(f"| {' | '.join(each)} |" for each in [list(columns), ["---"] * len(columns), *cells])


def _cell(value: Any) -> str:
    return number(value) if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def number(value: float) -> str:
    """
    >>> number(1234.5), number(12.34), number(0.123)
    ('1,234', '12.3', '0.12')
    """
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


BESIDE: Any = {"textcoords": "offset points"}


def chart(results: dict[str, Any], output: Path) -> None:
    """Sentences a second of a file, and the latency of one sentence with its 95th and 99th percentile, by engine."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    files = [row for row in results["throughput"] if not row["batch"]]
    engines = list(dict.fromkeys(row["engine"] for row in files))
    beams = sorted({row["beam"] for row in files})
    height = 0.8 / len(beams)
    for place, beam in enumerate(beams):
        middles = [index + (place - (len(beams) - 1) / 2) * height for index in range(len(engines))]
        label = f"beam {beam}" if beam > 1 else "greedy"
        rates = [row["sentences_per_s"] for row in files if row["beam"] == beam]
        left.bar_label(left.barh(middles, rates, height, label=label), [number(rate) for rate in rates], padding=2)
        times = [row for row in results["latency"] if row["beam"] == beam]
        right.barh(middles, [row["median_ms"] for row in times], height, label=label)
        for row, middle in zip(times, middles, strict=True):
            right.annotate(number(row["median_ms"]), (row["p99_ms"], middle), (6, 0), va="center", **BESIDE)
        for name, marker in (("p95_ms", "|"), ("p99_ms", "x")):
            right.scatter([row[name] for row in times], middles, marker=marker, color="black", zorder=3)
    for axes, title in (
        (left, "Sentences a second, a whole file"),
        (right, "Milliseconds for one sentence, median (| p95, x p99)"),
    ):
        axes.set_title(title)
        axes.set_yticks(range(len(engines)), engines)
        axes.invert_yaxis()
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(x=0.1)
    left.legend(loc="lower right")
    recipe = results["recipe"]
    figure.suptitle(
        f"{results['machine']['processor']}, two threads; {recipe['model']}, {recipe['source']}", fontsize=10
    )
    figure.savefig(output, dpi=120)
