"""The reliability diagram of a calibration, as an SVG file that stands by itself.

It draws shares; it does not know how they were measured.
"""

from __future__ import annotations

from seq2seq.calibration import Calibration

SIZE, LEFT, BOTTOM, TOP = 320, 46, 44, 14
_STYLE = (
    "text{font:11px sans-serif;fill:#555}.frame{fill:none;stroke:#999}.ideal{stroke:#999;stroke-dasharray:4 3}"
    ".bar{fill:#3b6fb6;fill-opacity:.75}@media(prefers-color-scheme:dark){text{fill:#bbb}.bar{fill:#7aa7e6}}"
)


def diagram(calibration: Calibration) -> str:
    """A bar for each tenth of the scale: as wide as the tenth, as high as the share that was right.

    The dashed line is where bars would end if every claim held.
    """
    parts = [f"<style>{_STYLE}</style>"]
    for each in calibration.bins:
        left = min(int(10 * each.confidence), 9) / 10
        place = f'x="{_x(left) + 1:.1f}" width="{_x(0.1) - _x(0) - 2:.1f}"'
        height = f'y="{_y(each.right):.1f}" height="{_y(0) - _y(each.right):.1f}"'
        title = f"claimed {each.confidence:.0%}, right {each.right:.0%}, {each.sentences:,} sentences"
        parts.append(f'<rect class="bar" {place} {height}><title>{title}</title></rect>')
    ends = f'x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}"'
    parts.append(f'<line class="ideal" {ends}/>')
    frame = f'x="{_x(0)}" y="{_y(1)}" width="{_x(1) - _x(0)}" height="{_y(0) - _y(1)}"'
    parts.append(f'<rect class="frame" {frame}/>')
    for share in (0.0, 0.5, 1.0):
        parts.append(f'<text x="{_x(share):.1f}" y="{_y(0) + 15}" text-anchor="middle">{share:.0%}</text>')
        parts.append(f'<text x="{LEFT - 6}" y="{_y(share) + 4:.1f}" text-anchor="end">{share:.0%}</text>')
    parts.append(f'<text x="{_x(0.5):.1f}" y="{SIZE - 8}" text-anchor="middle">confidence</text>')
    parts.append(f'<text transform="translate(12 {_y(0.5):.1f}) rotate(-90)" text-anchor="middle">right</text>')
    label = 'role="img" aria-label="Share of translations that are right, by confidence"'
    size = f'viewBox="0 0 {SIZE} {SIZE}" width="{SIZE}" height="{SIZE}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {label}>{"".join(parts)}</svg>'


def _x(share: float) -> float:
    return LEFT + (SIZE - LEFT - TOP) * share


def _y(share: float) -> float:
    return TOP + (SIZE - TOP - BOTTOM) * (1 - share)
