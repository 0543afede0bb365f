"""Trend following: the Turtles' breakouts, and the golden cross.

Breakout momentum
    Source: C. Faith, "The Original Turtle Trading Rules" (2003). System 1 enters on a 20-day breakout unless the one
    before it would have won; system 2 on every 55-day breakout. Both exit on the opposite extreme, of 10 and of 20
    days. N is the 20-day average true range by Wilder's smoothing; the stop is 2 N from the last entry; a unit is
    added each ½ N in favour, up to four.
    Departures: decisions are made on closes and filled at the next open, so a breakout is a close outside the channel
    of earlier highs and lows, and at most one unit is added a session, in the session that crosses its level: a unit
    that the account's limits refuse is not asked for again before the level is crossed anew. A breakout ended by the
    exit channel at a loss smaller than 2 N counts as lost. Where both systems break out at once the trade is system
    1's. The account's risk per trade buys the distance to the stop (2 N); the Turtles risked one per cent of equity on each N.
    Their limits on correlated markets are the account's limits here.

Golden cross
    Source: Brock, Lakonishok and LeBaron (1992), "Simple Technical Trading Rules and the Stochastic Properties of Stock
    Returns", Journal of Finance 47(5), for the family of rules; 50 over 200 sessions is the form that traders know.
    Ours: long only. Entry is the event (the averages crossed within the last `entry_window` sessions, so one that was
    refused or missed is tried again, and an old cross is not bought), exit is the state (the fast average is below).
    There is no stop. Trades are few and long: a Sharpe ratio or a Kelly fraction of one symbol means nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import model_validator

from quant_site.core.types import Direction
from quant_site.market.indicators import atr, sma
from quant_site.market.panel import Panel
from strategies.base import Draft, Holding, KnownAnswer, Leg, Needs, StrategyParams, knob
from strategies.library.declarations import gettext_noop
from strategies.library.drafting import closing, in_order, raw_price, rounded
from strategies.library.kernels import breakout_rules, breakouts, channel, cross_rules, crosses, raw_prices
from strategies.library.trend_following_answers import breakout_answers, cross_answers
from strategies.rules import Rules, RuleStrategy, column, shared, without_units

CATEGORY = "TREND_FOLLOWING"


class TurtleParams(StrategyParams):
    fast_entry: int = knob(20, ge=5, le=120, step=5, unit="sessions", description=gettext_noop("Sessions of system 1's entry channel."))
    slow_entry: int = knob(55, ge=10, le=250, step=5, unit="sessions", description=gettext_noop("Sessions of system 2's entry channel."))
    fast_exit: int = knob(10, ge=2, le=120, step=1, unit="sessions", description=gettext_noop("Sessions of system 1's exit channel."))
    slow_exit: int = knob(20, ge=2, le=250, step=5, unit="sessions", description=gettext_noop("Sessions of system 2's exit channel."))
    n_window: int = knob(20, ge=5, le=120, step=5, unit="sessions", description=gettext_noop("Sessions of N, the average true range."))
    stop_n: float = knob(
        2.0, ge=0.5, le=6, step=0.25, unit="N", description=gettext_noop("Distance from the last entry to the stop, in N.")
    )
    add_n: float = knob(
        0.5, ge=0.25, le=3, step=0.25, unit="N", description=gettext_noop("Move in favour after which a unit is added, in N.")
    )
    max_units: int = knob(4, searched=False, ge=1, le=8, step=1, unit="units", description=gettext_noop("Units of one trade."))
    skip_after_winner: bool = knob(True, description=gettext_noop("System 1 skips a breakout when the one before it would have won."))
    short: bool = knob(True, description=gettext_noop("Also sell downward breakouts short."))

    @model_validator(mode="after")
    def _ordered(self):
        if not self.fast_entry < self.slow_entry:
            raise ValueError("fast_entry must be shorter than slow_entry")
        if self.fast_exit > self.fast_entry or self.slow_exit > self.slow_entry:
            raise ValueError("an exit channel must not be longer than its entry channel")
        return self


@dataclass(frozen=True)
class TurtleFeatures:
    """(N, T) arrays, adjusted. `fast` and `slow` are the side of an entry by system 1 and 2 (1, −1, 0 none); a channel is
    its high and its low. `entry` is system 1's; `exits` are those of system 1 and 2."""

    fast: np.ndarray
    slow: np.ndarray
    n: np.ndarray
    entry: tuple[np.ndarray, np.ndarray]
    exits: tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


