"""A small account that tests of the books can trade on without a broker: orders and fills are written directly."""

from datetime import UTC, date, datetime
from decimal import Decimal as D

import numpy as np

from quant_site.core.models import Account
from quant_site.core.services import account_create
from quant_site.core.types import money
from quant_site.market.options.contracts import multiplier_of
from quant_site.market.panel import Panel
from quant_site.market.sessions import sessions_between
from signals_app.models import TradingSignal
from strategies.models import Strategy
from trading.books.ledger import account_fund
from trading.brokers.base import Activity
from trading.models import Fill, Order

SESSIONS = sessions_between(date(2012, 1, 3), date(2012, 12, 31))


def panel_of(closes: dict[str, list], *, factor: dict[str, list] | None = None, volume=1_000_000.0, sessions=None) -> Panel:
    """Bars whose open, high, low and close are all the given close (None: no bar)."""
    symbols = tuple(sorted(closes))
    close = np.array([[np.nan if value is None else float(value) for value in closes[symbol]] for symbol in symbols])
    days = np.array((sessions or SESSIONS)[: close.shape[1]], dtype="datetime64[D]")
    factors = np.array([(factor or {}).get(symbol, [1.0] * close.shape[1]) for symbol in symbols], dtype=float)
    volumes = np.where(np.isfinite(close), volume, np.nan)
    return Panel(symbols, days, close.copy(), close.copy(), close.copy(), close, volumes, factors)


class World:
    """One funded account; every method writes rows as the orders room would."""

    def __init__(self, account_id="books", cash="100000", **fields):
        self.account: Account = account_create(id=account_id, initial_cash=D(cash), **fields)
        account_fund(account=self.account, amount=D(cash), session=SESSIONS[0], key="initial")
        self.count = 0

    def strategy(self, key="turtle") -> Strategy:
        row, _ = Strategy.objects.get_or_create(key=key, defaults={"name": key, "category": "TREND_FOLLOWING"})
        return row

    def signal(
        self, group="AAA", direction="LONG", *, session=SESSIONS[0], legs=None, stop=None, target=None, strategy="turtle", **metadata
    ):
        legs = legs or [(group, direction)]
        return TradingSignal.objects.create(
            account=self.account,
            strategy=self.strategy(strategy),
            session=session,
            symbol=group,
            direction=direction,
            legs=[{"symbol": symbol, "direction": way, "ratio": 1 / len(legs), "quantity": 1} for symbol, way in legs],
            stop_loss=stop,
            take_profit=target,
            signal_metadata=metadata,
        )

    def order(self, symbol, side, quantity, *, purpose="ENTRY", signal=None, position=None, session=SESSIONS[0], status="FILLED", **fields):
        self.count += 1
        return Order.objects.create(
            account=self.account,
            signal=signal,
            position=position,
            client_order_id=f"{self.account.pk}-{self.count}",
            purpose=purpose,
            mode="DRY_RUN",
            session=session,
            symbol=symbol,
            side=side,
            order_type="MKT",
            quantity=D(quantity),
            status=status,
            **fields,
        )

    def fill(self, order, quantity, price, *, session=SESSIONS[1], commission="1.00", hour=15) -> Fill:
        self.count += 1
        return Fill.objects.create(
            account=self.account,
            order=order,
            fill_id=f"{self.account.pk}-f{self.count}",
            session=session,
            symbol=order.symbol,
            side=order.side,
            quantity=D(quantity),
            price=D(price),
            amount=money(D(quantity) * D(price) * multiplier_of(order.symbol)),
            commission=D(commission),
            filled_at=datetime(session.year, session.month, session.day, hour, tzinfo=UTC),
        )

    def trade(self, symbol, side, quantity, price, *, session=SESSIONS[1], commission="1.00", **order) -> Fill:
        """An order and its only fill."""
        return self.fill(self.order(symbol, side, quantity, **order), quantity, price, session=session, commission=commission)

    def activity(self, kind, symbol, quantity, per_share, amount, *, session=SESSIONS[2]) -> Activity:
        return Activity(f"{kind}-{symbol}-{session}", kind, session, symbol, D(quantity), D(per_share), D(amount))


class BrokerBook:
    """What a broker says it holds."""

    def __init__(self, cash, positions):
        self._cash, self._positions = D(cash), {symbol: D(quantity) for symbol, quantity in positions.items()}

    def cash(self, account_id):
        return self._cash

    def positions(self, account_id):
        return self._positions
