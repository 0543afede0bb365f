"""The quote methods of the API: one function each, from `biz_content` to `data`."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.fake_tiger.contracts import Contract, decimal
from tests.fake_tiger.intake import PARAMETERS, Refused
from tests.fake_tiger.venue import Venue
from tests.fake_tiger.world import MARKET_STATES, Quote

Fields = dict[str, Any]
EASTERN = ZoneInfo("America/New_York")
BARS_MOST = 1200
GREEKS = ("delta", "gamma", "theta", "vega", "rho")
PERMISSIONS = ("usQuoteBasic", "usStockQuoteLv2Totalview", "usOptionQuote")


def user_license(venue: Venue, fields: Fields) -> Fields:
    return {"license": venue.world.config.license}


def grab_quote_permission(venue: Venue, fields: Fields) -> list[Fields]:
    return [{"name": name, "expireAt": -1} for name in PERMISSIONS]


def market_state(venue: Venue, fields: Fields) -> list[Fields]:
    text, status = MARKET_STATES[venue.world.state]
    return [{"market": "US", "marketStatus": text, "status": status, "openTime": venue.world.open_time}]


def trading_calendar(venue: Venue, fields: Fields) -> list[Fields]:
    today = datetime.fromtimestamp(venue.world.now() / 1000, EASTERN).date()
    begin = _day(fields.get("begin_date")) or today
    return venue.world.day_list(begin, _day(fields.get("end_date")) or begin + timedelta(30))


def quote_real_time(venue: Venue, fields: Fields) -> list[Fields]:
    """Quoted symbols; the others are simply not there."""
    quotes = venue.world.quotes
    return [
        quote_wire(symbol, quotes[symbol], fields.get("include_hour_trading")) for symbol in fields.get("symbols") or () if symbol in quotes
    ]


def quote_wire(symbol: str, quote: Quote, hour_trading: Any) -> Fields:
    extra = {_camel(name): value for name, value in quote.fields.items()}
    late = extra.pop("hourTrading", None)
    last = _number(quote.last)
    answer = {
        "symbol": symbol, "open": last, "high": last, "low": last, "close": last, "preClose": last, "latestPrice": last,
        "latestTime": quote.at, "askPrice": _number(quote.ask), "askSize": 100, "bidPrice": _number(quote.bid), "bidSize": 100,
        "volume": 0, "status": "NORMAL", "adjPreClose": last,
    }  # fmt: skip
    answer |= {name: float(value) if isinstance(value, str) and name != "status" else value for name, value in extra.items()}
    return answer | ({"hourTrading": late} if late and hour_trading else {})


def kline(venue: Venue, fields: Fields) -> list[Fields]:
    """The last `limit` bars of [begin, end); the token is where the page before begins."""
    period, limit = fields.get("period") or "day", min(int(fields.get("limit") or 251), BARS_MOST)
    begin, end = (_bound(fields.get(name)) for name in ("begin_time", "end_time"))
    token = int(fields.get("page_token") or 0)
    answer = []
    for symbol in fields.get("symbols") or ():
        items = [
            item
            for item in venue.world.series.get((symbol, period), ())
            if (begin is None or item["time"] >= begin) and (end is None or item["time"] < end) and (not token or item["time"] < token)
        ]
        page = items[-limit:]
        more = str(page[0]["time"]) if len(items) > limit else None
        answer.append({"symbol": symbol, "period": period, "nextPageToken": more, "items": page})
    return answer


def option_expiration(venue: Venue, fields: Fields) -> list[Fields]:
    answer = []
    for symbol in fields.get("symbols") or ():
        days = sorted(venue.world.chains.get(symbol, {}))
        row = {"symbol": symbol, "optionSymbols": [symbol] * len(days), "dates": days, "timestamps": [_expiry_millis(day) for day in days]}
        answer.append(row | {"periodTags": ["m" if 15 <= int(day[8:]) <= 21 else "w" for day in days], "count": len(days)})
    return [row for row in answer if row["count"]]


def option_chain(venue: Venue, fields: Fields) -> list[Fields]:
    """Calls and puts by strike; Greeks only where they were asked for. A missing side has no key."""
    answer = []
    for wanted in fields.get("option_basic") or ():
        symbol, expiry = wanted.get("symbol"), _expiry_day(wanted.get("expiry"))
        rows = venue.world.chains.get(symbol, {}).get(expiry, ())
        sides = [
            {
                right: _option(symbol, expiry, row, right, greeks=bool(fields.get("return_greek_value")))
                for right in ("call", "put")
                if row.get(right)
            }
            for row in rows
        ]
        answer.append({"symbol": symbol, "expiry": _expiry_millis(expiry), "items": [row for row in sides if row and _passes(row, fields)]})
    return answer


def _passes(row: Fields, fields: Fields) -> bool:
    """Ranges of open interest and implied volatility; a row stays while one of its sides is within."""
    ranges = fields.get("option_filter") or {}
    for name, key in (("open_interest", "openInterest"), ("implied_volatility", "impliedVol")):
        bounds = ranges.get(name) or {}
        low, high = bounds.get("min"), bounds.get("max")
        values = [side.get(key, 0) for side in row.values()]
        if not any((low is None or value >= low) and (high is None or value <= high) for value in values):
            return False
    return True


def _option(symbol: str, expiry: str, row: Fields, right: str, *, greeks: bool) -> Fields:
    contract = _contract(symbol, expiry, row["strike"], right)
    hidden = () if greeks else (*GREEKS, "impliedVol")
    shown = {name: value for name, value in row[right].items() if name not in hidden}
    return {"identifier": contract.key, "strike": str(float(contract.strike)), "right": right, "multiplier": contract.multiplier, **shown}


def option_brief(venue: Venue, fields: Fields) -> list[Fields]:
    """Quotes of options by contract, without Greeks; what has neither a quote nor a place in a chain is not there."""
    answer = []
    for wanted in fields.get("option_basic") or ():
        expiry, right = _expiry_day(wanted.get("expiry")), str(wanted.get("right")).lower()
        contract = _contract(wanted.get("symbol"), expiry, wanted.get("strike"), right)
        row = _brief(venue, contract, expiry, right)
        if row:
            names = {"symbol": contract.symbol, "strike": str(float(contract.strike)), "right": right.upper(), "identifier": contract.key}
            answer.append(names | {"expiry": _expiry_millis(expiry), "multiplier": 100, **row})
    return answer


def _brief(venue: Venue, contract: Contract, expiry: str, right: str) -> Fields:
    quote = venue.world.quotes.get(contract.key)
    if quote:
        wire = quote_wire(contract.key, quote, None)
        shown = {
            name: wire[name]
            for name in ("bidPrice", "bidSize", "askPrice", "askSize", "latestPrice", "volume", "preClose", "open", "high", "low")
        }
        return shown | {"midTimestamp": wire["latestTime"]}
    for row in venue.world.chains.get(contract.symbol, {}).get(expiry, ()):
        if decimal(row["strike"]) == contract.strike and row.get(right):
            shown = {name: value for name, value in row[right].items() if name not in (*GREEKS, "impliedVol")}
            return {("openInt" if name == "openInterest" else name): value for name, value in shown.items()}
    return {}


def _contract(symbol: Any, expiry: str, strike: Any, right: str) -> Contract:
    return Contract(str(symbol), "OPT", "USD", expiry.replace("-", ""), decimal(strike), right.upper(), 100)


def _expiry_millis(day: str) -> int:
    """Midnight in New York, as the server names expiries."""
    return int(datetime.combine(date.fromisoformat(day), datetime.min.time(), EASTERN).timestamp() * 1000)


def _expiry_day(value: Any) -> str:
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(value / 1000, EASTERN).date().isoformat()
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise Refused(PARAMETERS, f"biz param error(expiry {value!r})") from None


def _day(value: Any) -> date | None:
    if not value:
        return None
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(value / 1000, EASTERN).date()
    return date.fromisoformat(str(value))


def _bound(value: Any) -> int | None:
    """Milliseconds; -1 is no bound, text is a day or a time in New York."""
    if value in (None, -1, ""):
        return None
    if isinstance(value, (int, float)):
        return int(value)
    return int(datetime.fromisoformat(str(value)).replace(tzinfo=EASTERN).astimezone(UTC).timestamp() * 1000)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


METHODS: dict[str, Callable[[Venue, Fields], Any]] = {
    function.__name__: function
    for function in (
        user_license, grab_quote_permission, market_state, trading_calendar, quote_real_time, kline, option_expiration,
        option_chain, option_brief,
    )
} | {"get_quote_permission": grab_quote_permission}  # fmt: skip
