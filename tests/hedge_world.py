"""A market with one factor, and an account in it that holds shares or options: what the tests of hedging share."""

from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal as D

import numpy as np

from quant_site.core import clock
from quant_site.core.models import LoopRun
from quant_site.core.services import account_create
from quant_site.loop import QuantTradingLoop
from quant_site.market.models import Instrument
from quant_site.market.panel import Panel
from quant_site.market.sessions import session_close, sessions_between
from tests.accounting_world import World, panel_of
from trading.books.equity import equity_snapshot
from trading.books.ledger import fills_book, positions_mark
from trading.exposure.hedge_engine import AutoHedgeEngine
from trading.models import HedgePolicy

DAYS = sessions_between(date(2012, 1, 3), date(2013, 12, 31))
LIMITS = {"max_position_pct": D(1), "max_gross_exposure": D(5), "max_adv_pct": D(1)}


def factor_panel(sessions: int = 300, *, betas=(1.5,), turn: int | None = None, after: float = -1.5, seed: int = 4) -> Panel:
    """SPY as a random walk, and for each of `betas` a stock AAA, BBB, … that follows it; from column `turn` on by `after`."""
    rng = np.random.default_rng(seed)
    market = rng.normal(0.0003, 0.012, sessions)
    closes = {"SPY": 100 * np.cumprod(1 + market)}
    for name, beta in zip(("AAA", "BBB", "CCC"), betas, strict=False):
        slopes = np.where(np.arange(sessions) >= (turn or sessions), after, beta)
        closes[name] = 50 * np.cumprod(1 + slopes * market + rng.normal(0, 0.003, sessions))
    return panel_of({name: list(np.round(values, 4)) for name, values in closes.items()}, volume=1e8, sessions=DAYS)


class HedgeWorld:
    """An account on `panel` that holds what `buy` gave it; not `funded`, it is the loop that puts its first cash on it."""

    def __init__(self, panel: Panel, *, cash: str = "400000", funded: bool = True, **fields):
        self.panel = panel
        for symbol in panel.symbols:
            Instrument.objects.get_or_create(symbol=symbol, defaults={"bars": 1})
        self.books = World("hedged", cash=cash, **(LIMITS | fields)) if funded else None
        self.account = self.books.account if funded else account_create(id="hedged", **(LIMITS | fields))

    def buy(self, symbol: str, quantity: int, t: int, *, price: float | None = None, strategy: str = "turtle") -> None:
        """Trade at the close of column t (negative: sell), for a strategy."""
        session = self.day(t)
        price = self.panel.close[self.panel.row(symbol), t] if price is None else price
        way = "LONG" if quantity > 0 else "SHORT"
        signal = self.books.signal(group=symbol, direction=way, session=session, legs=[(symbol, way)], strategy=strategy)
        order = self.books.order(symbol, "BUY" if quantity > 0 else "SELL", abs(quantity), signal=signal, session=session)
        fills_book(account=self.account, fills=[self.books.fill(order, abs(quantity), str(round(float(price), 4)), session=session)])

    def policy(self, kind="BETA", symbol="SPY", **fields) -> HedgePolicy:
        return HedgePolicy.objects.create(account=self.account, kind=kind, symbol=symbol, **({"state": "ON"} | fields))

    def day(self, t: int) -> date:
        return self.panel.sessions[t].item()

    def close(self, t: int) -> None:
        """Mark and value the account at the close of column t, as the loop does."""
        positions_mark(account=self.account, session=self.day(t), panel=self.panel)
        equity_snapshot(account=self.account, session=self.day(t), panel=self.panel)

    def look(self, t: int) -> dict:
        """Close column t, and let the engine look."""
        self.close(t)
        with at_close(self.day(t)):
            return AutoHedgeEngine(self.account, self.panel).run(self.day(t))


@contextmanager
def at_close(session: date):
    with clock.use(clock.VirtualClock(session_close(session) + timedelta(minutes=15))) as virtual:
        yield virtual


def loop_over(account, panel: Panel, first: int, last: int) -> QuantTradingLoop:
    """Replay the columns `first` to `last` without strategies: orders by hand and hedges only."""
    loop = QuantTradingLoop(account, panel, kind=LoopRun.Kind.REPLAY, registry={}, adapt=False)
    for t in range(first, last + 1):
        session = panel.sessions[t].item()
        with at_close(session):
            loop.run(session)
    return loop
