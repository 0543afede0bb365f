"""Is Tiger there, and what may we do? What the doctor asks; it changes nothing."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from tigeropen.trade.request.model import AccountsParams

from quant_site.market.tiger.wire import Wire, items_of

MAX_SKEW = 2.0


@dataclass(frozen=True)
class Checkup:
    """`account_type` is Tiger's word (PAPER, STANDARD, GLOBAL), empty where the account is not one of the credentials'.
    `skew` is how far Tiger's clock is ahead of ours, in seconds; None where it tells no time."""

    account_type: str
    capability: str
    status: str
    seconds: float
    skew: float | None

    @property
    def skewed(self) -> bool:
        return self.skew is None or abs(self.skew) > MAX_SKEW


def checkup(wire: Wire | None = None) -> Checkup:
    """Ask for the account. Raises `Unavailable` without credentials, `TigerError` where there is no answer."""
    wire = wire or Wire()
    params, before = AccountsParams(), time.time()
    params.account = wire.account
    items = items_of(wire.query("accounts", params), "accounts")
    after = time.time()
    server = wire.server_time
    skew = None if server is None else (server[0] - datetime.fromtimestamp((before + after) / 2, UTC)).total_seconds()
    mine = next((item for item in items if str(item.get("account")) == wire.account), {})
    return Checkup(
        account_type=str(mine.get("accountType") or ""),
        capability=str(mine.get("capability") or ""),
        status=str(mine.get("status") or ""),
        seconds=after - before,
        skew=skew,
    )


def quote_permissions(wire: Wire | None = None) -> tuple[str, ...]:
    """What quotes may be asked for, in Tiger's words. Raises like `checkup`."""
    items = items_of((wire or Wire()).query("get_quote_permission", None), "get_quote_permission")
    return tuple(str(item.get("name")) for item in items)
