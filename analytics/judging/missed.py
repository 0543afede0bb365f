"""What signals would have made that were rejected, or went out without a fill: cancelled, expired or failed ones.

Each is traded on the bars that followed (`missed_paths`): in at the next open, out at its stop, its target or after 20 sessions,
in the size it was given; where it was given none, in the one that `strategies.sizing` gives with what the signal keeps and an
account that holds nothing; where that cannot tell, for 1 % of equity: the exit's reason then ends with "_1PCT".

The shares of a pair are traded leg by leg until the 20 sessions are over. Structures of options are left out. A signal that
repeats one which would still be open is the same trade, not another one, and is left out too. Each is traded by itself: that
not all of them would have found room at once is not weighed.
"""

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

import numpy as np

from analytics.judging.missed_paths import LONGEST, OPEN, REASONS, TIME, Bars, Outcome, exits, outcome
from analytics.models import MissedOutcome
from analytics.services import rows_sync
from quant_site.core.models import Account
from quant_site.core.rows import places, rows_read
from quant_site.core.types import Direction, Side, optional, quantity, score
from quant_site.market.execution import CostModel
from quant_site.market.panel import Panel
from signals_app.models import TradingSignal
from signals_app.states import SignalStatus
from strategies.base import Draft, Leg
from strategies.panel_facts import panel_facts
from strategies.risk import RiskContext, RiskLimits
from strategies.sizing import size_entry, whole_shares
from trading.exposure.context import risk_limits
from trading.models import EquitySnapshot, Order

# Sessions that a signal is looked at: those of its trade, and some in which it may still be expired or cancelled.
WINDOW = 25
WITHOUT_FILL = tuple(map(str, (SignalStatus.REJECTED, SignalStatus.CANCELLED, SignalStatus.EXPIRED, SignalStatus.FAILED)))
DEFAULT_SHARE = 0.01
NO_SIZE = "_1PCT"


class Missed(NamedTuple):
    """The columns of a signal that tell how its trade goes."""

    id: int
    strategy_id: int
    session: date
    symbol: str
    direction: str
    signal_status: str
    stop_loss: Decimal | None
    take_profit: Decimal | None

    @property
    def trade(self) -> tuple[int, str]:
        return self.strategy_id, self.symbol

    @property
    def side(self) -> Side:
        return Side.BUY if self.direction == Direction.LONG else Side.SELL


class Sized(NamedTuple):
    """The columns that tell how large it was, read once a trade is over."""

    id: int
    legs: list
    weight: Decimal | None
    signal_metadata: dict


@dataclass(frozen=True)
class Walked:
    """How far a signal's trade went: decided in column `decided`, in at the open `entry`, out `at` sessions after the entry at
    `level` before costs. Of several legs the prices are not known yet."""

    signal: Missed
    decided: int
    why: int
    at: int
    entry: float = np.nan
    level: float = np.nan

    @property
    def ends(self) -> int:
        """The column of the exit."""
        return self.decided + 1 + self.at


def missed_record(account: Account, session: date, panel: Panel) -> list[MissedOutcome]:
    """Write the outcomes that `session` made known, and answer them. Running it again changes nothing."""
    t = panel.index(session)
    since = panel_facts(panel).days[max(t - WINDOW, 0)]
    signals = _without_fill(account, since, session)
    rows = _Scores(account, panel, t, since).rows(signals) if signals else []
    rows_sync(MissedOutcome, rows, ("signal_id",), account=account, session=session)
    return rows


def _without_fill(account: Account, since: date, session: date) -> list[Missed]:
    """Entries decided from `since` until before `session` that nothing was filled of, and whose outcome no other session knows."""
    where = f"""account_id = %s AND signal_status IN {places(WITHOUT_FILL)} AND session >= %s AND session < %s AND direction <> %s
        AND id NOT IN (SELECT signal_id FROM missed_outcomes WHERE account_id = %s AND session >= %s AND session <> %s)
        ORDER BY session, strategy_id, symbol, direction"""
    known = account.pk, since, session
    rows = rows_read(TradingSignal, Missed._fields, where, account.pk, *WITHOUT_FILL, since, session, Direction.CLOSE.value, *known)
    signals = [Missed(*row) for row in rows]
    sent = [signal.id for signal in signals if signal.signal_status != SignalStatus.REJECTED]
    if not sent:
        return signals
    filled = {pk for (pk,) in rows_read(Order, ("signal_id",), f"signal_id IN {places(sent)} AND filled_quantity > 0", *sent)}
    return [signal for signal in signals if signal.id not in filled]


