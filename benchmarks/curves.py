"""How soon models were good: BLEU of greedy search on the validation set, by minutes of training.

Read from the folders of trained models, which keep the history of their training.

    python benchmarks/curves.py seq2seq/pretrained/en-de "defaults=runs/m30k" --chart curves.png
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import report

from seq2seq import bundle

Curve = list[tuple[float, float]]
"""Minutes of training and BLEU after each epoch."""
PASSED = (20, 30, 35)


def curve(path: Path) -> Curve:
    """The history of a model or run folder."""
    history = bundle.load(path).provenance.get("history", [])
    if not history:
        raise bundle.BundleError(f"A model must keep the history of its training. Received: {path}, which has none")
    return [(epoch["seconds"] / 60, epoch["bleu"]) for epoch in history]


def until(line: Curve, bleu: float) -> float | None:
    """Minutes until an epoch had at least so much, None where none had."""
    return next((minutes for minutes, value in line if value >= bleu), None)


def table(lines: Mapping[str, Curve]) -> str:
    """Minutes until BLEU passes each of `PASSED`, and until the best epoch."""
    rows = []
    for name, line in lines.items():
        best = max(value for _, value in line)
        passed = {f"minutes to {bleu}": _said(until(line, bleu)) for bleu in PASSED}
        rows.append({"model": name, **passed, "best": f"{best:.1f}", "minutes to the best": _said(until(line, best))})
    return report.listed(rows, {title: title for title in rows[0]})


def _said(minutes: float | None) -> str:
    return "-" if minutes is None else f"{minutes:.0f}"


def chart(lines: Mapping[str, Curve], path: Path) -> None:
    """All curves in one picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.8), layout="constrained")
    axes = figure.subplots()
    for name, line in lines.items():
        axes.plot(*zip(*line, strict=True), "o-", markersize=3, label=name)
    axes.set(xlabel="minutes of training", ylabel="BLEU of greedy search, valid", xlim=(0, None), ylim=(0, None))
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150, metadata={"Software": None})


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="model or run folders, each also as NAME=FOLDER")
    parser.add_argument("--chart", type=Path, help="a PNG")
    given = parser.parse_args(arguments)
    lines: dict[str, Curve] = {}
    for each in given.models:
        name, _, folder = each.partition("=") if not Path(each).exists() and "=" in each else ("", "", each)
        name = name or Path(folder).resolve().name
        if name in lines:
            sys.exit(f"error: Each model must have its own name; write NAME=FOLDER. Received: {name} twice")
        try:
            lines[name] = curve(Path(folder))
        except bundle.BundleError as error:
            sys.exit(f"error: {error}")
    print(table(lines))
    if given.chart:
        chart(lines, given.chart)


if __name__ == "__main__":
    main()
