"""Checks of one order and of the market it is sent into: pure, each answering None or a `Violation`.

Prices and quantities are Decimals, times aware. A number that is none (NaN, infinity) passes no check. What a limit of None
does not limit is not looked at.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from quant_site.core.types import Side
from strategies.risk.violation import Violation

MAX_SKEW_SECONDS = 2.0
# What a share trades in (Regulation NMS, Rule 612): cents from a dollar on, hundredths of a cent below.
CENT, SUB_PENNY, DOLLAR = Decimal("0.01"), Decimal("0.0001"), Decimal(1)


@dataclass(frozen=True)
class OrderContent:
    """What makes two orders equal. `legs` of an order that trades several symbols as one: (symbol, side, ratio)."""

    account_id: str
    symbol: str
    side: str
    quantity: Decimal
    legs: tuple[tuple[str, str, int], ...] = ()


@dataclass(frozen=True)
class MadeOrder:
    """An order that was made at a time."""

    content: OrderContent
    at: datetime


# --- its price and quantity


def price_collar(limit: Decimal | None, quote: Decimal | None, share: Decimal | float | None) -> Violation | None:
    """A price farther than `share` of the quote from it, either way; without a quote nothing can be said, so nothing is sent.

    `limit` is None for an order at the market: it needs a quote and nothing else. A net price of several legs may be
    negative; the distance is then a share of the size of the quote.
    """
    if share is None:
        return None
    if quote is None or not quote.is_finite() or quote == 0:
        return Violation("NO_QUOTE", "There is no quote that the price could be measured against.", float(share), None)
    if limit is None:
        return None
    if not limit.is_finite():
        return Violation("PRICE", f"{limit} is no price.", None, str(limit))
    apart, most = abs(limit - quote), Decimal(str(share)) * abs(quote)
    if apart > most:
        distance = apart / abs(quote)
        message = f"The limit {limit.normalize():f} lies {distance:.1%} from the quote {quote.normalize():f}."
        return Violation("PRICE_COLLAR", message, float(share), round(float(distance), 6))
    return None


def tick_and_lot(price: Decimal | None, quantity: Decimal, tick: Decimal, lot: Decimal = DOLLAR) -> Violation | None:
    """A quantity above 0 in whole lots, and a price (None: at the market) in whole ticks and other than 0.

    `tick` and `lot` are above 0. The net price of several legs may be negative.
    """
    if not quantity.is_finite() or quantity <= 0:
        return Violation("QUANTITY", f"{quantity} is not a positive number.", str(lot), str(quantity))
    if not _multiple(quantity, lot):
        return Violation("LOT", f"{quantity.normalize():f} is no multiple of the lot of {lot.normalize():f}.", str(lot), str(quantity))
    if price is None:
        return None
    if not price.is_finite() or price == 0:
        return Violation("PRICE", f"{price} is no price.", str(tick), str(price))
    if not _multiple(price, tick):
        return Violation("TICK", f"{price.normalize():f} is no multiple of the tick of {tick.normalize():f}.", str(tick), str(price))
    return None


def _multiple(value: Decimal, unit: Decimal) -> bool:
    """Whether `value` is a whole number of units; exact, also where the quotient has more digits than a Decimal's context."""
    ours, theirs = value.as_integer_ratio(), unit.as_integer_ratio()
    return (ours[0] * theirs[1]) % (ours[1] * theirs[0]) == 0


def share_tick(price: Decimal) -> Decimal:
    """The least step of a share's price."""
    return CENT if abs(price) >= DOLLAR else SUB_PENNY


# --- its likes


def duplicate(content: OrderContent, at: datetime, recent: Iterable[MadeOrder], seconds: int, confirmed: bool = False) -> Violation | None:
    """An equal order among `recent` ones that was made less than `seconds` before `at`, unless this one was confirmed.

    One that claims to be made later counts too: clocks differ, and equal orders are equal. 0 seconds check nothing.
    """
    if confirmed or seconds <= 0:
        return None
    ages = ((at - made.at).total_seconds() for made in recent if made.content == content)
    age = min((age for age in ages if age < seconds), default=None)
    if age is None:
        return None
    message = f"An equal order was made {max(age, 0.0):.0f} seconds before; confirm this one if you want both."
    return Violation("DUPLICATE", message, seconds, round(age, 1))


def self_cross(side: Side | str, price: Decimal | None, resting: Iterable[Decimal | None]) -> Violation | None:
    """An order that could trade with one of the account's own.

    `price` is its limit, or for an order at the market the quote it is expected to trade at: the ask of a purchase, the bid
    of a sale. `resting` are the limits of what rests on the other side of the symbol, None for one at the market. Where
    either price is not known the two could meet.
    """
    levels = list(resting)
    if not levels:
        return None
    if price is None or None in levels:
        return Violation("SELF_CROSS", "It could trade with an order of the same account: one of them has no price.", None, None)
    side = Side(side)
    nearest = min(levels) if side is Side.BUY else max(levels)
    if (price - nearest) * side.sign >= 0:
        message = f"It would trade with an order of the same account that rests at {nearest.normalize():f}."
        return Violation("SELF_CROSS", message, float(nearest), float(price))
    return None


def order_rate(sent: int, refused: int, most_sent: int | None, most_refused: int | None) -> Violation | None:
    """One more order after `sent` orders and `refused` refusals in the last 60 seconds. What was refused was sent too."""
    if most_sent is not None and sent >= most_sent:
        return Violation("ORDER_RATE", f"{sent} orders were sent in the last minute.", most_sent, sent)
    if most_refused is not None and refused >= most_refused:
        return Violation("REFUSAL_RATE", f"{refused} orders were refused in the last minute.", most_refused, refused)
    return None


# --- the market it is sent into


def quote_age(symbol: str, at: datetime | None, now: datetime, seconds: int) -> Violation | None:
    """A quote that is missing, older than `seconds`, or from the future by more than two clocks may differ."""
    if at is None:
        return Violation("NO_QUOTE", f"The broker has no quote of {symbol}.", seconds, None)
    age = (now - at).total_seconds()
    if age > seconds:
        return Violation("STALE_QUOTE", f"The quote of {symbol} is {age:.0f} seconds old.", seconds, round(age, 1))
    if age < -MAX_SKEW_SECONDS:
        return Violation("STALE_QUOTE", f"The quote of {symbol} is {-age:.0f} seconds in the future.", seconds, round(age, 1))
    return None


def clock_skew(server: datetime | None, now: datetime) -> Violation | None:
    """Our clock and the broker's differ by more than two seconds: no time that either names can be trusted.

    A broker that tells no time (None) is not compared with.
    """
    if server is None:
        return None
    skew = abs((server - now).total_seconds())
    if skew > MAX_SKEW_SECONDS:
        return Violation("CLOCK_SKEW", f"Our clock and the broker's differ by {skew:.1f} seconds.", MAX_SKEW_SECONDS, round(skew, 3))
    return None


# --- the account after what it traded


def daily_loss(before: Decimal, now: Decimal, limit: Decimal | float | None) -> Violation | None:
    """Equity `now` is below what it was `before` (the last close and what came in or went out since) by at least `limit` of it."""
    if limit is None or before <= 0:
        return None
    lost = (before - now) / before
    if lost >= Decimal(str(limit)):
        return Violation("DAILY_LOSS", f"The account has lost {lost:.2%} since the last close.", float(limit), round(float(lost), 6))
    return None
