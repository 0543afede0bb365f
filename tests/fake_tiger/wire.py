"""Books as Tiger writes them: JSON objects that the SDK's parsers take. Numbers leave as floats, as they do there."""

from decimal import Decimal
from typing import Any

from tests.fake_tiger.book import AccountBook, Book, BookOrder, Fill, Holding, Leg
from tests.fake_tiger.contracts import Contract
from tests.fake_tiger.world import World


def scaled(quantity: Decimal, scale: int) -> tuple[int, int]:
    """A quantity as an integer and the power of ten it is shifted by: at least `scale`, more where decimals need it."""
    places = max(scale, -int(quantity.normalize().as_tuple().exponent), 0)
    return int(quantity.scaleb(places)), places


def contract_fields(contract: Contract) -> dict[str, Any]:
    """The fields by which orders, positions and legs name what they are about."""
    answer = {"symbol": contract.symbol, "secType": contract.sec_type, "currency": contract.currency, "market": "US"}
    if contract.sec_type == "OPT":
        answer |= {"expiry": contract.expiry, "strike": str(float(contract.strike)), "right": contract.right}
    if contract.sec_type != "MLEG":
        answer |= {"identifier": contract.key, "multiplier": float(contract.multiplier)}
    return answer


def order_wire(order: BookOrder, world: World, *, charges: bool = False) -> dict[str, Any]:
    """One order as `orders` lists it."""
    quantity, quantity_scale = scaled(order.quantity, world.config.quantity_scale)
    filled, filled_scale = scaled(order.filled, world.config.quantity_scale)
    own = order.source == "OpenApi"
    answer = contract_fields(order.contract) | {
        "id": order.id,
        "orderId": order.order_id,
        "externalId": str(order.order_id) if own else f"{order.opened_at / 1000}",
        "account": order.account,
        "action": order.action,
        "orderType": order.order_type,
        "totalQuantity": quantity,
        "totalQuantityScale": quantity_scale,
        "filledQuantity": filled,
        "filledQuantityScale": filled_scale,
        "filledCashAmount": float(abs(order.paid) * order.contract.multiplier),
        "avgFillPrice": average_price(order, world),
        "commission": float(order.commission),
        "gst": 0.0,
        "realizedPnl": float(order.realized),
        "timeInForce": order.time_in_force,
        "outsideRth": order.outside_rth,
        "tradingSessionType": "PRE_RTH_POST" if order.outside_rth else "RTH",
        "status": order.status,
        "remark": order.remark or None,
        "userMark": order.user_mark,
        "source": order.source,
        "algoStrategy": order.order_type,
        "liquidation": False,
        "discount": 0,
        "attrList": [],
        "isOpen": True,
        "openTime": order.opened_at,
        "updateTime": order.updated_at,
        "latestTime": order.traded_at or order.updated_at,
        "canModify": order.status in ("Initial", "PendingSubmit", "Submitted"),
        "canCancel": order.working and order.status != "PendingCancel",
        "limitPrice": None if order.limit_price is None else float(order.limit_price),
        "auxPrice": None if order.aux_price is None else float(order.aux_price),
    }
    if order.parent_id:
        answer["parentId"] = order.parent_id
    if order.legs:
        answer |= {"comboType": order.combo_type, "comboTypeDesc": order.combo_type.title()}
        answer["legs"] = [leg_wire(order, leg) for leg in order.legs]
    if charges:
        answer["charges"] = [{"category": "TIGER", "categoryDesc": "Tiger Charge", "total": float(order.commission), "details": []}]
    return answer


def leg_wire(order: BookOrder, leg: Leg) -> dict[str, Any]:
    return contract_fields(leg.contract) | {
        "action": leg.action,
        "ratio": leg.ratio,
        "totalQuantity": float(order.quantity * leg.ratio),
        "filledQuantity": float(leg.filled),
        "avgFilledPrice": float(leg.paid / leg.filled) if leg.filled else 0.0,
        "createdAt": order.opened_at,
        "updatedAt": leg.updated_at or order.opened_at,
    }


def average_price(order: BookOrder, world: World) -> float:
    places = world.config.average_decimals
    return float(order.average if places is None else round(order.average, places))


def fill_wire(fill: Fill, world: World) -> dict[str, Any]:
    """One execution as `order_transactions` lists it."""
    quantity, scale = scaled(fill.quantity, world.config.quantity_scale)
    return contract_fields(fill.contract) | {
        "id": fill.fill_id,
        "accountId": fill.account,
        "orderId": fill.id,
        "action": fill.side,
        "filledQuantity": quantity,
        "filledQuantityScale": scale,
        "filledPrice": float(fill.price),
        "filledAmount": float(fill.quantity * fill.price * fill.contract.multiplier),
        "transactedAt": fill.at,
    }


