"""The protocol of a strategy: typed parameters, declared needs, features computed once, a pure decision a session.

A strategy is a pure module. `prepare` turns a `Panel` into causal arrays: column t of each depends on sessions ≤ t
only, so preparing a whole history once and preparing it anew each day decide the same. `decide` reads column t, what
the strategy holds, and answers drafts. The same two functions serve live runs, replays and backtests.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from quant_site.core.types import Direction
from quant_site.market.panel import Panel


class StrategyParams(BaseModel):
    """Parameters every strategy has. Subclasses add their own, each with bounds and a help text."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

    weight: float = Field(0.25, ge=0, le=1, description="Share of the account's risk budget this strategy may use.")


@dataclass(frozen=True)
class Needs:
    """What must be there before a strategy can decide. `sessions` is the warm-up in bars of a symbol."""

    sessions: int
    symbols: int = 1
    volume: bool = False


@dataclass(frozen=True)
class Leg:
    """One instrument of a draft. `ratio` is its share of the draft's notional (sums to 1 over the legs)."""

    symbol: str
    direction: Direction
    ratio: float = 1.0


@dataclass(frozen=True)
class Draft:
    """What a strategy proposes at the close of a session, to be filled in the next one. Prices are raw, per unit.

    `group` names the trade: the symbol, or "A/B" for a pair; at most one trade of a group is open per strategy.
    `score` is the strategy's own measure of conviction, larger is stronger, comparable within the strategy only.
    `add` marks an addition to an open trade (pyramiding). `unit_risk` is the loss per unit at the stop.
    """

    group: str
    direction: Direction
    legs: tuple[Leg, ...]
    score: float
    reason: str
    entry_price: float | None = None
    stop_loss: float | None = None
    take_profit: float | None = None
    add: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Holding:
    """An open trade of this strategy, as its decision sees it. Prices are raw; `quantities` are signed, per symbol."""

    group: str
    direction: Direction
    quantities: dict[str, float]
    entry_price: float
    entry_session: date
    last_entry_price: float
    units: int = 1
    stop_price: float | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


class Strategy(ABC):
    """Base of the library. Subclasses are stateless; one instance serves every account."""

    key: ClassVar[str]
    name: ClassVar[str]
    category: ClassVar[str]
    source: ClassVar[str]
    description: ClassVar[str]
    signal_sources: ClassVar[tuple[str, ...]] = ("TECHNICAL",)
    Params: ClassVar[type[StrategyParams]] = StrategyParams

    @abstractmethod
    def needs(self, params: StrategyParams) -> Needs:
        """Warm-up and other data without which the strategy abstains."""

    @abstractmethod
    def prepare(self, panel: Panel, params: StrategyParams) -> Any:
        """Causal features over the whole panel: column t depends on nothing after session t."""

    @abstractmethod
    def decide(self, panel: Panel, features: Any, t: int, params: StrategyParams, holdings: tuple[Holding, ...]) -> list[Draft]:
        """Drafts at the close of session t, entries and exits, in a deterministic order.

        A decision keeps no state of its own: what it must remember is either in `holdings` or a causal feature. It
        reads nothing of `panel` or `features` beyond column t.
        """
