"""What tests of backtests share: a stored market where everything happens, and a strategy that does everything."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd

from quant_site.core.types import Direction
from quant_site.market.options.contracts import OptionContract
from quant_site.market.options.expirations import monthly_expirations
from quant_site.market.options.quotes import option_market
from quant_site.market.panel import Panel
from quant_site.market.reference.services import factors_import, fundamentals_import, sectors_import, volatility_import
from quant_site.market.services import bars_import
from quant_site.market.sessions import session_array
from strategies.base import Draft, Leg, Needs, Strategy

FIRST = date(2015, 1, 2)
SHARES = ("AAA", "BBB", "CCC", "DDD", "EEE", "SPY")
GROUPS = ("AAA", "BBB", "CCC", "EEE", "AAA/BBB", "CCC/DDD")
RATIOS = (2.0, 1.5, 1 / 3, 1.25)


def eventful_market(folder: Path, *, seed: int, sessions: int) -> None:
    """Store random walks with gaps, splits, dividends and missing bars, and a VIX: a CSV file a symbol in `folder`."""
    rng = np.random.default_rng(seed)
    days = session_array(FIRST, "2024-12-31")[:sessions]
    for symbol in SHARES:
        _share_bars(rng, days, splits=1 if symbol == "SPY" else 2).to_csv(folder / f"{symbol}.csv", index=False)
    vix = np.round(18 + np.cumsum(rng.normal(0, 0.6, sessions)).clip(-7, 20), 2)
    pd.DataFrame({"date": days, "open": vix, "high": vix + 0.2, "low": vix - 0.2, "close": vix}).to_csv(folder / "VIX.csv", index=False)
    bars_import(path=folder, symbols=list(SHARES))
    bars_import(path=folder, symbols=["VIX"], kind="INDEX")


def _share_bars(rng, days: np.ndarray, *, splits: int) -> pd.DataFrame:
    """Raw bars to the cent and adjusted closes; the adjustment jumps at splits and at quarterly dividends."""
    count = len(days)
    close = 60 * np.exp(np.cumsum(rng.normal(0.0003, 0.02, count)))
    opened = np.concatenate([close[:1], close[:-1]]) * np.exp(rng.normal(0, 0.012, count))
    high = np.maximum(opened, close) * np.exp(np.abs(rng.normal(0, 0.008, count)))
    low = np.minimum(opened, close) * np.exp(-np.abs(rng.normal(0, 0.008, count)))
    shares, paid = np.ones(count), np.ones(count)
    for t in rng.choice(np.arange(70, count - 5), splits, replace=False):
        shares[t:] *= rng.choice(RATIOS)
    for t in range(int(rng.integers(62, 75)), count, 21):
        paid[:t] *= 1 - 0.012
    raw = {name: np.round(values / shares, 2) for name, values in (("open", opened), ("high", high), ("low", low), ("close", close))}
    factor = shares / shares[-1] * paid
    frame = pd.DataFrame({"date": days, **raw, "volume": 900_000, "adj_close": np.round(raw["close"] * factor, 6)})
    frame["high"], frame["low"] = frame[["open", "high", "close"]].max(axis=1), frame[["open", "low", "close"]].min(axis=1)
    gaps = np.flatnonzero(rng.random(count) < 0.03)
    return frame.drop(index=gaps[gaps > 65])


class Everything(Strategy):
    """Draws what it does by (seed, session, trade): entries of every kind, additions, partial and whole exits, structures.

    What it sees of its holdings goes into its drafts, so that drafts differ where holdings do.
    """

    key = "everything"
    name = "Everything"
    category = "VOLATILITY"
    description = "Does everything."
    source = "Chance"

    def __init__(self, seed: int, options: bool = False):
        self.seed, self.options = seed, options

    def needs(self, params):
        return Needs(sessions=61)

    def prepare(self, panel, params):
        return None

    def decide(self, panel, features, t, params, holdings):
        drafts = [draft for holding in holdings if (draft := self._manage(panel, t, holding))]
        held = {holding.group for holding in holdings}
        drafts += [draft for group in GROUPS if group not in held and (draft := self._open(panel, t, group))]
        if self.options and "SPY options" not in held and (draft := self._structure(panel, t)):
            drafts.append(draft)
        return drafts

    def _draw(self, t: int, group: str):
        return np.random.default_rng([self.seed, t, *group.encode()])

    def _manage(self, panel, t, holding):
        rng = self._draw(t, holding.group)
        seen = {"seen": [repr(holding)], "rule": "DRAWN"}
        what = rng.choice(["keep", "close", "reduce", "add"], p=[0.62, 0.14, 0.12, 0.12])
        if what == "close" or (what == "reduce" and _unhindered(holding)):
            legs = tuple(Leg(symbol, Direction.CLOSE) for symbol in sorted(holding.quantities))
            portion = 1.0 if what == "close" else round(float(rng.uniform(0.05, 0.9)), 3)
            return Draft(holding.group, Direction.CLOSE, legs, 0.0, what, portion=portion, metadata=seen)
        if what == "add" and "/" not in holding.group and holding.group in panel:
            return self._single(panel, t, holding.group, rng, direction=holding.direction, add=True, metadata=seen)
        return None

    def _open(self, panel, t, group):
        rng = self._draw(t, group)
        if rng.random() > 0.25:
            return None
        direction = Direction.LONG if rng.random() < 0.6 else Direction.SHORT
        if "/" not in group:
            return self._single(panel, t, group, rng, direction=direction)
        first, second = group.split("/")
        other = Direction.SHORT if direction is Direction.LONG else Direction.LONG
        legs = (Leg(first, direction, 0.5), Leg(second, other, 0.5))
        return Draft(group, direction, legs, float(rng.random()), "A pair.", metadata={"rule": "PAIR"})

    def _single(self, panel, t, symbol, rng, *, direction, add=False, metadata=None):
        close = float(panel.close[panel.row(symbol), t])
        if not close > 0:
            return None
        reach = close * rng.uniform(0.005, 0.06) * direction.sign
        draws = rng.random(3)
        return Draft(
            group=symbol,
            direction=direction,
            legs=(Leg(symbol, direction),),
            score=float(rng.random()),
            reason="Drawn.",
            entry_price=close,
            stop_loss=round(close - reach, 6) if draws[0] < 0.6 else None,
            take_profit=round(close + 1.5 * reach, 6) if draws[1] < 0.5 else None,
            add=add,
            weight=round(float(rng.uniform(0.02, 0.3)), 4) if draws[2] < 0.4 else None,
            metadata={"rule": "DRAWN", **(metadata or {}), "target": bool(draws[1] < 0.5)},
        )

    def _structure(self, panel: Panel, t: int):
        """A vertical spread or a short straddle's covered cousin on SPY, expiring within weeks; deep in the money calls are sold
        now and then, so that some are assigned."""
        rng, market = self._draw(t, "SPY"), option_market(panel)
        spot, expiry = market.spot("SPY", t), monthly_expirations(panel.sessions[t].item())[0]
        if not spot > 0 or rng.random() > 0.5:
            return None
        right = "C" if rng.random() < 0.7 else "P"
        near = Decimal(round(spot * rng.uniform(0.8, 1.05)))
        far = near + 5 if right == "C" else near - 5
        sold, bought = (OptionContract("SPY", expiry, right, strike).symbol for strike in (near, far))
        quotes = [market.quote(symbol, t, "CLOSE") for symbol in (sold, bought)]
        if None in quotes:
            return None
        direction = Direction.SHORT if rng.random() < 0.8 else Direction.LONG
        other = Direction.LONG if direction is Direction.SHORT else Direction.SHORT
        legs = (Leg(sold, direction, 0.5, units=1), Leg(bought, other, 0.5, units=1))
        return Draft("SPY options", direction, legs, float(rng.random()), "Spread.", unit_risk=500.0, metadata={"rule": "SPREAD"})


def _unhindered(holding) -> bool:
    """Whether no stop or target can take the shares that a partial exit is for, while others hold the symbol too."""
    return holding.group in ("EEE", "SPY options") or not (holding.stop_price or holding.metadata.get("target"))


# --- real markets

WITH_IMPLIED_VOLATILITY = ("AAPL", "AMD", "BAC", "CVX", "HD", "JNJ", "JPM", "KO", "LLY", "MSFT", "PEP", "PFE", "PG", "WMT", "XOM")


def cut_bars(source: Path, folder: Path, first: str, last: str, symbols: Iterable[str] | None = None) -> None:
    """Copies of the CSV files in `source` (of `symbols` only) with the rows from `first` to `last`."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob("*.csv.gz")):
        if symbols is None or path.name.removesuffix(".csv.gz") in symbols:
            frame = pd.read_csv(path)
            rows = frame[frame["date"].between(first, last)]
            if len(rows):
                rows.to_csv(folder / path.name.removesuffix(".gz"), index=False)


