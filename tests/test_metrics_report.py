"""The report of a record is its single metrics, and observations come in checked whatever they come as."""

import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from quant_site.core import stats
from quant_site.core.errors import InvalidInput
from quant_site.core.stats import Metric, Returns, Undefined

OF_RETURNS = [
    "annual_volatility",
    "cagr",
    "calmar_ratio",
    "expected_shortfall",
    "kurtosis",
    "longest_drawdown",
    "max_drawdown",
    "probabilistic_sharpe_ratio",
    "sharpe_ratio",
    "skewness",
    "sortino_ratio",
    "time_weighted_return",
    "value_at_risk",
]
OF_TRADES = ["expectancy", "kelly_fraction", "payoff_ratio", "profit_factor", "win_rate"]

lengths = st.sampled_from([0, 1, 2, 59, 60, 130])
changes = st.floats(-1.2, 1.2, allow_subnormal=False)
results_drawn = st.lists(st.floats(-1e5, 1e5, allow_subnormal=False), max_size=30).map(np.array)


@st.composite
def records(draw):
    """Everything a report takes, wild, of any length that changes what is defined."""
    n = draw(lengths)
    series = {name: draw(arrays(float, n, elements=changes)) for name in ("returns", "benchmark")}
    money = {name: draw(arrays(float, n, elements=st.floats(0, 1e6, allow_subnormal=False))) for name in ("gross", "buys", "sells")}
    equity = draw(arrays(float, n, elements=st.floats(-10, 1e6, allow_subnormal=False)))
    holding = draw(st.lists(st.integers(0, 300), max_size=30))
    return (
        series | money | {"equity": equity, "trade_results": draw(results_drawn), "holding": holding, "risk_free": draw(st.floats(-0.5, 2))}
    )


@settings(max_examples=80, deadline=None)
@given(records())
def test_a_report_is_exactly_what_the_single_functions_answer(record):
    found = stats.report(**record)
    returns, benchmark, rate = record["returns"], record["benchmark"], record["risk_free"]
    expected = {name: getattr(stats, name)(returns) for name in OF_RETURNS}
    expected |= {name: getattr(stats, name)(record["trade_results"]) for name in OF_TRADES}
    expected |= {
        "sharpe_ratio": stats.sharpe_ratio(returns, rate),
        "probabilistic_sharpe_ratio": stats.probabilistic_sharpe_ratio(returns, risk_free=rate),
        "beta": stats.beta(returns, benchmark),
        "alpha": stats.alpha(returns, benchmark, rate),
        "correlation": stats.correlation(returns, benchmark),
        "average_holding": stats.average_holding(record["holding"]),
        "exposure": stats.exposure(record["gross"], record["equity"]),
        "turnover": stats.turnover(record["buys"], record["sells"], record["equity"]),
    }
    assert found == expected
    assert all(metric.value is None or math.isfinite(metric.value) for metric in found.values())


@settings(max_examples=40, deadline=None)
@given(arrays(float, lengths, elements=changes))
def test_a_report_does_not_depend_on_the_container(returns):
    expected = stats.report(returns)
    assert stats.report(returns.tolist()) == expected
    assert stats.report(pd.Series(returns)) == expected
    assert stats.report(iter(returns)) == expected
    assert stats.report(Returns(returns)) == expected
    assert stats.report(returns[::-1][::-1]) == expected


def test_a_report_holds_only_what_was_given():
    returns = np.array([0.01, -0.02])
    assert sorted(stats.report(returns)) == OF_RETURNS
    assert sorted(stats.report(returns, trade_results=[1.0])) == sorted(OF_RETURNS + OF_TRADES)
    assert "average_holding" in stats.report(returns, holding=[3])
    assert {"alpha", "beta", "correlation"} <= set(stats.report(returns, benchmark=returns))
    assert not {"exposure", "turnover"} & set(stats.report(returns, equity=[1, 2]))


