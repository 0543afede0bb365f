"""What the tests of portfolio strategies share: panels with a reference, market files as panels, and an account that
fills every draft at the next open."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from quant_site.core.types import Direction
from quant_site.market.panel import Panel
from quant_site.market.reference import Reference
from quant_site.market.reference.fundamentals import FIELDS, align
from quant_site.market.sessions import session_array
from strategies.base import Draft, Holding
from strategies.library.windows import positive

FACTORS = ("MKT_RF", "SMB", "HML", "RF")


def stock_panel(
    seed: int = 0, symbols: int | tuple = 12, sessions: int = 420, *, start="2010-01-04", gaps: bool = False, late: bool = False
) -> Panel:
    """Random walks with factors and yearly reports: raw and adjusted prices, dividends early on, a split of the first symbol.

    `symbols` is how many, or their names. With `gaps` some bars are missing; with `late` the last is listed half-way.
    """
    names = tuple(f"S{i:02}" for i in range(symbols)) if isinstance(symbols, int) else symbols
    rng, shape = np.random.default_rng(seed), (len(names), sessions)
    level = rng.uniform(0.5, 2.5, (len(names), 1))
    moves = rng.normal(0, 0.006, sessions) + level * rng.normal(0.0002, 0.008, shape)
    adjusted = 50 * np.exp(np.cumsum(moves, axis=1))
    factor = np.where(np.arange(sessions) < sessions // 4, 0.98, 1.0) * np.ones((len(names), 1))
    factor[0] *= np.where(np.arange(sessions) < sessions // 2, 0.5, 1.0)
    opened = adjusted * (1 + rng.normal(0, 0.003, shape))
    spread = np.abs(rng.normal(0, 0.005, (2, *shape)))
    bars = [opened, np.maximum(opened, adjusted) * (1 + spread[0]), np.minimum(opened, adjusted) * (1 - spread[1]), adjusted]
    bars = [values / factor for values in bars] + [np.full(shape, 1e6)]
    missing = rng.random(shape) < 0.02 if gaps else np.zeros(shape, bool)
    missing[-1, : sessions // 2 if late else 0] = True
    bars = [np.where(missing, np.nan, values) for values in bars]
    panel = Panel(names, session_array(start, "2024-12-31")[:sessions].copy(), *bars, factor)
    return replace(panel, reference=reference_of(panel, seed))


def reference_of(panel: Panel, seed: int = 0, **fields) -> Reference:
    """Made-up factors, bills and reports of all symbols of `panel`; the last third of them (at least one) are banks."""
    rng = np.random.default_rng(seed)
    names, sessions = panel.close.shape
    series = {name: rng.normal(0.0003, 0.006, sessions) for name in FACTORS[:3]}
    series |= {"RF": np.full(sessions, 0.0001), "TBILL_3M": np.full(sessions, 0.02)}
    banks = max(1, names // 3)
    sectors = ("Industrials",) * (names - banks) + ("Financials",) * banks
    given = {"series": series, "fundamentals": reports(panel, seed), "sectors": sectors, "kinds": ("STOCK",) * names}
    return Reference(**(given | fields))


def reports(panel: Panel, seed: int = 0, table: pd.DataFrame | None = None) -> dict[str, np.ndarray]:
    """Fundamentals as the market layer aligns them: those of a file of annual reports, else of made-up ones, never zero."""
    if table is not None:
        frame = table.rename(columns={"symbol": "item", "estimated_shares_outstanding": "shares"})
        frame = frame.assign(filing_date=pd.NaT, cost_of_revenue=np.nan).replace({"gross_profit": {0: np.nan}})
        return align(frame, panel.symbols, panel.sessions)
    rng = np.random.default_rng(seed)
    first = int(str(panel.sessions[0])[:4])
    rows = [
        {"item": symbol, "period_ending": np.datetime64(f"{year}-12-31"), "filing_date": np.datetime64("NaT")}
        | {name: float(rng.uniform(1e8, 9e8)) for name in FIELDS}
        for symbol in panel.symbols
        for year in range(first - 2, first + 4)
    ]
    return align(pd.DataFrame(rows), panel.symbols, panel.sessions)


def fixture_panel(folder: Path, symbols, start="2004-01-02", end="2024-12-31", source: str = "") -> Panel:
    """The files `SYMBOL.csv.gz` of a folder on all sessions between two days. Where a file has `adj_close` its factor is
    that over the close, else 1; volume is NaN where it has none."""
    sessions = session_array(start, end).copy()
    days, frames = pd.DatetimeIndex(sessions), {}
    for symbol in symbols:
        frame = pd.read_csv(folder / f"{symbol}.csv.gz", parse_dates=["date"], index_col="date").reindex(days)
        frames[symbol] = frame.assign(factor=frame.get("adj_close", frame["close"]) / frame["close"], volume=frame.get("volume", np.nan))
    arrays = [np.array([frames[s][name].to_numpy(float) for s in symbols]) for name in ("open", "high", "low", "close", "volume", "factor")]
    return Panel(tuple(symbols), sessions, *arrays, sources=dict.fromkeys(symbols, source) if source else {})


def fixture_series(path: Path, sessions: np.ndarray, scale: float = 0.01) -> dict[str, np.ndarray]:
    """The columns of a file of daily numbers in percent, as decimals on `sessions`, by the reference's names."""
    frame = pd.read_csv(path, parse_dates=["date"], index_col="date").reindex(pd.DatetimeIndex(sessions)) * scale
    return {name.upper().replace("-", "_").removesuffix("_PCT"): frame[name].to_numpy(float) for name in frame}


