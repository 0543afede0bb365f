"""What to do about an open trade: one of four verdicts, by rules that each have a code, a limit and a sentence.

Pure. A rule answers None where it does not apply or where what it needs is not known: an unknown never speaks for or
against a trade. The strongest verdict among the rules that apply is the verdict; without any it is HOLD.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from trading.exposure.option_flags import PIN_RANGE

# Multiples of the initial risk.
LOSS_LIMIT, PROTECT_FROM, PARTIAL_FROM = -1.0, 1.0, 2.0
# The 20-session move against the trade, in standard deviations of 20 sessions.
TREND_LIMIT = -1.0
# Volatility of 20 sessions over that of 60.
VOLATILITY_LIMIT = 1.5
# Calendar days to the expiry of a sold option that is in the money or pinned to its strike.
LAST_DAYS = 2


class Verdict(StrEnum):
    """From the weakest to the strongest."""

    HOLD = "HOLD"
    TIGHTEN_STOP = "TIGHTEN_STOP"
    TAKE_PARTIAL = "TAKE_PARTIAL"
    CLOSE = "CLOSE"


STRENGTH = {verdict: rank for rank, verdict in enumerate(Verdict)}


@dataclass(frozen=True)
class SoldOption:
    """A leg sold: calendar days to its expiry, its strike, the spot, and +1 for a call, −1 for a put."""

    symbol: str
    days: int
    strike: float
    spot: float
    right: int

    @property
    def in_the_money(self) -> bool:
        return self.right * (self.spot - self.strike) > 0

    @property
    def near_strike(self) -> bool:
        return abs(self.spot / self.strike - 1) <= PIN_RANGE


@dataclass(frozen=True)
class TradeFacts:
    """What the rules look at; None where it is not known.

    `sign` is +1 for a long and −1 for a short trade of one share, 0 for anything else; prices are per share. `r` is P&L over
    the initial risk, `weight` Σ|market value| over equity. `trend` is the return of 20 sessions over σ·√20, from the trade's
    side: negative is against it. `volatility_ratio` is σ of 20 sessions over that of 60. `whole`: nothing of it was sold yet.
    """

    sign: int
    price: float | None
    entry: float
    stop: float | None
    target: float | None
    pnl: float | None
    r: float | None
    weight: float | None
    weight_limit: float
    trend: float | None
    volatility_ratio: float | None
    whole: bool
    sold: tuple[SoldOption, ...] = ()


@dataclass(frozen=True)
class Reason:
    """A rule that applies: what it asks for and why; `value` broke `limit`."""

    code: str
    verdict: Verdict
    message: str
    value: float | None = None
    limit: float | None = None


Rule = Callable[[TradeFacts], Reason | None]


def stop_reached(facts: TradeFacts) -> Reason | None:
    """The close lies at the stop or beyond it, and the trade is still open."""
    if facts.sign and facts.price is not None and facts.stop is not None and facts.sign * (facts.price - facts.stop) <= 0:
        return Reason("STOP_REACHED", Verdict.CLOSE, "The close is at the stop or beyond it.", facts.price, facts.stop)
    return None


def target_reached(facts: TradeFacts) -> Reason | None:
    if facts.sign and facts.price is not None and facts.target is not None and facts.sign * (facts.price - facts.target) >= 0:
        return Reason("TARGET_REACHED", Verdict.CLOSE, "The close is at the target or beyond it.", facts.price, facts.target)
    return None


def loss_exceeds_risk(facts: TradeFacts) -> Reason | None:
    """More is lost than was to be risked, whatever the stop has been moved to since."""
    if facts.r is not None and facts.r <= LOSS_LIMIT:
        return Reason("LOSS_EXCEEDS_RISK", Verdict.CLOSE, "The trade has lost what it was to risk.", facts.r, LOSS_LIMIT)
    return None


def sold_option_expires(facts: TradeFacts) -> Reason | None:
    """A sold option is about to end in the money or at its strike: its delivery can no longer be steered."""
    for leg in facts.sold:
        if leg.days <= LAST_DAYS and (leg.in_the_money or leg.near_strike):
            message = f"{leg.symbol} was sold, is near its strike or in the money, and expires within {LAST_DAYS} days."
            return Reason("SOLD_OPTION_EXPIRES", Verdict.CLOSE, message, leg.days, LAST_DAYS)
    return None


def profit_of_two_risks(facts: TradeFacts) -> Reason | None:
    if facts.whole and facts.r is not None and facts.r >= PARTIAL_FROM:
        return Reason(
            "PROFIT_OF_2R", Verdict.TAKE_PARTIAL, "Twice the initial risk is earned and nothing is sold yet.", facts.r, PARTIAL_FROM
        )
    return None


def overweight(facts: TradeFacts) -> Reason | None:
    if facts.weight is not None and facts.weight > facts.weight_limit:
        message = "The trade has outgrown the account's limit of a single name."
        return Reason("OVERWEIGHT", Verdict.TAKE_PARTIAL, message, facts.weight, facts.weight_limit)
    return None


def profit_unprotected(facts: TradeFacts) -> Reason | None:
    """What was risked is earned once, and the stop would still give all of it back and more."""
    if facts.stop is not None and facts.r is not None and facts.r >= PROTECT_FROM and facts.sign * (facts.stop - facts.entry) < 0:
        message = "The initial risk is earned once while the stop is still on the losing side of the entry."
        return Reason("PROFIT_OF_1R", Verdict.TIGHTEN_STOP, message, facts.r, PROTECT_FROM)
    return None


def trend_against(facts: TradeFacts) -> Reason | None:
    if facts.stop is not None and facts.trend is not None and facts.trend <= TREND_LIMIT:
        message = "Over 20 sessions the price went against the trade by a standard deviation or more."
        return Reason("TREND_AGAINST", Verdict.TIGHTEN_STOP, message, facts.trend, TREND_LIMIT)
    return None


def volatility_up(facts: TradeFacts) -> Reason | None:
    """A profit that can be lost faster than it was made."""
    if facts.stop is None or facts.volatility_ratio is None or facts.pnl is None:
        return None
    if facts.pnl > 0 and facts.volatility_ratio >= VOLATILITY_LIMIT:
        message = "The trade is in profit, and volatility has risen to one and a half times its usual size."
        return Reason("VOLATILITY_UP", Verdict.TIGHTEN_STOP, message, facts.volatility_ratio, VOLATILITY_LIMIT)
    return None


def without_stop(facts: TradeFacts) -> Reason | None:
    if facts.sign and facts.stop is None:
        return Reason("NO_STOP", Verdict.HOLD, "The trade has no stop: its strategy alone ends it.")
    return None


RULES: tuple[Rule, ...] = (
    stop_reached,
    target_reached,
    loss_exceeds_risk,
    sold_option_expires,
    profit_of_two_risks,
    overweight,
    profit_unprotected,
    trend_against,
    volatility_up,
    without_stop,
)
NOTHING = Reason("NOTHING_AGAINST", Verdict.HOLD, "No rule asks for a change.")


def judge(facts: TradeFacts, rules: Sequence[Rule] = RULES) -> tuple[Verdict, tuple[Reason, ...]]:
    """The verdict, and every reason that applies, the strongest first and those of one strength in the order of the rules."""
    found = [reason for rule in rules if (reason := rule(facts)) is not None]
    found.sort(key=lambda reason: -STRENGTH[reason.verdict])
    reasons = tuple(found) or (NOTHING,)
    return reasons[0].verdict, reasons
