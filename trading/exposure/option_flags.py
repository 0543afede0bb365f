"""What of an option's end is near: its expiry, a price that is pinned to its strike, an early exercise against its writer.

Pure. Early exercise cannot be foreseen: a flag says that a holder has little or nothing left to wait for. No source of
announced dividends is connected, so the last ordinary one stands for the next, whose date is not known.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from quant_site.market.actions import corporate_actions
from quant_site.market.options.contracts import OptionContract
from quant_site.market.options.inputs import DIVIDEND_DAYS, ORDINARY_DIVIDEND
from quant_site.market.panel import Panel

# Calendar days to an expiry that is near, and how close to its strike (a share of it) a price then is pinned.
EXPIRY_DAYS, PIN_RANGE = 7, 0.01
# Time value, as a share of the spot, that is too little to wait for.
LITTLE_TIME_VALUE = 0.001


@dataclass(frozen=True)
class Flag:
    """`code` is EXPIRES_SOON, PIN_RISK, ASSIGNMENT_DIVIDEND or ASSIGNMENT_TIME_VALUE."""

    code: str
    symbol: str
    message: str


def flags_of(
    contract: OptionContract, *, sold: bool, session: date, spot: float, mid: Decimal | None, dividend: Decimal | None = None
) -> list[Flag]:
    """The flags of one contract that is held or `sold`, at `spot` (NaN: not known) and `mid` per unit (None: no quote);
    `dividend` is the last ordinary one a share."""
    flags, days = [], (contract.expiry - session).days
    if days <= EXPIRY_DAYS:
        message = f"{contract.symbol} expires on {contract.expiry}, in {days} calendar days."
        flags.append(Flag("EXPIRES_SOON", contract.symbol, message))
        if abs(spot / float(contract.strike) - 1) <= PIN_RANGE:
            flags.append(_pinned(contract, spot))
    return [*flags, *_assignment(contract, spot, mid, dividend)] if sold and not contract.european else flags


def _pinned(contract: OptionContract, spot: float) -> Flag:
    """Near its strike an option may or may not be exercised, and what is left after it is known too late to hedge."""
    strike = f"{contract.strike.normalize():f}"
    message = f"{contract.underlying} at {spot:.2f} is within {PIN_RANGE:.0%} of the strike {strike} of {contract.symbol}."
    return Flag("PIN_RISK", contract.symbol, message)


def _assignment(contract: OptionContract, spot: float, mid: Decimal | None, dividend: Decimal | None) -> list[Flag]:
    """Of an American option that was sold. NaN compares as false: without a spot nothing is in the money."""
    intrinsic = contract.intrinsic(spot)
    if mid is None or not intrinsic > 0:
        return []
    time_value, flags = float(mid) - intrinsic, []
    left = f"{contract.symbol} was sold, is in the money, and has {time_value:.2f} of time value left"
    if contract.right == "C" and dividend is not None and time_value < float(dividend):
        message = f"{left}, less than the last dividend of {dividend.normalize():f}; the next ex-date is not known."
        flags.append(Flag("ASSIGNMENT_DIVIDEND", contract.symbol, message))
    if time_value <= LITTLE_TIME_VALUE * spot:
        message = f"{left}, no more than {LITTLE_TIME_VALUE:.1%} of the spot: it may be exercised any day."
        flags.append(Flag("ASSIGNMENT_TIME_VALUE", contract.symbol, message))
    return flags


def last_dividend(panel: Panel, underlying: str, t: int) -> Decimal | None:
    """The last ordinary dividend a share that went ex within the 52 weeks up to column t; None where there was none."""
    held = panel.holding(underlying)
    if held is None:
        return None
    bars, row = held
    first = panel.sessions[t].item() - timedelta(days=DIVIDEND_DAYS)
    for column, actions in reversed(corporate_actions(bars.select([bars.symbols[row]])).items()):
        if column > t or bars.sessions[column].item() <= first:
            continue
        for action in actions:
            if action.kind == "DIVIDEND" and float(action.value) <= ORDINARY_DIVIDEND * float(bars.close[row, column]):
                return action.value
    return None
