"""Tiger's JSON as our values, and back: numbers, times, contracts. Pure.

Numbers arrive as floats, texts, or infinity where nothing is known; times as milliseconds; an option as its parts.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from quant_site.core.errors import InvalidInput
from quant_site.market.options.contracts import OptionContract, parse_contract
from quant_site.market.sessions import NEW_YORK

RIGHTS = {"C": "CALL", "P": "PUT"}
# Java's largest double is how some of Tiger's services write "none".
LARGEST = Decimal("1e15")
LATEST = Decimal("3.2e13")


def number(value: Any) -> Decimal | None:
    """A finite number; None for what is none, infinity and the largest double included."""
    if value is None or isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value)):
        return None
    try:
        answer = Decimal(str(value).strip())
    except (InvalidOperation, ValueError):
        return None
    return answer if answer.is_finite() and abs(answer) < LARGEST else None


def identity(value: Any) -> str:
    """An id, which may be larger than any quantity, as digits; "" for 0 and for what is none."""
    text = str(value).strip() if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    return text if text.isascii() and text.isdigit() and int(text) else ""


def scaled(value: Any, scale: Any) -> Decimal:
    """A quantity that is written as an integer and the places of its point; 0 where there is none."""
    return (number(value) or Decimal(0)).scaleb(-int(number(scale) or 0))


def moment(value: Any) -> datetime | None:
    """Milliseconds since 1970 as a time; None for 0 and for what is no time of this millennium or the last."""
    milliseconds = number(value)
    if milliseconds is None or not 0 < milliseconds < LATEST:
        return None
    return datetime.fromtimestamp(float(milliseconds) / 1000, UTC)


def milliseconds(at: datetime | date) -> int:
    """A time, or the midnight in New York that a day begins with, as milliseconds since 1970."""
    if not isinstance(at, datetime):
        at = datetime(at.year, at.month, at.day, tzinfo=NEW_YORK)
    return round(at.timestamp() * 1000)


def day(value: Any) -> date | None:
    """YYYYMMDD, YYYY-MM-DD or milliseconds (as New York has the day)."""
    text = str(value).strip() if value is not None else ""
    compact = text.replace("-", "")
    if len(compact) == 8 and compact.isdigit():
        try:
            return date(int(compact[:4]), int(compact[4:6]), int(compact[6:]))
        except ValueError:
            return None
    at = moment(value) if len(compact) > len("20250815") else None
    return at.astimezone(NEW_YORK).date() if at else None


def symbol_of(item: Mapping[str, Any]) -> str:
    """Our symbol of a contract: an option's is built from its parts, else read from its identifier. "" where there is none."""
    symbol = str(item.get("symbol") or "").strip().upper()
    kind = str(item.get("secType") or item.get("sec_type") or "").upper()
    right = str(item.get("right") or item.get("putCall") or item.get("put_call") or "").upper()[:1]
    if kind not in ("", "OPT") or (kind == "" and not right):
        return symbol
    strike, expiry = number(item.get("strike")), day(item.get("expiry"))
    if right in RIGHTS and strike and expiry:
        try:
            return OptionContract(symbol, expiry, right, strike).symbol
        except InvalidInput:
            return symbol
    identifier = "".join(str(item.get("identifier") or "").split()).upper()
    return identifier if parse_contract(identifier) else symbol


@dataclass(frozen=True)
class WireContract:
    """A contract as requests name it: `expiry` YYYYMMDD, `right` CALL or PUT, `strike` as text."""

    symbol: str
    sec_type: str
    expiry: str | None = None
    strike: str | None = None
    right: str | None = None
    multiplier: int | None = None


def wire_contract(symbol: str) -> WireContract:
    """What requests call our symbol."""
    option = parse_contract(symbol)
    if option is None:
        return WireContract(symbol, "STK")
    return WireContract(option.underlying, "OPT", f"{option.expiry:%Y%m%d}", f"{option.strike.normalize():f}", RIGHTS[option.right], 100)


def identifier_of(contract: OptionContract) -> str:
    """The OCC identifier with its blanks, built from the exact strike: the SDK's own loses a tenth of a cent of some."""
    return f"{contract.underlying:<6}{contract.symbol.removeprefix(contract.underlying)}"