def real_market(fixtures: Path, folder: Path, stocks: int | None = None) -> None:
    """Store real stocks, funds and the VIX of 2013 to mid 2016, with factors, bills, reports, sectors and implied volatilities.

    `folder` keeps the cut files, so that they are cut once. `stocks`: only so many, those with implied volatilities first.
    """
    if not folder.exists():
        span = ("2013-01-02", "2016-07-29")
        names = [path.name.removesuffix(".csv.gz") for path in sorted((fixtures / "prices" / "stocks").glob("*.csv.gz"))]
        names.sort(key=lambda name: name not in WITH_IMPLIED_VOLATILITY)
        cut_bars(fixtures / "prices" / "stocks", folder / "stocks", *span, symbols=names[:stocks])
        for part in ("etf", "multiasset"):
            cut_bars(fixtures / "prices" / part, folder / part, *span)
        cut_bars(fixtures / "vol", folder / "vol", *span, symbols=["VIX"])
    bars_import(path=folder / "stocks")
    for part in ("etf", "multiasset"):
        bars_import(path=folder / part, kind="ETF")
    bars_import(path=folder / "vol", kind="INDEX")
    factors_import(path=fixtures / "factors" / "ff3_daily.csv.gz")
    factors_import(path=fixtures / "rates" / "tbill_3m.csv.gz")
    fundamentals_import(path=fixtures / "fundamentals" / "annual_2012_2016.csv.gz")
    sectors_import(path=fixtures / "fundamentals" / "sectors_2016.csv.gz")
    volatility_import(path=fixtures / "vol" / "implied_vol_3m_atm_stocks.csv.gz")


