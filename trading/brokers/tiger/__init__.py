"""Tiger Brokers: real orders, over the vendor's SDK."""

from trading.brokers.tiger.broker import TigerBroker

__all__ = ["TigerBroker"]