def market_price(holding: Holding, world: World) -> Decimal:
    """What a holding is valued at: its quote, else what it cost."""
    quote = world.quotes.get(holding.contract.key)
    return quote.last if quote and quote.last is not None else abs(holding.average_cost)


def position_wire(account: str, holding: Holding, world: World) -> dict[str, Any]:
    """One holding as `positions` lists it."""
    quantity, scale = scaled(holding.quantity, world.config.quantity_scale)
    price = market_price(holding, world)
    value = holding.quantity * price * holding.contract.multiplier
    return contract_fields(holding.contract) | {
        "account": account,
        "position": quantity,
        "positionScale": scale,
        "positionQty": float(holding.quantity),
        "salableQty": float(holding.quantity),
        "averageCost": float(holding.average_cost),
        "averageCostByAverage": float(holding.average_cost),
        "latestPrice": float(price),
        "marketValue": float(value),
        "unrealizedPnl": float(value - holding.cost),
        "realizedPnl": float(holding.realized),
        "name": holding.contract.symbol,
    }


def totals(account: AccountBook, world: World) -> dict[str, Decimal]:
    """Cash, the value of holdings, net and gross, and margins by the simplest rule there is: half of what is held."""
    values = [h.quantity * market_price(h, world) * h.contract.multiplier for h in account.holdings.values() if h.quantity]
    net, gross = sum(values, Decimal(0)), sum((abs(value) for value in values), Decimal(0))
    cost = sum((h.cost for h in account.holdings.values() if h.quantity), Decimal(0))
    return {
        "cash": account.cash,
        "net": account.cash + net,
        "gross": gross,
        "margin": gross / 2,
        "unrealized": net - cost,
        "realized": sum((h.realized for h in account.holdings.values()), Decimal(0)),
    }


def assets_wire(account: AccountBook, world: World) -> dict[str, Any]:
    """`prime_assets`: what is unset is absent, which the SDK shows as infinite."""
    total = {name: float(value) for name, value in totals(account, world).items()}
    free = total["net"] - total["margin"]
    stocks = {
        "currency": "USD",
        "capability": "RegTMargin",
        "category": "S",
        "cashBalance": total["cash"],
        "cashAvailableForTrade": max(free, 0.0),
        "grossPositionValue": total["gross"],
        "equityWithLoan": total["net"],
        "netLiquidation": total["net"],
        "initMargin": total["margin"],
        "maintainMargin": total["margin"] / 2,
        "unrealizedPL": total["unrealized"],
        "realizedPL": total["realized"],
        "excessLiquidation": total["net"] - total["margin"] / 2,
        "buyingPower": max(free * 2, 0.0),
        "leverage": total["gross"] / total["net"] if total["net"] else 0.0,
        "currencyAssets": [{"currency": "USD", "cashBalance": total["cash"], "cashAvailableForTrade": max(free, 0.0)}],
    }
    unset = set(world.config.unset_assets)
    segments = [{name: value for name, value in stocks.items() if name not in unset}, {"currency": "USD", "category": "C"}]
    return {"accountId": account.account, "updateTimestamp": world.now(), "segments": segments}


def contract_wire(contract: Contract, facts: dict[str, Any]) -> dict[str, Any]:
    """`contract`."""
    return contract_fields(contract) | {
        "contractId": sum(contract.key.encode()),
        "name": facts["name"],
        "localSymbol": contract.symbol,
        "tradingClass": contract.symbol,
        "primaryExchange": "NASDAQ",
        "multiplier": float(facts["multiplier"]),
        "lotSize": float(facts["lot_size"]),
        "tickSizes": facts["tick_sizes"],
        "shortable": facts["shortable"],
        "tradeable": facts["trade"],
        "marginable": True,
        "closeOnly": False,
        "status": 1,
        "shortMargin": 0.35,
        "shortInitialMargin": 0.35,
        "shortMaintenanceMargin": 0.3,
        "longInitialMargin": 0.3,
        "longMaintenanceMargin": 0.25,
    }


def holdings_of(book: Book, account: str, sec_type: str) -> list[Holding]:
    """Holdings of one kind (ALL: of every), by key."""
    holdings = sorted(book.accounts[account].holdings.items())
    return [holding for _, holding in holdings if holding.quantity and sec_type in ("ALL", holding.contract.sec_type)]
