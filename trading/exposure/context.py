"""What risk checks and strategies see of an account at the close of a session: frozen, and built in a few queries."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields
from datetime import date
from decimal import Decimal
from itertools import groupby
from math import nan
from typing import NamedTuple

import numpy as np

from quant_site.core.models import Account
from quant_site.core.rows import places, rows_read
from quant_site.core.types import Direction, money
from quant_site.market.models import Instrument
from quant_site.market.options.closing import ClosingPrices
from quant_site.market.options.contracts import parse_contract
from quant_site.market.panel import Panel
from quant_site.market.sessions import sessions_between
from signals_app.models import TradingSignal
from strategies.base import Holding, Strategy
from strategies.margin import margins
from strategies.models import ParameterVersion
from strategies.models import Strategy as StrategyRow
from strategies.panel_facts import panel_facts
from strategies.registry import REGISTRY
from strategies.risk import PanelMarket, RiskContext, RiskLimits, drawdown_shut
from strategies.sizing import strategy_capital
from trading.books.accounting import ZERO
from trading.books.equity import FLOWS, account_state
from trading.books.journal import average_entries
from trading.models import CashEntry, EquitySnapshot, Position
from trading.order_path.coming import entries_on_their_way

DAY_TRADE_SESSIONS = 5
OPEN_POSITIONS = "account_id = %s AND exit_session IS NULL ORDER BY symbol, id"
BOOKED = "account_id = %s AND session > %s AND session <= %s"
# The last close before a session at which a drawdown stood at the limit, or at the level of release.
DECIDED = "account_id = %s AND snapshot_date < %s AND (drawdown_pct <= %s OR drawdown_pct >= %s) ORDER BY snapshot_date DESC LIMIT 1"


# Of every strategy the house's version and then, since an empty scope comes first, the account's own.
ACTIVE_VERSIONS = """id IN (SELECT active_version_id FROM account_strategies WHERE account_id = %s)
    OR id IN (SELECT active_version_id FROM strategies) AND scope = %s ORDER BY scope"""


class Leg(NamedTuple):
    """The columns of an open position that a holding is made of."""

    id: int
    strategy_id: int
    signal_id: int | None
    group: str
    symbol: str
    direction: str
    quantity: Decimal
    market_value: Decimal
    entry_price: Decimal
    entry_quantity: Decimal
    entry_session: date
    last_entry_price: Decimal
    units: int
    stop_price: Decimal | None
    metadata: dict

    @property
    def pk(self) -> int:
        return self.id


class Exposures(NamedTuple):
    """What is held: signed market values by symbol, what counts against each strategy's share, margins by underlying, and
    signed contracts by symbol."""

    by_symbol: dict[str, Decimal]
    by_strategy: dict[int, Decimal]
    option_margins: dict[str, float]
    contracts: dict[str, float]


def risk_context_build(
    *, account: Account, session: date, panel: Panel, excluding: Collection[int] = (), through: date | None = None
) -> RiskContext:
    """The account after `session`, with positions marked at its close, and the market as `panel` knows it by then.

    The account's state is read afresh, so that a kill switch thrown elsewhere counts. A symbol without a bar in
    `session` has no price, one without enough history neither volatility nor average volume. Options are priced when they
    are asked for, and so is what only some limits ask of the market.

    `excluding` are ids of orders that do not count as on their way: the one that is looked at. On the live clock `through`
    is the session that trades now: cash and day trades of the sessions after `session` count, and what was sold in it is
    not settled.
    """
    capital, limits = _capital(account, session, through), risk_limits(account)
    facts, t = panel_facts(panel), panel.index(session)
    prices = ClosingPrices(_finite(panel.symbols, panel.close[:, t]), panel, t)
    held, coming = _exposures(account, prices), entries_on_their_way(account=account, prices=prices, excluding=excluding)
    last = facts.last_bar[:, t].tolist()
    return RiskContext(
        account_id=account.pk,
        session=session,
        equity=capital.equity,
        cash=capital.cash,
        drawdown=capital.drawdown,
        limits=limits,
        exposures=held.by_symbol,
        pending=coming.by_symbol,
        day_trades=_day_trades(account, through or session),
        prices=prices,
        adv=_finite(panel.symbols, facts.adv[:, t]),
        volatility=_finite(panel.symbols, facts.volatility[:, t]),
        last_session={symbol: facts.days[bar] for symbol, bar in zip(panel.symbols, last, strict=True) if bar >= 0},
        tradable=_tradable(account, panel),
        trading_state=rows_read(Account, ("state",), "id = %s", account.pk)[0][0],
        strategy_exposures=_sums(held.by_strategy, coming.by_strategy),
        option_margins=held.option_margins,
        reserved=coming.reserved,
        contracts=held.contracts,
        contracts_pending=coming.contracts,
        unsettled=capital.unsettled,
        shut=_shut(account, session, -capital.drawdown, limits),
        market=PanelMarket(panel, t),
    )


def _sums(held: dict[int, Decimal], coming: dict[int, Decimal]) -> dict[int, Decimal]:
    return held | {key: held.get(key, ZERO) + value for key, value in coming.items()}


def _exposures(account: Account, prices: ClosingPrices) -> Exposures:
    exposures: dict[str, Decimal] = defaultdict(lambda: ZERO)
    strategies: dict[int, Decimal] = defaultdict(lambda: ZERO)
    contracts: dict[int | None, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    names = ("symbol", "strategy_id", "quantity", "market_value")
    for symbol, strategy_id, quantity, value in rows_read(Position, names, OPEN_POSITIONS, account.pk):
        exposures[symbol] += value
        option = parse_contract(symbol) is not None
        if option:
            contracts[strategy_id][symbol] += quantity
        if strategy_id is not None:
            strategies[strategy_id] += value if option else abs(value)
    for strategy_id in contracts.keys() & strategies.keys():
        # What a strategy's options can lose: their worth, and what they would lock by themselves.
        strategies[strategy_id] += money(sum(margins(contracts[strategy_id], prices).values()))
    held = _added_up(contracts.values())
    locked = margins(held, prices) if contracts else {}
    return Exposures(dict(exposures), dict(strategies), locked, {symbol: float(count) for symbol, count in held.items()})


def _added_up(books: Iterable[Mapping[str, Decimal]]) -> dict[str, Decimal]:
    total: dict[str, Decimal] = defaultdict(Decimal)
    for book in books:
        for symbol, quantity in book.items():
            total[symbol] += quantity
    return total


class Capital(NamedTuple):
    """What the account is worth, its cash, its drawdown (≤ 0), and the part of the cash that has not arrived yet."""

    equity: Decimal
    cash: Decimal
    drawdown: float
    unsettled: Decimal


def _capital(account: Account, session: date, through: date | None) -> Capital:
    """At the close of `session`, of its snapshot or as it would go into it, with what was booked since then `through` a later one.

    What comes in by a sale arrives a session later (T+1).
    """
    names = ("total_equity", "cash", "drawdown_pct")
    snapshot = rows_read(EquitySnapshot, names, "account_id = %s AND snapshot_date = %s", account.pk, session)
    if snapshot:
        equity, cash, drawdown = snapshot[0]
    else:
        state = account_state(account=account, session=session)
        equity, cash, drawdown = state.equity, state.cash, state.drawdown
    booked = rows_read(CashEntry, ("session", "kind", "amount"), BOOKED, account.pk, session, through) if through else []
    return Capital(
        equity + sum((amount for _, kind, amount in booked if kind in FLOWS), ZERO),
        cash + sum((amount for _, _, amount in booked), ZERO),
        float(drawdown or 0),
        sum((amount for day, kind, amount in booked if day == through and kind == CashEntry.Kind.TRADE and amount > 0), ZERO),
    )


def _shut(account: Account, session: date, depth: float, limits: RiskLimits) -> bool:
    """Whether the account reached its drawdown limit and has not recovered to the level of release (`throttle`).

    Of its past only the last close at which it was decided is read: one at the limit, or one at the level.
    """
    limit, release = limits.max_drawdown_pct, limits.drawdown_release_pct
    if release is None or not release < depth < limit:
        return drawdown_shut(False, depth, limit, release)
    decided = rows_read(EquitySnapshot, ("drawdown_pct",), DECIDED, account.pk, session, -limit, -release)
    return drawdown_shut(bool(decided) and -float(decided[0][0]) >= limit, depth, limit, release)


def risk_limits(account: Account) -> RiskLimits:
    """The account's limits as the checks take them."""
    return RiskLimits(**{each.name: _number(getattr(account, each.name)) for each in fields(RiskLimits)})


