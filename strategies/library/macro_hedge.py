"""Macro hedge: declared; both hold portfolios by target weights."""

from strategies.library.declarations import Planned, gettext_noop

CATEGORY = "MACRO_HEDGE"

PLANNED = (
    Planned(
        key="sector_rotation",
        name=gettext_noop("Sector rotation"),
        category=CATEGORY,
        source="M. Faber, Relative Strength Strategies for Investing, 2010",
        description=gettext_noop("Holds the three strongest sectors equally, and cash while the index is below its ten-month average."),
        lacks=gettext_noop("Holds a portfolio by target weights, renewed monthly: the loop trades single entries and exits only so far."),
    ),
    Planned(
        key="cta_commodities",
        name=gettext_noop("CTA commodities"),
        category=CATEGORY,
        source="Moskowitz, Ooi and Pedersen, Journal of Financial Economics 104, 2012",
        description=gettext_noop("Follows the sign of each market's twelve-month excess return at constant volatility."),
        lacks=gettext_noop("Holds a portfolio by target volatility and needs rolled futures or their proxies: neither exists here yet."),
    ),
)
