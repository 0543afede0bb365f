"""A real chain from its stored rows: what contradicts itself is left out, and volatilities and Greeks are our own.

Rows may be of any date and vendor, so nothing of the vendor's arithmetic is used. Each strike has one implied
volatility, that of its out-of-the-money side (the other side's where that one defines none): the time value is what
tells of volatility, and in the money little of the price is. The forward comes from the chain itself (`parity`).
"""

from collections.abc import Iterable
from datetime import date

import numpy as np
import pandas as pd

from quant_site.market.options.american import american_implied_volatility
from quant_site.market.options.black_scholes import bsm_greeks, forward_price
from quant_site.market.options.chain import NUMBERS, Chain, Quarantined, middle, strike_decimal, years_until
from quant_site.market.options.contracts import EUROPEAN_ROOTS, OptionContract
from quant_site.market.options.implied import implied_volatility
from quant_site.market.options.parity import parity_forward, quarantine

# Where the rate is not known, it may be this much; the bounds that need it are that much wider.
UNKNOWN_RATE = 0.10


def stored_chain(
    frame: pd.DataFrame,
    *,
    underlying: str,
    session: date,
    spot: float,
    rate: float,
    dividend_yield: float,
    source: str,
    rate_known: bool = True,
    assumptions: tuple[str, ...] = (),
    expirations: Iterable[date] | None = None,
) -> Chain:
    """The chain at the close of `session` from rows with the columns expiry, right, strike, bid and ask (`chains`).

    `dividend_yield` serves where an expiration has no pairs of calls and puts to read its forward from.
    """
    frame = frame.sort_values(["expiry", "right", "strike"], kind="stable")
    days = frame["expiry"].to_numpy().astype("datetime64[D]")
    wanted = np.unique(days) if expirations is None else np.unique(np.array(list(expirations), "datetime64[D]"))
    parts, bad = [], []
    for day in wanted[np.isin(wanted, days)]:
        rows = frame[days == day]
        part = _expiration(rows, day, underlying, session, spot, rate, dividend_yield, rate_known)
        reasons = part.pop("reasons")
        bad += _quarantined(underlying, part, reasons)
        parts.append({name: values[reasons == ""] for name, values in part.items()})
    columns = {name: np.concatenate([part[name] for part in parts] or [np.array([])]) for name in NUMBERS}
    columns["expiry"] = np.concatenate([part["expiry"] for part in parts] or [np.array([], "datetime64[D]")])
    columns["right"] = np.concatenate([part["right"] for part in parts] or [np.array([], "<U1")])
    facts = {"underlying": underlying, "session": session, "moment": "CLOSE", "spot": spot, "rate": rate, "dividend_yield": dividend_yield}
    return Chain(**facts, **columns, source=source, synthetic=False, assumptions=assumptions, quarantined=tuple(bad))


def _expiration(rows, day, underlying, session, spot, rate, dividend_yield, rate_known) -> dict[str, np.ndarray]:
    """The columns of one expiration, and `reasons` against its quotes."""
    strike, bid, ask = (rows[name].to_numpy(float) for name in ("strike", "bid", "ask"))
    right = rows["right"].to_numpy().astype("<U1")
    call, european, years = right == "C", underlying in EUROPEAN_ROOTS, float(years_until(day, session, "CLOSE"))
    discount = np.exp(-rate * years)
    forward = _forward(call, strike, bid, ask, discount, spot)
    if np.isnan(forward):
        forward = float(forward_price(spot, years, rate, dividend_yield))
    slack = 0.0 if rate_known else UNKNOWN_RATE * years * spot
    reasons = quarantine(call, strike, bid, ask, spot=spot, forward=forward, discount=discount, european=european, slack=slack)
    implied_yield = rate - np.log(forward / spot) / years if years > 0 else 0.0
    terms, mid = (spot, strike, years, rate, implied_yield), middle(bid, ask)
    iv = _volatility(np.where((bid > 0) & (reasons == ""), mid, np.nan), *terms, call, european, forward)
    greeks = bsm_greeks(*terms, iv, call)
    return {
        "expiry": np.full(len(strike), day),
        "right": right,
        "strike": strike,
        "forward": np.full(len(strike), forward),
        "bid": bid,
        "ask": ask,
        "mid": mid,
        "iv": iv,
        **{name: getattr(greeks, name) for name in ("delta", "gamma", "vega", "theta")},
        "reasons": reasons,
    }


def _forward(call, strike, bid, ask, discount: float, spot: float) -> float:
    """By put–call parity, from the strikes at which both sides are bid for."""
    strikes = np.unique(strike)
    mids = np.full((2, len(strikes)), np.nan)
    two_sided = (bid > 0) & (ask >= bid)
    mids[np.where(call, 0, 1)[two_sided], np.searchsorted(strikes, strike[two_sided])] = (bid + ask)[two_sided] / 2
    return parity_forward(strikes, *mids, discount, spot)


def _volatility(mid, spot, strike, years, rate, dividend_yield, call, european, forward) -> np.ndarray:
    """One implied volatility a strike, for both of its sides."""
    solve = implied_volatility if european else american_implied_volatility
    outside = np.where(call, strike >= forward, strike < forward)
    iv = np.full(len(strike), np.nan)
    iv[outside] = solve(mid[outside], spot, strike[outside], years, rate, dividend_yield, call[outside])
    lacking = ~outside & ~np.isin(strike, strike[np.isfinite(iv)])
    iv[lacking] = solve(mid[lacking], spot, strike[lacking], years, rate, dividend_yield, call[lacking])
    known = {level: value for level, value in zip(strike.tolist(), iv.tolist(), strict=True) if value == value}
    return np.array([known.get(level, np.nan) for level in strike.tolist()], float)


def _quarantined(underlying: str, part: dict[str, np.ndarray], reasons: np.ndarray) -> list[Quarantined]:
    return [
        Quarantined(
            OptionContract(underlying, part["expiry"][row].item(), str(part["right"][row]), strike_decimal(float(part["strike"][row]))),
            float(part["bid"][row]),
            float(part["ask"][row]),
            str(reasons[row]),
        )
        for row in np.flatnonzero(reasons != "")
    ]
