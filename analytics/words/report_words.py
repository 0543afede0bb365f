"""Words of the report, and which figure stands where and how it is written."""

from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from analytics.judging.evaluation import UNASSIGNED
from analytics.words import wording

# (title, figures of (name, label, kind)); a kind is a format of templates/cards/_figure.html.
GROUPS = (
    (
        _("Return and risk"),
        (
            ("time_weighted_return", _("Total return"), "change"),
            ("cagr", _("Return a year"), "change"),
            ("annual_volatility", _("Volatility a year"), "percent"),
            ("sharpe_ratio", _("Sharpe ratio"), "ratio"),
            ("probabilistic_sharpe_ratio", _("Probability that the Sharpe ratio is above 0"), "percent"),
            ("sortino_ratio", _("Sortino ratio"), "ratio"),
            ("calmar_ratio", _("Calmar ratio"), "ratio"),
        ),
    ),
    (
        _("Losses and shape"),
        (
            ("max_drawdown", _("Deepest drawdown"), "depth"),
            ("longest_drawdown", _("Longest drawdown, in sessions"), "shares"),
            ("value_at_risk", _("Value at risk of a session, 95 per cent"), "depth"),
            ("expected_shortfall", _("Expected shortfall of a session, 95 per cent"), "depth"),
            ("skewness", _("Skewness"), "ratio"),
            ("kurtosis", _("Kurtosis (3 is normal)"), "ratio"),
        ),
    ),
    (
        _("Closed trades"),
        (
            ("win_rate", _("Win rate"), "percent"),
            ("profit_factor", _("Profit factor"), "ratio"),
            ("payoff_ratio", _("Mean win over mean loss"), "ratio"),
            ("expectancy", _("Mean result of a trade"), "gain"),
            ("average_r", _("Mean result in R, the initial risk"), "ratio"),
            ("kelly_fraction", _("Kelly fraction, shrunk"), "percent"),
            ("average_holding", _("Sessions held"), "ratio1"),
        ),
    ),
    (
        _("Capital and market"),
        (
            ("exposure", _("Exposure"), "percent"),
            ("turnover", _("Turnover, in mean equities"), "ratio"),
            ("beta", _("Beta"), "ratio"),
            ("alpha", _("Alpha a year"), "change"),
            ("correlation", _("Correlation with the benchmark"), "ratio"),
        ),
    ),
)

DIMENSIONS = {
    "STRATEGY": _("By strategy"),
    "SYMBOL": _("By symbol"),
    "SECTOR": _("By sector"),
    "STAGE": _("By stage of the decision"),
}
STAGES = {
    "SIGNAL": _("Signals at their decision prices"),
    "TIMING": _("Waiting for the open"),
    "PRICE": _("Fills against the open"),
    "FEE": _("Commissions"),
    "DATA": _("Dividends, borrowing and splits"),
    "SIZE": _("Smaller than the strategy asked for"),
    "REJECTION": _("Rejected or unfilled signals"),
}
UNKNOWN = {UNASSIGNED: _("By hand, no strategy"), "UNKNOWN": pgettext_lazy("sector", "unknown"), "": pgettext_lazy("sector", "unknown")}


def bucket(dimension: str, key: str) -> str:
    """What a key of an attribution names."""
    if key in UNKNOWN:
        return str(UNKNOWN[key])
    if dimension == "STRATEGY":
        return gettext(wording.strategy_names().get(key, key))
    if dimension == "SYMBOL":
        return wording.instrument(key)
    return str(STAGES.get(key, key)) if dimension == "STAGE" else gettext(key)
