"""How often each of Tiger's interfaces may be called: 120, 60 or 10 times in any 60 seconds, all processes together.

A call takes one of its gate's slots in the database by compare-and-set, one short statement without a transaction; a slot
that was used within the window is not free. So no rolling minute ever holds more calls than slots, refused ones count like
all others, and nothing has to be cleaned up. A part of the slots of orders is kept for cancels.
"""

import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Count, Min, Q

from quant_site.market.models import CallSlot

# A second more than Tiger's: its window moves with arrivals, ours with departures.
WINDOW = timedelta(seconds=61)
CANDIDATES = 8
ATTEMPTS = 50


@dataclass(frozen=True)
class Gate:
    """What counts together. `reserve` of the `limit` slots are for urgent calls only."""

    name: str
    limit: int
    reserve: int = 0


# A paper account counts the three together, so they are counted together everywhere.
WRITES = Gate("order_writes", 120, reserve=20)
_FAST = ("order_no", "orders", "active_orders", "filled_orders", "inactive_orders", "quote_real_time")
_MEDIUM = (
    "accounts", "prime_assets", "positions", "order_transactions", "contract", "contracts", "kline",
    "option_chain", "option_expiration", "option_brief", "preview_order",
)  # fmt: skip
_SLOW = ("market_state", "trading_calendar", "get_quote_permission")
GATES: dict[str, Gate] = (
    dict.fromkeys(("place_order", "modify_order", "cancel_order"), WRITES)
    | {name: Gate(name, 120) for name in _FAST}
    | {name: Gate(name, 60) for name in _MEDIUM}
    | {name: Gate(name, 10) for name in _SLOW}
)
SLOWEST = 10


def gate_of(method: str) -> Gate:
    """The gate of an interface; one that is not known here gets the smallest limit."""
    return GATES.get(method) or Gate(method, SLOWEST)


def take(method: str, *, urgent: bool = False) -> float:
    """Take a slot for one call of `method`: 0 where it was had, else the seconds until one is free. `urgent` calls may
    use the reserve."""
    gate = gate_of(method)
    usable = CallSlot.objects.filter(gate=gate.name, slot__lt=gate.limit if urgent else gate.limit - gate.reserve)
    for _ in range(ATTEMPTS):
        now = _wall()
        free = list(usable.filter(Q(used_at=None) | Q(used_at__lte=now - WINDOW)).order_by("-slot" if urgent else "slot")[:CANDIDATES])
        random.shuffle(free)
        if any(CallSlot.objects.filter(pk=slot.pk, used_at=slot.used_at).update(used_at=now) for slot in free):
            return 0.0
        if not free:
            oldest = usable.aggregate(rows=Count("pk"), first=Min("used_at"))
            if oldest["rows"] < gate.limit - gate.reserve:
                _make(gate)
            elif oldest["first"] is not None:  # else another process has just made them, and they are free
                return max(0.05, (oldest["first"] + WINDOW - now).total_seconds())
    return 1.0


def exhaust(method: str) -> None:
    """Tiger says that `method` is called too often: nothing but urgent calls for a whole window."""
    gate = gate_of(method)
    _make(gate)
    CallSlot.objects.filter(gate=gate.name, slot__lt=gate.limit - gate.reserve).update(used_at=_wall())


def usage() -> dict[str, tuple[int, int]]:
    """(calls within the last window, limit) by interface, of those that were ever called and those known here."""
    since = _wall() - WINDOW
    used = dict(CallSlot.objects.filter(used_at__gt=since).values_list("gate").annotate(Count("pk")).order_by("gate"))
    known = {method: (used.get(gate.name, 0), gate.limit) for method, gate in GATES.items()}
    others = {name: (count, SLOWEST) for name, count in used.items() if name != WRITES.name and name not in known}
    return known | others


def _make(gate: Gate) -> None:
    slots = [CallSlot(gate=gate.name, slot=number) for number in range(gate.limit)]
    CallSlot.objects.bulk_create(slots, ignore_conflicts=True)


def _wall() -> datetime:
    """Limits are kept on the wall clock also where the loop's is virtual."""
    return datetime.fromtimestamp(time.time(), UTC)
