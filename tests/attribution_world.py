"""A random history whose orders say what they were decided at, with opens apart from closes, costs, dividends, and signals that
were rejected; and what its sessions made, from fills and closes alone."""

from collections import defaultdict
from dataclasses import replace
from decimal import ROUND_HALF_EVEN
from decimal import Decimal as D

import numpy as np

from analytics.judging.attribution import attribution_record
from analytics.judging.missed import missed_record
from quant_site.market.reference import Reference
from signals_app.models import TradingSignal
from tests.analytics_world import History
from trading.books.ledger import activities_book, fills_book
from trading.models import Fill, Position

SECTORS = {"AAA": "Energy", "BBB": "Health Care", "CCC": "Energy"}


class AttributedHistory(History):
    """`decided` keeps of each session [(side · quantity, decision price, close symbol)] as it was traded."""

    def __init__(self, account_id="judged", seed=1, sessions=80, **fields):
        super().__init__(account_id, seed, sessions, **fields)
        gaps = np.round(self.panel.close * (1 + self.rng.normal(0, 0.01, self.panel.close.shape)), 2)
        high, low = np.maximum(self.panel.close, gaps), np.minimum(self.panel.close, gaps)
        sectors = tuple(SECTORS.get(symbol, "") for symbol in self.panel.symbols)
        self.panel = replace(self.panel, open=gaps, high=high, low=low, reference=Reference(sectors=sectors))

    def trade(self, symbol, side, quantity, price, *, session, **order):
        """Decided a little off, filled where the caller says, for a commission."""
        decision = price * D(str(round(1 + self.rng.normal(0, 0.01), 4)))
        order = {"decision_price": decision.quantize(D("0.01")), **order}
        commission = str(round(float(self.rng.uniform(0, 3)), 2))
        return super().trade(symbol, side, quantity, price, session=session, commission=commission, **order)

    def signal(self, *names, **terms):
        """Some ask for more than the account has room for."""
        return super().signal(*names, **{"asked": float(self.rng.choice([1.0, 1.25, 2.0])), **terms})

    def happen(self, t):
        """A dividend (of a short: paid) or a fee for borrowing, now and then."""
        held = defaultdict(D)
        for symbol, quantity, entered in Position.objects.filter(account=self.account, exit_session=None).values_list(
            "symbol", "quantity", "entry_session"
        ):
            held[symbol] += quantity if entered < self.days[t] else 0
        for symbol, quantity in sorted(held.items()):
            if quantity and self.rng.random() < 0.1:
                amount = (quantity * D("0.37")).quantize(D("0.01"))
                activities_book(
                    account=self.account, activities=[self.activity("DIVIDEND", symbol, quantity, "0.37", amount, session=self.days[t])]
                )

    def reject(self, t, symbol=None, *, strategy="turtle", direction="LONG", quantity=10, status="REJECTED", **fields):
        symbol = symbol or str(self.rng.choice(list(self.closes)))
        legs = [{"symbol": symbol, "direction": direction, "ratio": 1.0, "quantity": quantity}]
        values = {"legs": legs, "position_size": quantity, "weight": D("0.25")} | fields
        return TradingSignal.objects.create(
            account=self.account, strategy=self.strategy(strategy), session=self.days[t], symbol=symbol, direction=direction,
            signal_status=status, **values,
        )  # fmt: skip

    def end(self, t, judge=True):
        rows = super().end(t, judge)
        if judge:
            missed_record(self.account, self.days[t], self.panel)
            self.row = attribution_record(self.account, self.days[t], self.panel)
        return rows

    def trade_at_random(self, t):
        self.happen(t)
        super().trade_at_random(t)
        if self.rng.random() < 0.3:
            self.reject(t)

    # --- what a session made, by other means

    def signal_profit(self, t) -> D:
        """What the trades made in session t, had they been filled at their decision prices: by holdings, closes and decisions."""
        made = D(0)
        for fill in Fill.objects.filter(account=self.account, session__lte=self.days[t]).select_related("order"):
            signed = fill.quantity if fill.side == "BUY" else -fill.quantity
            before = fill.order.decision_price if fill.session == self.days[t] else self.price(fill.symbol, t - 1)
            made += signed * (self.price(fill.symbol, t) - before)
        return made

    def made_smaller(self, t) -> D:
        """What the trades that ended in session t would have made more in the size that was asked for."""
        ended = Position.objects.filter(account=self.account, exit_session=self.days[t], signal__isnull=False).select_related("signal")
        parts = ((each.realized_pnl + each.dividends) * (D(str(each.signal.signal_metadata["asked"])) - 1) for each in ended)
        return sum((part.quantize(D("0.01"), ROUND_HALF_EVEN) for part in parts), D(0))


__all__ = ["SECTORS", "AttributedHistory", "fills_book"]