def _number(value):
    return float(value) if isinstance(value, Decimal) else value


def holdings_build(*, account: Account, registry: Mapping[str, Strategy] = REGISTRY) -> dict[int, tuple[Holding, ...]]:
    """Open trades by strategy id, sorted by group; the legs of a group are one holding.

    Prices are those of the leg the group is named after ("A" of "A/B"), of a structure of options those of its first leg by
    symbol; its direction is that of its signal. Weights are shares of what the strategy may hold of the last snapshot's
    equity, NaN where `registry` does not know it. Positions without a strategy are nobody's.
    """
    rows = rows_read(Position, Leg._fields, "account_id = %s AND exit_session IS NULL AND strategy_id IS NOT NULL", account.pk)
    if not rows:
        return {}
    legs = sorted((Leg(*row) for row in rows), key=lambda leg: (leg.strategy_id, leg.group, leg.symbol))
    capitals, entries = _capitals(account, {leg.strategy_id for leg in legs}, registry), average_entries(legs)
    directions = _directions(legs)
    holdings: dict[int, list[Holding]] = defaultdict(list)
    for (strategy_id, group), members in groupby(legs, key=lambda leg: (leg.strategy_id, leg.group)):
        holdings[strategy_id].append(_holding(group, list(members), capitals.get(strategy_id, 0.0), entries, directions))
    return {strategy_id: tuple(trades) for strategy_id, trades in holdings.items()}


