"""Trading facts as rows: orders and fills, positions and cash, equity and journal, plans and alerts, the paper book."""

from trading.models.accounting import CashEntry, EquitySnapshot, Position, TradeJournal
from trading.models.intents import PriceAlert, TradingPlan
from trading.models.orders import Fill, Order, OrderEvent
from trading.models.paper import PaperAccount, PaperActivity, PaperFence, PaperFill, PaperHolding, PaperOrder

__all__ = [
    "CashEntry",
    "EquitySnapshot",
    "Fill",
    "Order",
    "OrderEvent",
    "PaperAccount",
    "PaperActivity",
    "PaperFence",
    "PaperFill",
    "PaperHolding",
    "PaperOrder",
    "Position",
    "PriceAlert",
    "TradeJournal",
    "TradingPlan",
]
