"""Defensive: declared; one needs target weights instead of entries and exits, the other options."""

from strategies.library.declarations import Planned, gettext_noop

CATEGORY = "DEFENSIVE"

PLANNED = (
    Planned(
        key="low_volatility",
        name=gettext_noop("Low volatility"),
        category=CATEGORY,
        source="S&P 500 Low Volatility Index methodology",
        description=gettext_noop("Holds the stocks of least volatility over a year, weighted by its inverse, renewed quarterly."),
        lacks=gettext_noop("Holds a portfolio by target weights: the loop trades single entries and exits only so far."),
    ),
    Planned(
        key="tail_hedge",
        name=gettext_noop("Tail hedge"),
        category=CATEGORY,
        source="Cboe VIX Tail Hedge Index (VXTH) methodology; Cboe S&P 500 5% Put Protection Index (PPUT)",
        description=gettext_noop("Spends a small budget each month on options that pay in a crash."),
        lacks=gettext_noop("Needs option chains and option orders: neither exists here yet."),
        signal_sources=("TECHNICAL", "OPTIONS"),
    ),
)