def month_ends(panel: Panel, months: int = 1) -> list[int]:
    """Columns of the last sessions of periods of `months` months, by pandas; a period that the panel cuts off has none."""
    days = pd.DatetimeIndex(session_array(panel.sessions[0], panel.sessions[-1] + 370))
    ends = pd.Series(range(len(days)), index=days).groupby([days.year, (days.month - 1) // months]).last()
    return [column for column in ends if column < len(panel.sessions)]


def simulated_weights(strategy, panel: Panel, params, first: int, last: int) -> tuple[list[list[Draft]], list[dict[str, float]]]:
    """The drafts of each session from column `first` to `last` and the weights held at its close.

    Capital is 1 at the beginning; what is decided at a close fills whole at the next open, at adjusted prices without
    costs; a symbol without a bar does not fill. Shorts count as negative weights.
    """
    features, book, cash = strategy.prepare(panel, params), _Book(panel), 1.0
    decisions, weights = [], []
    for t in range(first, last + 1):
        equity = cash + sum(book.value(symbol, t) for symbol in book.units)
        held = {symbol: book.value(symbol, t) / equity for symbol in book.units}
        drafts = strategy.decide(panel, features, t, params, tuple(book.holding(symbol, held[symbol]) for symbol in sorted(held)))
        decisions.append(drafts)
        weights.append(held)
        if t < last:
            cash -= sum(book.fill(draft, equity, t + 1) for draft in drafts)
    return decisions, weights


class _Book:
    """Units of adjusted price held by symbol."""

    def __init__(self, panel: Panel):
        self.panel, self.units, self.since = panel, {}, {}
        self.close = pd.DataFrame(positive(panel.adj_close)).ffill(axis=1).to_numpy()

    def value(self, symbol: str, t: int) -> float:
        return self.units[symbol] * self.close[self.panel.row(symbol), t]

    def holding(self, symbol: str, weight: float) -> Holding:
        direction = Direction.LONG if self.units[symbol] > 0 else Direction.SHORT
        return Holding(symbol, direction, {symbol: self.units[symbol]}, 1.0, self.since[symbol], 1.0, weight=weight)

    def fill(self, draft: Draft, equity: float, t: int) -> float:
        """What the fill costs."""
        price = self.panel.adj_open[self.panel.row(draft.group), t]
        if not price > 0:
            return 0.0
        held = self.units.get(draft.group, 0.0)
        change = -held * draft.portion if draft.direction is Direction.CLOSE else draft.direction.sign * draft.weight * equity / price
        self.units[draft.group] = held + change
        self.since.setdefault(draft.group, self.panel.sessions[t].item())
        if abs(self.units[draft.group]) < 1e-12:
            del self.units[draft.group], self.since[draft.group]
        return change * price


def holding(symbol: str, weight: float, session, price: float = 1.0) -> Holding:
    """An open trade of one share with a weight."""
    direction = Direction.SHORT if weight < 0 else Direction.LONG
    return Holding(symbol, direction, {symbol: float(direction.sign)}, price, session, price, weight=weight)
