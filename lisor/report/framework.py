"""A drawing of the method: from sequences to an automaton."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lisor.randomness import stream

_WIDTH, _HEIGHT, _PANEL = 900, 214, 180
_TITLES = ("sequences", "network", "hidden states", "clusters", "automaton")
_NOTES = ("labelled words or texts", "trained, then left as it is", "one after every symbol", "k-means, for each k",
          "states, arrows, answers")  # fmt: skip
_NEXT_NOTES = ("words or other sequences", *_NOTES[1:4], "states, arrows, chances")
"""The same where nothing is labelled and the next symbol is predicted."""

_COLORS = ("#0072b2", "#d55e00", "#009e73")
_CENTERS = ((48, 98), (96, 52), (130, 112))
"""Of the three clusters, within their panel."""

_INK, _SOFT, _LINE = "#1c1e21", "#5b626b", "#9aa2ab"


def draw(*, is_labelled: bool = True) -> str:
    """The framework of LISOR (after Hou & Zhou, 2020, figure 2) as SVG: five panels, read from left
    to right. Where nothing `is_labelled`, the next symbol is predicted."""
    notes = _NOTES if is_labelled else _NEXT_NOTES
    panels = (_sequences(is_labelled), _network(is_labelled), _states(), _clusters(), _automaton())
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="13" text-anchor="middle">'
    )
    marker = (
        '<defs><marker id="framework-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" '
        f'orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="{_SOFT}"/></marker></defs>'
    )
    parts = [head, marker]
    for index, panel in enumerate(panels):
        parts.append(f'<g transform="translate({index * _PANEL},0)">')
        parts.append(
            f'<text x="90" y="18" font-weight="bold" fill="{_INK}">{_TITLES[index]}</text>'
        )
        parts += panel
        parts.append(
            f'<text x="90" y="202" font-size="11.5" fill="{_SOFT}">{notes[index]}</text></g>'
        )
        if index:
            parts.append(_arrow(index * _PANEL - 14, 98, index * _PANEL + 12, 98))
    return "\n".join([*parts, "</svg>\n"])


def _sequences(is_labelled: bool) -> Iterator[str]:
    for row, (word, label) in enumerate(
        (("0 1 0 0 0", "yes"), ("1 0 0 1 0", "no"), ("0 0 0 1", "yes"), ("1 1", "no"))
    ):
        y = 62 + 28 * row
        x = 74 if is_labelled else 90
        yield f'<text x="{x}" y="{y}" font-family="monospace" font-size="14" fill="{_INK}">{word}</text>'
        if is_labelled:
            yield f'<text x="140" y="{y}" fill="{_COLORS[2] if label == "yes" else _COLORS[1]}">{label}</text>'


def _network(is_labelled: bool) -> Iterator[str]:
    for step, symbol in enumerate("010"):
        x = 40 + 50 * step
        yield f'<rect x="{x - 16}" y="78" width="32" height="32" rx="6" fill="#eef1f4" stroke="{_LINE}"/>'
        yield f'<text x="{x}" y="98" fill="{_INK}">h<tspan font-size="9" dy="3">{step + 1}</tspan></text>'
        yield _arrow(x, 142, x, 113)
        yield f'<text x="{x}" y="158" font-family="monospace" font-size="14" fill="{_INK}">{symbol}</text>'
        if step:
            yield _arrow(x - 33, 94, x - 18, 94)
    yield _arrow(140, 76, 140, 54)
    yield f'<text x="140" y="46" fill="{_COLORS[1]}">{"no" if is_labelled else "next: 0"}</text>'


def _states() -> Iterator[str]:
    for x, y, _ in _points():
        yield f'<circle cx="{x}" cy="{y}" r="3" fill="{_LINE}"/>'


def _clusters() -> Iterator[str]:
    for (left, top), color in zip(_CENTERS, _COLORS, strict=True):
        yield f'<circle cx="{left}" cy="{top + 14}" r="27" fill="{color}" fill-opacity="0.12" stroke="{color}"/>'
    for x, y, cluster in _points():
        yield f'<circle cx="{x}" cy="{y}" r="3" fill="{_COLORS[cluster]}"/>'


def _automaton() -> Iterator[str]:
    centers = [(x, y + 14) for x, y in _CENTERS]
    for source, target, symbol, dx, dy in (
        (0, 1, "0", -10, -6),
        (1, 2, "0", 12, -2),
        (2, 0, "1", 0, 18),
    ):
        first, last = np.array(centers[source]), np.array(centers[target])
        direction = (last - first) / np.linalg.norm(last - first)
        yield _arrow(*(first + 18 * direction), *(last - 20 * direction))
        middle = (first + last) / 2 + (dx, dy)
        yield f'<text x="{middle[0]:.1f}" y="{middle[1]:.1f}" font-size="12" fill="{_INK}">{symbol}</text>'
    for number, color in enumerate(_COLORS):
        x, y = centers[number]
        yield f'<circle cx="{x}" cy="{y}" r="17" fill="{color}" fill-opacity="0.16" stroke="{color}"/>'
        if number == len(centers) - 1:
            yield f'<circle cx="{x}" cy="{y}" r="13.5" fill="none" stroke="{color}"/>'
        yield f'<text x="{x}" y="{y + 4.5}" fill="{_INK}">{number + 1}</text>'


def _points() -> Iterator[tuple[float, float, int]]:
    """Points around the three centers, always the same."""
    rng = stream(7, "framework")
    for cluster, (x, y) in enumerate(_CENTERS):
        for angle, radius in zip(
            rng.uniform(0, 2 * np.pi, 13), 21 * np.sqrt(rng.uniform(0, 1, 13)), strict=True
        ):
            yield (
                round(x + radius * np.cos(angle), 1),
                round(y + 14 + radius * np.sin(angle), 1),
                cluster,
            )


def _arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{_SOFT}" stroke-width="1.4" marker-end="url(#framework-tip)"/>'
