"""What is traded: stocks by symbol, options by their OCC identifier, and the numbers both are written in."""

import re
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Self

OCC = re.compile(r"^(.{6})(\d{6})([CP])(\d{8})$")
CENT = Decimal("0.01")


class Invalid(Exception):
    """A value of a request that is none; the text goes into the API's message."""


def decimal(value: Any) -> Decimal:
    """A JSON number or text, as it is written."""
    try:
        answer = Decimal(str(value))
    except InvalidOperation:
        raise Invalid(f"not a number: {value!r}") from None
    if not answer.is_finite():
        raise Invalid(f"not a finite number: {value!r}")
    return answer


def optional(value: Any) -> Decimal | None:
    return None if value is None else decimal(value)


@dataclass(frozen=True, slots=True)
class Contract:
    """A stock (STK), an option (OPT) or the name of a combo (MLEG). `expiry` is YYYYMMDD, `right` CALL or PUT."""

    symbol: str
    sec_type: str = "STK"
    currency: str = "USD"
    expiry: str = ""
    strike: Decimal | None = None
    right: str = ""
    multiplier: int = 1

    @property
    def key(self) -> str:
        """The symbol, or the OCC identifier with its blanks: `AAPL  260815C00225000`."""
        if self.sec_type != "OPT":
            return self.symbol
        return f"{self.symbol:<6}{self.expiry[2:]}{self.right[0]}{int(self.strike * 1000):08d}"

    def as_record(self) -> dict[str, Any]:
        fields = {name: value for name, value in asdict(self).items() if value not in ("", None)}
        return fields | ({"strike": str(self.strike)} if self.strike is not None else {})

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        return cls(**record | ({"strike": Decimal(record["strike"])} if "strike" in record else {}))

    @classmethod
    def from_key(cls, key: str) -> Self:
        """A symbol or an OCC identifier."""
        match = OCC.match(key)
        if match is None:
            return cls(key)
        symbol, day, right, strike = match.groups()
        return cls(symbol.strip(), "OPT", "USD", f"20{day}", Decimal(strike) / 1000, "CALL" if right == "C" else "PUT", 100)

    @classmethod
    def from_request(cls, fields: dict[str, Any]) -> Self:
        """The contract of an order's or a leg's wire fields."""
        symbol, kind = fields.get("symbol"), fields.get("sec_type") or "STK"
        if not symbol:
            raise Invalid("field 'symbol' cannot be empty")
        if kind == "STK":
            return cls(symbol, "STK", fields.get("currency") or "USD")
        if kind != "OPT":
            raise Invalid(f"sec_type {kind} is not supported")
        expiry, right = str(fields.get("expiry") or "").replace("-", ""), str(fields.get("right") or "").upper()
        strike = optional(fields.get("strike"))
        if right not in ("CALL", "PUT") or strike is None or strike <= 0:
            raise Invalid("an option needs 'expiry', 'strike' and 'right'")
        _expiry_check(expiry)
        multiplier = int(decimal(fields.get("multiplier") or 100))
        return cls(symbol, "OPT", fields.get("currency") or "USD", expiry, strike.normalize(), right, multiplier)


def _expiry_check(text: str) -> None:
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        raise Invalid(f"expiry {text!r} is not YYYYMMDD") from None
