"""A random but repeatable history of an account: trades of three strategies and a person, booked and marked for real."""

from collections import defaultdict
from decimal import Decimal as D

import numpy as np

from analytics.performance import PerformanceAnalyzer
from tests.accounting_world import SESSIONS, World, panel_of
from trading.books.equity import equity_snapshot
from trading.books.ledger import account_fund, fills_book, positions_mark
from trading.models import Fill, Position

SYMBOLS = ("AAA", "BBB", "CCC", "DDD")


class History(World):
    """Trades at the close of each session; `closes` maps a symbol to its prices (two decimals)."""

    def __init__(self, account_id="judged", seed=1, sessions=80, **fields):
        super().__init__(account_id, **fields)
        self.rng = np.random.default_rng(seed)
        steps = self.rng.normal(0.0003, 0.02, (len(SYMBOLS), sessions))
        prices = np.round(50 * np.exp(steps.cumsum(axis=1)), 2)
        self.closes = {symbol: prices[row].tolist() for row, symbol in enumerate(SYMBOLS)}
        self.panel = panel_of(self.closes | {"SPY": [100.0 + t / 10 for t in range(sessions)]})
        self.days = SESSIONS[:sessions]

    def price(self, symbol, t) -> D:
        return D(str(self.closes[symbol][t]))

    def open(self, t, strategy, *legs, quantity=100):
        """Open a trade of `legs` (symbol, side) for `strategy` (None: a person's) at the close of session t."""
        group = "/".join(symbol for symbol, _ in legs)
        ways = [(symbol, "LONG" if side == "BUY" else "SHORT") for symbol, side in legs]
        signal = self.signal(group, ways[0][1], session=self.days[t], legs=ways, strategy=strategy) if strategy else None
        for symbol, side in legs:
            fill = self.trade(symbol, side, quantity, self.price(symbol, t), signal=signal, session=self.days[t])
            fills_book(account=self.account, fills=[fill])
        return signal

    def close(self, t, position, purpose="EXIT"):
        side = "SELL" if position.quantity > 0 else "BUY"
        order = {"purpose": purpose, "position": position}
        price = self.price(position.symbol, t)
        fill = self.trade(position.symbol, side, abs(position.quantity), price, session=self.days[t], **order)
        fills_book(account=self.account, fills=[fill])

    def end(self, t, judge=True):
        """Mark the session, take its snapshot and judge it."""
        positions_mark(account=self.account, session=self.days[t], panel=self.panel)
        equity_snapshot(account=self.account, session=self.days[t], panel=self.panel)
        return PerformanceAnalyzer(self.account).evaluate_daily_performance(self.days[t]) if judge else None

    def trade_at_random(self, t):
        """Close some of what is open, open something, sometimes pay cash in or out."""
        for position in Position.objects.filter(account=self.account, exit_session=None).order_by("symbol", "id"):
            if self.rng.random() < 0.15:
                self.close(t, position, "STOP" if self.rng.random() < 0.4 else "EXIT")
        held = set(Position.objects.filter(account=self.account, exit_session=None).values_list("strategy__key", "group"))
        symbol, other = self.rng.choice(SYMBOLS, 2, replace=False).tolist()
        strategy = [None, "bollinger", "turtle", "pairs"][self.rng.integers(4)]
        legs = [(symbol, "BUY"), (other, "SELL")] if strategy == "pairs" else [(symbol, "BUY")]
        if (strategy, "/".join(name for name, _ in legs)) not in held and self.rng.random() < 0.6:
            self.open(t, strategy, *legs, quantity=int(self.rng.integers(1, 150)))
        if t and self.rng.random() < 0.05:
            account_fund(account=self.account, amount=D(str(round(self.rng.normal(0, 5000), 2))), session=self.days[t], key=f"flow-{t}")

    def run(self, first=0, last=None, judge=True):
        for t in range(first, len(self.days) if last is None else last):
            self.trade_at_random(t)
            self.end(t, judge)
        return self

    def profits(self, t) -> dict[str, D]:
        """P&L of each strategy up to session t from its fills and the closes alone: cash in and out, and what is held."""
        made: dict[str, D] = defaultdict(D)
        for fill in Fill.objects.filter(account=self.account, session__lte=self.days[t]).select_related("order__position__strategy"):
            strategy = fill.order.position.strategy
            sign = 1 if fill.side == "BUY" else -1
            made[strategy.key if strategy else "UNASSIGNED"] += (
                sign * (fill.quantity * self.price(fill.symbol, t) - fill.amount) - fill.commission
            )
        return dict(made)
