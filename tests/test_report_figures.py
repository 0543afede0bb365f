"""The figures of the report equal an independent computation; what is undefined is a gap and never 0."""

from datetime import date, timedelta
from decimal import Decimal as D
from xml.etree import ElementTree

import empyrical
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import stats
from analytics.reports import report_svg
from analytics.reports.figures import returns_by_month
from analytics.reports.tearsheet_figures import (
    Day,
    Histogram,
    curves_of,
    histogram,
    metrics_of,
    rolling_sharpe,
    shade,
    shade_scale,
    underwater,
)

FIRST = date(2011, 1, 3)
changes_lists = st.lists(st.floats(-0.2, 0.2) | st.none(), max_size=60)
amounts = st.lists(st.decimals(-10_000, 10_000, places=2), min_size=1, max_size=200)


def days_of(changes, benchmark=None, pnl=10):
    beside = benchmark if benchmark is not None else [None] * len(changes)
    rows = enumerate(zip(changes, beside, strict=True))
    return [Day(FIRST + timedelta(days=at), change, other, D(pnl), D(1000), D(500)) for at, (change, other) in rows]


def record(n=300, seed=3):
    rng = np.random.default_rng(seed)
    market = rng.normal(0.0004, 0.011, n)
    own = 0.6 * market + rng.normal(0.0003, 0.006, n)
    return own.round(6), market.round(6)


def floats(values):
    return [np.nan if value is None else value for value in values]


@given(changes_lists, st.integers(2, 12))
def test_the_rolling_sharpe_ratio_is_that_of_pandas_and_none_before_it_is_defined(changes, window):
    found = rolling_sharpe(changes, window)
    defined = pd.Series([change for change in changes if change is not None], dtype=float)
    expected = iter(
        (defined.rolling(window).apply(lambda each: each.mean() / each.std() * 252**0.5 if each.std() > 1e-12 else np.nan)).tolist()
    )
    for change, value in zip(changes, found, strict=True):
        wanted = np.nan if change is None else next(expected)
        assert (value is None) == bool(np.isnan(wanted))
        assert value is None or value == pytest.approx(wanted, rel=1e-6, abs=2e-6)


def test_the_rolling_sharpe_ratio_begins_with_the_126th_session():
    own, _ = record()
    curve = curves_of(days_of(own)).rolling_sharpe
    assert curve[:125] == [None] * 125
    assert curve[125] == pytest.approx(stats.sharpe_ratio(own[:126]).value, abs=1e-6)
    assert curve[-1] == pytest.approx(stats.sharpe_ratio(own[-126:]).value, abs=1e-6)


@given(changes_lists)
def test_the_underwater_curve_is_the_distance_from_the_highest_value_the_start_included(changes):
    level = pd.Series([1.0, *(1 + change for change in changes if change is not None)]).cumprod()
    expected = iter((level / level.cummax() - 1).tolist()[1:])
    for change, depth in zip(changes, underwater(changes), strict=True):
        assert depth is None if change is None else depth == pytest.approx(next(expected), abs=1e-6)


@given(changes_lists)
def test_a_session_without_a_return_is_a_gap_in_every_curve(changes):
    curves = curves_of(days_of(changes))
    gaps = [change is None for change in changes]
    assert [value is None for value in curves.growth] == gaps
    assert [value is None for value in curves.drawdown] == gaps
    assert len(curves.rolling_sharpe) == len(curves.pnl) == len(changes)


def test_curves_are_those_of_pandas():
    own, market = record()
    curves = curves_of(days_of(own, market))
    assert curves.growth == pytest.approx((100 * (1 + pd.Series(own)).cumprod()).tolist(), abs=1e-3)
    assert curves.benchmark == pytest.approx((100 * (1 + pd.Series(market)).cumprod()).tolist(), abs=1e-3)
    assert curves.pnl == [D(10 * (at + 1)) for at in range(300)]


def test_metrics_are_those_of_empyrical():
    own, market = record()
    found = metrics_of(days_of(own, market), [], [D(100)], [D(200)])
    expected = {
        "time_weighted_return": empyrical.cum_returns_final(own),
        "cagr": empyrical.cagr(own),
        "annual_volatility": empyrical.annual_volatility(own),
        "sharpe_ratio": empyrical.sharpe_ratio(own),
        "sortino_ratio": empyrical.sortino_ratio(own),
        "calmar_ratio": empyrical.calmar_ratio(own),
        "max_drawdown": empyrical.max_drawdown(own),
        "value_at_risk": empyrical.value_at_risk(own),
        "expected_shortfall": empyrical.conditional_value_at_risk(own),
        "beta": empyrical.beta(own, market),
        "correlation": np.corrcoef(own, market)[0, 1],
        "exposure": 0.5,
    }
    assert {name: found[name].value for name in expected} == pytest.approx(expected)


