"""Volatility: declared; both trade options."""

from strategies.library.declarations import Planned, gettext_noop

CATEGORY = "VOLATILITY"

PLANNED = (
    Planned(
        key="iron_condor",
        name=gettext_noop("Iron condor"),
        category=CATEGORY,
        source="Cboe S&P 500 Iron Condor Index (CNDR) methodology",
        description=gettext_noop("Sells an out-of-the-money put and call and buys the wings beyond them, monthly."),
        lacks=gettext_noop("Needs option chains and multi-leg option orders: neither exists here yet."),
        signal_sources=("OPTIONS",),
    ),
    Planned(
        key="volatility_arbitrage",
        name=gettext_noop("Volatility arbitrage"),
        category=CATEGORY,
        source="Goyal and Saretto, Journal of Financial Economics 94, 2009",
        description=gettext_noop("Trades straddles of stocks whose implied volatility is far from a forecast of the realised one."),
        lacks=gettext_noop("Needs implied volatility, option chains and option orders: none exists here yet."),
        signal_sources=("OPTIONS",),
    ),
)
