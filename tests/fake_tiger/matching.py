"""At what a working order would trade now; pure."""

from decimal import Decimal

from tests.fake_tiger.book import BookOrder
from tests.fake_tiger.world import Quote


def executable(order: BookOrder, quotes: dict[str, Quote], state: str) -> list[Decimal] | None:
    """Prices by leg (one for an order without legs) at which the order trades, None where it does not."""
    if state == "CLOSED" or (state != "REGULAR" and not (order.outside_rth and order.order_type == "LMT")):
        return None
    prices = taken(order, quotes)
    if prices is None:
        return None
    net = net_price(order, prices)
    if order.order_type in ("STP", "STP_LMT") and not _triggered(order, quotes):
        return None
    if order.order_type in ("LMT", "STP_LMT") and not _within(order, net):
        return None
    return prices


def taken(order: BookOrder, quotes: dict[str, Quote]) -> list[Decimal] | None:
    """What the other side asks, by leg; None where somebody quotes nothing."""
    parts = [(leg.contract, leg.action) for leg in order.effective_legs()] or [(order.contract, order.action)]
    found = [(quotes.get(contract.key), action) for contract, action in parts]
    prices = [quote.taken(action) if quote else None for quote, action in found]
    return None if any(price is None for price in prices) else prices


def net_price(order: BookOrder, prices: list[Decimal]) -> Decimal:
    """The price of a unit: what buying it costs, negative where it pays; selling receives it."""
    if not order.legs:
        return prices[0]
    signed = ((1 if leg.action == "BUY" else -1) * leg.ratio * price for leg, price in zip(order.legs, prices, strict=True))
    return sum(signed, Decimal(0))


def _triggered(order: BookOrder, quotes: dict[str, Quote]) -> bool:
    quote = quotes.get(order.contract.key)
    last = quote.last if quote else None
    if last is None:
        return False
    return last >= order.aux_price if order.action == "BUY" else last <= order.aux_price


def _within(order: BookOrder, price: Decimal) -> bool:
    return price <= order.limit_price if order.action == "BUY" else price >= order.limit_price
