"""A small world for the API and the admin: one account with a row of each kind, and everybody who might look at it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from django.contrib.auth.models import User
from rest_framework.test import APIClient

from analytics.models import DailyPerformance, Pin
from quant_site.core.models import Account, AccountMember, LoopRun, LoopStage
from quant_site.core.services import account_create
from quant_site.core.tokens import login_create
from signals_app.models import TradingSignal
from strategies.models import Strategy, StrategyRun
from strategies.services import strategies_seed
from tests.adaptation_world import challenger_make, trial_make, weight_move
from trading.models import EquitySnapshot, Fill, HedgePolicy, Order, OrderEvent, Position, PriceAlert, SymbolHalt, TradeJournal, TradingPlan

SESSION, AT = date(2013, 2, 28), datetime(2013, 2, 28, 21, 15, tzinfo=UTC)
PASSWORD = "correct-horse-7"


@dataclass
class World:
    account: Account
    strategy: Strategy
    users: dict[str, User]
    run: LoopRun
    signal: TradingSignal
    order: Order
    position: Position
    journal: TradeJournal

    def client(self, role: str) -> APIClient:
        """A client that speaks for `role`; "anonymous" brings nothing, "disabled" a token from before it was disabled."""
        client = APIClient()
        if role != "anonymous":
            user = self.users[role]
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {login_create(user=user)['access']}")
            if role == "disabled":
                User.objects.filter(pk=user.pk).update(is_active=False)
        return client

    def ids(self) -> dict[str, object]:
        rows = {"strategy": self.strategy, "signal": self.signal, "order": self.order, "position": self.position, "run": self.run}
        rows["hedge"] = self.account.hedge_policies.get()
        rows |= {"plan": self.account.plans.get(), "alert": self.account.alerts.get()}
        rows["journal"] = self.journal
        rows["halt"] = self.account.symbol_halts.get()
        rows |= {"adaptation": self.account.adaptations.get(), "challenger": self.account.challengers.get(), "pin": self.account.pins.get()}
        return {"account": self.account.pk, **{name: row.pk for name, row in rows.items()}}


def build_world() -> World:
    strategies_seed()
    users = {name: User.objects.create_user(name, password=PASSWORD) for name in ("owner", "trader", "reader", "other", "disabled")}
    users["manager"] = User.objects.create_user("manager", password=PASSWORD)
    users["root"] = User.objects.create_superuser("root", password=PASSWORD)
    account = account_create(id="FUND-1", owner=users["owner"])
    AccountMember.objects.create(account=account, user=users["trader"], role=AccountMember.Role.TRADE)
    AccountMember.objects.create(account=account, user=users["reader"], role=AccountMember.Role.READ)
    AccountMember.objects.create(account=account, user=users["disabled"], role=AccountMember.Role.TRADE)
    strategy = Strategy.objects.get(key="breakout_momentum")
    signal = make_signal(account, strategy)
    position = make_position(account, strategy, signal)
    HedgePolicy.objects.create(account=account, kind="DELTA", symbol="SPY")
    TradingPlan.objects.create(account=account, symbol="AAPL", direction="LONG", plan_type="MARKET", quantity=Decimal(10))
    PriceAlert.objects.create(account=account, symbol="AAPL", alert_type="PRICE_ABOVE", threshold_value=Decimal(500))
    SymbolHalt.objects.create(account=account, symbol="XYZ", open_key="FUND-1:XYZ:MISMATCH", code="MISMATCH", reason="Position in XYZ")
    weight_move(account, Strategy.objects.get(key="golden_cross"), 0.1, 0.0833)
    challenger_make(account, strategy, change={"n_window": [20, 22]}, days=2)
    trial_make(account, strategy, "a")
    Pin.objects.create(account=account, strategy=strategy, what="PARAMETERS", reason="Audit.")
    return World(
        account=account,
        strategy=strategy,
        users=users,
        run=make_loop_run(account),
        signal=signal,
        order=make_order(account, signal, position),
        position=position,
        journal=make_journal(account, strategy, position),
    )


def make_signal(account, strategy, *, symbol="AAPL", status="PENDING", session=SESSION) -> TradingSignal:
    run, _ = StrategyRun.objects.get_or_create(account=account, strategy=strategy, session=session)
    return TradingSignal.objects.create(
        account=account,
        strategy=strategy,
        strategy_run=run,
        session=session,
        symbol=symbol,
        direction="LONG",
        legs=[{"symbol": symbol, "direction": "LONG", "ratio": 1.0, "quantity": 10}],
        signal_status=status,
        entry_price=Decimal("441.40"),
        created_at=AT,
    )


def make_position(account, strategy, signal) -> Position:
    return Position.objects.create(
        account=account,
        strategy=strategy,
        signal=signal,
        group="AAPL",
        symbol="AAPL",
        direction="LONG",
        quantity=Decimal(10),
        cost=Decimal("4415.00"),
        entry_session=SESSION,
        entry_price=Decimal("441.40"),
        last_entry_price=Decimal("441.40"),
        peak_quantity=Decimal(10),
        entry_cost=Decimal("4415.00"),
    )


def make_order(account, signal, position) -> Order:
    order = Order.objects.create(
        account=account,
        signal=signal,
        position=position,
        client_order_id="c" * 32,
        purpose="ENTRY",
        mode="DRY_RUN",
        session=SESSION,
        symbol="AAPL",
        side="BUY",
        order_type="MKT",
        quantity=Decimal(10),
        status="FILLED",
    )
    OrderEvent.objects.create(order=order, sequence=1, to_status="INTENT", at=AT)
    Fill.objects.create(
        account=account,
        order=order,
        fill_id="f-1",
        session=SESSION,
        symbol="AAPL",
        side="BUY",
        quantity=Decimal(10),
        price=Decimal("441.40"),
        amount=Decimal("4414.00"),
        filled_at=AT,
    )
    return order


def make_loop_run(account) -> LoopRun:
    run = LoopRun.objects.create(account=account, session=SESSION, kind="LIVE", status="DONE", started_at=AT, finished_at=AT)
    LoopStage.objects.create(run=run, position=0, name="market_data", status="DONE", detail={"symbols": 5}, finished_at=AT)
    EquitySnapshot.objects.create(account=account, snapshot_date=SESSION, total_equity=Decimal("100000.10"))
    DailyPerformance.objects.create(
        account=account,
        strategy=Strategy.objects.get(key="breakout_momentum"),
        scope="breakout_momentum",
        session=SESSION,
        pnl=Decimal("1.00"),
        cumulative_pnl=Decimal("1.00"),
        undefined={"sharpe_ratio": "TOO_SHORT"},
    )
    return run


def make_journal(account, strategy, position) -> TradeJournal:
    return TradeJournal.objects.create(
        account=account,
        strategy=strategy,
        position=position,
        symbol="AAPL",
        direction="LONG",
        entry_date=SESSION,
        exit_date=SESSION,
        realized_pnl=Decimal("12.34"),
    )
