"""What reports say of a company: its value against its price, its profitability, its health. Pure, over a panel.

Every answer is (N, T): the value that was public at each session, NaN where it was not known. Reports come from the
panel's reference, which dates them; nothing here makes them known earlier.

Price times shares is taken at the end of the fiscal year that the shares are reported for, in raw prices: both count the
shares of that day. Later in time a split would have multiplied one and not the other. Where the closes of a source are
adjusted ones (no factor of any of its symbols ever moved up to t), its prices of back then are divided by splits that
nobody knew of yet: market value is not known at all.
"""

from dataclasses import dataclass

import numpy as np

from quant_site.market.panel import Panel
from strategies.library.distance import months_of
from strategies.library.drafting import carried
from strategies.library.windows import at_columns, positive, recent

Array = np.ndarray

YEAR_DAYS = 365
# A report that comes after a split restates the shares of a year that ended before it (SEC Staff Accounting Bulletin,
# topic 4.C): which count it gives is not known where one fell into the quarter in which reports are written.
REPORTING_SESSIONS = 63
# A factor that moves by more than this is a split (or as good as one), by less a dividend.
SPLIT = 1.2
# Reported shares that change by more than this in a year were split or merged, or paid for another company.
NO_ISSUE = 1.2
FACTOR_MOVE = 1e-6
# Piotroski's flags a company must have known before their share says something.
LEAST_FLAGS = 6
FINANCIALS = "Financials"


@dataclass(frozen=True)
class Valuation:
    """`book_to_market` of the fiscal year, book equity above zero only; `market_value` of the shares at the session, dollars."""

    book_to_market: Array
    market_value: Array


def reported(panel: Panel, name: str) -> Array:
    """The reported field `name`, NaN throughout where the panel has none."""
    values = panel.reference.fundamentals.get(name)
    return np.full(panel.close.shape, np.nan) if values is None else values


