"""What a backtest takes for granted, in sentences that stand beside its figures."""

from collections.abc import Iterable

import numpy as np

from quant_site.market.options.contracts import parse_contract
from quant_site.market.panel import Panel
from quant_site.market.providers.synthetic import WARNING
from strategies.backtest.settings import BacktestSettings
from strategies.base import Strategy
from strategies.library.declarations import gettext_noop

ALWAYS = (
    gettext_noop("What is decided on the close of a session trades at the next open, and expires with that session."),
    gettext_noop("Where a stop and a target lie within one bar, the stop is taken: the path within a day is not known."),
    gettext_noop("Orders fill whole at the bar's prices: average volume limits their size, their effect on prices is not modelled."),
    gettext_noop("Market and stop orders pay half the spread and slippage, limit orders neither; every fill pays its commission."),
    gettext_noop("Cash earns no interest, and none is paid on margin."),
    gettext_noop("The symbols are those that are stored now: companies that failed since may be missing, which flatters any result."),
)
ADJUSTED = gettext_noop("Bars without an adjustment are traded as they are: dividends and splits that they contain already are not booked.")
ACTIONS = gettext_noop("Splits and dividends are read off the adjustment of the bars; dividends are paid on the ex-date.")
SHORTS = gettext_noop("Shares can always be borrowed, at one rate that is charged for every session.")
OPTIONS = gettext_noop("Options are bought at the ask and sold at the bid of the open, and settled in cash when they end.")
UNSEEN = gettext_noop("Nothing was traded: the figures say nothing about the strategy.")


def assumptions_of(strategy: Strategy, panel: Panel, settings: BacktestSettings, traded: Iterable[str], fills: int) -> tuple[str, ...]:
    """The sentences that apply to a run which traded `traded` with `fills` executions."""
    options = any(parse_contract(symbol) for symbol in traded)
    adjusts = bool(np.nanmax(np.ptp(panel.factor, axis=1), initial=0) > 0) if panel.factor.size else False
    return (
        *ALWAYS,
        ACTIONS if adjusts else ADJUSTED,
        *((SHORTS,) if settings.limits.allow_short else ()),
        *((OPTIONS, WARNING) if options else ()),
        *(() if fills else (UNSEEN,)),
        *strategy.departures,
    )