def _capitals(account: Account, strategy_ids: set[int], registry: Mapping[str, Strategy]) -> dict[int, float]:
    """Dollars that each strategy may hold at the equity of the account's last snapshot (before the first: of its rows)."""
    last = rows_read(EquitySnapshot, ("total_equity",), "account_id = %s ORDER BY snapshot_date DESC LIMIT 1", account.pk)
    equity = last[0][0] if last else account_state(account=account, session=date.max).equity
    shares = strategy_weights(account=account, strategy_ids=strategy_ids, registry=registry)
    return {pk: strategy_capital(float(equity), float(account.max_gross_exposure), share) for pk, share in shares.items()}


def strategy_weights(*, account: Account, strategy_ids: Collection[int], registry: Mapping[str, Strategy]) -> dict[int, float]:
    """The weight in force of each strategy that `registry` knows: its default, the house's, the account's own; two queries."""
    ids = sorted(strategy_ids)
    known = {pk: registry[key] for pk, key in rows_read(StrategyRow, ("id", "key"), f"id IN {places(ids)}", *ids) if key in registry}
    weights = {pk: strategy.Params.model_fields["weight"].default for pk, strategy in known.items()}
    versions = rows_read(ParameterVersion, ("strategy_id", "params"), ACTIVE_VERSIONS, account.pk, "")
    return weights | {pk: params["weight"] for pk, params in versions if pk in known and "weight" in params}


def _directions(legs: list[Leg]) -> dict[int, str]:
    """The directions of the signals that opened structures of options, by id."""
    ids = sorted({leg.signal_id for leg in legs if leg.signal_id is not None and parse_contract(leg.symbol)})
    return dict(rows_read(TradingSignal, ("id", "direction"), f"id IN {places(ids)}", *ids)) if ids else {}


def _holding(group: str, legs: list[Leg], capital: float, entries: dict[int, Decimal], directions: dict[int, str]) -> Holding:
    first = next((leg for leg in legs if leg.symbol == group.split("/")[0]), legs[0])
    return Holding(
        group=group,
        direction=Direction(directions.get(first.signal_id, first.direction)),
        quantities={leg.symbol: float(leg.quantity) for leg in legs},
        entry_price=float(first.entry_price),
        entry_session=min(leg.entry_session for leg in legs),
        last_entry_price=float(first.last_entry_price),
        units=max(leg.units for leg in legs),
        stop_price=None if first.stop_price is None else float(first.stop_price),
        weight=float(sum(leg.market_value for leg in legs)) / capital if capital > 0 else nan,
        entry_prices={leg.symbol: float(entries[leg.id]) for leg in legs},
        metadata=first.metadata,
    )


def _finite(symbols: tuple[str, ...], column: np.ndarray) -> dict[str, float]:
    return {symbol: value for symbol, value in zip(symbols, column.tolist(), strict=True) if value == value}


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
