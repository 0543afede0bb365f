"""Rows of a file become option chains, or are rejected one by one with a reason. Pure: frames in, frames out.

A chain is one underlying at the close of one session, with one price of that underlying. Prices are never repaired. An
expiration on a Saturday, as contracts named it until February 2015, becomes the session on which they last traded.
"""

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pandas as pd

from quant_site.core.errors import InvalidInput
from quant_site.market.sessions import are_sessions, calendar_span, last_completed_session

REQUIRED = ("quote_date", "underlying", "underlying_price", "expiration", "strike", "type", "bid", "ask")
OPTIONAL = ("last", "volume", "open_interest", "iv", "delta", "gamma")
# The vendor's own arithmetic: 0 means that it was not computed.
COMPUTED = ("iv", "delta", "gamma")
ALIASES = {
    "date": "quote_date",
    "quotedate": "quote_date",
    "trade_date": "quote_date",
    "data_date": "quote_date",
    "symbol": "underlying",
    "ticker": "underlying",
    "underlying_symbol": "underlying",
    "root": "underlying",
    "spot": "underlying_price",
    "underlying_last": "underlying_price",
    "underlying_close": "underlying_price",
    "stock_price": "underlying_price",
    "expiry": "expiration",
    "expire_date": "expiration",
    "expiration_date": "expiration",
    "exdate": "expiration",
    "strike_price": "strike",
    "right": "type",
    "option_type": "type",
    "cp_flag": "type",
    "call_put": "type",
    "put_call": "type",
    "best_bid": "bid",
    "best_offer": "ask",
    "best_ask": "ask",
    "offer": "ask",
    "last_price": "last",
    "openinterest": "open_interest",
    "oi": "open_interest",
    "implied_volatility": "iv",
    "impliedvolatility": "iv",
    "impl_volatility": "iv",
}
RIGHTS = {"c": "C", "call": "C", "calls": "C", "p": "P", "put": "P", "puts": "P"}
STORED = ("expiry", "right", "strike", "bid", "ask", *OPTIONAL)


@dataclass(frozen=True)
class ParsedChain:
    """The good rows of one underlying and session, with the columns of `STORED`, sorted by expiry, right and strike."""

    underlying: str
    session: date
    spot: float
    frame: pd.DataFrame


@dataclass(frozen=True)
class ParsedChains:
    """`rejections`: {row, contract, reason, detail} of each row that is in no chain. `moved`: Saturday expirations."""

    chains: list[ParsedChain]
    rejections: list[dict]
    moved: int = 0


def chain_columns_clean(frame: pd.DataFrame, what: str) -> pd.DataFrame:
    """`frame` with the columns we know, under our names; raises `InvalidInput` where one is missing or given twice."""
    names = [str(name).strip().lower().replace(" ", "_") for name in frame.columns]
    own = set(names) & {*REQUIRED, *OPTIONAL}
    # A column of our own name stays that; an alias of it beside is something else (a root, an adjusted price).
    names = [name if ALIASES.get(name) in own else ALIASES.get(name, name) for name in names]
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        found = ", ".join(map(str, frame.columns)) or "none"
        raise InvalidInput("missing_columns", f"{what} lacks the column {', '.join(missing)}; its columns are: {found}.", missing=missing)
    twice = sorted({name for name in names if name in (*REQUIRED, *OPTIONAL) and names.count(name) > 1})
    if twice:
        raise InvalidInput("ambiguous_columns", f"{what} has more than one column for {', '.join(twice)}.", columns=twice)
    renamed = frame.set_axis(names, axis=1)
    return renamed[[name for name in (*REQUIRED, *OPTIONAL) if name in names]]


def parse_chains(frame: pd.DataFrame, *, at: datetime) -> ParsedChains:
    """Check the rows of one file (columns of `chain_columns_clean`).

    `at` (aware) decides which sessions are over. Of rows with one contract the first good one is kept.
    """
    table = _table(frame)
    reasons = pd.Series("", index=table.index)
    checks = _checks(table, at)
    for reason, mask, _ in checks:
        reasons[(reasons == "") & mask] = reason
    good = table[reasons == ""]
    again = good.duplicated(["underlying", "session", "expiry", "right", "strike"])
    reasons[again.index[again]] = "DUPLICATE_CONTRACT"
    details = {reason: detail for reason, _, detail in checks} | {"DUPLICATE_CONTRACT": _duplicate}
    rejected = table[reasons != ""]
    rejections = [_rejection(int(row), entry, reasons[row], details[reasons[row]]) for row, entry in rejected.iterrows()]
    good = good[~again]
    return ParsedChains(list(_chains(good)), rejections, int(good["moved"].sum()))


