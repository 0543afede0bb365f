"""Parity: one strategy replayed alone on an account of its own, and backtested; whether both traded the same, fill by fill.

Replay and backtest share what decides and what computes; what they do not share, the loop with its database and the
simulation in memory, is what this compares.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import uuid4

from django.db import transaction

from quant_site.core.errors import Conflict
from quant_site.core.models import Account, OutboxEvent
from quant_site.core.services import audit_record
from quant_site.core.types import money
from quant_site.loop import tradable_universe
from quant_site.market.execution import CostModel
from quant_site.market.panel import Panel
from quant_site.market.selectors import panel_load
from quant_site.market.sessions import sessions_between
from quant_site.replay import replay_account, replay_run, replay_sessions
from signals_app.models import TradingSignal
from strategies.backtest.comparison import Difference, TradedFill, Trail, compare, counted
from strategies.backtest.orders import Execution
from strategies.backtest.result import PURPOSES
from strategies.backtest.settings import BacktestSettings
from strategies.backtest.simulator import Simulation
from strategies.base import Draft, Holding, Strategy, StrategyParams
from strategies.drafts import draft_to_json
from strategies.models import AccountStrategy, ParameterVersion, StrategyRun
from strategies.parameters import effective_params, implementation
from strategies.selectors import strategy_by_key
from strategies.services import strategies_seed, version_create
from trading.books.bookings import position_group
from trading.exposure.context import risk_limits
from trading.models import CashEntry, EquitySnapshot, Fill, Order, Position, TradeJournal
from trading.models.paper import PaperAccount, PaperActivity, PaperFence, PaperFill, PaperHolding, PaperOrder

PAPER = (PaperFill, PaperOrder, PaperHolding, PaperActivity, PaperFence, PaperAccount)
# An order of the day that found no bar has another name at a broker than in a backtest.
REASONS = {"SESSION_ENDED": "NO_BAR"}
Progress = Callable[[list[date]], Iterator[date]]


@dataclass(frozen=True)
class ParityReport:
    """Both sides in figures, and every difference between them. `account` is empty where it was deleted."""

    strategy: str
    account: str
    first: date
    last: date
    sessions: int
    fills: tuple[int, int]
    equity: tuple[Decimal, Decimal]
    differences: list[Difference]

    @property
    def equal(self) -> bool:
        return not self.differences

    def as_json(self) -> dict:
        return {
            "strategy": self.strategy,
            "account": self.account or None,
            "first": str(self.first),
            "last": str(self.last),
            "sessions": self.sessions,
            "fills": {"replay": self.fills[0], "backtest": self.fills[1]},
            "equity": {"replay": str(self.equity[0]), "backtest": str(self.equity[1])},
            "equal": self.equal,
            "buckets": counted(self.differences),
            "differences": [str(difference) for difference in self.differences],
        }


def parity_run(
    key: str,
    *,
    start: date,
    end: date,
    symbols: list[str] | None = None,
    cash: Decimal = Decimal("100000.00"),
    keep: bool = False,
    progress: Progress = iter,
) -> ParityReport:
    """Replay the strategy `key` alone from `start` to `end`, backtest the same, and compare.

    The replay's account is deleted afterwards, save with `keep`. Raises `InvalidInput` for a strategy that cannot run or
    dates that are not stored, `Conflict` for one that is switched off.
    """
    replay_sessions(start, end)
    strategies_seed()
    strategy, row = implementation(strategy_by_key(key=key)), strategy_by_key(key=key)
    if not row.enabled:
        raise Conflict("strategy_disabled", f"{row.name} is switched off: switch it on to replay it.", strategy=key)
    account = replay_account(account_id=f"parity-{uuid4().hex[:12]}", cash=money(cash), symbols=symbols)
    try:
        replay = replay_trail(account, strategy, start, end, progress)
        params, settings = effective_params(row, account), settings_of(account)
        backtest = backtest_trail(strategy, params, replay.panel, start, end, settings)
    finally:
        if not keep:
            account_erase(account)
    return ParityReport(
        strategy=key,
        account=account.pk if keep else "",
        first=replay.sessions[0],
        last=replay.sessions[-1],
        sessions=len(replay.sessions),
        fills=(len(replay.fills), len(backtest.fills)),
        equity=(replay.equity[-1], backtest.equity[-1]),
        differences=compare(replay, backtest),
    )


def settings_of(account: Account) -> BacktestSettings:
    """The same money, limits and costs as `account` has; the strategy's share is its parameter, as it is live."""
    return BacktestSettings(capital=account.initial_cash, limits=risk_limits(account), costs=CostModel(), share=None)


