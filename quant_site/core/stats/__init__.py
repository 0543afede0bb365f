"""Performance metrics: plain functions of observations. Undefined is None with a reason, never 0 and never infinite.

Each answers a `Metric`. The definitions are those of the literature and are stated here in full, so that a second
library can serve as the oracle of the tests. NaN or infinity among the observations raises `InvalidInput`: a number
that is missing must be left out by who knows why, not skipped here. Backtests and analytics measure with these alone.

`returns` per session, `benchmark` beside another series, `selection` against luck, `trades` and `account` for what was
traded, `estimates` with their intervals, `summary` for all at once.
"""

from quant_site.core.stats.account import exposure, implementation_shortfall, modified_dietz, time_weighted_return_of, turnover
from quant_site.core.stats.benchmark import alpha, beta, correlation
from quant_site.core.stats.estimates import mean_estimate, proportion, wilson_interval
from quant_site.core.stats.metric import (
    CONFIDENCE,
    FEWEST_TO_ANNUALISE,
    NO_SPREAD,
    SESSIONS_PER_YEAR,
    Metric,
    Undefined,
    observations,
    observed,
    undefined,
)
from quant_site.core.stats.returns import (
    Returns,
    annual_volatility,
    cagr,
    calmar_ratio,
    expected_shortfall,
    kurtosis,
    longest_drawdown,
    max_drawdown,
    rate_per_period,
    sharpe_ratio,
    sharpe_ratio_of,
    skewness,
    sortino_ratio,
    time_weighted_return,
    value_at_risk,
)
from quant_site.core.stats.selection import (
    deflated_sharpe_ratio,
    deflated_sharpe_ratio_of,
    expected_maximum_sharpe,
    probabilistic_sharpe_ratio,
    probabilistic_sharpe_ratio_of,
)
from quant_site.core.stats.summary import report
from quant_site.core.stats.trades import (
    LARGEST_KELLY_SHARE,
    Excursions,
    average_holding,
    average_holding_of,
    average_r,
    expectancy,
    kelly_fraction,
    mae_mfe,
    payoff_ratio,
    profit_factor,
    profit_factor_of,
    win_rate,
)

__all__ = [
    "CONFIDENCE",
    "FEWEST_TO_ANNUALISE",
    "LARGEST_KELLY_SHARE",
    "NO_SPREAD",
    "SESSIONS_PER_YEAR",
    "Excursions",
    "Metric",
    "Returns",
    "Undefined",
    "alpha",
    "annual_volatility",
    "average_holding",
    "average_holding_of",
    "average_r",
    "beta",
    "cagr",
    "calmar_ratio",
    "correlation",
    "deflated_sharpe_ratio",
    "deflated_sharpe_ratio_of",
    "expectancy",
    "expected_maximum_sharpe",
    "expected_shortfall",
    "exposure",
    "implementation_shortfall",
    "kelly_fraction",
    "kurtosis",
    "longest_drawdown",
    "mae_mfe",
    "max_drawdown",
    "mean_estimate",
    "modified_dietz",
    "observations",
    "observed",
    "payoff_ratio",
    "probabilistic_sharpe_ratio",
    "probabilistic_sharpe_ratio_of",
    "profit_factor",
    "profit_factor_of",
    "proportion",
    "rate_per_period",
    "report",
    "sharpe_ratio",
    "sharpe_ratio_of",
    "skewness",
    "sortino_ratio",
    "time_weighted_return",
    "time_weighted_return_of",
    "turnover",
    "undefined",
    "value_at_risk",
    "wilson_interval",
    "win_rate",
]
