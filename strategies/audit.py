"""Does a strategy look ahead? Its decisions with and without what comes after them, and with and without its distant past.

Every test decides the same sessions twice, with the same trades held (those of a backtest over the whole panel), once on
the panel as it is and once on one from which something was taken that must not matter:

- truncation: everything after a session is cut off; no decision up to it may change;
- shuffle: the bars after a session are exchanged among each other; no decision up to it may change;
- tomorrow: only the very next bar is another one: what decides by it has read tomorrow's paper;
- warm-up: the panel begins later; once the declared warm-up has passed, decisions agree. Recursive averages forget their
  beginning without an end, so there it is measured after how many sessions they agree, and judged whether they ever do.

Half of the sessions are drawn among those on which the strategy proposed something: a wrong price shows in a draft.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from quant_site.market.panel import ARRAYS, Panel
from quant_site.market.reference import Reference
from strategies.backtest.settings import BacktestSettings
from strategies.backtest.simulator import Simulation
from strategies.base import Draft, Holding, Strategy, StrategyParams
from strategies.drafts import draft_to_json
from strategies.features import features
from strategies.readiness import missing

# Sessions before each cut that are decided again: a centred window shows in the last ones only.
BEFORE = 12
STARTS = 4
# Decisions that still differ this many warm-ups after the beginning do not converge: they depend on where the data begin.
FORGOTTEN = 10
PASSED, CONVERGES, FAILED, NOT_SHOWN = "PASSED", "CONVERGES", "FAILED", "NOT_SHOWN"


@dataclass(frozen=True)
class Verdict:
    """How one test ended; `decisions` were compared, `drafts` of them held something. `detail` says what was found.

    Only FAILED is a finding against the strategy. CONVERGES: decisions agree later than the declared warm-up, yet they do.
    """

    test: str
    outcome: str
    decisions: int
    drafts: int
    detail: str

    @property
    def failed(self) -> bool:
        return self.outcome == FAILED


@dataclass(frozen=True)
class Decision:
    """What was held and what was proposed at the close of column t of the whole panel."""

    t: int
    holdings: tuple[Holding, ...]
    drafts: list[dict]


def audit(strategy: Strategy, params: StrategyParams, panel: Panel, *, cuts: int = 12, seed: int = 0) -> list[Verdict]:
    """One verdict per test, over `cuts` sessions of `panel` drawn by `seed`."""
    return Audit(strategy, params, panel, cuts, seed).verdicts()


class Audit:
    def __init__(self, strategy: Strategy, params: StrategyParams, panel: Panel, cuts: int, seed: int):
        self.strategy, self.params, self.panel = strategy, params, panel
        self.random = np.random.default_rng(seed)
        self.decisions = decided(strategy, params, panel)
        self.cuts = self._drawn(cuts)

    def verdicts(self) -> list[Verdict]:
        return [
            self._compared("truncation", "is cut off", BEFORE, lambda t: self.panel.until(self._day(t))),
            self._compared("shuffle", "is shuffled", BEFORE, self._shuffled),
            self._compared("tomorrow", "of the next session is another", 1, self._with_another_tomorrow),
            self._warm_up(),
        ]

    def _drawn(self, count: int) -> list[int]:
        """Columns to cut after, half of them with drafts; the last column has nothing after it."""
        last = len(self.panel.sessions) - 2
        busy = [each.t for each in self.decisions if each.drafts and each.t <= last]
        first = min((each.t for each in self.decisions if each.drafts), default=0)
        some = self.random.choice(busy, min(len(busy), (count + 1) // 2), replace=False) if busy else []
        others = self.random.integers(first, max(first, last) + 1, count - len(some)) if last >= 0 else []
        return sorted({int(t) for t in (*some, *others)})

    # --- what comes later

    def _compared(self, test: str, what: str, before: int, changed) -> Verdict:
        compared, drafts = 0, 0
        for cut in self.cuts:
            panel = changed(cut)
            for decision in self.decisions[max(0, cut - before + 1) : cut + 1]:
                again = proposals(self.strategy, self.params, panel, decision.t, decision.holdings)
                compared += 1
                drafts += bool(decision.drafts or again)
                if again != decision.drafts:
                    ahead = cut - decision.t
                    detail = f"The decision of {self._day(decision.t)} changes when what comes {ahead + 1} sessions later {what}: "
                    return Verdict(test, FAILED, compared, drafts, detail + difference(decision.drafts, again))
        return _passed(test, compared, drafts, f"{len(self.cuts)} cuts, no decision changed.")

    def _shuffled(self, t: int) -> Panel:
        order = np.arange(len(self.panel.sessions))
        self.random.shuffle(order[t + 1 :])
        return reordered(self.panel, order)

    def _with_another_tomorrow(self, t: int) -> Panel:
        """The next bar and the one farthest from it in price change places with it."""
        order = np.arange(len(self.panel.sessions))
        closes = np.nan_to_num(self.panel.adj_close[:, t + 1 :])
        other = t + 1 + int(np.argmax(np.abs(closes - closes[:, :1]).sum(axis=0)))
        order[[t + 1, other]] = order[[other, t + 1]]
        return reordered(self.panel, order)

    # --- what came before

    def _warm_up(self) -> Verdict:
        declared = self.strategy.needs(self.params).sessions
        columns = len(self.panel.sessions)
        latest = columns - declared - BEFORE
        if latest <= 0:
            return Verdict("warm-up", NOT_SHOWN, 0, 0, f"The panel has no room for a second warm-up of {declared} sessions.")
        compared, drafts, last = 0, 0, None
        for start in sorted({int(t) for t in np.linspace(1, latest, STARTS + 1)[:-1].round() + 1}):
            late = after(self.panel, start)
            for decision in self.decisions[start + declared - 1 :]:
                held = tuple(each for each in decision.holdings if self.panel.index(each.entry_session) >= start)
                whole = substance(proposals(self.strategy, self.params, self.panel, decision.t, held))
                again = substance(proposals(self.strategy, self.params, late, decision.t - start, held))
                compared += 1
                drafts += bool(whole or again)
                if whole != again:
                    last = max(last or (0,), (decision.t - start + 2, decision.t, start, whole, again), key=lambda found: found[0])
        return self._judged(declared, compared, drafts, last)

    def _judged(self, declared: int, compared: int, drafts: int, last: tuple | None) -> Verdict:
        if last is None:
            return _passed("warm-up", compared, drafts, f"Decisions agree from the declared warm-up of {declared} sessions on.")
        lag, t, start, whole, again = last
        if lag > FORGOTTEN * declared:
            outcome, what = FAILED, f"Decisions still differ {lag} sessions after the beginning"
        elif t >= len(self.panel.sessions) - BEFORE:
            outcome, what = NOT_SHOWN, f"Decisions differ up to the end of the bars, {lag} sessions after the beginning"
        else:
            outcome, what = CONVERGES, f"Decisions agree from {lag} sessions after the beginning on"
        found = f"{what}, {declared} are declared. The last that differed, on {self._day(t)} with bars from {self._day(start)} on: "
        return Verdict("warm-up", outcome, compared, drafts, found + difference(whole, again))

    def _day(self, t: int) -> date:
        return self.panel.sessions[t].item()


def decided(strategy: Strategy, params: StrategyParams, panel: Panel) -> list[Decision]:
    """Every decision of a backtest over the whole panel, with what was held when it was made."""
    seen: list[Decision] = []

    def watch(t: int, holdings: tuple[Holding, ...], drafts: list[Draft]) -> None:
        seen.append(Decision(t, holdings, [draft_to_json(draft) for draft in drafts]))

    Simulation(strategy, params, panel, BacktestSettings(), watch).run(0, len(panel.sessions) - 1)
    return seen


def proposals(strategy: Strategy, params: StrategyParams, panel: Panel, t: int, holdings: tuple[Holding, ...]) -> list[dict]:
    """What `strategy` proposes at column t of `panel` with these trades open; nothing where it abstains."""
    prepared = features.prepared(strategy, panel, params)
    lack = missing(strategy.needs(params), panel, t) or strategy.lack(panel, prepared, t, params)
    if lack and not holdings:
        return []
    drafts = [draft_to_json(draft) for draft in strategy.decide(panel, prepared, t, params, holdings)]
    return [draft for draft in drafts if not lack or draft["direction"] == "CLOSE"]


def substance(drafts: Sequence[dict]) -> list[tuple]:
    """What is traded, without the numbers that a recursive average changes in their last digits."""
    return [(draft["group"], draft["direction"], draft["add"], tuple(leg["symbol"] for leg in draft["legs"])) for draft in drafts]


def difference(before: Sequence, after: Sequence) -> str:
    """The first thing that differs between two lists of drafts, in words."""
    if len(before) != len(after):
        return f"{len(before)} drafts become {len(after)} ({_named(before)} / {_named(after)})."
    one, other = next((pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]), (None, None))
    if not isinstance(one, dict):
        return f"{one} becomes {other}."
    name = next(name for name in one if one[name] != other.get(name))
    return f"{one['group']}: {name} {one[name]} becomes {other.get(name)}."


def _named(drafts: Sequence) -> str:
    names = [f"{draft['direction']} {draft['group']}" if isinstance(draft, dict) else f"{draft[1]} {draft[0]}" for draft in drafts]
    return ", ".join(names[:4]) or "none"


def _passed(test: str, compared: int, drafts: int, detail: str) -> Verdict:
    if not drafts:
        return Verdict(test, NOT_SHOWN, compared, drafts, "Nothing was proposed in these sessions, so nothing was shown.")
    return Verdict(test, PASSED, compared, drafts, detail)


# --- panels from which something was taken


def reordered(panel: Panel, order: np.ndarray) -> Panel:
    """The panel with its columns in another order under the same sessions; what is known beside bars goes with them."""
    arrays = {name: getattr(panel, name)[:, order] for name in ARRAYS}
    background = panel.background and reordered(panel.background, order)
    return replace(panel, **arrays, reference=_columns(panel.reference, order), background=background)


def after(panel: Panel, start: int) -> Panel:
    """The panel without the columns before `start`."""
    columns = np.arange(start, len(panel.sessions))
    arrays = {name: getattr(panel, name)[:, start:] for name in ARRAYS}
    background = panel.background and after(panel.background, start)
    return replace(panel, sessions=panel.sessions[start:], **arrays, reference=_columns(panel.reference, columns), background=background)


def _columns(reference: Reference, columns: np.ndarray) -> Reference:
    return replace(
        reference,
        series={name: values[columns] for name, values in reference.series.items()},
        fundamentals={name: values[:, columns] for name, values in reference.fundamentals.items()},
        implied_vol=None if reference.implied_vol is None else reference.implied_vol[:, columns],
    )
