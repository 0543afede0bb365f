"""Portfolios: they trade at the calendar's closes, towards their targets, and leave alone what is near enough."""

from datetime import date
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_site.core.types import Direction
from quant_site.market.sessions import session_array
from strategies.base import Needs
from strategies.portfolio import SMALLEST_WEIGHT, PortfolioParams, PortfolioStrategy, Target, differences, ends_period
from tests.portfolio_world import holding, month_ends, simulated_weights, stock_panel
from tests.support_strategies import panel_of

SYMBOLS = "ABCDEF"
PANEL = panel_of({symbol: np.linspace(50, 60, 70) for symbol in SYMBOLS})
T = 60
SESSION = PANEL.sessions[T].item()


def target(symbol, weight):
    return Target(symbol, weight, score=1.0, reason="Because.")


def drafts_for(targets, holdings, band=0.2):
    return differences(PANEL, T, targets, holdings, band)


def only(drafts):
    (draft,) = drafts
    return draft


def traded(weights: dict, drafts) -> dict:
    """What is held once every draft has traded exactly."""
    weights = dict(weights)
    for draft in drafts:
        if draft.direction is Direction.CLOSE:
            weights[draft.group] *= 1 - draft.portion
            if draft.portion == 1:
                del weights[draft.group]
        else:
            weights[draft.group] = weights.get(draft.group, 0.0) + draft.direction.sign * draft.weight
    return weights


def held(weights: dict):
    return [holding(symbol, weight, SESSION) for symbol, weight in weights.items()]


# --- when


