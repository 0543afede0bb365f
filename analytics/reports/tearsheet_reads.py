"""What a tear sheet is made of, read from the books and judgements of one account, or of one strategy on it."""

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from django.db.models import Count, Max

from analytics.judging.evaluation import BEGINNING, WHOLE_ACCOUNT
from analytics.judging.tally import ExposureTally
from analytics.models import Attribution, DailyPerformance, Finding
from analytics.reports.tearsheet_figures import ClosedTrade, Day
from analytics.stats import Metric
from quant_site.core.models import Account
from quant_site.core.rows import rows_read
from quant_site.market.sessions import session_distance
from signals_app.models import SignalOutcome
from strategies.models import Strategy
from trading.models import EquitySnapshot, Fill, Position

ENDLESS = date(9999, 12, 31)
ZERO = Decimal("0.00")
POSITIONS = "(SELECT id FROM positions WHERE account_id = %s AND strategy_id = %s)"
FILLS_OF_STRATEGY = (
    f"(position_id IN {POSITIONS} OR (position_id IS NULL AND order_id IN (SELECT id FROM orders WHERE position_id IN {POSITIONS})))"
)


@dataclass(frozen=True)
class Scope:
    """Whose record, and of which sessions; without `strategy` it is the whole account's."""

    account: Account
    strategy: Strategy | None = None
    first: date = BEGINNING
    last: date = ENDLESS

    @property
    def key(self) -> str:
        return self.strategy.key if self.strategy else WHOLE_ACCOUNT

    @property
    def span(self) -> tuple[str, date, date]:
        return self.account.pk, self.first, self.last


@dataclass(frozen=True)
class Attributed:
    """Sums of the stored attributions: {dimension: {key: dollars}}, each dimension adding up to `total`."""

    first: date
    last: date
    sessions: int
    total: Decimal
    dimensions: dict[str, dict[str, Decimal]]


def days_read(scope: Scope) -> tuple[list[Day], str]:
    """The sessions of the record, oldest first, and the benchmark's symbol.

    A strategy's begin with its first judgement; its return is what it added on the account's equity.
    """
    names = ("snapshot_date", "daily_return", "benchmark_return", "total_equity", "net_flow", "gross_exposure", "benchmark_symbol")
    where = "account_id = %s AND snapshot_date >= %s AND snapshot_date <= %s ORDER BY snapshot_date"
    snapshots = rows_read(EquitySnapshot, names, where, *scope.span)
    symbol = snapshots[-1][6] if snapshots else ""
    if scope.strategy is None:
        return _account_days(snapshots, _equity_before(scope)), symbol
    where = "account_id = %s AND session >= %s AND session <= %s AND scope = %s ORDER BY session"
    judged = rows_read(DailyPerformance, ("session", "daily_return", "pnl"), where, *scope.span, scope.key)
    beside = {row[0]: row for row in snapshots}
    return [
        Day(session, change, beside[session][2], pnl, beside[session][3]) for session, change, pnl in judged if session in beside
    ], symbol


def _account_days(snapshots: list[tuple], before: Decimal) -> list[Day]:
    days = []
    for session, change, benchmark, equity, flow, gross, _ in snapshots:
        days.append(Day(session, change, benchmark, equity - flow - before, equity, gross))
        before = equity
    return days


def _equity_before(scope: Scope) -> Decimal:
    where = "account_id = %s AND snapshot_date < %s ORDER BY snapshot_date DESC LIMIT 1"
    rows = rows_read(EquitySnapshot, ("total_equity",), where, scope.account.pk, scope.first)
    return rows[0][0] if rows else ZERO


def trades_read(scope: Scope) -> list[ClosedTrade]:
    """Trades that ended in the span, in the order in which they did. One of several legs ends when its last leg does."""
    names = ("strategy_id", "signal_id", "group", "symbol", "entry_session", "exit_session", "realized_pnl", "dividends", "exit_reason")
    where, params = "account_id = %s", [scope.account.pk]
    if scope.strategy is not None:
        where, params = f"{where} AND strategy_id = %s", [*params, scope.strategy.pk]
    trades: dict[object, list[tuple]] = defaultdict(list)
    for number, leg in enumerate(rows_read(Position, names, f"{where} ORDER BY entry_session, symbol, strategy_id", *params)):
        trades[("signal", leg[1]) if leg[1] and leg[2] != leg[3] else number].append(leg)
    multiples = _multiples(scope.account)
    ended = [_trade(legs, multiples) for legs in trades.values() if all(leg[5] for leg in legs)]
    ended = [trade for trade in ended if scope.first <= trade.closed <= scope.last]
    return sorted(ended, key=lambda trade: (trade.closed, trade.symbol, trade.result, trade.sessions))


