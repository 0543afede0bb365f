"""Portfolio strategies: rank and hold. They say what share of their capital each symbol should have, and when.

A target that is far enough from what is held becomes a draft for the difference; a holding without a target is closed.
Between rebalancing sessions nothing is traded. The schedule is the exchange's calendar: what is decided at the last
close of a month fills at the first open of the next.

An account buys with the cash it has, and what is sold at that open is not cash before it: a portfolio that is fully
invested cannot change its holdings in one session. So the closes after a rebalancing one, up to `entry_window` of them
in all, ask again for what is still missing from the same targets, those of the rebalancing close; nothing is ranked anew.
"""

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar

from quant_site.core.types import Direction
from quant_site.market.panel import Panel
from quant_site.market.sessions import next_session
from strategies.base import Draft, Holding, Leg, Strategy, StrategyParams, knob
from strategies.library.declarations import gettext_noop
from strategies.library.drafting import closing, in_order, rounded

# A share of capital below this is not worth an order.
SMALLEST_WEIGHT = 1e-4


class PortfolioParams(StrategyParams):
    band: float = knob(
        0.2,
        ge=0,
        le=1,
        step=0.05,
        unit="share",
        description=gettext_noop("Drift from its target, as a share of it, at which a holding is traded."),
    )
    entry_window: int = knob(
        3,
        ge=1,
        le=10,
        step=1,
        unit="sessions",
        description=gettext_noop("Closes, from the rebalancing one on, that trade towards its targets."),
    )


@dataclass(frozen=True)
class Target:
    """`weight` is a share of the strategy's capital, negative when short; `score` ranks it; `reason` says why, in words."""

    symbol: str
    weight: float
    score: float
    reason: str
    metadata: dict[str, Any] = field(default_factory=dict)


class PortfolioStrategy(Strategy):
    """Base of strategies that hold what ranks best. `months` lie between two rebalancings."""

    months: ClassVar[int] = 1

    @abstractmethod
    def targets(self, panel: Panel, features: Any, t: int, params: StrategyParams, held: frozenset[str]) -> Sequence[Target] | None:
        """What to hold from the next open on, given what is `held`; None where it cannot say, and all stays as it is.

        Once what it answers is held, it must answer the same.
        """

    def rebalances(self, panel: Panel, features: Any, t: int, params: StrategyParams) -> bool:
        """Whether this close decides: the last of the month, or of every `months` months counted from January."""
        return ends_period(panel.sessions[t].item(), self.months)

    def decided_at(self, panel: Panel, features: Any, t: int, params: StrategyParams) -> int | None:
        """The column of the rebalancing close whose targets are traded at t; None between rebalancings."""
        earliest = max(0, t - params.entry_window + 1)
        return next((column for column in range(t, earliest - 1, -1) if self.rebalances(panel, features, column, params)), None)

    def decide(self, panel, features, t, params, holdings) -> list[Draft]:
        decided = self.decided_at(panel, features, t, params)
        if decided is None:
            return []
        targets = self.targets(panel, features, decided, params, frozenset(holding.group for holding in holdings))
        return [] if targets is None else differences(panel, t, targets, holdings, params.band)


def ends_period(session: date, months: int) -> bool:
    """Whether the exchange's next session lies in another period of `months` months; periods begin each January."""
    following = next_session(session)
    return period_number(following, months) != period_number(session, months)


def period_number(day: date, months: int) -> int:
    return (day.year * 12 + day.month - 1) // months


def differences(panel: Panel, t: int, targets: Sequence[Target], holdings: Sequence[Holding], band: float) -> list[Draft]:
    """Drafts that take `holdings` to `targets`, leaving alone what is within `band` of its target.

    A holding on the other side of its target is closed first, and the target opened at a later close. A holding whose
    weight is not known (NaN, or zero: nobody gave it) is closed or left, never added to. Raises `ValueError` for targets
    that are none: a weight that is not finite, or two for one symbol.
    """
    _check(targets)
    wanted = {target.symbol: target for target in targets if abs(target.weight) >= SMALLEST_WEIGHT}
    held = {holding.group: holding for holding in holdings}
    exits, entries = [], []
    for group, holding in held.items():
        target = wanted.get(group)
        if target is None:
            exits.append(closing(holding, "NOT_IN_TARGET", "It is no longer among what the strategy holds."))
        elif target.weight * holding.direction.sign < 0:
            exits.append(closing(holding, "OTHER_SIDE", "Its target is on the other side.", target=rounded(target.weight, 6)))
        elif (excess := abs(holding.weight) - abs(target.weight)) > _tolerance(target, band):
            exits.append(_reduced(holding, target, excess))
        elif holding.weight and -excess > _tolerance(target, band):
            entries.append(_bought(panel, t, target, -excess, add=True))
    entries += [_bought(panel, t, target, abs(target.weight)) for symbol, target in wanted.items() if symbol not in held]
    return in_order(exits, [draft for draft in entries if draft is not None])


def _check(targets: Sequence[Target]) -> None:
    symbols = [target.symbol for target in targets]
    bad = sorted({target.symbol for target in targets if not math.isfinite(target.weight)})
    twice = sorted({symbol for symbol in symbols if symbols.count(symbol) > 1})
    if bad or twice:
        raise ValueError(f"Targets need one finite weight a symbol: not finite for {bad}, more than one for {twice}.")


def _tolerance(target: Target, band: float) -> float:
    return max(band * abs(target.weight), SMALLEST_WEIGHT)


def _reduced(holding: Holding, target: Target, excess: float) -> Draft:
    legs = (Leg(target.symbol, Direction.CLOSE),)
    metadata = {"rule": "REDUCE_TO_TARGET", "target": rounded(abs(target.weight), 6), "held": rounded(abs(holding.weight), 6)}
    reason = "Its weight has grown beyond its target."
    return Draft(holding.group, Direction.CLOSE, legs, 0.0, reason, portion=rounded(excess / abs(holding.weight), 6), metadata=metadata)


def _bought(panel: Panel, t: int, target: Target, weight: float, add: bool = False) -> Draft | None:
    """An entry or addition worth `weight`; None where the symbol has no bar to trade on."""
    row = panel.row(target.symbol)
    close = float(panel.close[row, t])
    if not close > 0:
        return None
    direction = Direction.LONG if target.weight > 0 else Direction.SHORT
    return Draft(
        group=target.symbol,
        direction=direction,
        legs=(Leg(target.symbol, direction),),
        score=target.score,
        reason=target.reason,
        entry_price=round(close, 6),
        add=add,
        weight=rounded(weight, 6),
        metadata={"rule": "ADD_TO_TARGET" if add else "TARGET", "target": rounded(abs(target.weight), 6), **target.metadata},
    )
