"""Charts of the report as inline SVG: they need no script, no font and no network, and print. Pure: numbers in, text out.

Colours are the classes' (css/report.css). Sizes are units of the viewBox; a chart takes the width of its place.
"""

import math
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from html import escape
from typing import NamedTuple

from analytics.reports.tearsheet_figures import Histogram, nice

WIDTH, RIGHT, BOTTOM, TOP = 900, 58, 24, 10
NARROW, SIDE = 480, 16
TICKS, LABELS = 4, 9
MINUS = "−"


class Line(NamedTuple):
    """One value a session; None is a gap. `css` is its class; an `area` is filled up to 0."""

    css: str
    values: Sequence[float | None]
    area: bool = False


class Scale(NamedTuple):
    """Values from `low` to `high` on a chart of `height`, with round `ticks`."""

    low: float
    high: float
    ticks: list[float]
    height: float

    def y(self, value: float) -> float:
        return round(TOP + (self.high - value) / (self.high - self.low) * self.height, 1)


def line_chart(sessions: Sequence[date], lines: Iterable[Line], *, label: str, height: int = 240, base: float | None = None) -> str:
    """Lines over the sessions, with years or months below and values at the right; `base` is a level that is marked."""
    lines = list(lines)
    known = [value for line in lines for value in line.values if value is not None]
    scale = scale_of([*known, *([] if base is None else [base])], height - TOP - BOTTOM)
    steps = max(len(sessions) - 1, 1)
    xs = [round(at * (WIDTH - RIGHT) / steps, 1) for at in range(len(sessions))]
    parts = [_axis(scale), _times(sessions, xs, height)]
    if base is not None:
        parts.append(f'<path class="base" d="M0 {scale.y(base)}H{WIDTH - RIGHT}"/>')
    parts += [_line(line, xs, scale) for line in lines]
    return _svg("".join(parts), WIDTH, height, label, css="plot wide")


