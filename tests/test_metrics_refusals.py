"""NaN and infinity are refused by every metric that takes observations, with the name and the place of the first."""

import math

import pytest

from analytics import stats
from quant_site.core.errors import InvalidInput
from quant_site.core.types import Side

GAP = "gap"
REFUSALS = [
    (stats.sortino_ratio, (GAP,), "Sortino ratio"),
    (stats.annual_volatility, (GAP,), "Annual volatility"),
    (stats.cagr, (GAP,), "Compound annual growth rate"),
    (stats.calmar_ratio, (GAP,), "Calmar ratio"),
    (stats.time_weighted_return, (GAP,), "Time-weighted return"),
    (stats.longest_drawdown, (GAP,), "Longest drawdown"),
    (stats.value_at_risk, (GAP,), "Value at risk"),
    (stats.expected_shortfall, (GAP,), "Expected shortfall"),
    (stats.skewness, (GAP,), "Skewness"),
    (stats.kurtosis, (GAP,), "Kurtosis"),
    (stats.exposure, (GAP, [1, 1, 1]), "Exposure"),
    (stats.exposure, ([1, 1, 1], GAP), "Equity"),
    (stats.turnover, (GAP, [1], [1]), "Buys"),
    (stats.turnover, ([1], GAP, [1]), "Sells"),
    (stats.turnover, ([1], [1], GAP), "Equity"),
    (stats.time_weighted_return_of, (GAP, [0, 0]), "Time-weighted return"),
    (stats.time_weighted_return_of, ([1, 1, 1, 1], GAP), "Flows"),
    (lambda flows, days: stats.modified_dietz(1, 1, flows, days, 30), (GAP, [1, 1, 1]), "Flows"),
    (lambda flows, days: stats.modified_dietz(1, 1, flows, days, 30), ([1, 1, 1], GAP), "Days of flows"),
    (lambda prices, sizes: stats.implementation_shortfall(Side.BUY, 1, 1, prices, sizes), (GAP, [1, 1, 1]), "Fill prices"),
    (lambda prices, sizes: stats.implementation_shortfall(Side.BUY, 1, 1, prices, sizes), ([1, 1, 1], GAP), "Quantities"),
    (stats.average_r, (GAP, [1, 1, 1]), "Average R"),
    (stats.average_r, ([1, 1, 1], GAP), "Initial risk"),
    (stats.mae_mfe, ([1] * 3, GAP, [90] * 3, [95] * 3, [105] * 3), "Entry"),
    (stats.mae_mfe, ([1] * 3, [100] * 3, [90] * 3, GAP, [105] * 3), "Lowest price"),
]


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("metric", "arguments", "what"), REFUSALS)
def test_an_observation_that_is_no_number_is_refused_by_name_and_place(metric, arguments, what, wrong):
    broken = [[1.0, wrong, 1.0] if each is GAP else each for each in arguments]
    with pytest.raises(InvalidInput, match=f"^{what}: observation 2 of 3 is {wrong}") as caught:
        metric(*broken)
    assert (caught.value.code, caught.value.details["at"]) == ("not_finite", 1)
