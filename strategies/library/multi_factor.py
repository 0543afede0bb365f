"""Multi-factor: both need data that no provider delivers yet, so they are declared and do not run."""

from strategies.library.declarations import Planned, gettext_noop

CATEGORY = "MULTI_FACTOR"

PLANNED = (
    Planned(
        key="fama_french_three_factor",
        name=gettext_noop("Fama–French three factor"),
        category=CATEGORY,
        source="Fama and French, Journal of Financial Economics 33, 1993; Daniel and Titman, Journal of Finance 52, 1997",
        description=gettext_noop("Holds the stocks that rank highest by book-to-market and size, or by their alpha to the three factors."),
        lacks=gettext_noop("Needs fundamentals with filing dates, or daily factor returns: no provider delivers them yet."),
        signal_sources=("TECHNICAL", "FUNDAMENTAL"),
    ),
    Planned(
        key="momentum_quality",
        name=gettext_noop("Momentum and quality"),
        category=CATEGORY,
        source="Jegadeesh and Titman, Journal of Finance 48, 1993; Novy-Marx, Journal of Financial Economics 108, 2013",
        description=gettext_noop("Holds the top fifth by the average rank of twelve-month momentum and profitability, renewed monthly."),
        lacks=gettext_noop("Needs fundamentals with filing dates to rank quality: no provider delivers them yet."),
        signal_sources=("TECHNICAL", "FUNDAMENTAL"),
    ),
)
