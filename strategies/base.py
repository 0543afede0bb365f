"""The protocol of a strategy: typed parameters, declared needs, features computed once, a pure decision a session.

A strategy is a pure module. `prepare` turns a `Panel` into causal arrays: column t of each depends on sessions ≤ t
only, so preparing a whole history once and preparing it anew each day decide the same. `decide` reads column t, what
the strategy holds, and answers drafts. The same two functions serve live runs, replays and backtests.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from quant_site.core.types import Direction
from quant_site.market.panel import Panel


def knob(default, *, step: float | None = None, unit: str = "", description: str, searched: bool = True, **bounds):
    """A parameter: its default and bounds, the step a search or a form moves it by, its unit and its help text.

    Not `searched` is what no record may decide: when data were published, what data must be there, how much may be lost.
    `bounds` are pydantic's (`ge`, `le` …). Texts are English and translated where they are shown.
    """
    return Field(default, description=description, json_schema_extra={"step": step, "unit": unit, "searched": searched}, **bounds)


class StrategyParams(BaseModel):
    """Parameters every strategy has. Subclasses add their own, each with bounds, step, unit and a help text."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

    # Twelve strategies share the account equally until their records say otherwise.
    weight: float = knob(
        0.0833, searched=False, ge=0, le=1, step=0.01, unit="share", description="Share of the account's risk budget this strategy may use."
    )


@dataclass(frozen=True)
class Needs:
    """What must be there before a strategy can decide. `sessions` is the warm-up in bars of a symbol; `symbols` how many
    of them must have it, of `among` where that names any."""

    sessions: int
    symbols: int = 1
    among: tuple[str, ...] = ()


@dataclass(frozen=True)
class Leg:
    """One instrument of a draft. `ratio` is its share of the draft's notional (sums to 1 over the legs).

    In a structure, which is sized in whole units, `units` says how many contracts or shares of it one unit has.
    """

    symbol: str
    direction: Direction
    ratio: float = 1.0
    units: int = 0


@dataclass(frozen=True)
class Draft:
    """What a strategy proposes at the close of a session, to be filled in the next one. Prices are raw, per unit.

    `group` names the trade: the symbol, or "A/B" for a pair; at most one trade of a group is open per strategy.
    `score` is the strategy's own measure of conviction, larger is stronger, comparable within the strategy only.
    `add` marks an addition to an open trade (pyramiding, or a portfolio's rise to its target).

    How large it becomes is the account's business, within its limits, from one of three: the distance to the stop (else
    a volatility move); `weight`, the share of the strategy's capital to trade; or, for a structure of several contracts,
    `unit_risk`, the most that one unit can lose in dollars (its debit, or its width less the credit), of which the
    account risks at most the share `risk_share` of its equity. A CLOSE closes the share `portion` of what is open.
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
    weight: float | None = None
    unit_risk: float | None = None
    risk_share: float | None = None
    portion: float = 1.0
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def structure(self) -> bool:
        """Whether it is sized in units of several contracts."""
        return self.unit_risk is not None


@dataclass(frozen=True)
class Holding:
    """An open trade of this strategy, as its decision sees it. Prices are raw; `quantities` are signed, per symbol.

    `weight` is its signed market value at the deciding close as a share of the strategy's capital; `entry_prices` are the
    mean entry prices of its legs by symbol.
    """

    group: str
    direction: Direction
    quantities: dict[str, float]
    entry_price: float
    entry_session: date
    last_entry_price: float
    units: int = 1
    stop_price: float | None = None
    weight: float = 0.0
    entry_prices: Mapping[str, float] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class KnownAnswer:
    """A case small enough to check by hand: what the definition gives, beside what the strategy's own code computes."""

    case: str
    expected: float | str
    computed: float | str
    tolerance: float = 0.0

    @property
    def holds(self) -> bool:
        if isinstance(self.expected, str) or isinstance(self.computed, str):
            return self.expected == self.computed
        return abs(self.expected - self.computed) <= self.tolerance


class Strategy(ABC):
    """Base of the library. Subclasses are stateless; one instance serves every account.

    Texts (`name`, `description`, `requires`, `departures`) are English, marked for translation with `gettext_noop`:
    `requires` names the data it needs, `departures` where it leaves its source, a sentence each.
    """

    key: ClassVar[str]
    name: ClassVar[str]
    category: ClassVar[str]
    source: ClassVar[str]
    description: ClassVar[str]
    requires: ClassVar[tuple[str, ...]] = ()
    departures: ClassVar[tuple[str, ...]] = ()
    signal_sources: ClassVar[tuple[str, ...]] = ("TECHNICAL",)
    Params: ClassVar[type[StrategyParams]] = StrategyParams

    @abstractmethod
    def needs(self, params: StrategyParams) -> Needs:
        """Warm-up and other data without which the strategy abstains."""

    def lack(self, panel: Panel, features: Any, t: int, params: StrategyParams) -> str:
        """What beside bars is missing for a decision at column t, and how to get it; empty where nothing is."""
        return ""

    @abstractmethod
    def prepare(self, panel: Panel, params: StrategyParams) -> Any:
        """Causal features over the whole panel: column t depends on nothing after session t."""

    @abstractmethod
    def decide(self, panel: Panel, features: Any, t: int, params: StrategyParams, holdings: tuple[Holding, ...]) -> list[Draft]:
        """Drafts at the close of session t, entries and exits, in a deterministic order.

        A decision keeps no state of its own: what it must remember is either in `holdings` or a causal feature. It
        reads nothing of `panel` or `features` beyond column t.
        """

    def known_answers(self) -> tuple[KnownAnswer, ...]:
        """Cases that show this code computes what its source defines; each must hold."""
        return ()