def _trade(legs: list[tuple], multiples: dict[int, Decimal]) -> ClosedTrade:
    strategy_id, signal_id, group = legs[0][:3]
    opened, (closed, _, reason) = min(leg[4] for leg in legs), max((leg[5], leg[3], leg[8]) for leg in legs)
    result = sum((leg[6] + leg[7] for leg in legs), ZERO)
    return ClosedTrade(group, strategy_id, opened, closed, session_distance(opened, closed), result, multiples.get(signal_id), reason)


def _multiples(account: Account) -> dict[int, Decimal]:
    where = "r_multiple IS NOT NULL AND signal_id IN (SELECT id FROM trading_signals WHERE account_id = %s)"
    return dict(rows_read(SignalOutcome, ("signal_id", "r_multiple"), where, account.pk))


def traded_read(scope: Scope) -> tuple[list[Decimal], list[Decimal]]:
    """Amounts bought and sold in the span, fill by fill."""
    where, params = "account_id = %s AND session >= %s AND session <= %s", [*scope.span]
    if scope.strategy is not None:
        where = f"{where} AND {FILLS_OF_STRATEGY}"
        params += [scope.account.pk, scope.strategy.pk] * 2
    amounts: dict[str, list[Decimal]] = {"BUY": [], "SELL": []}
    for side, amount in rows_read(Fill, ("side", "amount"), f"{where} ORDER BY session", *params):
        amounts[side].append(amount)
    return amounts["BUY"], amounts["SELL"]


def exposure_read(scope: Scope) -> Metric:
    """A strategy's mean share of equity over the span: the difference of the running totals at its ends."""
    at_end, before = (_tally(scope, "<=", scope.last), _tally(scope, "<", scope.first))
    return replace(at_end, n=at_end.n - before.n, total=at_end.total - before.total, undefined=at_end.undefined - before.undefined).exposure


def _tally(scope: Scope, until: str, session: date) -> ExposureTally:
    where = f"account_id = %s AND scope = %s AND session {until} %s ORDER BY session DESC LIMIT 1"
    rows = rows_read(DailyPerformance, ("state",), where, scope.account.pk, scope.key, session)
    return ExposureTally.load(rows[0][0].get("exposure")) if rows else ExposureTally()


def contributions_read(scope: Scope) -> list[tuple[str, Decimal]]:
    """What each strategy made in the span, most first, by its key; they add up to the account's."""
    before = _cumulative(scope.account, "<", scope.first)
    made = [(key, amount - before.get(key, ZERO)) for key, amount in _cumulative(scope.account, "<=", scope.last).items()]
    return sorted(made, key=lambda row: (-row[1], row[0]))


def _cumulative(account: Account, until: str, session: date) -> dict[str, Decimal]:
    where = f"""account_id = %s AND scope <> %s AND session = (
        SELECT MAX(session) FROM daily_performance WHERE account_id = %s AND scope = %s AND session {until} %s)"""
    params = (account.pk, WHOLE_ACCOUNT, account.pk, WHOLE_ACCOUNT, session)
    return dict(rows_read(DailyPerformance, ("scope", "cumulative_pnl"), where, *params))


def attribution_read(scope: Scope) -> Attributed | None:
    """None where no session of the span was attributed."""
    where = "account_id = %s AND session >= %s AND session <= %s ORDER BY session"
    rows = rows_read(Attribution, ("session", "total", "buckets"), where, *scope.span)
    if not rows:
        return None
    texts: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for _, _, buckets in rows:
        for dimension, amounts in buckets.items():
            for key, amount in amounts.items():
                texts[dimension][key].append(amount)
    sums = {dimension: {key: sum(map(Decimal, found), ZERO) for key, found in keys.items()} for dimension, keys in texts.items()}
    dimensions = {name: dict(sorted(found.items(), key=lambda row: (-row[1], row[0]))) for name, found in sorted(sums.items())}
    return Attributed(rows[0][0], rows[-1][0], len(rows), sum((row[1] for row in rows), ZERO), dimensions)


def findings_read(scope: Scope) -> list[Finding]:
    """The last finding of each kind and scope in the span, newest first; `weeks` says in how many weeks it was noticed."""
    rows = Finding.objects.filter(account=scope.account, session__gte=scope.first, session__lte=scope.last)
    if scope.strategy is not None:
        rows = rows.filter(strategy=scope.strategy)
    newest = {
        (row["scope"], row["code"]): row for row in rows.order_by().values("scope", "code").annotate(last=Max("session"), weeks=Count("id"))
    }
    found = (
        rows.filter(session__in={row["last"] for row in newest.values()}).select_related("strategy").order_by("-session", "scope", "code")
    )
    kept = [row for row in found if newest[row.scope, row.code]["last"] == row.session]
    for row in kept:
        row.weeks = newest[row.scope, row.code]["weeks"]
    return kept
