"""Series that pages draw, computed from daily returns: growth of 100, monthly returns, distances.

Pure: lists in and out. A session without a return is a gap in the curve (None), never a zero.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True)
class Month:
    """`change` is the compounded return of the month's sessions; `partial` when the curve starts or ends inside it."""

    month: int
    change: float | None


@dataclass(frozen=True)
class Year:
    year: int
    months: tuple[Month, ...]
    change: float | None


def growth_of_100(returns: Iterable[Decimal | float | None]) -> list[float | None]:
    """100·Π(1+r) after each session; None where the return is undefined (it then counts as no change)."""
    level, curve = 100.0, []
    for change in returns:
        if change is not None:
            level *= 1 + float(change)
        curve.append(None if change is None else round(level, 4))
    return curve


def compounded(returns: Iterable[Decimal | float | None]) -> float | None:
    """Π(1+r) − 1 over the defined returns; None when there are none."""
    level, seen = 1.0, False
    for change in returns:
        if change is not None:
            level, seen = level * (1 + float(change)), True
    return level - 1 if seen else None


def returns_by_month(sessions: Sequence[date], returns: Sequence[Decimal | float | None]) -> list[Year]:
    """Calendar table, newest year first; months without sessions carry None."""
    months: dict[tuple[int, int], list] = {}
    for session, change in zip(sessions, returns, strict=True):
        months.setdefault((session.year, session.month), []).append(change)
    years = sorted({year for year, _ in months}, reverse=True)
    return [
        Year(
            year,
            tuple(Month(month, compounded(months.get((year, month), []))) for month in range(1, 13)),
            compounded(change for month in range(1, 13) for change in months.get((year, month), [])),
        )
        for year in years
    ]
