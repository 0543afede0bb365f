"""The report on one strategy: what it did on an account so far, from its trades and daily returns themselves.

Every metric is {value, reason, n, low, high}; money is text in cents.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.stats import bootstrap

from analytics import stats
from analytics.judging.attribution_buckets import UNKNOWN, ZERO, Dimension, grouped
from analytics.judging.evaluation import closed_trades, positions_since
from analytics.judging.findings_missed import by_session
from analytics.judging.tally import ExposureTally
from analytics.models import DailyPerformance, Finding, MissedOutcome
from analytics.services import finding_event
from analytics.stats import Metric, Undefined, undefined
from quant_site.core.models import Account
from quant_site.core.rows import rows_read
from quant_site.market.options.contracts import parse_contract, price_sources
from quant_site.market.reference.store import SECTORS, reference_store
from signals_app.models import SignalOutcome
from strategies.models import Strategy
from trading.models import EquitySnapshot, Fill, Position

EXTREMES = 5
RESAMPLES = 2000
DRAWS_AT_ONCE = 1_000_000
OWN = "account_id = %s AND strategy_id = %s"
RANKED = ("sharpe_ratio", "cumulative_pnl")


class Leg(NamedTuple):
    """The columns of a position that the report reads."""

    symbol: str
    exit_session: date | None
    exit_reason: str
    realized_pnl: Decimal
    dividends: Decimal
    unrealized_pnl: Decimal
    initial_risk: Decimal | None
    best_pnl: Decimal
    worst_pnl: Decimal

    @property
    def result(self) -> Decimal:
        return self.realized_pnl + self.dividends


class StrategyReport:
    """Reads what it needs of `strategy` on `account`, each part once."""

    def __init__(self, account: Account, strategy: Strategy):
        self.account, self.strategy, self.own = account, strategy, (account.pk, strategy.pk)
        where = f"{OWN} ORDER BY entry_session, symbol, id"
        self.legs = [Leg(*row) for row in rows_read(Position, Leg._fields, where, *self.own)]
        self.closed = [leg for leg in self.legs if leg.exit_session is not None]
        self.trades = [trade for trade in closed_trades(account, positions_since(account, None)) if trade.strategy_id == strategy.pk]
        self.last = DailyPerformance.objects.filter(account=account, strategy=strategy).order_by("session").last()

    def as_dict(self) -> dict:
        last = self.last
        findings = Finding.objects.filter(account=self.account, strategy=self.strategy)
        return {
            "strategy": self.strategy.key,
            "account": self.account.pk,
            "as_of": str(last.session) if last else None,
            "cumulative_pnl": str(last.cumulative_pnl) if last else "0.00",
            "exposure": None if last is None or last.exposure is None else float(last.exposure),
            "signals": last.state["signals"] if last else 0,
            "closed_trades": len(self.trades),
            "metrics": {name: metric.as_dict() for name, metric in self.metrics().items()},
            "comparison": self.comparison(),
            "attribution": self.attribution(),
            "missed": self.missed(),
            "exits": self.exits(),
            "extremes": self.extremes(),
            "findings": [finding_event(row) for row in findings[:10]],
        }

    # --- metrics

    def metrics(self) -> dict[str, Metric]:
        results = [trade.result for trade in self.trades]
        own = list(self.returns.get(self.strategy.key, {}).values())
        risked = [leg for leg in self.closed if leg.initial_risk]
        return {
            "win_rate": stats.win_rate(results),
            "profit_factor": stats.profit_factor(results),
            "average_holding": stats.average_holding(trade.sessions for trade in self.trades),
            "expectancy": stats.mean_estimate(float(trade.result / trade.cost) for trade in self.trades if trade.cost),
            "sharpe_ratio": stats.sharpe_ratio(own),
            "max_drawdown": stats.max_drawdown(own),
            "exposure": ExposureTally.load(self.last.state["exposure"] if self.last else None).exposure,
            "turnover": self._turnover(),
            "slippage_bps": stats.mean_estimate(
                1e4 * float(slip / amount) for _, amount, slip in self.fills if slip is not None and amount
            ),
            # At closes and at the exit, as positions keep them.
            "mae": stats.expectancy(float(-min(leg.worst_pnl, ZERO) / leg.initial_risk) for leg in risked),
            "mfe": stats.expectancy(float(max(leg.best_pnl, ZERO) / leg.initial_risk) for leg in risked),
            "r_multiple": bootstrap_mean(float(multiple) for *_, multiple in self.outcomes if multiple is not None),
        }

    def _turnover(self) -> Metric:
        """Of its fills, over the account's mean equity since the strategy was first judged."""
        first = min(self.returns.get(self.strategy.key, {}), default=None)
        where = "account_id = %s AND snapshot_date >= %s"
        equity = [row[0] for row in rows_read(EquitySnapshot, ("total_equity",), where, self.account.pk, first)] if first else []
        bought, sold = ([amount for side, amount, _ in self.fills if side == each] for each in ("BUY", "SELL"))
        return stats.turnover(bought, sold, equity)

    @cached_property
    def fills(self) -> list[tuple]:
        """Side, amount and slippage of the fills of its positions."""
        held = f"SELECT id FROM positions WHERE {OWN}"
        where = f"account_id = %s AND (position_id IN ({held}) OR order_id IN (SELECT id FROM orders WHERE position_id IN ({held})))"
        return rows_read(Fill, ("side", "amount", "slippage"), f"{where} ORDER BY id", self.account.pk, *self.own, *self.own)

    @cached_property
    def outcomes(self) -> list[tuple]:
        """Symbol, last session, result and R-multiple of its signals' trades, the best first."""
        rows = SignalOutcome.objects.filter(signal__account=self.account, signal__strategy=self.strategy)
        rows = rows.order_by("-realized_pnl", "closed_session", "signal__symbol")
        return list(rows.values_list("signal__symbol", "closed_session", "realized_pnl", "r_multiple"))

    # --- beside the others

    @cached_property
    def returns(self) -> dict[str, dict[date, float]]:
        """Daily returns of each strategy by session."""
        series: dict[str, dict[date, float]] = defaultdict(dict)
        where = "account_id = %s AND strategy_id IS NOT NULL AND daily_return IS NOT NULL ORDER BY scope, session"
        for scope, session, change in rows_read(DailyPerformance, ("scope", "session", "daily_return"), where, self.account.pk):
            series[scope][session] = float(change)
        return series

    def comparison(self) -> dict:
        """Its rank among the strategies judged last, 1 the best; and the correlation of its daily returns with each other's."""
        key, session = self.strategy.key, self.last.session if self.last else None
        rows = DailyPerformance.objects.filter(account=self.account, session=session).exclude(strategy=None) if session else []
        ranks = {name: rank_of({row.scope: getattr(row, name) for row in rows}, key) for name in RANKED}
        own = self.returns.get(key, {})
        others = {other: series for other, series in self.returns.items() if other != key and own}
        correlations = {other: correlation_of(own, series).as_dict() for other, series in others.items()}
        return {"strategies": len(rows), "ranks": ranks, "correlations": correlations}

    # --- where it came from

    def attribution(self) -> dict[str, dict[str, str]]:
        """What it made by symbol and by sector, open positions at their mark."""
        made: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for leg in self.legs:
            made[leg.symbol] += leg.result + leg.unrealized_pnl
        sectors = sectors_stored(made)
        shares = {Dimension.SYMBOL: grouped(made, str), Dimension.SECTOR: grouped(made, sectors.__getitem__)}
        return {str(dimension): {key: str(amount) for key, amount in amounts.items()} for dimension, amounts in shares.items()}

    def missed(self) -> dict:
        """What its signals would have made that were rejected or never filled: below zero, their rejection saved money.

        The mean is over sessions of entry, of each the mean of its trades: trades of one day go the same way.
        """
        where = f"account_id = %s AND signal_id IN (SELECT id FROM trading_signals WHERE {OWN})"
        rows = rows_read(MissedOutcome, ("entry_session", "result"), where, self.account.pk, *self.own)
        mean = stats.mean_estimate(by_session((session, float(result)) for session, result in rows))
        return {"n": len(rows), "sum": str(sum((result for _, result in rows), ZERO)), "mean": mean.as_dict()}

    def exits(self) -> dict[str, dict]:
        """Number and result of closed positions by the reason they were closed for."""
        counts = Counter(leg.exit_reason for leg in self.closed)
        sums = {reason: sum((leg.result for leg in self.closed if leg.exit_reason == reason), ZERO) for reason in counts}
        return {reason: {"positions": counts[reason], "pnl": str(sums[reason])} for reason in sorted(counts)}

    def extremes(self) -> list[dict]:
        """Its own best and worst outcomes."""
        best = [one for one in self.outcomes[:EXTREMES] if one[2] > 0]
        worst = [one for one in self.outcomes[-EXTREMES:] if one[2] < 0]
        return [{"symbol": symbol, "closed": str(closed), "pnl": str(pnl)} for symbol, closed, pnl, _ in best + worst]


