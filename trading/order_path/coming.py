"""What is on its way: open orders that open something, from the intent on and as long as their outcome is not known."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import NamedTuple

from quant_site.core.models import Account
from quant_site.core.rows import rows_read
from quant_site.core.types import Side
from quant_site.market.options.contracts import OPTION_MULTIPLIER, parse_contract
from signals_app.models import TradingSignal
from strategies.margin import margins
from trading.models import Order
from trading.order_path.states import OPEN
from trading.vocabulary import Purpose

OPEN_STATUSES = sorted(OPEN)
ENTERING = f"account_id = %s AND purpose = %s AND status IN ({', '.join(['%s'] * len(OPEN_STATUSES))})"
IN_ORDER = f"{ENTERING} ORDER BY symbol, id"
THEIR_SIGNALS = f"id IN (SELECT signal_id FROM orders WHERE {ENTERING})"
# Some databases compare a document with a text as unequal whatever it holds: then all are read, which is slower and right.
OF_LEGS = f"{ENTERING} AND legs <> '[]'"
DECIDED = f"{ENTERING} AND decision_price IS NOT NULL"
BUY = Side.BUY.value
# What one symbol of an order may still fill: the order, its strategy, the symbol, a signed quantity.
Part = tuple[int, int | None, str, float]
# Signed contracts and their worth in dollars, by symbol.
Options = dict[str, tuple[float, float]]


class Coming(NamedTuple):
    """Signed notional by symbol of what entries may still fill, what counts against each strategy's share, signed contracts by
    symbol, and by underlying what the options among them can lose."""

    by_symbol: dict[str, Decimal]
    by_strategy: dict[int, Decimal]
    contracts: dict[str, float]
    reserved: dict[str, float]


def entries_on_their_way(*, account: Account, prices: Mapping[str, float], excluding: Collection[int] = ()) -> Coming:
    """At `prices`, else at the price of their decision. `excluding` are ids of orders that do not count.

    Each leg of an order that trades several symbols counts by itself, its quantity times its ratio.
    """
    names, scope = ("id", "signal_id", "symbol", "side", "quantity", "filled_quantity"), (account.pk, Purpose.ENTRY, *OPEN_STATUSES)
    rows = [row for row in rows_read(Order, names, IN_ORDER, *scope) if row[0] not in excluding]
    if not rows:
        return Coming({}, {}, {}, {})
    signals = any(row[1] is not None for row in rows)
    strategies = dict(rows_read(TradingSignal, ("id", "strategy_id"), THEIR_SIGNALS, *scope)) if signals else {}
    parts = _parts(rows, strategies, dict(rows_read(Order, ("id", "legs"), OF_LEGS, *scope)))
    known = {symbol: prices.get(symbol) for symbol in {symbol for _, _, symbol, _ in parts}}
    # Most orders have a price: only where one lacks it the decisions are read.
    decided = dict(rows_read(Order, ("id", "decision_price"), DECIDED, *scope)) if None in known.values() else {}
    return _counted(parts, known, decided, prices)


def _parts(rows: list[tuple], strategies: Mapping[int, int], legs: Mapping[int, list]) -> list[Part]:
    parts: list[Part] = []
    for pk, signal_id, symbol, side, quantity, filled in rows:
        strategy_id, left = strategies.get(signal_id), float(quantity - filled)
        if legs.get(pk):
            parts += [(pk, strategy_id, leg["symbol"], left * leg["ratio"] * (1 if leg["side"] == BUY else -1)) for leg in legs[pk]]
        else:
            parts.append((pk, strategy_id, symbol, left if side == BUY else -left))
    return parts


def _counted(
    parts: list[Part], known: Mapping[str, float | None], decided: Mapping[int, Decimal | None], prices: Mapping[str, float]
) -> Coming:
    values: dict[str, float] = defaultdict(float)
    strategies: dict[int | None, float] = defaultdict(float)
    options: dict[int | None, Options] = defaultdict(dict)
    is_option = {symbol: parse_contract(symbol) is not None for symbol in known}
    for order_id, strategy_id, symbol, quantity in parts:
        unit = known[symbol]
        if unit is None and decided.get(order_id) is not None:
            unit = float(decided[order_id])
        option = is_option[symbol]
        value = 0.0 if unit is None else quantity * unit * (OPTION_MULTIPLIER if option else 1)
        if unit is not None:
            values[symbol] += value
        if option:
            count, worth = options[strategy_id].get(symbol, (0.0, 0.0))
            options[strategy_id][symbol] = count + quantity, worth + value
        else:
            strategies[strategy_id] += abs(value)
    for strategy_id, own in options.items():
        strategies[strategy_id] += sum(_at_risk(own, prices).values())
    every = _together(options.values())
    return Coming(
        {symbol: _cents(value) for symbol, value in values.items()},
        {strategy_id: _cents(value) for strategy_id, value in strategies.items() if strategy_id is not None},
        {symbol: count for symbol, (count, _) in every.items()},
        _at_risk(every, prices),
    )


def _cents(value: float) -> Decimal:
    return Decimal(f"{value:.2f}")


def _at_risk(options: Options, prices: Mapping[str, float]) -> dict[str, float]:
    """By underlying what options can lose: their premium, and what they lock by themselves."""
    lost = margins({symbol: count for symbol, (count, _) in options.items()}, prices)
    for symbol, (count, worth) in options.items():
        if count:
            lost[parse_contract(symbol).underlying] += worth
    return {underlying: max(0.0, dollars) for underlying, dollars in lost.items()}


def _together(books: Collection[Options]) -> Options:
    total: Options = {}
    for book in books:
        for symbol, (count, worth) in book.items():
            before = total.get(symbol, (0.0, 0.0))
            total[symbol] = before[0] + count, before[1] + worth
    return total
