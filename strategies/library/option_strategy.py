"""The round of an option strategy: leave what has to be left, and open on the days that the calendar of expirations names."""

from abc import abstractmethod
from collections.abc import Sequence
from datetime import date
from typing import Any

from quant_site.market.panel import Panel
from strategies.base import Draft, Strategy, StrategyParams
from strategies.library.drafting import in_order
from strategies.library.option_trades import OpenTrade, open_trades


class OptionStrategy(Strategy):
    """Features have `days`, the sessions as dates, and `targets`: the expiry to open at each of them, None between entries."""

    def decide(self, panel, features, t, params, holdings) -> list[Draft]:
        target = features.targets[t]
        if target is None and not holdings:
            return []
        trades = open_trades(holdings, features.days[t])
        exits = [draft for trade in trades if (draft := self._exit(panel, features, t, params, trade))]
        return in_order(exits, [] if target is None else self._entries(features, t, params, target, trades))

    @abstractmethod
    def _exit(self, panel: Panel, features: Any, t: int, params: StrategyParams, trade: OpenTrade) -> Draft | None:
        """The draft that closes `trade`, where it has to be left."""

    @abstractmethod
    def _entries(self, features: Any, t: int, params: StrategyParams, expiry: date, trades: Sequence[OpenTrade]) -> list[Draft]:
        """What to open until `expiry`, beside the open `trades`."""


class MonthlyOptionStrategy(OptionStrategy):
    """One trade an expiry."""

    def _entries(self, features, t, params, expiry, trades) -> list[Draft]:
        if any(trade.expiry == expiry for trade in trades):
            return []
        draft = self._entry(features, t, params, expiry)
        return [draft] if draft else []

    @abstractmethod
    def _entry(self, features: Any, t: int, params: StrategyParams, expiry: date) -> Draft | None:
        """The trade until `expiry`; None where none can be had."""