# --- figures


def bootstrap_mean(values: Iterable[float]) -> Metric:
    """The mean with its percentile bootstrap interval (Efron 1979), 2,000 resamples of a fixed seed; without one where values do
    not differ."""
    array = stats.observations(values, "Mean")
    if array.size < 2 or np.ptp(array) == 0:
        return stats.expectancy(array)
    resampling = {"method": "percentile", "n_resamples": RESAMPLES, "batch": max(1, DRAWS_AT_ONCE // array.size)}
    found = bootstrap((array,), np.mean, rng=np.random.default_rng(0), **resampling).confidence_interval
    return stats.observed(float(array.mean()), array.size, (float(found.low), float(found.high)))


def rank_of(values: dict[str, Decimal | None], key: str) -> int | None:
    """The place of `key`, 1 the largest, equal ones share the better; None where it has no value."""
    own = values.get(key)
    return None if own is None else 1 + sum(value > own for value in values.values() if value is not None)


def correlation_of(one: dict[date, float], other: dict[date, float]) -> Metric:
    """Over the sessions that both know."""
    both = sorted(one.keys() & other.keys())
    return stats.correlation([one[day] for day in both], [other[day] for day in both]) if both else undefined(Undefined.NO_DATA, 0)


def sectors_stored(symbols: Iterable[str]) -> dict[str, str]:
    """By symbol its sector in the reference store, of an option that of its underlying; UNKNOWN where there is none."""
    names = {}
    for symbol in symbols:
        contract = parse_contract(symbol)
        names[symbol] = symbol if contract is None else price_sources(contract.underlying)[0]
    rows = reference_store().read(SECTORS, sorted(set(names.values())))
    known = dict(zip(rows["item"].astype(str), rows["sector"].astype(str), strict=True))
    return {symbol: known.get(name, UNKNOWN) for symbol, name in names.items()}
