"""An order's life, as a table (write-ahead order path).

INTENT is written, with an id of ours, before any byte leaves. SENDING is a claim with a lease and a fencing number.
UNKNOWN is a send whose outcome nobody saw: it leaves only by the broker's evidence. Nothing becomes terminal and
nothing is sent again without such evidence.
"""

from enum import StrEnum

from quant_site.core.errors import IllegalTransition


class OrderStatus(StrEnum):
    INTENT = "INTENT"
    DENIED = "DENIED"
    READY = "READY"
    SENDING = "SENDING"
    ACKED = "ACKED"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"
    PARTIAL = "PARTIAL"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


S = OrderStatus
TRANSITIONS: dict[OrderStatus, frozenset[OrderStatus]] = {
    S.INTENT: frozenset({S.READY, S.DENIED, S.CANCELLED, S.EXPIRED}),
    S.READY: frozenset({S.SENDING, S.DENIED, S.CANCELLED, S.EXPIRED}),
    S.SENDING: frozenset({S.ACKED, S.REJECTED, S.UNKNOWN, S.PARTIAL, S.FILLED}),
    # READY only by the broker's proof that the order never arrived and no longer can (a fenced sender).
    S.UNKNOWN: frozenset({S.READY, S.ACKED, S.REJECTED, S.PARTIAL, S.FILLED, S.CANCELLED, S.EXPIRED}),
    S.ACKED: frozenset({S.PARTIAL, S.FILLED, S.CANCELLED, S.EXPIRED, S.REJECTED}),
    S.PARTIAL: frozenset({S.FILLED, S.CANCELLED, S.EXPIRED}),
    S.DENIED: frozenset(),
    S.REJECTED: frozenset(),
    S.FILLED: frozenset(),
    # A late fill wins over a cancel or an expiry that crossed it on the wire.
    S.CANCELLED: frozenset({S.PARTIAL, S.FILLED}),
    S.EXPIRED: frozenset({S.PARTIAL, S.FILLED}),
}
UNSENT = frozenset({S.INTENT, S.READY})
IN_FLIGHT = frozenset({S.SENDING, S.UNKNOWN})
WORKING = frozenset({S.ACKED, S.PARTIAL})
OPEN = UNSENT | IN_FLIGHT | WORKING
TERMINAL = frozenset(TRANSITIONS) - OPEN


def check_transition(current: str, target: str) -> None:
    """Raise `IllegalTransition` unless the table has the move."""
    if OrderStatus(target) not in TRANSITIONS[OrderStatus(current)]:
        raise IllegalTransition("illegal_transition", f"An order that is {current} cannot become {target}.", current=current, target=target)
