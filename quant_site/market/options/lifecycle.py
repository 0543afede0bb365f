"""What ends an option contract without an order: its expiry, an early exercise against its writer, a split of its underlying.

All are settled in cash, one definition for paper trading and backtests:

- EXPIRY, at the close of the last session up to the expiration day: what exercising is worth at the underlying's raw close.
  Options on shares deliver shares on the next day; a delivery that is turned into cash at that close is worth the same.
- ASSIGNMENT, before the open of an ex-date: a short American call that was in the money at the last close, with less time
  value (mid less intrinsic) than the dividend, is exercised against its writer, who pays the intrinsic value of that close.
  That is when exercising a call early is optimal (Merton 1973; Hull, "Options, Futures and Other Derivatives", on American
  calls and dividends). Puts exercised early, and calls that are held, are left to their expiry.
- SPLIT, before the open of the session in which the underlying splits: the exchange would adjust strike and multiplier,
  which symbols here cannot express. The contract is settled at its mid of the last close, or at its intrinsic value where it
  had no quote: nobody gains by it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import isfinite, isnan
from typing import Literal
from weakref import WeakKeyDictionary

from quant_site.core.errors import DataMissing
from quant_site.market.actions import CorporateAction, corporate_actions
from quant_site.market.options.chain import Moment
from quant_site.market.options.closing import closing_mid
from quant_site.market.options.contracts import OptionContract, parse_contract, price_sources
from quant_site.market.options.quotes import option_market
from quant_site.market.panel import Panel
from quant_site.market.sessions import next_session

Kind = Literal["EXPIRY", "ASSIGNMENT", "SPLIT"]
_actions: WeakKeyDictionary[Panel, dict[str, dict[int, list[CorporateAction]]]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Settlement:
    """The end of a contract: `per_unit` is the cash for one unit of its underlying, received by a holder, paid by a writer."""

    symbol: str
    kind: Kind
    per_unit: float


def settlements(held: Mapping[str, Decimal], panel: Panel, t: int, moment: Moment) -> list[Settlement]:
    """Which of the options in `held` (signed contracts by symbol; other symbols do not matter) end at a moment of column t,
    by symbol. `OPEN` is before the open, on what was carried overnight; `CLOSE` after the close. Raises `DataMissing` where an
    underlying never had a price."""
    contracts = {symbol: contract for symbol in sorted(held) if held[symbol] and (contract := parse_contract(symbol))}
    if not contracts:
        return []
    end = _at_open if moment == "OPEN" else _at_close
    found = (end(symbol, contract, held[symbol], panel, t) for symbol, contract in contracts.items())
    return [settlement for settlement in found if settlement is not None]


def trades_after(contract: OptionContract, session: date) -> bool:
    """Whether `contract` still trades in the session after `session`."""
    return contract.expiry >= next_session(session)


def splits_at(underlyings: Iterable[str], panel: Panel, t: int) -> set[str]:
    """Those of `underlyings` that split before the open of column t."""
    return {name for name in underlyings if any(action.kind == "SPLIT" for action in _actions_of(panel, name, t))}


def _at_close(symbol: str, contract: OptionContract, _quantity: Decimal, panel: Panel, t: int) -> Settlement | None:
    if trades_after(contract, panel.sessions[t].item()):
        return None
    worth = option_market(panel).settlement(symbol, t)
    return Settlement(symbol, "EXPIRY", _intrinsic(contract, panel, t) if isnan(worth) else worth)


def _at_open(symbol: str, contract: OptionContract, quantity: Decimal, panel: Panel, t: int) -> Settlement | None:
    actions = _actions_of(panel, contract.underlying, t)
    if not actions:
        return None
    mid, intrinsic = closing_mid(panel, symbol, t - 1), _intrinsic(contract, panel, t - 1)
    if any(action.kind == "SPLIT" for action in actions):
        return Settlement(symbol, "SPLIT", intrinsic if mid is None else mid)
    if quantity > 0 or contract.right != "C" or contract.european or mid is None or intrinsic <= 0:
        return None
    dividend = sum(float(action.value) for action in actions)
    return Settlement(symbol, "ASSIGNMENT", intrinsic) if mid - intrinsic < dividend else None


def _intrinsic(contract: OptionContract, panel: Panel, t: int) -> float:
    """What exercising is worth at the underlying's last raw close up to column t; raises `DataMissing` where it has none."""
    market = option_market(panel)
    closes = (market.spot(contract.underlying, column) for column in range(t, -1, -1))
    last = next((close for close in closes if isfinite(close)), None)
    if last is None:
        name = contract.underlying
        raise DataMissing("no_settlement_price", f"{contract.symbol} cannot be settled: import bars of {name}.", symbol=contract.symbol)
    return contract.intrinsic(last)


def _actions_of(panel: Panel, underlying: str, t: int) -> list[CorporateAction]:
    """What happens to `underlying` before the open of column t; read off its bars once per panel."""
    known = _actions.setdefault(panel, {})
    if underlying not in known:
        held = next(filter(None, map(panel.holding, price_sources(underlying))), None)
        known[underlying] = {} if held is None else corporate_actions(held[0].select([held[0].symbols[held[1]]]))
    return known[underlying].get(t, [])
