"""Trading as rows: orders and fills, positions and cash, equity and journal, plans, alerts and hedges, who may send, the paper book."""

from trading.models.accounting import CashEntry, EquitySnapshot, Position, TradeJournal
from trading.models.control import Arming, Reconciliation, SenderBoot, SymbolHalt
from trading.models.hedging import HedgePolicy, HedgeRecord
from trading.models.intents import AlertFiring, PriceAlert, TradingPlan, WatchedBar
from trading.models.orders import Fill, Order, OrderEvent
from trading.models.paper import PaperAccount, PaperActivity, PaperFence, PaperFill, PaperHolding, PaperOrder

__all__ = [
    "AlertFiring",
    "Arming",
    "CashEntry",
    "EquitySnapshot",
    "Fill",
    "HedgePolicy",
    "HedgeRecord",
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
    "Reconciliation",
    "SenderBoot",
    "SymbolHalt",
    "TradeJournal",
    "TradingPlan",
    "WatchedBar",
]
