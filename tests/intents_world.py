"""A live paper account, symbols with bars written by hand, and a clock: what the tests of plans and alerts share."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import pandas as pd

from quant_site.core import clock
from quant_site.core.models import Account
from quant_site.core.services import account_create
from quant_site.market.models import Instrument
from quant_site.market.sessions import session_close, sessions_between
from quant_site.market.store import bar_store
from trading.books.ledger import account_fund
from trading.models import AlertFiring, Order, PriceAlert, TradingPlan

D = Decimal
DAYS = sessions_between(date(2019, 1, 2), date(2019, 3, 29))
FLAT = (100.0, 101.0, 99.0, 100.0)


def bars_write(symbol: str, bars: list[tuple], *, adjusted: list[float] | None = None, tradable: bool = True) -> None:
    """The bars (open, high, low, close) of `symbol` from the first of `DAYS` on, and its instrument."""
    frame = pd.DataFrame(bars, columns=["open", "high", "low", "close"])
    frame.insert(0, "date", pd.to_datetime(DAYS[: len(bars)]))
    frame["adj_close"] = adjusted or frame["close"]
    frame["volume"] = 1e6
    digest, _ = bar_store().write(symbol, frame, "by hand")
    known = {"first_session": DAYS[0], "last_session": DAYS[len(bars) - 1], "bars": len(bars), "content_digest": digest}
    Instrument.objects.update_or_create(symbol=symbol, defaults={**known, "tradable": tradable, "updated_at": clock.now()})


def account_live(account_id: str = "desk", **fields) -> Account:
    account = account_create(id=account_id, **fields)
    account_fund(account=account, amount=account.initial_cash, session=DAYS[0], key="initial")
    return account


def after(day: date) -> clock.VirtualClock:
    """A clock one hour after the close of `day`."""
    return clock.VirtualClock(session_close(day) + timedelta(hours=1))


def moment(day: date, hours: float = 1) -> datetime:
    return session_close(day) + timedelta(hours=hours)


def firings(alert: PriceAlert) -> list[tuple]:
    """(crossing, price, outcome) of each firing, in their order."""
    rows = AlertFiring.objects.filter(alert=alert).order_by("crossing").values_list("crossing", "price", "outcome")
    return [(crossing, f"{price.normalize():f}", outcome) for crossing, price, outcome in rows]


def orders_of(plan: TradingPlan) -> list[Order]:
    return list(Order.objects.filter(plan=plan).order_by("pk"))