# --- the two sides


def replay_trail(account: Account, strategy: Strategy, start: date, end: date, progress: Progress = iter) -> Trail:
    """Replay `strategy` alone, with the whole account and no adaptation, and read what it did."""
    row = strategy_by_key(key=strategy.key)
    version_create(strategy=row, params={"weight": 1.0}, reason="Parity: alone on the account.", actor="parity", account=account)
    replay_run(account=account, start=start, end=end, registry={strategy.key: strategy}, adapt=False, progress=progress)
    panel = panel_load()
    snapshots = EquitySnapshot.objects.filter(account=account).order_by("snapshot_date")
    return Trail(
        panel=panel.select(tradable_universe(account, panel)),
        sessions=sessions_between(start, end),
        fills=_replayed_fills(account),
        drafts={
            (run.session, draft["group"]): draft for run in StrategyRun.objects.filter(account=account).order_by() for draft in run.output
        },
        refused=_replayed_refusals(account),
        equity=list(snapshots.values_list("total_equity", flat=True)),
    )


def _replayed_fills(account: Account) -> list[TradedFill]:
    rows = Fill.objects.filter(account=account).select_related("order__signal").order_by("id")
    return [
        TradedFill(
            session=fill.session,
            group=position_group(fill.order),
            symbol=fill.symbol,
            side=fill.side,
            purpose=fill.order.purpose,
            quantity=int(fill.quantity),
            price=fill.price,
            commission=fill.commission,
        )
        for fill in rows
    ]


def _replayed_refusals(account: Account) -> dict[tuple[date, str], str]:
    """The first code of each entry that came to nothing."""
    columns = ("session", "symbol", "validation_errors")
    rows = TradingSignal.objects.filter(account=account).exclude(direction="CLOSE").order_by().values_list(*columns)
    return {(session, symbol): REASONS.get(errors[0]["code"], errors[0]["code"]) for session, symbol, errors in rows if errors}


def backtest_trail(strategy: Strategy, params: StrategyParams, panel: Panel, start: date, end: date, settings: BacktestSettings) -> Trail:
    """Simulate `strategy` over the same sessions of `panel`, and keep what it did."""
    days, drafts = panel.sessions.astype("datetime64[D]").tolist(), {}

    def watch(t: int, _holdings: tuple[Holding, ...], proposed: list[Draft]) -> None:
        drafts.update({(days[t], draft.group): draft_to_json(draft) for draft in proposed})

    first, last = panel.index(sessions_between(start, end)[0]), panel.index(sessions_between(start, end)[-1])
    record = Simulation(strategy, params, panel, settings, watch).run(first, last)
    return Trail(
        panel=panel,
        sessions=days[first : last + 1],
        fills=[_simulated_fill(days[t], done) for t, done in record.fills],
        drafts=drafts,
        refused={(days[t], group): code for t, group, code in record.refused},
        equity=[Decimal(cents).scaleb(-2) for cents in record.equity],
    )


def _simulated_fill(session: date, done: Execution) -> TradedFill:
    order = done.order
    price, commission = Decimal(done.price).scaleb(-6), Decimal(done.commission).scaleb(-2)
    return TradedFill(session, order.group, done.symbol, done.side.value, PURPOSES[order.purpose], done.quantity, price, commission)


# --- afterwards


@transaction.atomic
def account_erase(account: Account) -> None:
    """Delete a replay's account and all it wrote, save the audit log. Raises `Conflict` for any other account."""
    if not account.is_replay:
        raise Conflict("not_a_replay", f"Account {account.pk} belongs to no replay: it is not deleted.")
    for model in (TradeJournal, Fill, Order, Position, CashEntry, TradingSignal):
        model.objects.filter(account=account).delete()
    AccountStrategy.objects.filter(account=account).delete()
    ParameterVersion.objects.filter(account=account).delete()
    OutboxEvent.objects.filter(account_id=account.pk).delete()
    for model in PAPER:
        model.objects.filter(account_id=account.pk).delete()
    audit_record(action="ACCOUNT_DELETE", actor="parity", account=account, details={"why": "A replay that was compared."})
    account.delete()
