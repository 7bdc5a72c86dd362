"""Curves as SVG that stands in a page by itself.

It draws numbers; it does not know what they mean.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 420, 240, 52, 30, 26, 12
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


def curves(title: str, lines: Mapping[str, Sequence[float]]) -> str:
    """A chart of numbers by epoch, from 1. What is not finite is left out; "" where nothing is left.

    Arguments:
        title: above the chart.
        lines: each curve by its name.
    """
    points = {
        name: [(epoch, value) for epoch, value in enumerate(values, start=1) if math.isfinite(value)]
        for name, values in lines.items()
    }
    values = [value for line in points.values() for _, value in line]
    if not values:
        return ""
    last = max(epoch for line in points.values() for epoch, _ in line)
    marks = ticks(min(values), max(values))
    low, high = marks[0], marks[-1]

    def x(epoch: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (epoch - 1) / max(1, last - 1)

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low)

    parts = [f'<text x="{LEFT}" y="15" class="title">{escape(title)}</text>']
    for mark in marks:
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(mark):.1f}" y2="{y(mark):.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(mark) + 4:.1f}" text-anchor="end">{mark:,.6g}</text>')
    for epoch in sorted({1, (1 + last) // 2, last}):
        parts.append(f'<text x="{x(epoch):.1f}" y="{HEIGHT - 10}" text-anchor="middle">{epoch}</text>')
    for number, (name, line) in enumerate(points.items()):
        path = " ".join(f"{x(epoch):.1f},{y(value):.1f}" for epoch, value in line)
        dots = "".join(f'<circle cx="{x(epoch):.1f}" cy="{y(value):.1f}" r="2"/>' for epoch, value in line)
        parts.append(f'<g class="line{number % 2}"><polyline points="{path}"/>{dots}</g>')
        if len(points) > 1:
            place = f'x="{WIDTH - RIGHT}" y="{TOP + 12 + 15 * number}" text-anchor="end"'
            parts.append(f'<text class="name{number % 2}" {place}>{escape(name)}</text>')
    label = f'role="img" aria-label="{escape(title)} by epoch"'
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" {label}>{"".join(parts)}</svg>'


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from at most `low` to at least `high`, two or more.

    >>> ticks(3.2, 17.0)
    [0.0, 5.0, 10.0, 15.0, 20.0]
    """
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / most))
    for step in (factor * scale for scale in (power, 10 * power) for factor in _STEPS):
        first, last = math.floor(low / step), math.ceil(high / step)
        if last == first:
            last += 1
        if last - first < most:
            return [float(f"{step * number:.10g}") for number in range(first, last + 1)]
    return [low, low + span]
