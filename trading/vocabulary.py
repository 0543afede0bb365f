"""The words of an order that are the same for every broker."""

from enum import StrEnum

from quant_site.core.types import OrderType


class TimeInForce(StrEnum):
    DAY = "DAY"
    GTC = "GTC"


class Purpose(StrEnum):
    """Why an order exists. EXIT is a decision of the strategy; STOP and TARGET protect an open position."""

    ENTRY = "ENTRY"
    EXIT = "EXIT"
    STOP = "STOP"
    TARGET = "TARGET"


__all__ = ["PROTECTIVE", "REDUCING", "OrderType", "Purpose", "TimeInForce"]
PROTECTIVE = frozenset({Purpose.STOP, Purpose.TARGET})
REDUCING = frozenset({Purpose.EXIT, Purpose.STOP, Purpose.TARGET})