class _Scores:
    """Scores the signals of one account over the panel up to column t."""

    def __init__(self, account: Account, panel: Panel, t: int, since: date):
        self.account, self.panel, self.t, self.since = account, panel, t, since
        self.facts, self.costs = panel_facts(panel), CostModel()
        self.equities: dict[date, Decimal] = {}

    @cached_property
    def limits(self) -> RiskLimits:
        return risk_limits(self.account)

    def rows(self, signals: list[Missed]) -> list[MissedOutcome]:
        walked = self._walk_shares(signals) + self._walk_others(signals)
        if all(trade.why == OPEN for trade in walked):
            return []
        walked.sort(key=lambda trade: (trade.decided, trade.signal.strategy_id, trade.signal.symbol, trade.signal.direction))
        fresh = self._fresh(walked)
        sizes = self._sizes([trade.signal.id for trade in fresh]) if fresh else {}
        found = [self._row(trade, sizes[trade.signal.id]) for trade in fresh]
        return [row for row in found if row is not None]

    def _fresh(self, walked: list[Walked]) -> list[Walked]:
        """The trades that are over and were not another one's repetition."""
        taken, fresh = self._taken(), []
        for trade in walked:
            signal, spans = trade.signal, taken[trade.signal.trade]
            if any(first <= signal.session < last for first, last in spans):
                continue
            over = trade.why != OPEN
            spans.append((signal.session, self.facts.days[trade.ends] if over else date.max))
            fresh += [trade] if over else []
        return fresh

    # --- paths

    def _walk_shares(self, signals: list[Missed]) -> list[Walked]:
        """The trades in one symbol: all of them at once."""
        shares = [signal for signal in signals if signal.symbol in self.panel]
        if not shares:
            return []
        decided = self._columns(shares)
        bars = self._bars(np.array([self.panel.row(signal.symbol) for signal in shares]), decided)
        sides = np.array([float(signal.side.sign) for signal in shares])
        stops, targets = (
            np.array([np.nan if level is None else float(level) for level in levels])
            for levels in ([signal.stop_loss for signal in shares], [signal.take_profit for signal in shares])
        )
        found = exits(bars, sides, stops, targets, self.t - decided)
        columns = zip(shares, *(a.tolist() for a in (decided, found.why, found.at, bars.open[:, 0], found.level)), strict=True)
        return [Walked(*each) for each in columns if np.isfinite(each[4])]

    def _walk_others(self, signals: list[Missed]) -> list[Walked]:
        """Those of several legs have neither stop nor target: they end with their time."""
        others = [signal for signal in signals if signal.symbol not in self.panel]
        over = [(signal, int(t)) for signal, t in zip(others, self._columns(others), strict=True) if self.t - t >= LONGEST]
        return [Walked(signal, decided, TIME, LONGEST - 1) for signal, decided in over]

    def _columns(self, signals: list[Missed]) -> np.ndarray:
        return np.searchsorted(self.panel.sessions, np.array([signal.session for signal in signals], dtype="datetime64[D]"))

    def _bars(self, rows: np.ndarray, decided: np.ndarray) -> Bars:
        """The bars after `decided` of these rows of the panel, in the shares of that day."""
        columns = decided[:, None] + 1 + np.arange(LONGEST)
        there, at = columns <= self.t, np.minimum(columns, self.t)
        each, panel = rows[:, None], self.panel
        factor = np.where(there, panel.factor[each, at] / panel.factor[rows, decided][:, None], np.nan)
        return Bars(*(array[each, at] * factor for array in (panel.open, panel.high, panel.low, panel.close)))

    # --- reads

    def _taken(self) -> dict[tuple[int, str], list[tuple[date, date]]]:
        """From which to before which session each trade was taken by a signal whose outcome was known before."""
        taken, known = defaultdict(list), (self.account.pk, self.since, self.facts.days[self.t])
        where = "account_id = %s AND session >= %s AND session < %s"
        ended = dict(rows_read(MissedOutcome, ("signal_id", "exit_session"), where, *known))
        within = f"id IN (SELECT signal_id FROM missed_outcomes WHERE {where})"
        names = ("id", "strategy_id", "symbol", "session")
        for pk, strategy, symbol, decided in rows_read(TradingSignal, names, within, *known) if ended else ():
            taken[strategy, symbol].append((decided, ended[pk]))
        return taken

    def _sizes(self, ids: list[int]) -> dict[int, Sized]:
        return {row[0]: Sized(*row) for row in rows_read(TradingSignal, Sized._fields, f"id IN {places(ids)}", *ids)}

    # --- outcomes

    def _row(self, trade: Walked, sized: Sized) -> MissedOutcome | None:
        """The outcome; None where it is a structure, a leg never traded, or its size is below one share."""
        if not sized.legs or any(leg["symbol"] not in self.panel or leg.get("units") for leg in sized.legs):
            return None
        shares, how = self._shares(trade, sized)
        outcomes = self._legs(trade, sized.legs, shares) if all(shares) else []
        if not outcomes:
            return None
        return MissedOutcome(
            account=self.account,
            signal_id=trade.signal.id,
            session=self.facts.days[self.t],
            entry_session=self.facts.days[trade.decided + 1],
            exit_session=self.facts.days[trade.ends],
            exit_reason=REASONS[trade.why] + how,
            quantity=quantity(shares[0]),
            result=sum(each.result for each in outcomes),
            r_multiple=optional(score, outcomes[0].r_multiple) if len(outcomes) == 1 else None,
        )

    def _legs(self, trade: Walked, legs: list[dict], shares: list[int]) -> list[Outcome]:
        """What each leg made; empty where one had no open to enter at."""
        if len(legs) == 1:
            prices = [(trade.entry, trade.level)]
        else:
            rows = np.array([self.panel.row(leg["symbol"]) for leg in legs])
            bars, nothing = self._bars(rows, np.full(len(rows), trade.decided)), np.full(len(rows), np.nan)
            found = exits(bars, np.ones(len(rows)), nothing, nothing, np.full(len(rows), LONGEST))
            prices = list(zip(bars.open[:, 0].tolist(), found.level.tolist(), strict=True))
        if not np.isfinite(prices).all():
            return []
        sides = [Side.BUY if leg["direction"] == Direction.LONG else Side.SELL for leg in legs]
        stop = trade.signal.stop_loss if len(legs) == 1 else None
        each = zip(sides, shares, prices, strict=True)
        return [outcome(side, count, *pair, trade.why, trade.at, stop, self.costs) for side, count, pair in each]

    def _shares(self, trade: Walked, sized: Sized) -> tuple[list[int], str]:
        """Whole shares of each leg, and what to say of where they come from; none where a leg had no close to size it by."""
        given = [int(leg["quantity"] or 0) for leg in sized.legs]
        if all(given):
            return given, ""
        context = self._empty_account(trade, [leg["symbol"] for leg in sized.legs])
        if not all(map(math.isfinite, context.prices.values())):
            return [0] * len(sized.legs), ""
        weight = sized.signal_metadata.get("sizing", {}).get("weight")
        size = size_entry(_draft(trade.signal, sized.legs, weight), context, strategy_id=0, share=float(sized.weight or 1), scale=1.0)
        if size.binding != "NO_DATA":
            return [abs(count) for count in size.quantities], ""
        notional = DEFAULT_SHARE * float(context.equity)
        return [whole_shares(notional, leg["ratio"], context.prices[leg["symbol"]]) for leg in sized.legs], NO_SIZE

    def _empty_account(self, trade: Walked, symbols: list[str]) -> RiskContext:
        """The account at the close of the decision, if it had held nothing."""
        rows, facts, t = {symbol: self.panel.row(symbol) for symbol in symbols}, self.facts, trade.decided
        prices, volume, moves = (
            {symbol: float(array[row, t]) for symbol, row in rows.items()} for array in (self.panel.close, facts.adv, facts.volatility)
        )
        equity = self._equity(trade.signal.session)
        return RiskContext(
            account_id=self.account.pk,
            session=trade.signal.session,
            equity=equity,
            cash=equity,
            drawdown=0.0,
            limits=self.limits,
            exposures={},
            pending={},
            day_trades=0,
            prices=prices,
            adv=volume,
            volatility=moves,
            last_session={},
            tradable=frozenset(symbols),
        )

    def _equity(self, session: date) -> Decimal:
        """At the close of the decision; 0 where there is no snapshot of it."""
        if session not in self.equities:
            rows = rows_read(EquitySnapshot, ("total_equity",), "account_id = %s AND snapshot_date = %s", self.account.pk, session)
            self.equities[session] = rows[0][0] if rows else Decimal(0)
        return self.equities[session]


def _draft(signal: Missed, legs: list[dict], weight: float | None) -> Draft:
    """What the signal proposed, as far as its size goes."""
    direction = Direction(signal.direction)
    parts = tuple(Leg(leg["symbol"], Direction(leg["direction"]), leg["ratio"]) for leg in legs)
    return Draft(signal.symbol, direction, parts, 0.0, "", stop_loss=optional(float, signal.stop_loss), weight=weight)