# --- small cases

QUIET = 70


class Scripted(Strategy):
    """Proposes what it was told to propose, by column."""

    key = "scripted"
    name = "Scripted"

    def __init__(self, drafts: dict[int, list[Draft]]):
        self.drafts, self.seen = drafts, {}

    def needs(self, params):
        return Needs(sessions=1)

    def prepare(self, panel, params):
        return None

    def decide(self, panel, features, t, params, holdings):
        self.seen[t] = holdings
        return self.drafts.get(t, [])


def flat_then(symbols: dict[str, list], *, factor: dict[str, list] | None = None) -> Panel:
    """Bars of 70 quiet sessions around 100 (columns 0 to 69), then the given bars: (open, high, low, close), None for none."""
    quiet = [(100.0, 100.5, 99.5, 100.0 + 0.5 * (t % 2)) for t in range(QUIET)]
    names = tuple(sorted(symbols))
    bars = np.array([[bar or (np.nan,) * 4 for bar in (*quiet, *symbols[name])] for name in names], float)
    closes = bars[:, :, 3]
    factors = np.ones_like(closes)
    for name, values in (factor or {}).items():
        factors[names.index(name), : QUIET + len(values)] = np.concatenate([np.full(QUIET, values[0]), values])
    days = session_array(FIRST, "2024-12-31")[: closes.shape[1]].copy()
    volume = np.where(np.isnan(closes), np.nan, 1e6)
    return Panel(names, days, *(np.ascontiguousarray(bars[:, :, i]) for i in range(4)), volume, factors)


def long(symbol: str, *, weight: float | None = 0.1, **fields) -> Draft:
    return Draft(symbol, Direction.LONG, (Leg(symbol, Direction.LONG),), 1.0, "", weight=weight, **fields)


def short(symbol: str, *, weight: float | None = 0.1, **fields) -> Draft:
    return Draft(symbol, Direction.SHORT, (Leg(symbol, Direction.SHORT),), 1.0, "", weight=weight, **fields)


def close(group: str, portion: float = 1.0) -> Draft:
    legs = tuple(Leg(symbol, Direction.CLOSE) for symbol in group.split("/"))
    return Draft(group, Direction.CLOSE, legs, 0.0, "", portion=portion)
