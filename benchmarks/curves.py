"""How soon models were good: BLEU of greedy search on the validation set, by minutes or epochs of training.

Read from the folders of trained models, which keep the history of their training, and from the log of Joey NMT where
`joey_training.py` trained it.

    python benchmarks/curves.py seq2seq/pretrained/en-de "defaults=runs/m30k" joeynmt=$HOME/joey-m30k --chart curves.png

Minutes compare only runs of one machine with nothing else to do; epochs (`--by epochs`) compare any of ours.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import report

from seq2seq import bundle

Curve = list[tuple[float, float]]
"""Minutes or epochs of training and BLEU, after each epoch or each validation."""
PASSED = (20, 30, 35)
LOG = Path("joeynmt") / "train.log"


def curve(path: Path, by: str = "minutes") -> Curve:
    """The history of a model or run folder, or of Joey NMT's, which has minutes alone."""
    log = path / LOG
    if log.exists() and by == "epochs":
        raise bundle.BundleError(f"A curve by epochs must be one of our models. Received: {path}")
    if log.exists():
        return logged(log.read_text(encoding="utf-8"))
    history = bundle.load(path).provenance.get("history", [])
    if not history:
        raise bundle.BundleError(f"A model must keep the history of its training. Received: {path}, which has none")
    return [(epoch["seconds"] / 60 if by == "minutes" else n, epoch["bleu"]) for n, epoch in enumerate(history, 1)]


def logged(log: str) -> Curve:
    """What Joey NMT says of its validations, by the minutes since its first epoch began."""
    begun = datetime.max
    line: Curve = []
    for stamp, said in re.findall(r"^(\S+ \S+) - INFO - \S+ - (EPOCH 1$|Evaluation result \(greedy\).*)", log, re.M):
        at = datetime.fromisoformat(stamp.replace(",", "."))
        begun = min(begun, at)
        if bleu := re.search(r"bleu: +([\d.]+)", said):
            line.append(((at - begun).total_seconds() / 60, float(bleu[1])))
    if not line:
        raise bundle.BundleError("A log of Joey NMT must hold validations. Received: none")
    return line


def until(line: Curve, bleu: float) -> float | None:
    """Minutes or epochs until BLEU was at least so much, None where it never was."""
    return next((passed for passed, value in line if value >= bleu), None)


def table(lines: Mapping[str, Curve], by: str = "minutes") -> str:
    """Minutes or epochs until BLEU passes each of `PASSED`, and until it is best."""
    rows = []
    for name, line in lines.items():
        best = max(value for _, value in line)
        passed = {f"{by} to {bleu}": _said(until(line, bleu)) for bleu in PASSED}
        rows.append({"model": name, **passed, "best": f"{best:.1f}", f"{by} to the best": _said(until(line, best))})
    return report.listed(rows, {title: title for title in rows[0]})


def _said(passed: float | None) -> str:
    return "-" if passed is None else f"{passed:.0f}"


def chart(lines: Mapping[str, Curve], path: Path, by: str = "minutes") -> None:
    """All curves in one picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.8), layout="constrained")
    axes = figure.subplots()
    for name, line in lines.items():
        axes.plot(*zip(*line, strict=True), "o-", markersize=3, label=name)
    axes.set(xlabel=f"{by} of training", ylabel="BLEU of greedy search, valid", xlim=(0, None), ylim=(0, None))
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150, metadata={"Software": None})


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="model or run folders, each also as NAME=FOLDER")
    parser.add_argument("--by", choices=("minutes", "epochs"), default="minutes", help="what training is measured in")
    parser.add_argument("--chart", type=Path, help="a PNG")
    given = parser.parse_args(arguments)
    lines: dict[str, Curve] = {}
    for each in given.models:
        name, _, folder = each.partition("=") if not Path(each).exists() and "=" in each else ("", "", each)
        name = name or Path(folder).resolve().name
        if name in lines:
            sys.exit(f"error: Each model must have its own name; write NAME=FOLDER. Received: {name} twice")
        try:
            lines[name] = curve(Path(folder), given.by)
        except bundle.BundleError as error:
            sys.exit(f"error: {error}")
    print(table(lines, given.by))
    if given.chart:
        chart(lines, given.chart, given.by)


if __name__ == "__main__":
    main()
