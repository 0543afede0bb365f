"""Metrics of an account: what was at work, what was traded, what money made while money came and went, what orders cost."""

import math
from collections.abc import Iterable

import numpy as np

from quant_site.core.errors import InvalidInput
from quant_site.core.stats.metric import Metric, Undefined, amounts, number, observations, observed, same_length, undefined
from quant_site.core.stats.returns import time_weighted_return
from quant_site.core.types import Side


def exposure(gross: Iterable, equity: Iterable) -> Metric:
    """Mean of Σ|market value| / equity over the sessions; undefined when the equity of any session is not above zero."""
    held, own = observations(gross, "Exposure"), observations(equity, "Equity")
    if held.size != own.size:
        raise InvalidInput("unequal_lengths", f"Exposure needs one equity per session: {held.size} values, {own.size} equities.")
    if not held.size:
        return undefined(Undefined.NO_DATA, 0)
    if not (own > 0).all():
        return undefined(Undefined.NO_EQUITY, held.size)
    with np.errstate(over="ignore"):
        return observed((held / own).mean(), held.size)


def turnover(buys: Iterable, sells: Iterable, equity: Iterable) -> Metric:
    """min(Σ buys, Σ sells) / mean equity over the whole record, not a year. Amounts are sizes, by trade or by session.

    `n` counts the sessions of `equity`; undefined without any, and where their mean is not above zero.
    """
    bought, sold, own = amounts(buys, "Buys"), amounts(sells, "Sells"), observations(equity, "Equity")
    if not own.size:
        return undefined(Undefined.NO_DATA, 0)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(own.mean())
        if not math.isfinite(mean):
            return undefined(Undefined.TOO_LARGE, own.size)
        if mean <= 0:
            return undefined(Undefined.NO_EQUITY, own.size)
        return observed(float(min(bought.sum(), sold.sum())) / mean, own.size)


def time_weighted_return_of(values: Iterable, flows: Iterable) -> Metric:
    """Π(1 + r) − 1 from valuations at each external flow: r = next value / (value + flow) − 1.

    `values` (m + 1,): at the start, just before each later flow, and at the end. `flows` (m,): what was paid in (out:
    below zero) right after each value but the last; the first is often 0. `n` counts the m stretches. Undefined where
    nothing was left to invest.
    """
    worth, paid = observations(values, "Time-weighted return"), observations(flows, "Flows")
    if worth.size != paid.size + 1:
        raise InvalidInput("unequal_lengths", f"There is one value more than flows, not {worth.size} values and {paid.size} flows.")
    if not paid.size:
        return undefined(Undefined.NO_DATA, 0)
    invested = worth[:-1] + paid
    if not (invested > 0).all():
        return undefined(Undefined.NO_EQUITY, paid.size)
    with np.errstate(over="ignore"):
        returns = worth[1:] / invested - 1
    return time_weighted_return(returns) if np.isfinite(returns).all() else undefined(Undefined.TOO_LARGE, paid.size)


def modified_dietz(start: float, end: float, flows: Iterable, days: Iterable, length: float) -> Metric:
    """Return of a period by Dietz (1968), each flow weighted by the time it was there: (V₁ − V₀ − ΣF) / (V₀ + Σw·F), w = (D − d)/D.

    `flows` were paid in (out: below zero) on `days` d, 0 ≤ d ≤ D = `length`. `n` is 1: one period. Undefined where the
    weighted capital is not above zero.
    """
    paid, on, whole = observations(flows, "Flows"), observations(days, "Days of flows"), number(length, "The length of the period")
    same_length("Modified Dietz needs one day per flow", paid, on)
    if whole <= 0:
        raise InvalidInput("bad_period", f"A period is longer than {whole} days.")
    outside = (on < 0) | (on > whole)
    if outside.any():
        at = int(outside.argmax())
        raise InvalidInput("bad_day", f"Flow {at + 1} of {on.size} is on day {on[at]} of a period of {whole} days.", at=at)
    first, last = number(start, "The value at the start"), number(end, "The value at the end")
    with np.errstate(over="ignore", invalid="ignore"):
        capital, gained = first + float(((whole - on) / whole * paid).sum()), last - first - float(paid.sum())
    if not math.isfinite(capital):
        return undefined(Undefined.TOO_LARGE, 1)
    return observed(gained / capital, 1) if capital > 0 else undefined(Undefined.NO_EQUITY, 1)


def implementation_shortfall(
    side: Side, decision: float, close: float, prices: Iterable, quantities: Iterable, unfilled: float = 0.0, fees: float = 0.0
) -> Metric:
    """What an order cost against trading all of it at once at the price it was decided at (Perold 1988), in money.

    Σ side·(fill price − decision)·quantity + fees + side·(close − decision)·unfilled quantity; above zero is a cost.
    `prices` and `quantities` are those of the fills, `n` counts them; `close` values what was not filled. Undefined
    for an order of no quantity.
    """
    filled, paid = amounts(quantities, "Quantities"), observations(prices, "Fill prices")
    same_length("Implementation shortfall needs one quantity per fill price", filled, paid)
    rest = float(amounts((unfilled,), "Unfilled quantity")[0])
    decided, closed = number(decision, "The decision price"), number(close, "The close")
    if not filled.sum() + rest > 0:
        return undefined(Undefined.NO_DATA, filled.size)
    with np.errstate(over="ignore", invalid="ignore"):
        missed = float(((paid - decided) * filled).sum()) + (closed - decided) * rest
    return observed(side.sign * missed + number(fees, "The fees"), filled.size)
