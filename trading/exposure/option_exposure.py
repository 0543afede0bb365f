"""The options of an account at the close of a session: their Greeks, what shocks would do, and which ends are near.

Sensitivities and the grid of shocks are those of the risk checks (`strategies.risk`), over the options that are held and
the shares of their underlyings, each underlying by itself and all together. What is not known is None with a reason; a sum
that lacks a part is not known either.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import isfinite

from quant_site.core.models import Account
from quant_site.core.types import money, optional, price
from quant_site.market.options.chain import Quote
from quant_site.market.options.contracts import OPTION_MULTIPLIER, parse_contract
from quant_site.market.options.quotes import option_market
from quant_site.market.panel import Panel
from strategies.risk.greeks import GREEKS, of_option
from strategies.risk.holdings import Holdings, Measured
from strategies.risk.market import PanelMarket
from strategies.risk.report import StressCell
from strategies.risk.scenarios import SPOT_SHOCKS, VOLATILITY_SHOCKS
from trading.books.equity import account_state
from trading.exposure.option_flags import Flag, flags_of, last_dividend
from trading.models import Position
from trading.selectors import positions_open


@dataclass(frozen=True)
class OptionHeld:
    """One contract that is held, of all trades together. Prices are per unit, Greeks those of the whole holding in dollars
    (`strategies.risk.greeks`)."""

    symbol: str
    underlying: str
    expiry: date
    days: int
    right: str
    strike: Decimal
    contracts: Decimal
    price: Decimal | None
    market_value: Decimal | None
    iv: float | None
    intrinsic: Decimal | None
    time_value: Decimal | None
    greeks: dict[str, Decimal | None]
    source: str
    synthetic: bool | None
    reason: str = ""


@dataclass(frozen=True)
class Sensitivity:
    """A holding's Greeks and its gains under shocks, all in dollars; the worst cell apart. `reasons` say what is missing."""

    greeks: dict[str, Decimal | None]
    stress: tuple[StressCell, ...] | None
    worst: StressCell | None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class UnderlyingExposure:
    """The options on one underlying by themselves, and together with the shares of it that are held."""

    underlying: str
    spot: Decimal | None
    shares: Decimal
    options: Sensitivity
    with_shares: Sensitivity
    contracts: tuple[OptionHeld, ...]


@dataclass(frozen=True)
class OptionExposure:
    """`total` is over every underlying, shares of them included, all moving at once."""

    account: str
    session: date
    equity: Decimal
    underlyings: tuple[UnderlyingExposure, ...]
    total: Sensitivity
    flags: tuple[Flag, ...]
    warnings: tuple[str, ...]


def option_exposure(*, account: Account, panel: Panel, session: date) -> OptionExposure:
    """What the options of `account` are exposed to at the close of `session`; raises `DataMissing` where `panel` does not
    reach it."""
    t = panel.index(session)
    quantities = _quantities(account, session)
    contracts = {symbol: count for symbol, count in quantities.items() if parse_contract(symbol)}
    names = sorted({parse_contract(symbol).underlying for symbol in contracts})
    shares = {name: quantities.get(name, Decimal(0)) for name in names}
    desk = _Desk(panel, t)
    held = {name: tuple(desk.held(symbol, contracts[symbol]) for symbol in _on(name, contracts)) for name in names}
    return OptionExposure(
        account=account.pk,
        session=session,
        equity=account_state(account=account, session=session).equity,
        underlyings=tuple(desk.underlying(name, shares[name], held[name]) for name in names),
        total=desk.sensitivity(contracts, shares),
        flags=tuple(flag for name in names for each in held[name] for flag in desk.flags(each)),
        warnings=desk.warnings(names),
    )


def _quantities(account: Account, session: date) -> dict[str, Decimal]:
    """Signed shares and contracts by symbol, over all trades."""
    found: dict[str, Decimal] = {}
    positions: Sequence[Position] = positions_open(account=account).filter(entry_session__lte=session)
    for position in positions:
        found[position.symbol] = found.get(position.symbol, Decimal(0)) + position.quantity
    return {symbol: count for symbol, count in sorted(found.items()) if count}


def _on(name: str, contracts: dict[str, Decimal]) -> list[str]:
    return sorted((symbol for symbol in contracts if parse_contract(symbol).underlying == name), key=parse_contract)