@pytest.mark.parametrize("months", [1, 2, 3, 6, 12])
def test_periods_end_on_the_last_sessions_that_pandas_finds(months):
    days = pd.DatetimeIndex(session_array("2004-01-02", "2024-12-31"))
    last = set(pd.Series(days, index=days).groupby([days.year, (days.month - 1) // months]).last().dt.date)
    assert {day for day in days.date if ends_period(day, months)} == last


def test_a_month_ends_on_its_last_session_and_not_on_its_last_day():
    assert ends_period(date(2021, 5, 28), 1)  # Friday before Memorial Day
    assert not ends_period(date(2021, 5, 27), 1)
    assert not ends_period(date(2024, 3, 27), 3)
    assert ends_period(date(2024, 3, 28), 3)  # Good Friday follows


class Equal(PortfolioStrategy):
    """Holds the first two symbols equally, and says at which column it was asked."""

    key = "equal"
    Params = PortfolioParams
    asked: ClassVar[list] = []

    def needs(self, params):
        return Needs(sessions=1)

    def prepare(self, panel, params):
        return None

    def targets(self, panel, features, t, params, held):
        self.asked.append((t, held))
        return [target("A", 0.5), target("B", 0.5)]


def test_a_portfolio_is_decided_at_month_ends_and_traded_within_the_window():
    panel, params = panel_of({symbol: [50.0] * 70 for symbol in "AB"}), PortfolioParams(entry_window=3)
    asked = [t for t in range(70) if Equal().decide(panel, None, t, params, ())]
    ends = month_ends(panel)
    assert asked == [t + later for t in ends for later in range(3)]
    assert [t for t in range(70) if Equal().decide(panel, None, t, PortfolioParams(entry_window=1), ())] == ends


def test_what_is_missing_is_asked_for_from_the_targets_of_the_rebalancing_close():
    panel, (first, *_) = panel_of({symbol: [50.0] * 70 for symbol in "AB"}), month_ends(PANEL)
    Equal.asked.clear()
    drafts = Equal().decide(panel, None, first + 1, PortfolioParams(), (holding("A", 0.5, SESSION),))
    assert Equal.asked == [(first, frozenset("A"))]
    assert [(draft.group, draft.weight) for draft in drafts] == [("B", 0.5)]


def test_what_is_held_as_decided_is_not_traded_again_in_the_window():
    panel, (first, *_) = panel_of({symbol: [50.0] * 70 for symbol in "AB"}), month_ends(PANEL)
    full = (holding("A", 0.5, SESSION), holding("B", 0.5, SESSION))
    assert all(Equal().decide(panel, None, t, PortfolioParams(), full) == [] for t in range(first, first + 3))


class Undecided(Equal):
    def targets(self, panel, features, t, params, held):
        return None


def test_who_cannot_say_what_to_hold_leaves_all_as_it_is():
    (first, *_) = month_ends(PANEL)
    assert Undecided().decide(PANEL, None, first, PortfolioParams(), (holding("A", 0.5, SESSION),)) == []


# --- what


def test_a_target_that_is_not_held_is_bought_whole():
    draft = only(drafts_for([target("A", 0.25)], []))
    assert (draft.direction, draft.weight, draft.add) == (Direction.LONG, 0.25, False)
    assert draft.entry_price == pytest.approx(PANEL.close[0, T], abs=1e-6)
    assert draft.metadata["rule"] == "TARGET"


def test_a_negative_target_is_sold_short():
    draft = only(drafts_for([target("A", -0.25)], []))
    assert (draft.direction, draft.weight) == (Direction.SHORT, 0.25)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_holding_within_the_band_is_left_and_one_beyond_it_goes_to_the_target(sign):
    targets = [target("A", sign * 0.5)]
    assert drafts_for(targets, held({"A": sign * 0.41})) == drafts_for(targets, held({"A": sign * 0.59})) == []
    more = only(drafts_for(targets, held({"A": sign * 0.39})))
    assert (more.add, more.direction.sign, more.weight) == (True, sign, pytest.approx(0.11))
    less = only(drafts_for(targets, held({"A": sign * 0.625})))
    assert (less.direction, less.portion) == (Direction.CLOSE, pytest.approx(0.2))


def test_a_holding_without_a_target_is_closed_whole_even_where_its_weight_is_not_known():
    for weight in (0.3, float("nan")):
        draft = only(drafts_for([], held({"A": weight})))
        assert (draft.direction, draft.portion, draft.metadata["rule"]) == (Direction.CLOSE, 1.0, "NOT_IN_TARGET")


@pytest.mark.parametrize("weight", [float("nan"), 0.0])
def test_a_holding_of_unknown_weight_with_a_target_is_left_as_it_is(weight):
    assert drafts_for([target("A", 0.3)], held({"A": weight})) == []


def test_a_holding_on_the_other_side_is_closed_before_its_target_is_opened():
    draft = only(drafts_for([target("A", -0.3)], held({"A": 0.3})))
    assert (draft.direction, draft.metadata["rule"]) == (Direction.CLOSE, "OTHER_SIDE")


def test_exits_come_before_entries():
    drafts = drafts_for([target("A", 0.5), target("C", 0.5)], held({"B": 0.5, "D": 0.5}))
    assert [draft.group for draft in drafts] == ["B", "D", "A", "C"]


def test_a_weight_not_worth_an_order_is_no_target():
    assert drafts_for([target("A", SMALLEST_WEIGHT / 2)], []) == []


def test_a_symbol_without_a_bar_is_not_bought_and_one_that_vanished_is_closed():
    closes = {"A": [50.0] * 40 + [np.nan] * 10, "B": [50.0] * 50}
    panel = panel_of(closes)
    assert differences(panel, 45, [target("A", 0.5)], [], 0.2) == []
    assert [draft.group for draft in differences(panel, 45, [target("B", 0.5)], held({"A": 0.4, "B": 0.5}), 0.2)] == ["A"]


@pytest.mark.parametrize("targets", [[target("A", float("nan"))], [target("A", float("inf"))], [target("A", 0.5), target("A", 0.2)]])
def test_targets_that_are_none_are_a_defect_and_close_nothing(targets):
    with pytest.raises(ValueError, match="one finite weight"):
        drafts_for(targets, held({"A": 0.5}))


weights = st.dictionaries(st.sampled_from(SYMBOLS), st.floats(-1, 1).filter(lambda value: abs(value) > 2e-4), max_size=6)


@given(before=weights, wanted=weights, band=st.floats(0, 1))
@settings(deadline=None, max_examples=200)
def test_trading_the_drafts_leaves_everything_within_the_band_and_the_next_time_nothing_to_do(before, wanted, band):
    targets = [target(symbol, weight) for symbol, weight in wanted.items()]
    once = traded(before, drafts_for(targets, held(before), band))
    flipped = {symbol for symbol, weight in wanted.items() if before.get(symbol, 0) * weight < 0}
    assert set(once) == set(wanted) - flipped
    for symbol, weight in once.items():
        assert abs(weight - wanted[symbol]) <= max(band * abs(wanted[symbol]), SMALLEST_WEIGHT) + 1e-6
    twice_drafts = drafts_for(targets, held(once), band)
    assert {draft.group for draft in twice_drafts} == flipped
    assert drafts_for(targets, held(traded(once, twice_drafts)), band) == []


@given(before=weights, wanted=weights, band=st.floats(0, 1))
@settings(deadline=None)
def test_a_draft_never_trades_through_its_target(before, wanted, band):
    targets = [target(symbol, weight) for symbol, weight in wanted.items()]
    for draft in drafts_for(targets, held(before), band):
        assert 0 < draft.portion <= 1
        if draft.direction is not Direction.CLOSE:
            assert before.get(draft.group, 0) * draft.direction.sign >= 0
            assert 0 < draft.weight <= abs(wanted[draft.group]) + 1e-6


def test_an_account_that_fills_everything_holds_the_targets_after_each_month_end():
    panel, params = stock_panel(3, ("A", "B", "C"), 200), PortfolioParams(band=0)
    ends = month_ends(panel)
    _, after = simulated_weights(Equal(), panel, params, 0, 199)
    for t in ends:
        assert after[t + 1] == pytest.approx({"A": 0.5, "B": 0.5}, abs=0.03)  # the move from the open to the close
    assert after[ends[0]] == {}
