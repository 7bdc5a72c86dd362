"""Traces of a translation that nobody computed: every field of docs/explanation.md, with numbers that fit together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seq2seq.explanation import Cells, Explanation, Gradient, Influence, Node, rank_correlation

UNITS = 24


def trace(
    text: str,
    translation: str,
    source: Sequence[str],
    target: Sequence[str],
    *,
    cells: bool = False,
    beam: bool = False,
    influence: bool = False,
    alternatives: int = 5,
    step: int | None = None,
    search: Mapping[str, Any] | None = None,
    bias: np.ndarray | None = None,
    engine: str = "litert-int8",
) -> Explanation:
    """The trace of one sentence; pieces are without the end."""
    source, target = (*source, "</s>"), (*target, "</s>")
    rows, steps, noise = len(target), len(source), np.random.default_rng(len(source))
    scores = -np.abs(np.arange(rows)[:, None] * steps / rows - np.arange(steps)) + (0 if bias is None else bias)
    attention = (np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)).astype(np.float32)
    log_probs = -noise.uniform(0.05, 1.2, rows).astype(np.float32)
    others = [("▁anders", -1.5), ("</s>", -2.5), ("<0xF0>", -4.0), ("lich", -5.0), ("▁", -6.0)]
    return Explanation(
        text=text,
        translation=translation,
        score=float(log_probs.sum() / 3),
        engine=engine,
        source=source,
        target=target,
        log_probs=log_probs,
        entropy=-2 * log_probs,
        attention=attention,
        alternatives=tuple(
            ((piece, float(value)), *others)[:alternatives] for piece, value in zip(target, log_probs, strict=True)
        ),
        source_spans=spans(text, source),
        target_spans=spans(translation, target),
        log_prob=float(log_probs.sum()),
        attention_bias=bias,
        search={"beam": 3, "length_penalty": 1.0, "word_reward": 0.0, **(search or {})},
        beam=tree(target) if beam else None,
        cells=states(steps, rows, noise) if cells else None,
        gradient=gradient(steps, rows, step) if cells or step is not None else None,
        influence=influences(source, target, attention, translation) if influence else None,
    )


def spans(text: str, pieces: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Where each piece stands, a space belonging to the piece after it."""
    found, at = [], 0
    for piece in pieces[:-1]:
        core = piece.replace("▁", "")
        end = text.find(core, at) + len(core) if core in text[at:] else at
        found.append((at, end))
        at = end
    return (*found, (len(text), len(text)))


def states(steps: int, rows: int, noise: np.random.Generator) -> Cells:
    """Cells of one encoder layer and two decoder layers that obey their equations."""

    def cell(count: int, units: int, start: np.ndarray, *, backward: bool = False) -> np.ndarray:
        i, f, o = noise.uniform(0, 1, (3, count, units))
        g, c = noise.uniform(-1, 1, (count, units)), np.zeros((count, units))
        before = start
        for t in range(count)[:: -1 if backward else 1]:
            before = c[t] = f[t] * before + i[t] * g[t]
        return np.stack([i, f, g, o, c, o * np.tanh(c)]).astype(np.float32)

    nothing = np.zeros(UNITS // 2)
    encoder = np.stack([cell(steps, UNITS // 2, nothing), cell(steps, UNITS // 2, nothing, backward=True)])[None]
    start = np.concatenate([encoder[0, 0, 4, -1], encoder[0, 1, 4, 0]])
    return Cells(encoder, np.stack([cell(rows, UNITS, start), cell(rows, UNITS, start)]))


def gradient(steps: int, rows: int, step: int | None) -> Gradient:
    step = rows - 1 if step is None else step
    decoder = np.where(np.arange(rows) <= step, 0.8 ** (step - np.arange(rows, dtype=float)), 0.0)
    encoder = 0.7 ** np.arange(steps, dtype=float)[::-1]
    return Gradient(
        step,
        np.broadcast_to(encoder, (1, 2, 2, steps)).astype(np.float32),
        np.broadcast_to(decoder, (2, 2, rows)).astype(np.float32),
    )


def influences(
    source: Sequence[str], target: Sequence[str], attention: np.ndarray, translation: str, method: str = "occlusion"
) -> Influence:
    """What follows attention, with its sign turned at the end of the sentence."""
    values = attention * 3
    values[:, -1] *= -1
    agreed = rank_correlation(np.abs(values), attention)
    engine = "litert-int8" if method == "occlusion" else "tensorflow-float32"
    return Influence(method, engine, translation, tuple(source), tuple(target), values, agreed)


def tree(target: Sequence[str]) -> tuple[Node, ...]:
    """The translation at log-probability -0.4 a piece, one that ends a piece earlier and is
    more probable but shorter, and what is pruned beside it."""
    nodes = [Node(0, None, 0, "<s>", 0.0, 0.0, 0.0)]
    parent, total = 0, 0.0

    def add(piece: str, log_prob: float, rank: int, state: str, hypothesis: int | None = None) -> int:
        step, whole = nodes[parent].step + 1, total + log_prob
        ranked = whole / ((5 + step) / 6)
        nodes.append(Node(len(nodes), parent, step, piece, log_prob, whole, ranked, 0.0, rank, state, hypothesis))
        return len(nodes) - 1

    for place, piece in enumerate(target):
        last = place == len(target) - 1
        best = add(piece, -0.4, 1, "finished" if last else "alive", 1 if last else None)
        if place == len(target) - 2:
            add("</s>", -0.65, 2, "finished", 2)
        elif not last:
            add("▁daneben", -3.0, 2, "pruned")
        parent, total = best, total - 0.4
    return tuple(nodes)
