"""The words of an order that are the same for every broker."""

from enum import StrEnum

from quant_site.core.types import OrderType


class TimeInForce(StrEnum):
    DAY = "DAY"
    GTC = "GTC"


class Purpose(StrEnum):
    """Why an order exists. EXIT (all of a position) and REDUCE (a part of it) are decisions of the strategy; STOP and TARGET
    protect an open position."""

    ENTRY = "ENTRY"
    EXIT = "EXIT"
    REDUCE = "REDUCE"
    STOP = "STOP"
    TARGET = "TARGET"


class Origin(StrEnum):
    """Where an order came from. What is EXTERNAL was placed at the broker by somebody else, and adopted."""

    SIGNAL = "SIGNAL"
    PLAN = "PLAN"
    ALERT = "ALERT"
    HEDGE = "HEDGE"
    MANUAL = "MANUAL"
    POSITION = "POSITION"
    EXTERNAL = "EXTERNAL"


__all__ = ["LEAVING", "PROTECTIVE", "REDUCING", "OrderType", "Origin", "Purpose", "TimeInForce"]
LEAVING = frozenset({Purpose.EXIT, Purpose.REDUCE})
PROTECTIVE = frozenset({Purpose.STOP, Purpose.TARGET})
REDUCING = LEAVING | PROTECTIVE
