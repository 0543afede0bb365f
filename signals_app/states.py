"""A signal's life, as a table. A status that is not a key here is terminal."""

from enum import StrEnum

from quant_site.core.errors import IllegalTransition


class SignalStatus(StrEnum):
    PENDING = "PENDING"
    VALIDATED = "VALIDATED"
    REJECTED = "REJECTED"
    EXECUTING = "EXECUTING"
    EXECUTED = "EXECUTED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"


S = SignalStatus
TRANSITIONS: dict[SignalStatus, frozenset[SignalStatus]] = {
    S.PENDING: frozenset({S.VALIDATED, S.REJECTED, S.EXPIRED, S.CANCELLED}),
    # Checks run again right before sending, so a validated signal may still be rejected.
    S.VALIDATED: frozenset({S.EXECUTING, S.REJECTED, S.EXPIRED, S.CANCELLED}),
    # A cancel is a request: what was filled before it arrived makes the signal executed.
    S.EXECUTING: frozenset({S.EXECUTED, S.FAILED, S.EXPIRED, S.CANCELLED}),
    S.REJECTED: frozenset(),
    S.EXECUTED: frozenset(),
    S.FAILED: frozenset(),
    S.EXPIRED: frozenset(),
    S.CANCELLED: frozenset(),
}
OPEN = frozenset(status for status, moves in TRANSITIONS.items() if moves)
TERMINAL = frozenset(TRANSITIONS) - OPEN


def check_transition(current: str, target: str) -> None:
    """Raise `IllegalTransition` unless the table has the move."""
    if SignalStatus(target) not in TRANSITIONS[SignalStatus(current)]:
        raise IllegalTransition("illegal_transition", f"A signal that is {current} cannot become {target}.", current=current, target=target)