def _table(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows as numbers, days and words; what is none of these becomes NaN, NaT or ""."""
    table = pd.DataFrame(index=frame.index)
    table["underlying"] = frame["underlying"].astype(str).str.strip().str.upper().where(frame["underlying"].notna(), "")
    table["session"], expiry = _days(frame["quote_date"]), _days(frame["expiration"])
    friday = expiry - pd.Timedelta(days=1)
    table["moved"] = (expiry.dt.day_of_week == 5) & (expiry.dt.year < 2016)
    table["expiry"] = expiry.where(~table["moved"], friday)
    table["right"] = frame["type"].astype(str).str.strip().str.lower().map(RIGHTS).fillna("")
    for name in ("underlying_price", "strike", "bid", "ask", *OPTIONAL):
        table[name] = pd.to_numeric(frame[name], errors="coerce").astype(float) if name in frame else np.nan
    for name in COMPUTED:
        table[name] = table[name].where(table[name] != 0)
    main = table.groupby(["underlying", "session"])["underlying_price"].transform(_most_common)
    table["other_spot"] = table["underlying_price"] != main
    table["spot"] = main
    return table


def _days(column: pd.Series) -> pd.Series:
    """The column as days, NaT where it is no ISO date; a time of day is dropped."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column.dt.tz_localize(None).dt.normalize()
    if pd.api.types.is_numeric_dtype(column.dtype):
        column = column.map(lambda value: f"{value:.0f}")
    text = column.astype(str).str.strip().str.slice(0, 10)
    text = text.where(~text.str.fullmatch(r"\d{8}"), text.str.replace(r"(\d{4})(\d{2})(\d{2})", r"\1-\2-\3", regex=True))
    return pd.to_datetime(text, format="%Y-%m-%d", errors="coerce")


def _most_common(prices: pd.Series) -> float:
    counts = prices.value_counts()
    return counts.index[0] if len(counts) else np.nan


def _checks(table: pd.DataFrame, at: datetime) -> list[tuple]:
    """(reason, rows it speaks against, words for one row), the first that applies counts."""
    completed, (first, _) = pd.Timestamp(last_completed_session(at)), calendar_span()
    session, expiry = table["session"], table["expiry"]
    sessions = are_sessions(session.to_numpy().astype("datetime64[D]"))
    symbol = table["underlying"].str.fullmatch(r"[A-Z][A-Z0-9.]{0,5}")
    thousandths = table["strike"] * 1000
    odd = (thousandths - thousandths.round()).abs() > 1e-6
    return [
        ("BAD_DATE", session.isna() | expiry.isna(), lambda row: "quote date or expiration is not of the form YYYY-MM-DD"),
        ("FUTURE_DATE", session > completed, lambda row: f"the session of {row.session:%Y-%m-%d} is not over"),
        ("NOT_A_SESSION", ~sessions, lambda row: f"the exchange was closed on {row.session:%Y-%m-%d}, or it is before {first}"),
        ("BAD_SYMBOL", ~symbol, lambda row: f"{row.underlying[:40]!r} is no symbol of an underlying"),
        ("BAD_TYPE", table["right"] == "", lambda row: "the type is neither call nor put"),
        ("EXPIRED", expiry < session, lambda row: f"it expired on {row.expiry:%Y-%m-%d}"),
        ("BAD_STRIKE", ~(table["strike"] > 0) | (table["strike"] >= 1e5) | odd, lambda row: f"the strike is {row.strike:g}"),
        ("NOT_A_NUMBER", ~np.isfinite(table[["bid", "ask"]]).all(axis=1), lambda row: "bid or ask is blank or no number"),
        ("NEGATIVE_PRICE", (table[["bid", "ask"]] < 0).any(axis=1), lambda row: f"bid is {row.bid:g}, ask {row.ask:g}"),
        ("CROSSED", table["bid"] > table["ask"], lambda row: f"the bid {row.bid:g} is above the ask {row.ask:g}"),
        ("NO_OFFER", table["ask"] == 0, lambda row: "bid and ask are 0"),
        ("BAD_SPOT", ~(table["spot"] > 0), lambda row: "the price of the underlying is blank or not above 0"),
        ("OTHER_SPOT", table["other_spot"], lambda row: f"the underlying stands at {row.underlying_price:g}, for most at {row.spot:g}"),
    ]


def _duplicate(row) -> str:
    return "the contract came before; the first row is kept"


def _rejection(number: int, row: pd.Series, reason: str, detail) -> dict:
    day = "no date" if pd.isna(row.expiry) else f"{row.expiry:%Y-%m-%d}"
    contract = f"{row.underlying[:16]} {day} {row.right or '?'} {row.strike:g}"
    return {"row": number, "contract": contract, "reason": reason, "detail": detail(row)}


def _chains(good: pd.DataFrame):
    for (underlying, session), rows in good.groupby(["underlying", "session"], sort=True):
        frame = rows.sort_values(["expiry", "right", "strike"])[list(STORED)].reset_index(drop=True)
        yield ParsedChain(underlying, session.date(), float(rows["spot"].iloc[0]), frame)
