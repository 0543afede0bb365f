"""What the page of the adaptation draws: paths of weights and of evidence, and the gate's numbers beside what they must be.

Pure: numbers in, frozen rows with points of an SVG out.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from analytics.tuning.gate import DEFLATED, OVERFIT, PLATEAU, SIGNIFICANT

WIDTH, HEIGHT, MARGIN = 320.0, 72.0, 5.0
SPARK_HEIGHT = 28.0
# The least that evidence is drawn at: below it there is nothing to tell apart.
FLOOR = 1e-3


@dataclass(frozen=True)
class Path:
    """A polyline in a box of `width` × `height`; `level` is the height of the line to be reached, `base` of what is nothing yet."""

    points: str
    width: float
    height: float
    first: date
    last: date
    low: float
    high: float
    end: tuple[float, float]
    level: float | None = None
    base: float | None = None


@dataclass(frozen=True)
class GateNumber:
    """One number of the gate. `kind` is how it is written; it must be below `below`, above `above` or at least `least`, and
    where it has none of them it decides nothing."""

    name: str
    value: float | None
    kind: str
    below: float | None = None
    above: float | None = None
    least: float | None = None

    @property
    def holds(self) -> bool | None:
        if self.value is None:
            return None
        if self.below is not None:
            return self.value < self.below
        if self.above is not None:
            return self.value > self.above
        return None if self.least is None else self.value >= self.least


def weight_path(rows: Sequence[tuple[date, float, float]]) -> Path:
    """The weights of (session, before, after), oldest first, as steps from the one before the first."""
    values = [rows[0][1], *(after for _, _, after in rows)]
    low, high = min(values), max(values)
    spread = high - low or 1.0
    heights = [_height((value - low) / spread if high > low else 0.5, SPARK_HEIGHT) for value in values]
    across = _across(len(values))
    points = [f"{across[0]:.1f},{heights[0]:.1f}"]
    for x, before, after in zip(across[1:], heights, heights[1:], strict=False):
        points += [f"{x:.1f},{before:.1f}", f"{x:.1f},{after:.1f}"]
    return Path(" ".join(points), WIDTH, SPARK_HEIGHT, rows[0][0], rows[-1][0], low, high, (across[-1], heights[-1]))


def evidence_path(days: Sequence[tuple[date, float]], threshold: float) -> Path | None:
    """The evidence of (session, E), oldest first, on a log scale with 1 and the threshold in sight; None before the first."""
    if not days:
        return None
    logs = [math.log(max(value, FLOOR)) for _, value in days]
    goal = math.log(max(threshold, FLOOR))
    low, high = min(0.0, goal, *logs), max(0.0, goal, *logs)
    spread = high - low or 1.0

    def height(value: float) -> float:
        return _height((value - low) / spread, HEIGHT)

    across = _across(len(logs))
    points = " ".join(f"{x:.1f},{height(value):.1f}" for x, value in zip(across, logs, strict=True))
    values = [value for _, value in days]
    end = (across[-1], height(logs[-1]))
    return Path(points, WIDTH, HEIGHT, days[0][0], days[-1][0], min(values), max(values), end, height(goal), height(0.0))


def _across(n: int) -> list[float]:
    """Where n points stand from left to right."""
    step = (WIDTH - 2 * MARGIN) / max(1, n - 1)
    return [MARGIN + step * at for at in range(n)]


def _height(share: float, height: float) -> float:
    """From the top, of a share of the way up."""
    return height - MARGIN - (height - 2 * MARGIN) * share


def log_share(evidence: float, threshold: float) -> float:
    """How far from 1 to the threshold the evidence is on a log scale, 0 to 1: each step multiplies it."""
    if threshold <= 1:
        return 1.0 if evidence >= threshold else 0.0
    return min(1.0, max(0.0, math.log(max(evidence, FLOOR)) / math.log(threshold)))


def gate_numbers(gate: Mapping) -> tuple[GateNumber, ...]:
    """The numbers that decide, then what they were found on; what is not there is None. One of the first two is enough."""
    return (
        GateNumber("spa_p", gate.get("spa_p"), "ratio3", below=SIGNIFICANT),
        GateNumber("dsr", gate.get("dsr"), "ratio3", above=DEFLATED),
        GateNumber("pbo", gate.get("pbo"), "ratio3", below=OVERFIT),
        GateNumber("plateau", gate.get("plateau"), "percent", least=PLATEAU),
        GateNumber("champion_sharpe", gate.get("champion_sharpe"), "ratio"),
        GateNumber("challenger_sharpe", gate.get("challenger_sharpe"), "ratio"),
        GateNumber("trials", gate.get("trials"), "count"),
        GateNumber("sessions", gate.get("sessions"), "count"),
    )
