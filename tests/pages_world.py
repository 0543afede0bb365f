"""A small account with something on every page: sixty sessions, a position, signals, orders, a run and a finding."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

from django.contrib.auth import get_user_model

from analytics.models import Adaptation, DailyPerformance, Finding
from quant_site.core.models import Account, LoopRun, LoopStage, OutboxEvent
from signals_app.models import TradingSignal
from strategies.models import AccountStrategy, ParameterVersion, Strategy, StrategyRun
from strategies.services import strategies_seed
from trading.models import EquitySnapshot, Fill, Order, OrderEvent, Position, TradeJournal

FIRST = date(2012, 1, 3)
LAST = FIRST + timedelta(days=59)
AT = datetime(2012, 3, 2, 21, 15, tzinfo=UTC)
PASSWORD = "open-sesame-9"


def user_make(name: str, **fields):
    return get_user_model().objects.create_user(name, password=PASSWORD, **fields)


def account_make(user, account_id: str = "DESK-1") -> Account:
    """The account with its rows; strategies are seeded."""
    strategies_seed()
    account = Account.objects.create(id=account_id, owner=user, name="Desk")
    _equity(account)
    strategy = Strategy.objects.get(key="bollinger_mean_reversion")
    signal = _signals(account, strategy)
    _trades(account, strategy, signal)
    _run(account)
    _judgements(account, strategy)
    OutboxEvent.objects.create(
        type="fill", account_id=account.pk, payload={"symbol": "IBM", "side": "BUY", "quantity": "10", "price": "180.25"}, at=AT
    )
    return account


def _equity(account: Account) -> None:
    level, rows = D("100000"), []
    for day in range(60):
        change = D("0.004") if day % 3 else D("-0.005")
        level = (level * (1 + change)).quantize(D("0.01"))
        rows.append(
            EquitySnapshot(
                account=account,
                snapshot_date=FIRST + timedelta(days=day),
                total_equity=level,
                cash=level,
                net_flow=D("100000") if day == 0 else D(0),
                daily_return=change,
                cumulative_return=level / 100000 - 1,
                drawdown_pct=D("-0.005"),
                max_drawdown_pct=D("-0.010"),
                benchmark_return=D("0.001"),
                benchmark_symbol="SPX",
            )
        )
    EquitySnapshot.objects.bulk_create(rows)


def _signals(account: Account, strategy: Strategy) -> TradingSignal:
    run = StrategyRun.objects.create(strategy=strategy, account=account, session=LAST, status="COMPLETED", signal_count=2)
    common = {"account": account, "strategy": strategy, "strategy_run": run, "session": LAST, "created_at": AT}
    refusal = {"code": "SINGLE_NAME", "message": "MSFT would exceed the limit of one name.", "limit": 20000.0, "value": 23100.5}
    TradingSignal.objects.create(**common, symbol="MSFT", direction="LONG", signal_status="REJECTED", validation_errors=[refusal])
    reason = "First close outside the lower band: 2.68 standard deviations from the mean, ADX 23."
    return TradingSignal.objects.create(**common, symbol="IBM", direction="LONG", signal_status="EXECUTED", reason=reason)


def _trades(account: Account, strategy: Strategy, signal: TradingSignal) -> None:
    position = Position.objects.create(
        account=account,
        strategy=strategy,
        signal=signal,
        group="IBM",
        symbol="IBM",
        direction="LONG",
        quantity=10,
        cost=D("1803.50"),
        entry_session=LAST,
        entry_price=D("180.25"),
        last_entry_price=D("180.25"),
        peak_quantity=10,
        entry_cost=D("1803.50"),
        mark_price=D("171.10"),
        mark_session=LAST,
        market_value=D("1711.00"),
        unrealized_pnl=D("-92.50"),
        stop_price=D("165"),
    )
    order = Order.objects.create(
        account=account,
        signal=signal,
        position=position,
        client_order_id=f"{account.pk}-1",
        purpose="ENTRY",
        mode="DRY_RUN",
        session=LAST,
        symbol="IBM",
        side="BUY",
        order_type="MKT",
        quantity=10,
        status="FILLED",
        filled_quantity=10,
        average_fill_price=D("180.25"),
    )
    OrderEvent.objects.create(order=order, sequence=0, to_status="INTENT", at=AT)
    Fill.objects.create(
        account=account,
        order=order,
        fill_id="f-1",
        session=LAST,
        symbol="IBM",
        side="BUY",
        quantity=10,
        price=D("180.25"),
        amount=D("1802.50"),
        commission=1,
        filled_at=AT,
    )
    TradeJournal.objects.create(
        account=account, symbol="GOOG", direction="SHORT", exit_date=LAST, realized_pnl=D("1234.5"), exit_reason="STOP"
    )


def _run(account: Account) -> None:
    run = LoopRun.objects.create(
        account=account, session=LAST, kind="REPLAY", status="DONE", data_as_of=LAST, data_source="test bars", started_at=AT
    )
    stages = (("market_data", "DONE", {"symbols": 5}), ("risk", "DONE", {"validated": 1, "codes": {"SINGLE_NAME": 1}}))
    stages += (("adaptation", "SKIPPED", {"skipped": "Weights and parameters move at the end of a week."}),)
    for position, (name, status, detail) in enumerate(stages):
        LoopStage.objects.create(run=run, position=position, name=name, status=status, detail=detail, wall_ms=4, finished_at=AT)


def _judgements(account: Account, strategy: Strategy) -> None:
    undefined = {"profit_factor": "NO_LOSSES", "sharpe_ratio": "TOO_SHORT"}
    for scope, of in (("ALL", None), (strategy.key, strategy)):
        DailyPerformance.objects.create(
            account=account,
            strategy=of,
            scope=scope,
            session=LAST,
            pnl=0,
            cumulative_pnl=D("812.20"),
            closed_trades=3,
            win_rate=1,
            undefined=undefined,
        )
    message = f"{strategy.key} proposed nothing in 63 sessions; it abstained in 0 of them."
    Finding.objects.create(account=account, strategy=strategy, scope=strategy.key, session=LAST, code="SILENT_STRATEGY", message=message)
    version = ParameterVersion.objects.create(
        strategy=strategy,
        account=account,
        scope=account.pk,
        number=7,
        params={"weight": 0.27},
        diff={"weight": [0.25, 0.27]},
        source="OPTIMIZER",
        reason="By the record.",
    )
    AccountStrategy.objects.create(strategy=strategy, account=account, active_version=version)
    Adaptation.objects.create(
        account=account,
        strategy=strategy,
        session=LAST,
        weight_before=D("0.25"),
        weight_after=D("0.27"),
        version=version,
        reason="By the record.",
    )