@pytest.mark.parametrize(
    ("given_too", "missing"),
    [
        ({"gross": [1]}, "equity"),
        ({"buys": [1], "sells": [1]}, "equity"),
        ({"buys": [1], "equity": [1]}, "sells"),
        ({"sells": [1], "equity": [1]}, "buys"),
    ],
)
def test_a_report_that_lacks_half_of_what_a_metric_needs_says_which(given_too, missing):
    with pytest.raises(InvalidInput, match=f"give {missing} too"):
        stats.report([0.1], **given_too)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("returns", "Returns"),
        ("benchmark", "Benchmark"),
        ("trade_results", "Trade results"),
        ("holding", "Average holding"),
        ("gross", "Exposure"),
        ("equity", "Equity"),
        ("buys", "Buys"),
        ("sells", "Sells"),
    ],
)
@pytest.mark.parametrize("given_as", [list, np.array])
def test_a_report_names_the_observation_that_is_no_number(name, label, given_as):
    record = {key: [0.1, 0.2, 0.3] for key in ("returns", "benchmark", "trade_results", "holding", "gross", "equity", "buys", "sells")}
    record[name] = given_as([0.1, math.nan, 0.3])
    with pytest.raises(InvalidInput, match=f"^{label}: observation 2 of 3 is nan") as caught:
        stats.report(**record)
    assert caught.value.details["at"] == 1


def test_a_report_of_nothing_says_of_every_metric_why_it_has_none():
    found = stats.report([], benchmark=[], trade_results=[], holding=[], gross=[], equity=[], buys=[], sells=[])
    assert {metric.value for metric in found.values()} == {None}
    assert {metric.reason for metric in found.values()} == {Undefined.NO_DATA, Undefined.NO_TRADES, Undefined.TOO_FEW}


# --- how observations come in


@pytest.mark.parametrize(
    "values",
    [
        [1, 2, 3],
        (1.0, 2.0, 3.0),
        [Decimal(1), Decimal(2), Decimal(3)],
        np.array([1, 2, 3]),
        np.array([1, 2, 3], dtype=np.float32),
        np.array([Decimal(1), Decimal(2), Decimal(3)]),
        pd.Series([1.0, 2.0, 3.0], index=[7, 8, 9]),
        range(1, 4),
    ],
)
def test_numbers_of_any_kind_become_one_row_of_floats(values):
    array = stats.observations(values, "Numbers")
    assert array.dtype == np.float64
    assert array.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("given_as", [list, np.array, pd.Series, iter])
@pytest.mark.parametrize(("wrong", "said"), [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf")])
def test_the_first_value_that_is_no_number_is_named_whatever_the_container(given_as, wrong, said):
    with pytest.raises(InvalidInput) as caught:
        stats.observations(given_as([0.1, 0.2, wrong, math.nan]), "Numbers")
    assert caught.value.message == f"Numbers: observation 3 of 4 is {said}. Leave it out or correct it."
    assert (caught.value.code, caught.value.details) == ("not_finite", {"at": 2})


def test_an_observation_that_is_masked_is_refused_not_uncovered():
    masked = np.ma.array([0.1, 99.0], mask=[False, True])
    with pytest.warns(UserWarning, match="masked"), pytest.raises(InvalidInput, match="observation 2 of 2 is nan"):
        stats.observations(masked, "Numbers")


@pytest.mark.parametrize("kind", ["datetime64[D]", "timedelta64[D]"])
def test_dates_and_spans_are_no_observations(kind):
    with pytest.raises(TypeError, match="real number"):
        stats.observations(np.array([1, 2], dtype=kind), "Numbers")


@pytest.mark.parametrize("shape", [(), (2, 3), (3, 1)])
def test_a_table_of_observations_is_refused(shape):
    with pytest.raises(InvalidInput, match="one row of observations"):
        stats.observations(np.zeros(shape), "Numbers")


@pytest.mark.parametrize("name", sorted({*OF_RETURNS, *OF_TRADES, "average_holding", "mean_estimate"}))
def test_every_metric_answers_a_frozen_metric_for_one_observation_and_refuses_nan(name):
    metric = getattr(stats, name)
    assert isinstance(metric([0.1]), Metric)
    assert metric([0.1]).n == 1
    with pytest.raises(InvalidInput, match="observation 1 of 1 is nan"):
        metric(np.array([math.nan]))
