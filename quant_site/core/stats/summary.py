"""All metrics of one record at once."""

from collections.abc import Iterable

from quant_site.core.errors import InvalidInput
from quant_site.core.stats.account import exposure, turnover
from quant_site.core.stats.benchmark import alpha, beta, correlation
from quant_site.core.stats.metric import Metric, observations
from quant_site.core.stats.returns import (
    Returns,
    annual_volatility,
    cagr,
    calmar_ratio,
    expected_shortfall,
    kurtosis,
    longest_drawdown,
    max_drawdown,
    sharpe_ratio,
    skewness,
    sortino_ratio,
    time_weighted_return,
    value_at_risk,
)
from quant_site.core.stats.selection import probabilistic_sharpe_ratio
from quant_site.core.stats.trades import average_holding, expectancy, kelly_fraction, payoff_ratio, profit_factor, win_rate

OF_RETURNS = (
    time_weighted_return,
    cagr,
    annual_volatility,
    sortino_ratio,
    calmar_ratio,
    max_drawdown,
    longest_drawdown,
    value_at_risk,
    expected_shortfall,
    skewness,
    kurtosis,
)
OF_TRADES = (win_rate, profit_factor, payoff_ratio, expectancy, kelly_fraction)


def report(
    returns: Iterable | Returns,
    *,
    equity: Iterable | None = None,
    gross: Iterable | None = None,
    benchmark: Iterable | Returns | None = None,
    trade_results: Iterable | None = None,
    holding: Iterable | None = None,
    buys: Iterable | None = None,
    sells: Iterable | None = None,
    risk_free: float = 0.0,
) -> dict[str, Metric]:
    """Every metric that what is given allows, by the name of its function and exactly as that function answers it.

    `returns` and `benchmark` are per session, `equity` and `gross` (Σ|market value|) at the close of each; `trade_results`
    and `holding` (sessions) per closed trade; `buys` and `sells` are amounts by trade or by session. What is left out
    leaves its metrics out: beta, alpha and correlation want a benchmark, exposure gross and equity, turnover buys, sells
    and equity. `risk_free` is a yearly rate. Float64 arrays are the fastest input.
    """
    series = Returns.of(returns, "Returns")
    found = {metric.__name__: metric(series) for metric in OF_RETURNS}
    found["sharpe_ratio"] = sharpe_ratio(series, risk_free)
    found["probabilistic_sharpe_ratio"] = probabilistic_sharpe_ratio(series, risk_free=risk_free)
    if benchmark is not None:
        found |= _beside(series, Returns.of(benchmark, "Benchmark"), risk_free)
    if trade_results is not None:
        results = observations(trade_results, "Trade results")
        found |= {metric.__name__: metric(results) for metric in OF_TRADES}
    if holding is not None:
        found["average_holding"] = average_holding(holding)
    if gross is not None:
        found["exposure"] = exposure(gross, _wanted(equity, "exposure", "equity"))
    if buys is not None or sells is not None:
        sides = _wanted(buys, "turnover", "buys"), _wanted(sells, "turnover", "sells")
        found["turnover"] = turnover(*sides, _wanted(equity, "turnover", "equity"))
    return found


def _beside(series: Returns, benchmark: Returns, risk_free: float) -> dict[str, Metric]:
    return {
        "beta": beta(series, benchmark),
        "alpha": alpha(series, benchmark, risk_free),
        "correlation": correlation(series, benchmark),
    }


def _wanted(values: Iterable | None, metric: str, name: str) -> Iterable:
    if values is None:
        raise InvalidInput("incomplete_report", f"For {metric}, give {name} too.", missing=name)
    return values
