"""Straight lines: their fit, and an SVG with the measurements."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 300, 220
LEFT, TOP, RIGHT, BOTTOM = 58, 34, 12, 36


def fit(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float, float]:
    """Slope, intercept and R² of the least-squares line."""
    slope, intercept = statistics.linear_regression(xs, ys)
    return slope, intercept, statistics.correlation(xs, ys) ** 2


def draw(sizes: Sequence[int], series: Mapping[str, Sequence[float]]) -> str:
    """One panel a series: a dot a measurement, the fitted line, its equation."""
    panels = [
        f'<g transform="translate({WIDTH * number} 0)">{_panel(name, sizes, values)}</g>'
        for number, (name, values) in enumerate(series.items())
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH * len(series)} {HEIGHT}"'
        ' font-family="system-ui, sans-serif" font-size="11" fill="#333">\n'
        '<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(panels) + "\n</svg>\n"
    )


def _panel(name: str, sizes: Sequence[int], values: Sequence[float]) -> str:
    most_x, most_y = max(sizes), max(values) * 1.05
    slope, start, r_squared = fit(sizes, values)

    def at(x: float, y: float) -> tuple[str, str]:
        return (
            f"{LEFT + x / most_x * (WIDTH - LEFT - RIGHT):.1f}",
            f"{HEIGHT - BOTTOM - y / most_y * (HEIGHT - TOP - BOTTOM):.1f}",
        )

    line = f"{slope:.4f} a link + {start:.1f}, R² = {r_squared:.5f}"
    parts = [
        f'<text x="{LEFT}" y="14" font-weight="bold">{escape(name)}</text>',
        f'<text x="{LEFT}" y="28" fill="#777">{line}</text>',
    ]
    for part in range(5):
        y = most_y * part / 4
        (x1, height), (x2, _) = at(0, y), at(most_x, y)
        parts.append(f'<path d="M{x1} {height}H{x2}" stroke="#e4e4e4"/>')
        label = f"{y:,.0f}"
        parts.append(
            f'<text x="{LEFT - 6}" y="{float(height) + 4:.1f}" text-anchor="end">{label}</text>'
        )
    for x in range(0, most_x + 1, 2_500):
        left, bottom = at(x, 0)
        parts.append(
            f'<text x="{left}" y="{float(bottom) + 15:.1f}" text-anchor="middle">{x:,}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 4}" text-anchor="middle">links</text>')
    (x1, y1), (x2, y2) = at(0, max(0.0, start)), at(most_x, slope * most_x + start)
    parts.append(f'<path d="M{x1} {y1}L{x2} {y2}" stroke="#3b82c4" stroke-width="1.5"/>')
    for x, y in zip(sizes, values, strict=True):
        left, height = at(x, y)
        parts.append(f'<circle cx="{left}" cy="{height}" r="3" fill="#c2410c"/>')
    return "\n".join(parts)
