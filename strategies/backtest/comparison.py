"""Two records of the same strategy over the same sessions, compared fill by fill: a replay's and a backtest's.

Each difference is put into exactly one bucket, by the first of these that explains it:

- data: the bars that the two sides read differ at or before the session;
- signal: the strategy proposed something else (or nothing) on one side;
- rejection: the same proposal was refused on one side and traded on the other;
- timing: the same order traded in another session;
- size, price, fee: the same order traded in the same session in another quantity, at another price, for another
  commission. Equal fills with another cash balance (dividends, borrowing, settlements) are a difference of fee too.

Whatever differs first changes what comes after it: only the first difference tells the cause.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from quant_site.market.panel import ARRAYS, Panel

BUCKETS = ("data", "signal", "timing", "price", "size", "fee", "rejection")
# In how many sessions around its own the same order is looked for on the other side.
NEAR = 10
ENTERS_OR_LEAVES = frozenset({"ENTRY", "EXIT", "REDUCE"})


class TradedFill(NamedTuple):
    """One fill; `purpose` is why its order existed."""

    session: date
    group: str
    symbol: str
    side: str
    purpose: str
    quantity: int
    price: Decimal
    commission: Decimal

    @property
    def order(self) -> tuple:
        """What it was for, whenever it traded."""
        return self.group, self.symbol, self.side, self.purpose

    def __str__(self) -> str:
        return f"{self.quantity} at {self.price:f}, commission {self.commission:f}"


@dataclass(frozen=True, eq=False)
class Trail:
    """What one side read, decided and traded. `drafts` as JSON and codes of `refused` entries by (session, group);
    `equity` at the close of each of `sessions`."""

    panel: Panel
    sessions: Sequence[date]
    fills: Sequence[TradedFill]
    drafts: Mapping[tuple[date, str], dict]
    refused: Mapping[tuple[date, str], str]
    equity: Sequence[Decimal]


@dataclass(frozen=True)
class Difference:
    bucket: str
    session: date
    what: str
    explanation: str

    def __str__(self) -> str:
        return f"{self.session} {self.bucket}: {self.what}. {self.explanation}"


def compare(replay: Trail, backtest: Trail) -> list[Difference]:
    """Every difference between the two, in the order of the sessions; none where they traded the same."""
    return Comparison(replay, backtest).differences()


def counted(differences: Sequence[Difference]) -> dict[str, int]:
    """How many differences each bucket holds, all buckets named."""
    found = Counter(difference.bucket for difference in differences)
    return {bucket: found[bucket] for bucket in BUCKETS}


class Comparison:
    def __init__(self, replay: Trail, backtest: Trail):
        self.sides = (replay, backtest)
        self.data = first_other_bar(replay.panel, backtest.panel)
        self.at = {session: i for i, session in enumerate(replay.sessions)}

    def differences(self) -> list[Difference]:
        ours, theirs = ({(fill.session, *fill.order): fill for fill in side.fills} for side in self.sides)
        pairs = [[ours.get(key), theirs.get(key)] for key in sorted(ours.keys() | theirs.keys())]
        pairs = self._joined([pair for pair in pairs if pair[0] != pair[1]])
        found = [self._difference(*pair) for pair in pairs]
        return found or self._cash()

    def _joined(self, pairs: list[list]) -> list[list]:
        """Fills that have no counterpart in their session, with the one of a near session where there is one."""
        left, joined = [pair for pair in pairs if pair[1] is None], []
        for pair in pairs:
            if pair[0] is not None:
                continue
            near = [other for other in left if other[0].order == pair[1].order and self._apart(other[0], pair[1]) <= NEAR]
            if near:
                closest = min(near, key=lambda other: self._apart(other[0], pair[1]))
                left.remove(closest)
                closest[1] = pair[1]
                joined.append(pair)
        kept = [pair for pair in pairs if pair not in joined]
        return sorted(kept, key=lambda pair: min(fill.session for fill in pair if fill is not None))

    def _apart(self, one: TradedFill, other: TradedFill) -> int:
        return abs(self.at[one.session] - self.at[other.session])

    def _difference(self, one: TradedFill | None, other: TradedFill | None) -> Difference:
        fill = min((fill for fill in (one, other) if fill is not None), key=lambda fill: fill.session)
        bucket, why = self._cause(fill, one, other)
        sides = f"replay {one or 'nothing'}, backtest {other or 'nothing'}"
        return Difference(bucket, fill.session, f"{fill.side} {fill.symbol} ({fill.purpose} of {fill.group}): {sides}", why)

    def _cause(self, fill: TradedFill, one: TradedFill | None, other: TradedFill | None) -> tuple[str, str]:
        if self.data is not None and self.data[0] <= fill.session:
            return "data", self.data[1]
        decided = self._decided(fill)
        drafts = [side.drafts.get((decided, fill.group)) for side in self.sides]
        if drafts[0] != drafts[1]:
            return "signal", f"Decided on {decided}: {_other_draft(*drafts)}"
        codes = [side.refused.get((decided, fill.group)) for side in self.sides]
        if (one is None or other is None) and codes[0] != codes[1]:
            refuser, code = ("replay", codes[0]) if codes[0] else ("backtest", codes[1])
            return "rejection", f"The {refuser} refused the entry decided on {decided}: {code}."
        if one is None or other is None:
            return "timing", "The other side has no such fill in these sessions, though it was decided alike."
        if one.session != other.session:
            return "timing", f"The replay traded it on {one.session}, the backtest on {other.session}."
        bucket, name = next(pair for pair in VALUES if getattr(one, pair[1]) != getattr(other, pair[1]))
        return bucket, f"The {name} is {getattr(one, name)} in the replay and {getattr(other, name)} in the backtest."

    def _decided(self, fill: TradedFill) -> date | None:
        """The session whose close decided the order: the one before it, of a stop or target that of its last entry."""
        before = self.at[fill.session] - 1
        if fill.purpose in ENTERS_OR_LEAVES:
            return self.sides[0].sessions[before] if before >= 0 else None
        made = [
            session
            for side in self.sides
            for (session, group), draft in side.drafts.items()
            if group == fill.group and session < fill.session and draft["direction"] != "CLOSE"
        ]
        return max(made, default=None)

    def _cash(self) -> list[Difference]:
        """With equal fills: the first close at which the accounts are not worth the same."""
        replay, backtest = self.sides
        for session, one, other in zip(replay.sessions, replay.equity, backtest.equity, strict=True):
            if one != other:
                data = self.data is not None and self.data[0] <= session
                why = self.data[1] if data else "All fills are equal: what was paid or received without one is not."
                return [Difference("data" if data else "fee", session, f"equity: replay {one}, backtest {other}", why)]
        return []


VALUES = (("size", "quantity"), ("price", "price"), ("fee", "commission"))


def first_other_bar(one: Panel, other: Panel) -> tuple[date, str] | None:
    """The first session at which two panels hold another bar, and what differs there; None where all bars are equal."""
    if one is other:
        return None
    found = []
    for symbol in sorted({*one.symbols, *other.symbols}):
        if symbol not in one or symbol not in other:
            found.append((one.sessions[0].item(), f"{symbol} is in one panel only."))
            continue
        for name in ARRAYS:
            ours, theirs = (_by_session(panel, name, symbol) for panel in (one, other))
            wrong = [day for day in sorted(ours.keys() | theirs.keys()) if ours.get(day) != theirs.get(day)]
            if wrong:
                found.append((wrong[0], f"The {name} of {symbol} on {wrong[0]} is {ours.get(wrong[0])} and {theirs.get(wrong[0])}."))
    return min(found, default=None)


def _by_session(panel: Panel, name: str, symbol: str) -> dict[date, float]:
    values = getattr(panel, name)[panel.row(symbol)]
    known = np.flatnonzero(np.isfinite(values))
    return dict(zip(panel.sessions[known].tolist(), values[known].tolist(), strict=True))


def _other_draft(one: dict | None, other: dict | None) -> str:
    if one is None or other is None:
        silent = "replay" if one is None else "backtest"
        return f"the {silent} proposed nothing for this trade."
    name = next(name for name in one | other if one.get(name) != other.get(name))
    return f"{name} is {one.get(name)} in the replay and {other.get(name)} in the backtest."
