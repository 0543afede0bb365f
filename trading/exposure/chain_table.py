"""One expiration of an option chain as a table for people: quotes, volatilities and Greeks, and why one is missing."""

from dataclasses import dataclass
from datetime import date
from math import isfinite

from quant_site.core.errors import DataMissing, InvalidInput
from quant_site.market.options.chain import NUMBERS, Chain
from quant_site.market.options.quotes import option_market
from quant_site.market.panel import Panel
from quant_site.market.store import symbol_clean

VALUES = NUMBERS[2:]
GREEKS_NOTE = "Greeks are Black–Scholes–Merton, of one unit: delta and gamma per dollar, vega per point, theta per calendar day."


@dataclass(frozen=True)
class ChainRow:
    """One contract; what its price does not define is None, and `reason` says why."""

    symbol: str
    right: str
    strike: float
    bid: float
    ask: float
    mid: float
    iv: float | None
    delta: float | None
    gamma: float | None
    vega: float | None
    theta: float | None
    reason: str


@dataclass(frozen=True)
class LeftOut:
    """A quote of a real chain that cannot be true beside the others."""

    symbol: str
    bid: float
    ask: float
    reason: str


@dataclass(frozen=True)
class ChainTable:
    """The chain at the close of `session`; `synthetic` where a model made it, and `assumptions` what it rests on."""

    underlying: str
    session: date
    spot: float
    rate: float
    dividend_yield: float
    source: str
    synthetic: bool
    assumptions: tuple[str, ...]
    expirations: tuple[date, ...]
    expiration: date
    forward: float
    rows: tuple[ChainRow, ...]
    quarantined: tuple[LeftOut, ...]


def chain_table(*, panel: Panel, underlying: str, session: date, expiration: date | None = None) -> ChainTable:
    """The options on `underlying` that expire on `expiration` (None: the first), by right and strike.

    Raises `DataMissing` where no chain can be had of that session, `InvalidInput` for an expiration that is not listed.
    """
    underlying, t = symbol_clean(underlying), panel.index(session)
    chain = option_market(panel).chain(underlying, t)
    listed = chain.expirations()
    if not listed:
        raise DataMissing("no_chain", " ".join(chain.assumptions), underlying=underlying, session=str(session))
    day = listed[0] if expiration is None else expiration
    if day not in listed:
        raise InvalidInput("unknown_expiration", f"{underlying} has no options that expire on {day}.", expirations=list(map(str, listed)))
    part = chain.where(chain.expiry == day)
    bad = [each for each in chain.quarantined if each.contract.expiry == day]
    return ChainTable(
        underlying=underlying,
        session=session,
        spot=chain.spot,
        rate=chain.rate,
        dividend_yield=chain.dividend_yield,
        source=chain.source,
        synthetic=chain.synthetic,
        assumptions=(*chain.assumptions, GREEKS_NOTE),
        expirations=tuple(listed),
        expiration=day,
        forward=float(part.forward[0]),
        rows=tuple(_row(part, at) for at in range(len(part))),
        quarantined=tuple(LeftOut(each.contract.symbol, each.bid, each.ask, each.reason) for each in bad),
    )


def _row(chain: Chain, at: int) -> ChainRow:
    values = {name: float(getattr(chain, name)[at]) for name in VALUES}
    known = {name: value if isfinite(value) else None for name, value in values.items()}
    contract = chain.contracts[at]
    reason = "" if None not in known.values() else _reason(values["bid"])
    return ChainRow(symbol=contract.symbol, right=contract.right, strike=float(contract.strike), reason=reason, **known)


def _reason(bid: float) -> str:
    if bid == 0:
        return "Nobody bids for it, so its price defines no volatility."
    return "Its price is at or below what exercising is worth, or its time value is less than half a tick: that defines no volatility."