def ratio(part: Array, whole: Array) -> Array:
    """`part / whole` where the whole is above zero."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole > 0, part / whole, np.nan)


def valuation(panel: Panel, book_lag: int) -> Valuation:
    """Book-to-market and market value by the newest fiscal year that ended at least `book_lag` months before the session.

    Where the newest report is younger the one of the year before counts.
    """
    year_end = reported(panel, "fiscal_year_end")
    age = months_of(panel.sessions) - _month_numbers(year_end)
    young = age < book_lag
    equity, shares = (np.where(young, reported(panel, f"{name}_prior"), reported(panel, name)) for name in ("total_equity", "shares"))
    columns = _columns(panel, np.where(young, year_end - YEAR_DAYS, year_end))
    then = at_columns(recent(positive(panel.close)), columns) * positive(shares)
    market = np.where(_raw(panel) & ~_split_while_reporting(panel, columns), then, np.nan)
    adjusted = recent(positive(panel.adj_close))
    grown = ratio(adjusted, at_columns(adjusted, columns))
    return Valuation(ratio(positive(equity), market), market * grown)


def _month_numbers(days: Array) -> Array:
    """Months since January 1970 of days since then; NaN stays NaN."""
    known = np.isfinite(days)
    dates = np.where(known, days, 0).astype(np.int64).astype("datetime64[D]")
    return np.where(known, months_of(dates), np.nan)


def _columns(panel: Panel, days: Array) -> Array:
    """The column of the last session up to each of `days` (since 1970); −1 before the panel and where it is not known."""
    sessions = panel.sessions.astype(np.int64)
    return np.where(np.isfinite(days), np.searchsorted(sessions, days, side="right") - 1, -1)


def _raw(panel: Panel) -> Array:
    """Whether the closes of each symbol are known by t to be raw: the factor of some symbol of its source has moved."""
    factor = carried(panel.factor)
    moved = np.zeros(factor.shape, dtype=bool)
    with np.errstate(invalid="ignore"):
        moved[:, 1:] = np.abs(factor[:, 1:] / factor[:, :-1] - 1) > FACTOR_MOVE
    moved = np.logical_or.accumulate(moved, axis=1)
    sources = np.array([panel.sources.get(symbol, "") for symbol in panel.symbols])
    for source in set(sources.tolist()):
        rows = sources == source
        moved[rows] = moved[rows].any(axis=0)
    return moved


def _split_while_reporting(panel: Panel, columns: Array) -> Array:
    """Whether a split fell between `columns` and the quarter after them, as far as it is past."""
    factor = carried(panel.factor)
    later = np.where(columns >= 0, np.minimum(columns + REPORTING_SESSIONS, np.arange(columns.shape[1])), -1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.abs(np.log(at_columns(factor, later) / at_columns(factor, columns))) > np.log(SPLIT)


def gross_profitability(panel: Panel) -> Array:
    """Gross profit over total assets (Novy-Marx 2013)."""
    return ratio(reported(panel, "gross_profit"), reported(panel, "total_assets"))


def return_on_equity(panel: Panel) -> Array:
    """Net income over book equity, where that is above zero."""
    return ratio(reported(panel, "net_income"), reported(panel, "total_equity"))


def financials(panel: Panel) -> Array:
    """(N,) whether each symbol's sector is that of banks and insurers; nobody's where sectors are not known."""
    sectors = panel.reference.sectors or ("",) * len(panel.symbols)
    return np.array([sector == FINANCIALS for sector in sectors], dtype=bool)


def piotroski_flags(panel: Panel) -> Array:
    """(9, N, T) flags of Piotroski (2000), Journal of Accounting Research 38: 1 met, 0 not, NaN not known.

    In his order: return on assets, cash flow, change of the return on assets, accruals, leverage, liquidity, no equity
    issued, gross margin, asset turnover. Ratios are to the assets at the end of the year: those of its beginning and of
    two years before are not all there.
    """
    now, before = (_ratios(panel, suffix) for suffix in ("", "_prior"))
    return np.stack(
        [
            _above(now["return"], 0.0),
            _above(now["cash_flow"], 0.0),
            _above(now["return"], before["return"]),
            _above(now["cash_flow"], now["return"]),
            _above(before["leverage"], now["leverage"]),
            _above(now["liquidity"], before["liquidity"]),
            _none_issued(panel),
            _above(now["margin"], before["margin"]),
            _above(now["turnover"], before["turnover"]),
        ]
    )


def _none_issued(panel: Panel) -> Array:
    """1 where the company has no more shares than a year before, 0 where it has, NaN where they were split or not known."""
    growth = ratio(reported(panel, "shares"), reported(panel, "shares_prior"))
    with np.errstate(invalid="ignore"):
        return np.where((growth > 1 / NO_ISSUE) & (growth < NO_ISSUE), growth <= 1, np.nan)


def _ratios(panel: Panel, suffix: str) -> dict[str, Array]:
    def field(name: str) -> Array:
        return reported(panel, name + suffix)

    assets = field("total_assets")
    return {
        "return": ratio(field("net_income"), assets),
        "cash_flow": ratio(field("net_cash_flow_operating"), assets),
        "leverage": ratio(field("long_term_debt"), assets),
        "liquidity": ratio(field("total_current_assets"), field("total_current_liabilities")),
        "margin": ratio(field("gross_profit"), field("total_revenue")),
        "turnover": ratio(field("total_revenue"), assets),
    }


def _above(left: Array, right: Array | float) -> Array:
    """1 where `left` exceeds `right`, 0 where not, NaN where one of them is not known."""
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(left) & np.isfinite(right), left > right, np.nan)


def health(panel: Panel) -> Array:
    """The share of Piotroski's flags that are met, of those known, where at least six are."""
    flags = piotroski_flags(panel)
    known = np.isfinite(flags).sum(axis=0)
    return np.where(known >= LEAST_FLAGS, ratio(np.nan_to_num(flags).sum(axis=0), known), np.nan)
