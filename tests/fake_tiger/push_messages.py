"""The bodies of push messages, filled from the books."""

from typing import Any

from tigeropen.push.pb.AssetData_pb2 import AssetData
from tigeropen.push.pb.OrderStatusData_pb2 import OrderStatusData
from tigeropen.push.pb.OrderTransactionData_pb2 import OrderTransactionData
from tigeropen.push.pb.PositionData_pb2 import PositionData
from tigeropen.push.pb.QuoteData_pb2 import QuoteData
from tigeropen.push.pb.SocketCommon_pb2 import SocketCommon

from tests.fake_tiger.book import AccountBook, BookOrder, Fill, Holding
from tests.fake_tiger.contracts import Contract
from tests.fake_tiger.wire import average_price, market_price, scaled, totals
from tests.fake_tiger.world import World

SEGMENT, MARKET = "S", "US"


def _contract(data: Any, contract: Contract) -> None:
    data.symbol, data.secType, data.currency = contract.symbol, contract.sec_type, contract.currency
    data.market, data.segType, data.multiplier = MARKET, SEGMENT, contract.multiplier
    data.identifier = contract.key


def _option(data: Any, contract: Contract) -> None:
    if contract.sec_type == "OPT":
        data.expiry, data.strike, data.right = contract.expiry, str(float(contract.strike)), contract.right


def order_data(data: OrderStatusData, order: BookOrder, world: World, now: int) -> None:
    _contract(data, order.contract)
    _option(data, order.contract)
    data.id, data.account, data.action, data.orderType = order.id, order.account, order.action, order.order_type
    data.isLong = order.action == "BUY"
    data.totalQuantity, data.totalQuantityScale = scaled(order.quantity, world.config.quantity_scale)
    data.filledQuantity, data.filledQuantityScale = scaled(order.filled, world.config.quantity_scale)
    data.avgFillPrice = average_price(order, world)
    data.limitPrice = float(order.limit_price or 0)
    data.stopPrice = float(order.aux_price or 0)
    data.realizedPnl, data.commissionAndFee = float(order.realized), float(order.commission)
    data.status, data.errorMsg = order.status, order.remark
    data.outsideRth, data.timeInForce = order.outside_rth, order.time_in_force
    data.canModify = order.status in ("Initial", "PendingSubmit", "Submitted")
    data.canCancel = order.working and order.status != "PendingCancel"
    data.source, data.userMark, data.name = order.source, order.user_mark, order.contract.symbol
    data.openTime, data.updateTime, data.latestTime = order.opened_at, order.updated_at, order.traded_at or order.updated_at
    data.timestamp = now


def transaction_data(data: OrderTransactionData, fill: Fill, now: int) -> None:
    _contract(data, fill.contract)
    data.id, data.orderId, data.account, data.action = fill.fill_id, fill.id, fill.account, fill.side
    data.filledPrice, data.filledQuantity = float(fill.price), int(fill.quantity)
    data.createTime = data.updateTime = data.transactTime = fill.at
    data.timestamp = now


def position_data(data: PositionData, account: str, holding: Holding, world: World, now: int) -> None:
    _contract(data, holding.contract)
    _option(data, holding.contract)
    price = market_price(holding, world)
    value = holding.quantity * price * holding.contract.multiplier
    data.account, data.name = account, holding.contract.symbol
    data.position, data.positionScale = scaled(holding.quantity, world.config.quantity_scale)
    data.positionQty = data.salableQty = float(holding.quantity)
    data.averageCost, data.latestPrice = float(holding.average_cost), float(price)
    data.marketValue, data.unrealizedPnl = float(value), float(value - holding.cost)
    data.timestamp = now


def asset_data(data: AssetData, account: AccountBook, world: World, now: int) -> None:
    total = {name: float(value) for name, value in totals(account, world).items()}
    data.account, data.currency, data.segType = account.account, "USD", SEGMENT
    data.cashBalance, data.netLiquidation, data.equityWithLoan = total["cash"], total["net"], total["net"]
    data.grossPositionValue, data.initMarginReq, data.maintMarginReq = total["gross"], total["margin"], total["margin"] / 2
    data.availableFunds, data.excessLiquidity = total["net"] - total["margin"], total["net"] - total["margin"] / 2
    data.buyingPower = max(2 * (total["net"] - total["margin"]), 0.0)
    data.timestamp = now


def quote_data(data: QuoteData, symbol: str, world: World, now: int) -> None:
    quote = world.quotes[symbol]
    data.symbol, data.type, data.timestamp = symbol, SocketCommon.ALL, quote.at
    data.serverTimestamp = now
    last = float(quote.last or 0)
    data.latestPrice = data.preClose = last
    data.latestPriceTimestamp, data.latestTime, data.volume = quote.at, "", int(quote.fields.get("volume", 0))
    data.askPrice, data.askSize = float(quote.ask or 0), int(quote.fields.get("ask_size", 100))
    data.bidPrice, data.bidSize = float(quote.bid or 0), int(quote.fields.get("bid_size", 100))
    data.askTimestamp = data.bidTimestamp = quote.at