def scale_of(values: Sequence[float], height: float) -> Scale:
    """A scale that holds all `values` between two of its ticks or at them."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    step = nice((high - low) / TICKS or max(abs(high), 1.0) / TICKS)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    return Scale(first * step, last * step, [tick * step for tick in range(first, last + 1)], height)


def _axis(scale: Scale) -> str:
    step = scale.ticks[1] - scale.ticks[0]
    lines = [f'<path class="rule" d="M0 {scale.y(tick)}H{WIDTH - RIGHT}"/>' for tick in scale.ticks]
    texts = [f'<text x="{WIDTH - RIGHT + 6}" y="{scale.y(tick) + 4:g}">{tick_text(tick, step)}</text>' for tick in scale.ticks]
    return "".join(lines + texts)


def tick_text(value: float, step: float) -> str:
    """As many decimals as the step needs; thousands as k, millions as M."""
    unit, size = next(((name, size) for name, size in (("M", 1e6), ("k", 1e3)) if abs(value) >= size and step >= size / 10), ("", 1.0))
    places = len(f"{step / size:.10g}".partition(".")[2])
    text = f"{abs(value) / size:,.{places}f}"
    return (MINUS if value < 0 and text.strip("0.,") else "") + text + unit


def _times(sessions: Sequence[date], xs: Sequence[float], height: int) -> str:
    """The first session of each year, or of each month of a short record, as far as there is room."""
    short = len(sessions) < 380
    starts: dict[str, float] = {}
    for session, x in zip(sessions, xs, strict=True):
        starts.setdefault(f"{session:%Y-%m}" if short else f"{session:%Y}", x)
    every = max(1, math.ceil(len(starts) / LABELS))
    kept = [(text, x) for text, x in list(starts.items())[::every] if x <= WIDTH - RIGHT - 30]
    return "".join(f'<text x="{x}" y="{height - 4}">{text}</text>' for text, x in kept)


def _line(line: Line, xs: Sequence[float], scale: Scale) -> str:
    runs: list[list[str]] = [[]]
    for x, value in zip(xs, line.values, strict=True):
        if value is None:
            runs.append([])
        else:
            runs[-1].append(f"{x} {scale.y(value)}")
    runs = [run for run in runs if run]
    parts = [f'<path class="line {line.css}" d="M{"L".join(run)}"/>' for run in runs]
    if line.area:
        zero = scale.y(min(max(0.0, scale.low), scale.high))
        ends = [(run[0].split()[0], run[-1].split()[0]) for run in runs]
        fills = [f"M{first} {zero}L{'L'.join(run)}L{last} {zero}Z" for run, (first, last) in zip(runs, ends, strict=True)]
        parts = [f'<path class="area {line.css}" d="{fill}"/>' for fill in fills] + parts
    return "".join(parts)


def histogram_chart(found: Histogram, *, label: str, height: int = 200) -> str:
    """Bars beside each other, losses left of 0; the edges below, the number of values above."""
    edges, counts = found.edges, found.counts
    width, step, most = (NARROW - 2 * SIDE) / len(counts), edges[1] - edges[0], max(counts)
    parts = [f'<path class="base" d="M{SIDE} {height - 24}H{NARROW - SIDE}"/>']
    for at, count in enumerate(counts):
        x, tall = SIDE + at * width, count / most * (height - 44)
        css, place = "loss" if edges[at + 1] <= 0 else "win", f'x="{x + 1:.1f}" y="{height - 24 - tall:.1f}"'
        parts.append(
            f'<rect class="{css}" {place} width="{width - 2:.1f}" height="{tall:.1f}"><title>{_range(found, at)}: {count}</title></rect>'
        )
        parts.append(f'<text class="mid" x="{x + width / 2:.1f}" y="{height - 28 - tall:.1f}">{count or ""}</text>')
    every, zero = math.ceil(len(edges) / LABELS), edges.index(0.0)
    shown = [at for at in range(len(edges)) if (at - zero) % every == 0]
    parts += [f'<text class="mid" x="{SIDE + at * width:.1f}" y="{height - 6}">{tick_text(edges[at], step)}</text>' for at in shown]
    return _svg("".join(parts), NARROW, height, label)


def _range(found: Histogram, at: int) -> str:
    """What a bar holds, in words: the outermost say that they also hold what lies beyond."""
    step = found.edges[1] - found.edges[0]
    low, high = (tick_text(edge, step) for edge in found.edges[at : at + 2])
    low = "…" if at == 0 and found.below else low
    return f"{low} – {'…' if at == len(found.counts) - 1 and found.above else high}"


def steps_chart(points: Sequence[tuple[date, Decimal]], first: date, last: date, *, label: str, width: int = 220, height: int = 30) -> str:
    """A level that holds until its next point, from `first` to `last`: the path of a weight."""
    low, high = float(min(level for _, level in points)), float(max(level for _, level in points))
    spread, days = high - low or 1.0, max((last - first).days, 1)
    levels = [(max((day - first).days, 0) / days * width, 3 + (high - float(level)) / spread * (height - 6)) for day, level in points]
    path = f"M0 {levels[0][1]:.1f}" + "".join(f"H{x:.1f}V{y:.1f}" for x, y in levels[1:]) + f"H{width}"
    return _svg(f'<path class="line own" d="{path}"/>', width, height, label, css="spark", stretch=True)


def share_bar(value: Decimal | float, largest: Decimal | float, *, label: str) -> str:
    """A bar to the right of the middle for a gain, to the left for a loss, as long as its share of the largest."""
    size = 50 * min(1.0, abs(float(value)) / float(largest)) if largest else 0.0
    x, css = (50.0, "win") if value >= 0 else (50 - size, "loss")
    shape = f'<path class="base" d="M50 0V8"/><rect class="{css}" x="{x:.2f}" y="1" width="{size:.2f}" height="6"/>'
    return _svg(shape, 100, 8, label, css="share", stretch=True)


def _svg(content: str, width: int, height: int, label: str, css: str = "plot", *, stretch: bool = False) -> str:
    fit = ' preserveAspectRatio="none"' if stretch else ""
    return f'<svg class="{css}" viewBox="0 0 {width} {height}"{fit} role="img" aria-label="{escape(label)}">{content}</svg>'
