"""Every portfolio strategy: later data changes no earlier decision, nothing depends on the order of symbols, and broken data
leads to stated behaviour, never to an exception."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quant_site.core.types import Direction
from quant_site.market.panel import ARRAYS
from quant_site.market.reference import Reference
from strategies.drafts import draft_from_json, draft_to_json
from strategies.library.declarations import gettext_noop
from strategies.library.defensive import LowVolatility
from strategies.library.macro_hedge import COMMODITIES, SECTORS, CtaCommodities, SectorRotation
from strategies.library.multi_factor import FamaFrenchThreeFactor, MomentumQuality
from tests.portfolio_world import month_ends, simulated_weights, stock_panel

# Every kind of symbol that some strategy wants; those that are no sector or commodity are stocks.
SYMBOLS = (*SECTORS[:6], "SPY", "DBC", "GLD", "SLV", "USO", *(f"S{i}" for i in range(9)))
KINDS = tuple("STOCK" if symbol.startswith("S") and symbol[1:].isdigit() else "ETF" for symbol in SYMBOLS)
SHORT = {"window": 63, "min_names": 5}
CASES = {
    "characteristics": (FamaFrenchThreeFactor(), SHORT | {"method": "CHARACTERISTICS"}),
    "alpha": (FamaFrenchThreeFactor(), SHORT | {"method": "ALPHA", "factor_lag": 21}),
    "momentum_quality": (MomentumQuality(), {"min_names": 5, "lookback": 126}),
    "low_volatility": (LowVolatility(), {"window": 63, "share": 0.4}),
    "sector_rotation": (SectorRotation(), {"ranking": "6M", "index_months": 5}),
    "cta": (CtaCommodities(), {"lookback_months": 6}),
}
# Two fiscal years end within the panel and are six months old before it ends.
START, T = "2009-10-01", 480


def world(seed, **fields):
    panel = stock_panel(seed, SYMBOLS, T, start=START, **fields)
    return replace(panel, reference=replace(panel.reference, kinds=KINDS))


def decisions(name, panel, last=T - 1, first=0):
    strategy, params = CASES[name]
    return simulated_weights(strategy, panel, strategy.Params(**params), first, last)[0]


def changed(panel, **fields):
    return replace(panel, reference=replace(panel.reference, **fields))


cases = pytest.mark.parametrize("name", list(CASES))


@cases
@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(200, T - 2), gaps=st.booleans(), late=st.booleans())
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_cutting_history_off_changes_nothing_before_the_cut(name, seed, cut, gaps, late):
    panel = world(seed, gaps=gaps, late=late)
    whole = decisions(name, panel)
    assert decisions(name, panel.until(panel.sessions[cut].item()), cut) == whole[: cut + 1]


@cases
@pytest.mark.parametrize("seed", range(2))
def test_each_of_them_buys_and_sells(name, seed):
    made = [draft for drafts in decisions(name, world(seed)) for draft in drafts]
    assert {draft.direction for draft in made} >= {Direction.CLOSE, Direction.LONG}
    assert len(made) > 3


@cases
def test_later_bars_factors_and_reports_change_nothing_earlier(name):
    panel, cut = world(3), 420
    rng = np.random.default_rng(0)
    arrays = {each: getattr(panel, each).copy() for each in ARRAYS}
    for each in ("open", "high", "low", "close"):
        arrays[each][:, cut + 1 :] *= rng.uniform(0.5, 2, (len(SYMBOLS), T - cut - 1))
    reference = panel.reference
    series, reports = ({each: values.copy() for each, values in given.items()} for given in (reference.series, reference.fundamentals))
    for values in (*series.values(), *reports.values()):
        values[..., cut + 1 :] = -1e6
    other = changed(replace(panel, **arrays), series=series, fundamentals=reports)
    assert decisions(name, other, cut) == decisions(name, panel, cut)


@cases
def test_a_dividend_after_the_session_rescales_history_and_changes_no_decision(name):
    panel = world(4)
    scale = np.random.default_rng(1).uniform(0.5, 1, (len(SYMBOLS), 1))
    before, after = decisions(name, panel), decisions(name, replace(panel, factor=panel.factor * scale))
    for drafts, others in zip(before, after, strict=True):
        assert [(d.group, d.direction, d.add) for d in drafts] == [(d.group, d.direction, d.add) for d in others]
        assert [d.weight for d in drafts] == pytest.approx([d.weight for d in others], abs=2e-6)


@cases
def test_the_order_of_symbols_changes_nothing(name):
    panel = world(5)
    shuffled = panel.select(np.random.default_rng(2).permutation(SYMBOLS).tolist())
    for drafts, others in zip(decisions(name, panel), decisions(name, shuffled), strict=True):
        assert [(d.group, d.direction, d.metadata["rule"]) for d in drafts] == [(d.group, d.direction, d.metadata["rule"]) for d in others]
        assert [d.weight for d in drafts] == pytest.approx([d.weight for d in others], abs=2e-6)


@cases
def test_drafts_can_be_stored_and_read_back(name):
    made = [draft for drafts in decisions(name, world(6)) for draft in drafts]
    assert made
    assert [draft_from_json(draft_to_json(draft)) for draft in made] == made


@cases
def test_a_holding_that_vanishes_is_closed_at_the_next_rebalancing(name):
    strategy, given = CASES[name]
    panel, params = world(7), strategy.Params(**given)
    whole, weights = simulated_weights(strategy, panel, params, 0, T - 1)
    ends = month_ends(panel, strategy.months)
    start = next(t for t in ends if any(draft.direction is not Direction.CLOSE for draft in whole[t]))
    gone = sorted(weights[start + 3])[0]
    arrays = {each: getattr(panel, each).copy() for each in ARRAYS}
    for values in arrays.values():
        values[panel.row(gone), start + 5 :] = np.nan
    later = simulated_weights(strategy, replace(panel, **arrays), params, 0, T - 1)[0]
    assert later[: start + 5] == whole[: start + 5]
    first_close = next(t for t in ends if t > start)
    assert gone in {draft.group for draft in later[first_close] if draft.direction is Direction.CLOSE}
    assert not any(draft.group == gone and draft.direction is not Direction.CLOSE for drafts in later[start + 5 :] for draft in drafts)


@cases
def test_without_a_reference_or_with_nothing_known_it_abstains_or_ranks_by_prices_alone(name):
    panel = world(8)
    strategy, given = CASES[name]
    params = strategy.Params(**given)
    nothing = Reference(
        {each: np.full_like(values, np.nan) for each, values in panel.reference.series.items()},
        {each: np.full_like(values, np.nan) for each, values in panel.reference.fundamentals.items()},
        kinds=KINDS,
    )
    for reference in (Reference(), nothing):
        bare = replace(panel, reference=reference)
        features = strategy.prepare(bare, params)
        lack, targets = strategy.lack(bare, features, T - 1, params), strategy.targets(bare, features, T - 1, params, frozenset())
        assert bool(lack) == (targets is None) == (name not in ("low_volatility", "sector_rotation"))


@cases
@pytest.mark.parametrize("sessions", [1, 2, 22, 60])
def test_fewer_bars_than_the_warm_up_are_no_decision(name, sessions):
    strategy, given = CASES[name]
    panel, params = world(9).until(world(9).sessions[sessions - 1].item()), strategy.Params(**given)
    assert sessions < strategy.needs(params).sessions
    features = strategy.prepare(panel, params)
    for t in range(sessions):
        assert strategy.targets(panel, features, t, params, frozenset()) is None
        assert strategy.lack(panel, features, t, params)


@cases
def test_symbols_without_a_single_bar_are_passed_over(name):
    panel = world(10)
    arrays = {each: getattr(panel, each).copy() for each in ARRAYS}
    empty = ["S0", "XLC", "GLD"]
    for values in arrays.values():
        values[[panel.row(symbol) for symbol in empty]] = np.nan
    made = [draft for drafts in decisions(name, replace(panel, **arrays)) for draft in drafts]
    assert made
    assert not {draft.group for draft in made} & set(empty)


@cases
def test_a_split_changes_no_decision(name):
    panel, at = world(11), 230
    rows = [panel.row(symbol) for symbol in ("S1", "S2", "XLE", "SLV")]
    arrays = {each: getattr(panel, each).copy() for each in ARRAYS}
    shares = {each: panel.reference.fundamentals[each].copy() for each in ("shares", "shares_prior")}
    # Reports of years that end after it count the new shares.
    ends = panel.reference.fundamentals["fiscal_year_end"] - panel.sessions[at].astype(int)
    for row in rows:
        for each in ("open", "high", "low", "close"):
            arrays[each][row, at:] /= 4
        arrays["volume"][row, at:] *= 4
        arrays["factor"][row, :at] /= 4
        shares["shares"][row, ends[row] > 0] *= 4
        shares["shares_prior"][row, ends[row] > 365] *= 4
    split = changed(replace(panel, **arrays), fundamentals=panel.reference.fundamentals | shares)
    # Once such a report is public, whether equity was issued cannot be told from it: quality is ranked without that flag.
    public = int(np.argmax(ends[rows[0]] > 0))
    last = public - 1 if name == "momentum_quality" else T - 1
    for drafts, others in zip(decisions(name, panel, last), decisions(name, split, last), strict=True):
        assert [(d.group, d.direction) for d in drafts] == [(d.group, d.direction) for d in others]
        assert [d.weight for d in drafts] == pytest.approx([d.weight for d in others], abs=2e-6)


def described(strategy):
    return [strategy.name, strategy.description, strategy.source, *strategy.requires, *strategy.departures]


@cases
def test_each_says_what_it_is_and_where_it_leaves_its_source(name):
    strategy = CASES[name][0]
    assert all(text == gettext_noop(text) and text.strip() for text in described(strategy))
    assert strategy.requires
    assert strategy.departures
    assert all(sentence.endswith(".") for sentence in (*strategy.requires, *strategy.departures, strategy.description))
    for answer in strategy.known_answers():
        assert answer.holds, answer.case


@cases
def test_every_parameter_has_bounds_a_step_and_a_help_text(name):
    properties = CASES[name][0].Params.model_json_schema()["properties"]
    for field, schema in properties.items():
        assert schema["description"].endswith("."), field
        assert "default" in schema
        assert schema["type"] == "boolean" or "enum" in schema or {"minimum", "maximum", "step"} <= schema.keys(), field


def test_the_funds_that_are_traded_have_plain_names():
    assert all(symbol.isalpha() and symbol.isupper() for symbol in (*SECTORS, *COMMODITIES))
    assert len(SECTORS) == 11