class _Desk:
    """Values options at the close of one column of a panel."""

    def __init__(self, panel: Panel, t: int):
        self.panel, self.t = panel, t
        self.session = panel.sessions[t].item()
        self.market, self.risk = option_market(panel), PanelMarket(panel, t)

    def held(self, symbol: str, count: Decimal) -> OptionHeld:
        contract, quote = parse_contract(symbol), self.market.quote(symbol, self.t, "CLOSE")
        spot = self.market.spot(contract.underlying, self.t)
        known = quote is not None and isfinite(quote.mid)
        intrinsic = contract.intrinsic(spot) if isfinite(spot) else None
        return OptionHeld(
            symbol=symbol,
            underlying=contract.underlying,
            expiry=contract.expiry,
            days=(contract.expiry - self.session).days,
            right=contract.right,
            strike=contract.strike,
            contracts=count,
            price=price(quote.mid) if known else None,
            market_value=money(count * OPTION_MULTIPLIER * Decimal(str(quote.mid))) if known else None,
            iv=_finite(quote.iv) if quote else None,
            intrinsic=optional(price, intrinsic),
            time_value=price(quote.mid - intrinsic) if known and intrinsic is not None else None,
            greeks=_of_contract(quote, spot, float(count)),
            source=quote.source if quote else "",
            synthetic=quote.synthetic if quote else None,
            reason="" if known else self.market.lack(contract.underlying, self.t) or f"{symbol} has no quote: it has expired.",
        )

    def underlying(self, name: str, shares: Decimal, held: tuple[OptionHeld, ...]) -> UnderlyingExposure:
        contracts = {each.symbol: each.contracts for each in held}
        return UnderlyingExposure(
            underlying=name,
            spot=optional(price, _finite(self.market.spot(name, self.t))),
            shares=shares,
            options=self.sensitivity(contracts, {}),
            with_shares=self.sensitivity(contracts, {name: shares}),
            contracts=held,
        )

    def sensitivity(self, contracts: dict[str, Decimal], shares: dict[str, Decimal]) -> Sensitivity:
        """Of `contracts` by symbol and of `shares` by underlying."""
        unpriced = [name for name, count in shares.items() if count and not isfinite(self.market.spot(name, self.t))]
        if unpriced:
            nothing = dict.fromkeys(GREEKS)
            return Sensitivity(nothing, None, None, tuple(f"{name} has no bar of {self.session}." for name in unpriced))
        values = {name: float(count) * self.market.spot(name, self.t) for name, count in shares.items() if count}
        holdings = Holdings(values, {symbol: float(count) for symbol, count in contracts.items()}, {}, self.risk)
        measured = {name: holdings.greek(name) for name in GREEKS}
        loss = holdings.stress_loss
        cells = None if holdings.stress is None else _cells(holdings.stress)
        reasons = dict.fromkeys(each.reason for each in (*measured.values(), loss) if each.reason)
        worst = min(cells, key=lambda cell: cell.gain) if cells else None
        return Sensitivity({name: _dollars(each) for name, each in measured.items()}, cells, worst, tuple(reasons))

    def flags(self, held: OptionHeld) -> list[Flag]:
        contract, spot = parse_contract(held.symbol), self.market.spot(held.underlying, self.t)
        dividend = last_dividend(self.panel, held.underlying, self.t) if held.contracts < 0 and contract.right == "C" else None
        return flags_of(contract, sold=held.contracts < 0, session=self.session, spot=spot, mid=held.price, dividend=dividend)

    def warnings(self, names: Sequence[str]) -> tuple[str, ...]:
        """What the quotes rest on, or what they lack, each sentence once."""
        sentences = (sentence for name in names for sentence in self.market.chain(name, self.t, expirations=[]).assumptions)
        return tuple(dict.fromkeys(sentences))


def _of_contract(quote: Quote | None, spot: float, count: float) -> dict[str, Decimal | None]:
    if quote is None:
        return dict.fromkeys(GREEKS)
    each = of_option(spot, count, **{name: getattr(quote, name) for name in GREEKS})
    return {name: optional(money, getattr(each, name)) for name in GREEKS}


def _dollars(measured: Measured) -> Decimal | None:
    return optional(money, measured.value)


def _cells(grid) -> tuple[StressCell, ...]:
    rows = zip(SPOT_SHOCKS, grid.tolist(), strict=True)
    return tuple(
        StressCell(spot, volatility, round(gain, 2)) for spot, row in rows for volatility, gain in zip(VOLATILITY_SHOCKS, row, strict=True)
    )


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
