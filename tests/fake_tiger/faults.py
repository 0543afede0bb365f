"""What goes wrong with calls, and how often; and the documented limits of calls a minute."""

import random
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from tests.fake_tiger.contracts import Invalid

KINDS = (
    "lose_request", "lose_reply", "delay_reply", "delay_processing", "accept_late", "never", "http", "error", "empty",
    "garbage", "cut", "bad_sign", "no_sign", "inactive",
)  # fmt: skip
ORDER_CALLS = ("place_order", "modify_order", "cancel_order")
MINUTE = 60.0
PER_MINUTE = {
    120: (*ORDER_CALLS, "order_no", "preview_order", "orders", "active_orders", "filled_orders", "inactive_orders", "quote_real_time"),
    60: ("option_chain", "option_expiration", "option_brief", "contract", "contracts", "accounts", "prime_assets", "positions",
         "order_transactions", "kline"),
    10: ("grab_quote_permission", "get_quote_permission", "market_state", "trading_calendar", "user_license"),
}  # fmt: skip
DEFAULT_PER_MINUTE = 10
BLACKLIST_CODE = 4


@dataclass(slots=True)
class Fault:
    """One rule, see the client's `fault`."""

    number: int
    method: str
    kind: str
    times: int | None = 1
    skip: int = 0
    probability: float = 1.0
    seed: int = 0
    after: bool = False
    seconds: float = 0.0
    status: int = 503
    code: int = 1
    message: str | None = "server error"
    match: dict[str, Any] = field(default_factory=dict)
    dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise Invalid(f"no fault {self.kind}; there are {', '.join(KINDS)}")
        self.dice = random.Random(self.seed)

    def hits(self, method: str, fields: dict[str, Any]) -> bool:
        """Whether this call is one of those that go wrong; counts it."""
        if self.method not in ("*", method) or self.times == 0:
            return False
        if any(fields.get(name) != value for name, value in self.match.items()):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.dice.random() >= self.probability:
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Faults:
    """Rules in the order they were made; the first that hits is the one that happens."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []
        self._count = 0

    def add(self, **fields: Any) -> int:
        self._count += 1
        self._rules.append(Fault(number=self._count, **fields))
        return self._count

    def heal(self, method: str) -> None:
        self._rules = [rule for rule in self._rules if method and rule.method != method]

    def take(self, method: str, fields: dict[str, Any]) -> Fault | None:
        hit = next((rule for rule in self._rules if rule.hits(method, fields)), None)
        self._rules = [rule for rule in self._rules if rule.times != 0]
        return hit

    def left(self) -> list[dict[str, Any]]:
        return [{"number": rule.number, "method": rule.method, "kind": rule.kind, "times": rule.times} for rule in self._rules]


class Limits:
    """Calls in the last minute by interface; on a paper account the three order calls share one count."""

    def __init__(self) -> None:
        self.on, self.code, self.blacklist_after = False, 4, 0
        self.per_minute: dict[str, int] = {}
        self._calls: dict[str, deque[float]] = {}
        self._excess = 0

    def set(self, *, on: bool, per_minute: dict[str, int], code: int, blacklist_after: int) -> None:
        self.on, self.per_minute, self.code, self.blacklist_after = on, per_minute, code, blacklist_after
        self._calls, self._excess = {}, 0

    def exceeded(self, method: str, *, paper: bool) -> tuple[int, str] | None:
        """Code and message where this call is one too many."""
        if not self.on:
            return None
        if self.blacklist_after and self._excess >= self.blacklist_after:
            return BLACKLIST_CODE, "you are in the blacklist"
        now, name = time.monotonic(), "orders" if paper and method in ORDER_CALLS else method
        calls = self._calls.setdefault(name, deque())
        while calls and calls[0] <= now - MINUTE:
            calls.popleft()
        if len(calls) >= self.per_minute.get(method, _documented(method)):
            self._excess += 1
            return self.code, "the current number of requests has reached the upper limit"
        calls.append(now)
        return None


def _documented(method: str) -> int:
    return next((limit for limit, methods in PER_MINUTE.items() if method in methods), DEFAULT_PER_MINUTE)