class BreakoutMomentum(RuleStrategy):
    key = "breakout_momentum"
    name = gettext_noop("Breakout momentum")
    category = CATEGORY
    source = "C. Faith, The Original Turtle Trading Rules, 2003"
    description = gettext_noop("The Turtles' two systems: 20- and 55-day breakouts, additions to winners, exit on the opposite extreme.")
    requires = (gettext_noop("Daily bars of each symbol with open, high, low and close, adjusted for splits and dividends."),)
    departures = (
        gettext_noop("Decisions are made on closes and filled at the next open, so a breakout is a close outside the channel."),
        gettext_noop("At most one unit is added a session; one that the limits refuse waits until its level is crossed anew."),
        gettext_noop("A breakout that the exit channel ends at a loss of less than 2 N counts as lost."),
        gettext_noop("Where both systems break out at once, the trade is system 1's."),
        gettext_noop("The risk per trade buys the distance to the stop; the Turtles risked one per cent of equity on each N."),
        gettext_noop("The account's limits take the place of their limits on correlated markets."),
    )
    Params = TurtleParams

    def needs(self, params: TurtleParams) -> Needs:
        return Needs(sessions=max(params.slow_entry, params.n_window) + 1)

    def prepare(self, panel: Panel, params: TurtleParams) -> TurtleFeatures:
        high, low, close = panel.adj_high, panel.adj_low, panel.adj_close
        n = atr(high, low, close, params.n_window)
        entry = channel(high, low, params.fast_entry)
        slow_top, slow_bottom = channel(high, low, params.slow_entry)
        exits = channel(high, low, params.fast_exit), channel(high, low, params.slow_exit)
        fast, won = breakouts(high, low, close, n, *entry, *exits[0], params.stop_n)
        if params.skip_after_winner:
            fast = np.where(won, 0, fast).astype(np.int8)
        slow = (close > slow_top).astype(np.int8) - (close < slow_bottom).astype(np.int8)
        return TurtleFeatures(fast, slow, n, entry, exits)

    def rules(self, panel: Panel, sets: Sequence[TurtleParams]) -> Rules:
        high, low, close = panel.adj_high, panel.adj_low, panel.adj_close
        windows = [column(sets, name, int) for name in ("fast_entry", "slow_entry", "fast_exit", "slow_exit")]
        (top, bottom), channels = shared(lambda window: channel(high, low, window), *windows)
        (n,), (unit_of,) = shared(lambda window: (atr(high, low, close, window),), column(sets, "n_window", int))
        stop = column(sets, "stop_n")
        return Rules(
            scan=breakout_rules,
            market=(high, low, close, top, bottom, n),
            sets=(*channels, unit_of, stop, column(sets, "skip_after_winner", bool), column(sets, "short", bool)),
            unit=np.stack([raw_prices(each, panel.factor.copy()) for each in n]),
            unit_of=unit_of,
            stop=stop,
            add=column(sets, "add_n"),
            most=column(sets, "max_units", int),
            holding=np.zeros(len(sets), int),
            warm_up=np.array([self.needs(params).sessions for params in sets]),
        )

    def decide(self, panel, features: TurtleFeatures, t, params: TurtleParams, holdings) -> list[Draft]:
        exits, entries = [], []
        for holding in holdings:
            draft = self._exit(panel, features, t, holding)
            if draft is not None:
                exits.append(draft)
            elif (draft := self._add(panel, features, t, params, holding)) is not None:
                entries.append(draft)
        held = {holding.group for holding in holdings}
        rows = [row for row in np.flatnonzero(features.fast[:, t] | features.slow[:, t]) if panel.symbols[row] not in held]
        entries += [draft for row in rows if (draft := self._entry(panel, features, t, params, row)) is not None]
        return in_order(exits, entries)

    def _entry(self, panel: Panel, features: TurtleFeatures, t: int, params: TurtleParams, row: int) -> Draft | None:
        system = 1 if features.fast[row, t] else 2
        side = int(features.fast[row, t] or features.slow[row, t])
        if side < 0 and not params.short:
            return None
        window = params.fast_entry if system == 1 else params.slow_entry
        direction = Direction.LONG if side > 0 else Direction.SHORT
        reason = f"System {system}: a close {'above the high' if side > 0 else 'below the low'} of the {window} sessions before."
        return self._unit(panel, features, t, params, row, direction, system, reason)

    def _add(self, panel: Panel, features: TurtleFeatures, t: int, params: TurtleParams, holding: Holding) -> Draft | None:
        row = panel.row(holding.group)
        n, before = raw_price(panel, row, t, features.n[row, t]), raw_price(panel, row, t, panel.adj_close[row, t - 1])
        moved = holding.direction.sign * (float(panel.close[row, t]) - holding.last_entry_price)
        moved_before = holding.direction.sign * (before - holding.last_entry_price)
        if not (holding.units < params.max_units and n > 0 and moved >= params.add_n * n > moved_before):
            return None
        reason = f"Unit {holding.units + 1}: {moved / n:.1f} N in favour since the last entry."
        system = self._system(panel, features, holding)
        return self._unit(panel, features, t, params, row, holding.direction, system, reason, add=True)

    def _unit(self, panel, features, t, params, row, direction: Direction, system: int, reason: str, add: bool = False) -> Draft | None:
        """An entry or addition of one unit with its stop; None where N is not known or the stop would lie below zero."""
        close, n = float(panel.close[row, t]), raw_price(panel, row, t, features.n[row, t])
        stop = round(close - direction.sign * params.stop_n * n, 6)
        edge = features.entry[0 if direction is Direction.LONG else 1][row, t]
        if not (n > 0 and stop > 0 and np.isfinite(edge)):
            return None
        symbol = panel.symbols[row]
        return Draft(
            group=symbol,
            direction=direction,
            legs=(Leg(symbol, direction),),
            score=rounded(direction.sign * (panel.adj_close[row, t] - edge) / features.n[row, t]),
            reason=reason,
            entry_price=round(close, 6),
            stop_loss=stop,
            add=add,
            metadata={"rule": "ADD_UNIT" if add else "BREAKOUT", "system": system, "n": n},
        )

    def _exit(self, panel: Panel, features: TurtleFeatures, t: int, holding: Holding) -> Draft | None:
        row, system = panel.row(holding.group), self._system(panel, features, holding)
        top, bottom = features.exits[system - 1]
        level = bottom[row, t] if holding.direction is Direction.LONG else top[row, t]
        if holding.direction.sign * (panel.adj_close[row, t] - level) < 0:
            extreme = "low" if holding.direction is Direction.LONG else "high"
            reason = f"System {system}: a close beyond the {extreme} of its exit channel."
            return closing(holding, "OPPOSITE_EXTREME", reason, system=system, level=raw_price(panel, row, t, level))
        return None

    def _system(self, panel: Panel, features: TurtleFeatures, holding: Holding) -> int:
        """The system that opened the trade: what was noted then, else what broke out at the close before its fill."""
        noted = holding.metadata.get("system")
        if noted in (1, 2):
            return noted
        decided = panel.index(holding.entry_session) - 1
        return 1 if decided >= 0 and features.fast[panel.row(holding.group), decided] == holding.direction.sign else 2

    def known_answers(self) -> tuple[KnownAnswer, ...]:
        return breakout_answers(self)