def test_the_benchmark_is_compared_over_the_sessions_that_both_have():
    own, market = record()
    ours = [None if at % 11 == 0 else change for at, change in enumerate(own)]
    theirs = [None if at % 7 == 0 else change for at, change in enumerate(market)]
    kept = [at for at in range(300) if at % 7 and at % 11]
    found = metrics_of(days_of(ours, theirs), [], [], [])
    assert found["beta"].value == pytest.approx(empyrical.beta(own[kept], market[kept]))
    assert found["beta"].n == len(kept)
    assert found["sharpe_ratio"].value == pytest.approx(empyrical.sharpe_ratio(own[[at for at in range(300) if at % 11]]))


def test_every_metric_of_an_empty_record_has_a_reason_and_no_value():
    found = metrics_of([], [], [], [])
    assert {name: metric.value for name, metric in found.items()} == dict.fromkeys(found)
    assert all(metric.reason for metric in found.values())
    assert {*stats.report([], equity=[], gross=[], benchmark=[], trade_results=[], holding=[], buys=[], sells=[])} < {*found}


@given(st.lists(st.floats(-0.2, 0.2), min_size=1, max_size=200))
def test_the_months_of_the_heat_map_compound_to_the_year(changes):
    sessions = [FIRST + timedelta(days=3 * at) for at in range(len(changes))]
    for year in returns_by_month(sessions, changes):
        assert np.prod([1 + month.change for month in year.months if month.change is not None]) == pytest.approx(1 + year.change)


@given(amounts)
def test_every_result_is_in_one_bin_and_no_bin_mixes_gains_and_losses(values):
    found = histogram(values)
    assert sum(found.counts) == len(values)
    assert 0.0 in found.edges
    assert len({round(high - low, 6) for low, high in zip(found.edges, found.edges[1:], strict=False)}) == 1
    below = sum(count for count, high in zip(found.counts, found.edges[1:], strict=True) if high <= 0)
    assert below == sum(value < 0 for value in values)
    assert found.below == sum(float(value) < found.edges[0] for value in values)
    assert found.above == sum(float(value) >= found.edges[-1] for value in values)
    assert 1 <= len(found.counts) <= 23


def test_without_results_there_is_no_histogram():
    assert histogram([]) is None


def test_a_month_is_shaded_by_its_share_of_the_large_ones():
    scale = shade_scale([0.1] * 9 + [None, 5.0])
    assert scale < 1
    assert [shade(change, 0.1) for change in (None, 0.0, 0.001, -0.05, 0.1, -3.0)] == [0, 0, 1, -3, 5, -5]


@given(st.lists(st.floats(-1e6, 1e6) | st.none(), max_size=40), st.floats(-100, 100) | st.none())
def test_a_curve_of_any_values_is_well_formed_and_stays_in_its_frame(values, base):
    sessions = [FIRST + timedelta(days=at) for at in range(len(values))]
    svg = ElementTree.fromstring(report_svg.line_chart(sessions, [report_svg.Line("own", values, area=True)], label="<A & B>", base=base))
    assert svg.get("aria-label") == "<A & B>"
    points = [pair.split() for path in svg.iter("path") if "line" in path.get("class") for pair in path.get("d")[1:].split("L")]
    assert len(points) == sum(value is not None for value in values)
    assert all(0 <= float(x) <= 900 and 0 <= float(y) <= 240 for x, y in points)


@given(amounts)
def test_a_histogram_of_any_results_is_well_formed(values):
    svg = ElementTree.fromstring(report_svg.histogram_chart(histogram(values), label="Results"))
    assert len(list(svg.iter("rect"))) == len(histogram(values).counts)


def test_an_outermost_bar_says_that_it_holds_what_lies_beyond():
    svg = ElementTree.fromstring(report_svg.histogram_chart(Histogram([-100.0, 0.0, 100.0], [3, 2], 1, 0), label="Results"))
    assert [title.text for title in svg.iter("title")] == ["… – 0: 3", "0 – 100: 2"]


@pytest.mark.parametrize(
    ("value", "step", "text"),
    [(0.0, 0.5, "0.0"), (-2.5, 2.5, "−2.5"), (1200.0, 200.0, "1.2k"), (900.0, 300.0, "900"), (2e6, 1e6, "2M"), (-0.04, 0.02, "−0.04")],
)
def test_a_tick_has_the_decimals_of_its_step(value, step, text):
    assert report_svg.tick_text(value, step) == text


def test_the_path_of_a_weight_holds_until_its_next_move():
    points = [(FIRST, D("0.1")), (FIRST + timedelta(days=5), D("0.2"))]
    svg = ElementTree.fromstring(report_svg.steps_chart(points, FIRST, FIRST + timedelta(days=10), label="10% → 20%"))
    assert svg.find("path").get("d") == "M0 27.0H110.0V3.0H220"
