"""What a backtest answers: fills, trades and daily equity as arrays, the metrics over them, and what was assumed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import numpy as np

from quant_site.core.stats import Metric

# One execution. `symbol` indexes `BacktestResult.symbols`, `session` its `sessions`; `group` indexes `groups`. `quantity` is
# in whole shares or contracts, positive; `price` in millionths of a dollar a unit, `commission` in cents: both exact.
FILL = np.dtype(
    [
        ("session", "i4"),
        ("symbol", "i4"),
        ("group", "i4"),
        ("side", "i1"),
        ("purpose", "i1"),
        ("quantity", "i8"),
        ("price", "i8"),
        ("commission", "i8"),
    ]
)
# One leg of one trade. `exit` is −1 while it is open; `reason` indexes REASONS. Money in cents: `pnl` is net of commissions
# with dividends, borrowing and, while open, the mark; `risk` the loss at the first stop (0 without one); `best` and `worst`
# the extremes of the P&L at closes while it was open.
TRADE = np.dtype(
    [
        ("symbol", "i4"),
        ("group", "i4"),
        ("side", "i1"),
        ("reason", "i1"),
        ("entry", "i4"),
        ("exit", "i4"),
        ("quantity", "i8"),
        ("entry_price", "i8"),
        ("exit_price", "i8"),
        ("pnl", "i8"),
        ("fees", "i8"),
        ("risk", "i8"),
        ("best", "i8"),
        ("worst", "i8"),
    ]
)
PURPOSES = ("ENTRY", "EXIT", "REDUCE", "STOP", "TARGET")
REASONS = ("OPEN", "EXIT", "STOP", "TARGET", "SPLIT", "EXPIRY", "ASSIGNMENT")


@dataclass(frozen=True, eq=False)
class BacktestResult:
    """A run over T sessions. `equity`, `cash` and `gross` (T,) are in dollars at each close; `fills` and `trades` are arrays of
    FILL and TRADE in the order they happened, open trades last. `benchmark` (T,) are daily returns, NaN before the first.

    `rejected` counts entries that came to nothing, by code: refused by the account's checks or the broker, or without a bar
    to trade on (NO_BAR); `abstained` the sessions in which the strategy could not decide, by reason.
    """

    strategy: str
    params: Mapping
    sessions: np.ndarray
    symbols: tuple[str, ...]
    groups: tuple[str, ...]
    equity: np.ndarray
    cash: np.ndarray
    gross: np.ndarray
    fills: np.ndarray
    trades: np.ndarray
    metrics: Mapping[str, Metric]
    capital: float
    benchmark: np.ndarray | None = None
    drafts: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    abstained: Mapping[str, int] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()

    @cached_property
    def returns(self) -> np.ndarray:
        """(T,) daily returns of the equity; the first is measured on the capital. They mean nothing once it is not above zero."""
        before = np.concatenate([[self.capital], self.equity[:-1]])
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.equity / before - 1

    def as_json(self) -> dict:
        """All of it as plain values: dates as text, undefined numbers as null."""
        return {
            "strategy": self.strategy,
            "params": dict(self.params),
            "sessions": [str(day) for day in self.sessions],
            "symbols": list(self.symbols),
            "capital": self.capital,
            "equity": self.equity.tolist(),
            "cash": self.cash.tolist(),
            "gross": self.gross.tolist(),
            "benchmark": None if self.benchmark is None else [None if value != value else value for value in self.benchmark.tolist()],
            "metrics": {name: metric.as_dict() for name, metric in self.metrics.items()},
            "trades": [_plain(row) for row in self.trade_rows()],
            "fills": [_plain(row) for row in self.fill_rows()],
            "drafts": self.drafts,
            "rejected": dict(self.rejected),
            "abstained": dict(self.abstained),
            "assumptions": list(self.assumptions),
        }

    def fill_rows(self) -> list[dict]:
        """The fills as plain values, for JSON and tables."""
        return [
            {
                "session": self.day(row["session"]),
                "symbol": self.symbols[row["symbol"]],
                "group": self.groups[row["group"]],
                "side": "BUY" if row["side"] > 0 else "SELL",
                "purpose": PURPOSES[row["purpose"]],
                "quantity": int(row["quantity"]),
                "price": float(row["price"] / 1e6),
                "commission": float(row["commission"] / 100),
            }
            for row in self.fills
        ]

    def trade_rows(self) -> list[dict]:
        """The trades as plain values, for JSON and tables; an open one has no exit."""
        return [self._trade_row(row) for row in self.trades]

    def _trade_row(self, row) -> dict:
        closed = row["exit"] >= 0
        return {
            "group": self.groups[row["group"]],
            "symbol": self.symbols[row["symbol"]],
            "direction": "LONG" if row["side"] > 0 else "SHORT",
            "entry_session": self.day(row["entry"]),
            "exit_session": self.day(row["exit"]) if closed else None,
            "quantity": int(row["quantity"]),
            "entry_price": float(row["entry_price"] / 1e6),
            "exit_price": float(row["exit_price"] / 1e6) if closed else None,
            "pnl": float(row["pnl"] / 100),
            "fees": float(row["fees"] / 100),
            "r_multiple": float(row["pnl"] / row["risk"]) if closed and row["risk"] > 0 else None,
            "best": float(row["best"] / 100),
            "worst": float(row["worst"] / 100),
            "exit": REASONS[row["reason"]] if closed else None,
            "sessions_held": int((row["exit"] if closed else len(self.sessions) - 1) - row["entry"]),
        }

    def day(self, t: int) -> date:
        return self.sessions[t].item()


def _plain(row: dict) -> dict:
    return {name: str(value) if isinstance(value, date) else value for name, value in row.items()}