class GoldenCrossParams(StrategyParams):
    fast: int = knob(50, ge=5, le=200, step=5, unit="sessions", description=gettext_noop("Sessions of the fast average."))
    slow: int = knob(200, ge=20, le=400, step=10, unit="sessions", description=gettext_noop("Sessions of the slow average."))
    entry_window: int = knob(
        3,
        searched=False,
        ge=1,
        le=20,
        step=1,
        unit="sessions",
        description=gettext_noop("Sessions from the cross in which it may still be bought; 1: on its day only."),
    )

    @model_validator(mode="after")
    def _ordered(self):
        if not self.fast < self.slow:
            raise ValueError("fast must be shorter than slow")
        return self


@dataclass(frozen=True)
class GoldenCrossFeatures:
    """(N, T) arrays: `state` 1 where the fast average is above, −1 below, 0 unknown; `age` sessions since it last changed
    (−1: it never did); `distance` of the close above the slow average as a share of it."""

    state: np.ndarray
    age: np.ndarray
    distance: np.ndarray


class GoldenCross(RuleStrategy):
    key = "golden_cross"
    name = gettext_noop("Golden cross")
    category = CATEGORY
    source = "Brock, Lakonishok and LeBaron, Journal of Finance 47(5), 1992"
    description = gettext_noop("Buys when the 50-session average crosses above the 200-session average and sells at the opposite cross.")
    requires = (gettext_noop("Daily closes of each symbol, adjusted for splits and dividends."),)
    departures = (
        gettext_noop("Long only: the averages' opposite cross closes the trade and opens none."),
        gettext_noop("A cross may still be bought a few sessions after it, so that one that was refused or missed is not lost."),
        gettext_noop("Their band of 1 % around the average is left out."),
        gettext_noop("There is no stop. Trades are few and long, so a Sharpe ratio of one symbol means nothing."),
    )
    Params = GoldenCrossParams

    def needs(self, params: GoldenCrossParams) -> Needs:
        return Needs(sessions=params.slow + 1)

    def prepare(self, panel: Panel, params: GoldenCrossParams) -> GoldenCrossFeatures:
        close = panel.adj_close
        slow = sma(close, params.slow)
        with np.errstate(invalid="ignore", divide="ignore"):
            distance = close / slow - 1
        return GoldenCrossFeatures(*crosses(sma(close, params.fast), slow), distance)

    def rules(self, panel: Panel, sets: Sequence[GoldenCrossParams]) -> Rules:
        close = panel.adj_close
        (average,), windows = shared(lambda window: (sma(close, window),), column(sets, "fast", int), column(sets, "slow", int))
        return Rules(
            scan=cross_rules,
            market=(close, average),
            sets=(*windows, column(sets, "entry_window", int)),
            **without_units(sets),
            holding=np.zeros(len(sets), int),
            warm_up=np.array([self.needs(params).sessions for params in sets]),
        )

    def decide(self, panel, features: GoldenCrossFeatures, t, params: GoldenCrossParams, holdings) -> list[Draft]:
        age, state = features.age[:, t], features.state[:, t]
        exits = []
        for holding in holdings:
            row = panel.row(holding.group)
            if state[row] < 0:
                exits.append(closing(holding, "DEATH_CROSS", "The fast average is below the slow one.", age=int(age[row])))
        held = {holding.group for holding in holdings}
        fresh = np.flatnonzero((state > 0) & (age >= 0) & (age < params.entry_window) & np.isfinite(panel.close[:, t]))
        entries = [self._entry(panel, features, t, params, row) for row in fresh if panel.symbols[row] not in held]
        return in_order(exits, entries)

    def _entry(self, panel: Panel, features: GoldenCrossFeatures, t: int, params: GoldenCrossParams, row: int) -> Draft:
        symbol, age = panel.symbols[row], int(features.age[row, t])
        when = "today" if age == 0 else f"{age} session{'s' if age > 1 else ''} ago"
        return Draft(
            group=symbol,
            direction=Direction.LONG,
            legs=(Leg(symbol, Direction.LONG),),
            score=rounded(features.distance[row, t], 6),
            reason=f"The {params.fast}-session average crossed above the {params.slow}-session average {when}.",
            entry_price=round(float(panel.close[row, t]), 6),
            metadata={"rule": "GOLDEN_CROSS", "age": age},
        )

    def known_answers(self) -> tuple[KnownAnswer, ...]:
        return cross_answers(self)
