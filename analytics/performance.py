"""`PerformanceAnalyzer`: judges each session of an account, reports on a strategy, and says what could be better."""

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction

from analytics.judging.evaluation import WHOLE_ACCOUNT, Evaluation, Trade
from analytics.judging.evidence import observations, window_read
from analytics.judging.strategy_report import EXTREMES, StrategyReport
from analytics.models import DailyPerformance, ExtremeSignal, Finding
from analytics.services import (
    extremes_record,
    findings_of,
    findings_record,
    performance_record,
    strategy_statistics_update,
)
from quant_site.core.errors import Conflict
from quant_site.core.models import Account
from quant_site.core.rows import places, rows_read
from quant_site.market.sessions import next_session
from signals_app.models import SignalOutcome, TradingSignal
from strategies.models import Strategy
from trading.books.checks import books_check
from trading.models import EquitySnapshot


class Extreme(NamedTuple):
    """What of an extreme signal the next list needs."""

    signal_id: int
    kind: str
    realized_pnl: Decimal
    r_multiple: Decimal | None


def is_week_end(session: date) -> bool:
    """Whether `session` is the last of its calendar week."""
    return next_session(session).isocalendar()[:2] != session.isocalendar()[:2]


class PerformanceAnalyzer:
    """Evaluates one account. With a `broker`, its books are compared with the broker's before anything is judged."""

    def __init__(self, account: Account, *, broker=None):
        self.account, self.broker = account, broker

    @transaction.atomic
    def evaluate_daily_performance(self, session: date) -> list[DailyPerformance]:
        """Check the books, then judge `session`: the whole account first, then each strategy that was ever active.

        Running it again changes nothing. A session that later ones have followed keeps its judgement; it raises
        `Conflict` when it never got one. Raises `LedgerMismatch` when cash, positions and profit do not reconcile,
        and `DataMissing` without a snapshot.
        """
        try:
            evaluation = Evaluation(self.account, session)
        except Conflict:
            rows = DailyPerformance.objects.filter(account=self.account, session=session)
            if not rows:
                raise
            return sorted(rows, key=lambda row: (row.scope != WHOLE_ACCOUNT, row.scope))
        books_check(account=self.account, session=session, broker=self.broker)
        performance_record(account=self.account, session=session, rows=evaluation.rows)
        self._find_extreme_signals(session, evaluation.trades)
        strategy_statistics_update(account=self.account, rows=evaluation.rows)
        return evaluation.rows

    def identify_improvement_opportunities(self, session: date) -> list[Finding]:
        """Findings of the week that ends with `session`; none on other sessions. Running it again changes nothing.

        A session that later ones have followed keeps its findings: the positions have moved on.
        """
        if not is_week_end(session):
            return []
        with transaction.atomic():
            if rows_read(EquitySnapshot, ("id",), "account_id = %s AND snapshot_date > %s LIMIT 1", self.account.pk, session):
                return findings_of(self.account, session)
            window = window_read(self.account, session)
            seen = observations(self.account, window) if window else []
            return findings_record(account=self.account, session=session, observations=seen)

    def _find_extreme_signals(self, session: date, trades: list[Trade]) -> list[ExtremeSignal]:
        """Keep the list of the best and the worst signals so far, by what their trades made; answers the list if it changed.

        The last list and the trades closed since are all that can be in the next one. The earlier one stays at a tie.
        """
        closed = [trade for trade in trades if trade.signal_id is not None]
        if not closed:
            return []
        known = self._last_extremes(session)
        signals = [trade.signal_id for trade in closed]
        multiples = dict(rows_read(SignalOutcome, ("signal_id", "r_multiple"), f"signal_id IN {places(signals)}", *signals))
        rows = []
        for kind, sign in ((ExtremeSignal.Kind.BEST, 1), (ExtremeSignal.Kind.WORST, -1)):
            found = [(row.signal_id, row.realized_pnl, row.r_multiple) for row in known if row.kind == kind]
            found += [(trade.signal_id, trade.result, multiples.get(trade.signal_id)) for trade in closed if sign * trade.result > 0]
            found.sort(key=lambda one: -sign * one[1])
            rows += [
                ExtremeSignal(account=self.account, session=session, kind=kind, signal_id=signal, realized_pnl=pnl, r_multiple=multiple)
                for signal, pnl, multiple in found[:EXTREMES]
            ]
        if {(row.signal_id, row.kind) for row in rows} == {(row.signal_id, row.kind) for row in known}:
            rows = []
        extremes_record(account=self.account, session=session, rows=rows)
        return rows

    def _last_extremes(self, session: date) -> list[Extreme]:
        """The list as it stood before `session`, its signals in the order in which they were decided."""
        where = "account_id = %s AND session = (SELECT MAX(session) FROM extreme_signals WHERE account_id = %s AND session < %s)"
        known = [Extreme(*row) for row in rows_read(ExtremeSignal, Extreme._fields, where, self.account.pk, self.account.pk, session)]
        if not known:
            return []
        ids, keys = sorted({row.signal_id for row in known}), dict(rows_read(Strategy, ("id", "key"), "1 = 1"))
        signals = rows_read(TradingSignal, ("id", "session", "symbol", "strategy_id"), f"id IN {places(ids)}", *ids)
        order = {pk: (decided, symbol, keys[strategy]) for pk, decided, symbol, strategy in signals}
        return sorted(known, key=lambda row: order[row.signal_id])

    def generate_strategy_report(self, strategy: Strategy) -> dict:
        """What `strategy` did on this account so far, as JSON-ready data (see `strategy_report`)."""
        return StrategyReport(self.account, strategy).as_dict()
