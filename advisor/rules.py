"""Rules that advice must pass, decided by code and never by a model. Pure: Decimals and frozen dataclasses in and out.

The levels of directional advice stand in one order (long: stop < entry < target, short: mirrored). A model that gives
them in another order contradicts itself: they are not sorted into shape, the advice becomes HOLD. What is risked and
what may be gained is net of `cost`, the round trip's slippage per unit: R:R = (T − E − c)/(E − S + c). Below 2 the
advice becomes HOLD; exactly 2 passes, compared without a division so that rounding decides nothing.
"""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum

from quant_site.core.errors import InvalidInput
from quant_site.core.types import BASIS, Direction

LEAST_RISK_REWARD = Decimal(2)


class Action(StrEnum):
    BUY = "BUY"
    SELL = "SELL"
    HOLD = "HOLD"


class Held(StrEnum):
    """Why directional advice became HOLD."""

    NO_DIRECTION = "NO_DIRECTION"
    LEVEL_MISSING = "LEVEL_MISSING"
    LEVELS_OUT_OF_ORDER = "LEVELS_OUT_OF_ORDER"
    RISK_REWARD_TOO_LOW = "RISK_REWARD_TOO_LOW"


@dataclass(frozen=True)
class Levels:
    """Prices per unit of one instrument; each a finite Decimal above zero, or None where the advice does not name it."""

    entry: Decimal | None
    stop: Decimal | None
    target: Decimal | None

    def __post_init__(self):
        for name in ("entry", "stop", "target"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, Decimal) and value.is_finite() and value > 0):
                raise InvalidInput("bad_level", f"The {name} must be a Decimal above zero, not {value!r}.", level=name)


@dataclass(frozen=True)
class Verdict:
    """What remains of advice: the action, its R:R to four decimals (None where it has none), and why it was held."""

    action: Action
    risk_reward: Decimal | None = None
    held: Held | None = None


def ordered(direction: Direction, levels: Levels) -> bool:
    """Whether stop < entry < target for a long, target < entry < stop for a short."""
    low, high = (levels.stop, levels.target) if direction is Direction.LONG else (levels.target, levels.stop)
    return low < levels.entry < high


def stakes(direction: Direction, levels: Levels, cost: Decimal = Decimal(0)) -> tuple[Decimal, Decimal]:
    """(gain, risk) per unit, net of `cost` per unit (≥ 0): the gain may be negative, the risk never is.

    Raises `InvalidInput` when the levels are out of order or there is no direction.
    """
    if not (isinstance(cost, Decimal) and cost.is_finite() and cost >= 0):
        raise InvalidInput("bad_cost", f"The cost must be a Decimal of zero or more, not {cost!r}.")
    if direction not in (Direction.LONG, Direction.SHORT) or not ordered(direction, levels):
        raise InvalidInput("levels_out_of_order", "A long needs stop < entry < target, a short target < entry < stop.")
    sign = direction.sign
    return sign * (levels.target - levels.entry) - cost, sign * (levels.entry - levels.stop) + cost


def risk_reward(direction: Direction, levels: Levels, cost: Decimal = Decimal(0)) -> Decimal:
    """R:R net of cost, unrounded; raises `InvalidInput` as `stakes` does."""
    gain, risk = stakes(direction, levels, cost)
    return gain / risk


def judge(action: Action, direction: Direction | None, levels: Levels, cost: Decimal = Decimal(0)) -> Verdict:
    """The verdict on advice. HOLD stays HOLD, and so does what closes a position; BUY (long) and SELL (short) must agree
    with the direction and pay at least 2 for 1. The R:R of a verdict is rounded down: 1.99999 does not read as 2.
    """
    if action is Action.HOLD or direction is Direction.CLOSE:
        return Verdict(action)
    if direction is not (Direction.LONG if action is Action.BUY else Direction.SHORT):
        return Verdict(Action.HOLD, held=Held.NO_DIRECTION)
    if None in (levels.entry, levels.stop, levels.target):
        return Verdict(Action.HOLD, held=Held.LEVEL_MISSING)
    if not ordered(direction, levels):
        return Verdict(Action.HOLD, held=Held.LEVELS_OUT_OF_ORDER)
    gain, risk = stakes(direction, levels, cost)
    shown = (gain / risk).quantize(BASIS, rounding=ROUND_FLOOR)
    if gain < LEAST_RISK_REWARD * risk:
        return Verdict(Action.HOLD, shown, Held.RISK_REWARD_TOO_LOW)
    return Verdict(action, shown)
