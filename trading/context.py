"""What risk checks and strategies see of an account at the close of a session: frozen, and built in a few queries."""

from collections import defaultdict
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

import numpy as np

from quant_site.core.models import Account
from quant_site.core.rows import rows_read
from quant_site.core.types import Direction, Side, money
from quant_site.market.models import Instrument
from quant_site.market.panel import Panel
from quant_site.market.sessions import sessions_between
from strategies.base import Holding
from strategies.risk import RiskContext, RiskLimits
from trading.accounting import ZERO
from trading.equity import account_state
from trading.models import EquitySnapshot, Order, Position
from trading.panel_facts import panel_facts
from trading.states import OPEN
from trading.vocabulary import Purpose

DAY_TRADE_SESSIONS = 5
OPEN_STATUSES = sorted(OPEN)
OPEN_POSITIONS = "account_id = %s AND exit_session IS NULL ORDER BY symbol, id"
PENDING = f"account_id = %s AND purpose = %s AND status IN ({', '.join(['%s'] * len(OPEN_STATUSES))}) ORDER BY symbol, id"


class Leg(NamedTuple):
    """The columns of an open position that a holding is made of."""

    strategy_id: int
    group: str
    symbol: str
    direction: str
    quantity: Decimal
    entry_price: Decimal
    entry_session: date
    last_entry_price: Decimal
    units: int
    stop_price: Decimal | None
    metadata: dict


def risk_context_build(*, account: Account, session: date, panel: Panel) -> RiskContext:
    """The account after `session`, with positions marked at its close, and the market as `panel` knows it by then.

    The account's state is read afresh, so that a kill switch thrown elsewhere counts. A symbol without a bar in
    `session` has no price, one without enough history neither volatility nor average volume.
    """
    equity, cash, drawdown = _capital(account, session)
    exposures: dict[str, Decimal] = defaultdict(lambda: ZERO)
    strategies: dict[int, Decimal] = defaultdict(lambda: ZERO)
    for symbol, strategy_id, value in rows_read(Position, ("symbol", "strategy_id", "market_value"), OPEN_POSITIONS, account.pk):
        exposures[symbol] += value
        if strategy_id is not None:
            strategies[strategy_id] += abs(value)
    facts, t = panel_facts(panel), panel.index(session)
    prices = _finite(panel.symbols, panel.close[:, t])
    last = facts.last_bar[:, t].tolist()
    return RiskContext(
        account_id=account.pk,
        session=session,
        equity=equity,
        cash=cash,
        drawdown=float(drawdown or 0),
        limits=risk_limits(account),
        exposures=dict(exposures),
        pending=_pending(account, prices),
        day_trades=_day_trades(account, session),
        prices=prices,
        adv=_finite(panel.symbols, facts.adv[:, t]),
        volatility=_finite(panel.symbols, facts.volatility[:, t]),
        last_session={symbol: facts.days[bar] for symbol, bar in zip(panel.symbols, last, strict=True) if bar >= 0},
        tradable=_tradable(account, panel),
        trading_state=rows_read(Account, ("state",), "id = %s", account.pk)[0][0],
        strategy_exposures=dict(strategies),
    )


def _capital(account: Account, session: date) -> tuple[Decimal, Decimal, Decimal | None]:
    """Equity, cash and drawdown at the close of `session`: of its snapshot, or as they would go into it."""
    names = ("total_equity", "cash", "drawdown_pct")
    snapshot = rows_read(EquitySnapshot, names, "account_id = %s AND snapshot_date = %s", account.pk, session)
    if snapshot:
        return snapshot[0]
    state = account_state(account=account, session=session)
    return state.equity, state.cash, state.drawdown


def risk_limits(account: Account) -> RiskLimits:
    """The account's limits as the checks take them."""
    return RiskLimits(
        max_position_pct=float(account.max_position_pct),
        max_gross_exposure=float(account.max_gross_exposure),
        max_drawdown_pct=float(account.max_drawdown_pct),
        risk_per_trade_pct=float(account.risk_per_trade_pct),
        max_adv_pct=float(account.max_adv_pct),
        max_day_trades=account.max_day_trades,
        allow_short=account.allow_short,
    )


def holdings_build(*, account: Account) -> dict[int, tuple[Holding, ...]]:
    """Open trades by strategy id, sorted by group; the legs of a group are one holding.

    Prices are those of the leg the group is named after ("A" of "A/B"). Positions without a strategy are nobody's.
    """
    rows = rows_read(Position, Leg._fields, "account_id = %s AND exit_session IS NULL AND strategy_id IS NOT NULL", account.pk)
    legs = sorted((Leg(*row) for row in rows), key=lambda leg: (leg.strategy_id, leg.group, leg.symbol))
    holdings: dict[int, list[Holding]] = defaultdict(list)
    for (strategy_id, group), members in groupby(legs, key=lambda leg: (leg.strategy_id, leg.group)):
        holdings[strategy_id].append(_holding(group, list(members)))
    return {strategy_id: tuple(trades) for strategy_id, trades in holdings.items()}


def _holding(group: str, legs: list[Leg]) -> Holding:
    first = next((leg for leg in legs if leg.symbol == group.split("/")[0]), legs[0])
    return Holding(
        group=group,
        direction=Direction(first.direction),
        quantities={leg.symbol: float(leg.quantity) for leg in legs},
        entry_price=float(first.entry_price),
        entry_session=min(leg.entry_session for leg in legs),
        last_entry_price=float(first.last_entry_price),
        units=max(leg.units for leg in legs),
        stop_price=None if first.stop_price is None else float(first.stop_price),
        metadata=first.metadata,
    )


def _finite(symbols: tuple[str, ...], column: np.ndarray) -> dict[str, float]:
    return {symbol: value for symbol, value in zip(symbols, column.tolist(), strict=True) if value == value}


def _pending(account: Account, prices: dict[str, float]) -> dict[str, Decimal]:
    """Signed notional of what open entry orders may still fill, at the close (else at the price of their decision)."""
    names = ("symbol", "side", "quantity", "filled_quantity", "decision_price")
    rows = rows_read(Order, names, PENDING, account.pk, Purpose.ENTRY, *OPEN_STATUSES)
    pending: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for symbol, side, quantity, filled, decision in rows:
        unit = prices.get(symbol, decision)
        if unit is not None:
            pending[symbol] += money(Side(side).sign * (quantity - filled) * Decimal(str(unit)))
    return dict(pending)


def _day_trades(account: Account, session: date) -> int:
    """Positions opened and closed in one session, in the last five sessions."""
    first = previous_sessions(session, DAY_TRADE_SESSIONS)[0]
    closed = rows_read(
        Position,
        ("entry_session", "exit_session"),
        "account_id = %s AND exit_session >= %s AND exit_session <= %s",
        account.pk,
        first,
        session,
    )
    return sum(entered == left for entered, left in closed)


def previous_sessions(session: date, count: int) -> list[date]:
    """The last `count` sessions up to `session`, oldest first."""
    return sessions_between(date.fromordinal(session.toordinal() - 3 * count - 10), session)[-count:]


def _tradable(account: Account, panel: Panel) -> frozenset[str]:
    """The account's symbols that the panel holds, less those that cannot be traded (read afresh: they are few)."""
    barred = {symbol for (symbol,) in rows_read(Instrument, ("symbol",), "NOT tradable")}
    chosen = account.universe or panel.symbols
    return frozenset(symbol for symbol in chosen if symbol in panel and symbol not in barred)
