"""The report of a training as one HTML page that needs nothing but itself.

It owns what stands where and how it looks, and escapes all text; it counts nothing and knows no files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from seq2seq.report.drawing import curves
from seq2seq.report.marks import Card

Triple = Sequence[str]
"""Source, translation and reference."""


@dataclass(frozen=True)
class Contents:
    """What a page tells.

    Arguments:
        title: what was trained.
        state: how far it is.
        history: an entry an epoch, as `training.Standing` keeps it.
        samples: the translations of the same sentences after each epoch, by its number.
        corpus: the report on the corpus, as `corpus.Report.to_dict` gives it.
        parameters: by layer.
        configuration: the resolved one, as YAML.
        cards: of each test set; none while the training runs.
        notes: for each fault that a card counts, what it means.
    """

    title: str
    state: str
    history: Sequence[Mapping[str, float]] = ()
    samples: Mapping[int, Sequence[Triple]] = field(default_factory=dict)
    corpus: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, int] = field(default_factory=dict)
    configuration: str = ""
    cards: Sequence[Card] = ()
    notes: Mapping[str, str] = field(default_factory=dict)


def write(contents: Contents) -> str:
    """The page."""
    title = escape(contents.title)
    sections = (
        ("Report card", "".join(_card(card, contents.notes) for card in contents.cards)),
        ("Curves", _curves(contents.history)),
        ("Epochs", _epochs(contents.history)),
        ("The same sentences after each epoch", _samples(contents.samples)),
        ("Corpus", _corpus(contents.corpus)),
        ("Parameters", _parameters(contents.parameters)),
        ("Configuration", f"<pre>{escape(contents.configuration)}</pre>" if contents.configuration else ""),
    )
    body = "".join(f"<section><h2>{name}</h2>{content}</section>" for name, content in sections if content)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<style>{_STYLE}</style></head><body><main><h1>{title}</h1><p>{escape(contents.state)}</p>{body}"
        "</main></body></html>\n"
    )


def _curves(history: Sequence[Mapping[str, float]]) -> str:
    def values(name: str) -> list[float]:
        return [entry.get(name, float("nan")) for entry in history]

    charts = (
        curves("Perplexity a piece", {"training": values("perplexity"), "validation": values("valid_perplexity")}),
        curves("Validation, greedy", {"BLEU": values("bleu"), "chrF": values("chrf")}),
        curves("Learning rate, in millionths", {"learning rate": [1e6 * rate for rate in values("learning_rate")]}),
        curves("Tokens a second", {"tokens a second": values("tokens_per_second")}),
    )
    drawn = "".join(f"<figure>{chart}</figure>" for chart in charts if chart)
    return f'<div class="charts">{drawn}</div>' if drawn else ""


def _epochs(history: Sequence[Mapping[str, float]]) -> str:
    rows, before = [], 0.0
    for number, entry in enumerate(history, start=1):
        seconds, before = entry["seconds"] - before, entry["seconds"]
        rate, chrf = entry.get("tokens_per_second"), entry.get("chrf")
        cells = [f"{entry[name]:.2f}" for name in ("loss", "perplexity", "valid_perplexity")]
        cells += [f"{entry['bleu']:.1f}", "" if chrf is None else f"{chrf:.1f}", f"{entry['learning_rate']:.2g}"]
        rows.append([str(number), *cells, f"{seconds:,.1f}", "" if rate is None else f"{rate:,.0f}"])
    titles = "epoch|loss|perplexity|valid perplexity|BLEU|chrF|learning rate|seconds|tokens/s"
    return _table(titles.split("|"), rows)


def _samples(samples: Mapping[int, Sequence[Triple]]) -> str:
    latest = samples[max(samples)] if samples else []
    found = []
    for place, (source, _, reference) in enumerate(latest):
        rows: list[list[str]] = []
        for epoch in sorted(samples):
            said = next((each[1] for each in samples[epoch][place : place + 1] if each[0] == source), None)
            if said is not None:
                rows.append([str(epoch), said])
        found.append(
            f"<h3>{escape(source)}</h3>{_table(['epoch', 'translation'], [*rows, ['reference', reference]], 'text')}"
        )
    return "".join(found)


def _corpus(report: Mapping[str, Any]) -> str:
    if not report:
        return ""
    whole = max(1, report["read"])
    counts = {"pairs read": report["read"], "pairs kept": report["kept"]}
    counts |= {f"dropped: {reason}": count for reason, count in report["dropped"].items() if count}
    rows = [[name, f"{count:,}", f"{100 * count / whole:.1f} %"] for name, count in counts.items()]
    rows += [[name, f"{count:,}", ""] for name, count in report["splits"].items()]
    parts = [_table(["", "pairs", "of those read"], rows)]
    for reason, examples in report.get("drop_examples", {}).items():
        if examples:
            shown = [[f"{each['line']:,}", each["source"], each["target"], each.get("note", "")] for each in examples]
            title = f"<summary>dropped, {escape(reason)}: examples</summary>"
            parts.append(f"<details>{title}{_table(['line', 'source', 'target', ''], shown, 'text')}</details>")
    for finding in report.get("findings", ()):
        parts.append(f"<p>{finding['count']:,} {escape(finding['kind'])}: {escape(finding['meaning'])}</p>")
    parts += [f'<p class="warning">{escape(warning)}</p>' for warning in report.get("warnings", ())]
    return "".join(parts)


def _parameters(parameters: Mapping[str, int]) -> str:
    whole = sum(parameters.values())
    rows = [[name, f"{count:,}", f"{100 * count / whole:.1f} %"] for name, count in parameters.items()]
    return _table(["layer", "parameters", "share"], [*rows, ["in all", f"{whole:,}", ""]]) if parameters else ""


def _card(card: Card, notes: Mapping[str, str]) -> str:
    scores = [[name, f"{score:.1f} ± {half:.1f}"] for name, (score, half) in card.scores.items()]
    kept = [["numbers kept", str(card.numbers)], ["names kept", str(card.names)]]
    faults = [
        [f"{name} ({notes[name]})" if name in notes else name, f"{count:,} of {card.sentences:,}"]
        for name, count in card.faults.items()
    ]
    lengths = [[each.length, f"{each.sentences:,}", f"{each.bleu:.1f}", f"{each.chrf:.1f}"] for each in card.buckets]
    worst = [[f"{bad.chrf:.1f}", bad.source, bad.translation, bad.reference] for bad in card.worst]
    return (
        f"<h3>{escape(card.name)}: {card.sentences:,} sentences, {escape(card.engine)}</h3>"
        + _table(["", "with 95 % confidence interval"], scores)
        + _table(["", "translations"], [*kept, *faults])
        + _table([f"source, {card.unit}", "sentences", "BLEU", "chrF"], lengths)
        + f"<h4>The worst, by chrF</h4>{_table(['chrF', 'source', 'translation', 'reference'], worst, 'text')}"
    )


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "numbers") -> str:
    body = "".join(f"<tr>{''.join(f'<td dir=auto>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    return f'<div class="wide"><table class="{kind}"><tr>{head}</tr>{body}</table></div>' if body else ""


_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--faint:#d8dee4;--soft:#57606a;--one:#0b62c4;--two:#b3400f}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--paper:#0f1318;--faint:#343b43;--soft:#9aa5b1;--one:#6cb0ff;
--two:#ff9d6b}}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:60rem;margin:auto;padding:1rem}
h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2rem}h3,h4{font-size:1rem;overflow-wrap:anywhere}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr));gap:1rem}
figure{margin:0}svg{width:100%;height:auto}text{font:11px system-ui,sans-serif;fill:var(--soft)}
.title{font-weight:600;font-size:13px;fill:var(--ink)}.grid{stroke:var(--faint)}
polyline{fill:none;stroke-width:2}.line0{stroke:var(--one);fill:var(--one)}.line1{stroke:var(--two);fill:var(--two)}
.name0{fill:var(--one)}.name1{fill:var(--two)}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem;margin:.5rem 0}
th,td{border-bottom:1px solid var(--faint);padding:.2rem .6rem;text-align:start;vertical-align:top}
th{color:var(--soft);font-weight:500}.numbers td+td,.numbers th+th{text-align:right;font-variant-numeric:tabular-nums}
.text td+td{min-width:9rem;overflow-wrap:anywhere}pre{overflow-x:auto;font-size:.85rem}.warning{color:var(--two)}
"""
