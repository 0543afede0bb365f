"""A small market with bars by hand, an account, and a paper broker: what the tests of the order path share."""

from datetime import date
from decimal import Decimal

import numpy as np

from quant_site.core.models import Account
from quant_site.core.services import account_create
from quant_site.market.execution import CostModel
from quant_site.market.models import Instrument
from quant_site.market.panel import Panel
from quant_site.market.sessions import sessions_between
from signals_app.models import TradingSignal
from signals_app.states import SignalStatus
from strategies.models import Strategy
from trading.books.ledger import account_fund
from trading.brokers.base import OrderRequest
from trading.brokers.paper import PaperBroker

DAYS = sessions_between(date(2019, 1, 2), date(2019, 3, 29))
FLAT = (100.0, 101.0, 99.0, 100.0)
FREE = CostModel(Decimal(0), Decimal(0), Decimal("0.01"), *[Decimal(0)] * 4)


def panel_of(bars: dict[str, list], factors: dict[str, list] | None = None) -> Panel:
    """Bars (open, high, low, close) by symbol from the first of `DAYS` on; None where there is no bar."""
    length = max(len(rows) for rows in bars.values())
    shape = (len(bars), length)
    arrays = {name: np.full(shape, np.nan) for name in ("open", "high", "low", "close", "volume", "factor")}
    for row, symbol in enumerate(sorted(bars)):
        for t, bar in enumerate(bars[symbol]):
            if bar is not None:
                for name, value in zip(("open", "high", "low", "close"), bar, strict=True):
                    arrays[name][row, t] = value
                arrays["volume"][row, t] = 1e6
                arrays["factor"][row, t] = (factors or {}).get(symbol, [1.0] * length)[t]
    return Panel(tuple(sorted(bars)), np.array(DAYS[:length], dtype="datetime64[D]"), **arrays)


def instruments(*symbols: str) -> None:
    for symbol in symbols:
        Instrument.objects.get_or_create(symbol=symbol)


def broker_of(bars: dict[str, list], *, account_id="paper", cash="100000", costs=FREE, factors=None) -> PaperBroker:
    instruments(*bars)
    broker = PaperBroker(panel_of(bars, factors), costs)
    broker.open_account(account_id, Decimal(cash))
    return broker


def run_session(broker: PaperBroker, day: date, account_id="paper") -> None:
    broker.open_session(account_id, day)
    broker.trade_session(account_id, day)
    broker.close_session(account_id, day)


def request(key: str, side="BUY", order_type="MKT", quantity=10, **fields) -> OrderRequest:
    values = {
        "client_order_id": key,
        "account_id": "paper",
        "symbol": "AAA",
        "side": side,
        "order_type": order_type,
        "time_in_force": "DAY" if order_type == "MKT" else "GTC",
        "quantity": Decimal(quantity),
        "limit_price": None,
        "stop_price": None,
        "oca_group": "",
        "reducing": False,
        "session": DAYS[0],
        "fence": 1,
    } | fields
    for name in ("limit_price", "stop_price"):
        if values[name] is not None:
            values[name] = Decimal(str(values[name]))
    return OrderRequest(**values)


def account_of(account_id="paper", **fields) -> Account:
    """A funded account whose limits let orders of these tests pass, unless `fields` say otherwise."""
    account = account_create(id=account_id, is_replay=True, **({"max_position_pct": 1, "max_gross_exposure": 2} | fields))
    account_fund(account=account, amount=account.initial_cash, session=DAYS[0], key="initial")
    return account


def strategy_of(key="trend") -> Strategy:
    return Strategy.objects.get_or_create(key=key, defaults={"name": key, "category": "TREND_FOLLOWING"})[0]


def signal_of(account: Account, session: date, *legs, direction="LONG", group=None, key="trend", status=SignalStatus.VALIDATED, **fields):
    """A signal with `legs` of (symbol, direction, quantity)."""
    return TradingSignal.objects.create(
        account=account,
        strategy=strategy_of(key),
        session=session,
        symbol=group or "/".join(leg[0] for leg in legs),
        direction=direction,
        legs=[{"symbol": symbol, "direction": way, "ratio": 1.0, "quantity": quantity} for symbol, way, quantity in legs],
        signal_status=status,
        **fields,
    )
