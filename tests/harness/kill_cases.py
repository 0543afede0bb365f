"""One case of the kill matrix: a process that dies at a failpoint under a fault of the broker, and what its successor makes of it."""

import itertools
import os
import random
import signal
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.db import connections
from django.db.models import CharField, Value
from django.db.models.functions import Cast, Concat

from quant_site.core import clock
from quant_site.core.models import Account, Confirmation
from quant_site.core.rows import rows_read
from quant_site.core.stepup import GOOD_FOR, payload_hash
from tests.harness.failpoints import BY_NAME, FAILPOINTS, arm, die
from tests.harness.real_account import CASH, FAILED, HASTY, PATIENT, Desk, forked, people
from tests.harness.stories import STORIES, Case, round_
from tests.harness.verdicts import Evidence, violations
from trading.books.ledger import account_fund
from trading.brokers.base import EXTERNAL
from trading.control.senders import boot_register
from trading.models import CashEntry, Fill, Order, Reconciliation, SenderBoot, SymbolHalt
from trading.order_path.settling import SETTLE, order_settle, settle_payload

FAULTS: Mapping[str, Mapping[str, Any]] = {
    "none": {},
    "lose_request": {"kind": "lose_request"},
    "lose_reply": {"kind": "lose_reply"},
    "accept_late": {"kind": "accept_late", "seconds": 0.15},
    "delay_processing": {"kind": "delay_processing", "seconds": 0.6},
    "never": {"kind": "never"},
    "http_500": {"kind": "http", "status": 500},
    "http_502": {"kind": "http", "status": 502},
    "http_503": {"kind": "http", "status": 503},
    "http_429": {"kind": "http", "status": 429},
    "code_4": {"kind": "error", "code": 4, "message": "access forbidden"},
    "garbage": {"kind": "garbage"},
    "empty": {"kind": "empty"},
    "cut": {"kind": "cut"},
    "bad_sign": {"kind": "bad_sign"},
    "inactive": {"kind": "inactive", "message": "Rejected by the exchange"},
    "refused": {"kind": "error", "code": 1300, "message": "Your account has not enough buying power"},
}
# Whether the request was processed before the answer was spoilt is for the dice.
EITHER = frozenset({"never", "http_500", "http_502", "http_503", "http_429", "code_4", "garbage", "empty", "cut", "bad_sign"})
SLOW = frozenset({"never", "delay_processing"})
QUESTIONS = ("orders", "active_orders", "filled_orders", "inactive_orders", "order_no", "quote_real_time", "positions", "prime_assets")
CHILD_SECONDS = 60
MOST_ROUNDS = 12


@dataclass(frozen=True)
class Coordinates:
    """Where in the matrix a case lies; with the campaign's seed its number gives all of it again."""

    number: int
    failpoint: str
    fault: str
    story: str
    hit: int
    method: str
    after: bool
    skip: int
    times: int
    heals: bool
    armed_first: bool
    settles: bool


def matrix(seed: int) -> Iterator[Coordinates]:
    """All cells of failpoints and faults, again and again, each time with other dice."""
    cells = list(itertools.product(BY_NAME, FAULTS))
    for number in itertools.count():
        dice = random.Random(f"{seed}/{number}")
        if number % len(cells) == 0:
            random.Random(f"{seed}/{number}/order").shuffle(cells)
        failpoint, fault = cells[number % len(cells)]
        yield _thrown(number, failpoint, fault, dice)


def _thrown(number: int, failpoint: str, fault: str, dice: random.Random) -> Coordinates:
    point = BY_NAME[failpoint]
    orders_only = fault == "inactive" or failpoint.startswith("alarm")
    methods = ["place_order"] * 4 + [point.call or "place_order"] * 4 + [dice.choice(QUESTIONS)]
    method = "place_order" if orders_only else dice.choice(methods)
    return Coordinates(
        number=number,
        failpoint=failpoint,
        fault=fault,
        story=dice.choice(point.stories),
        hit=dice.choice((1, 1, 1, 1, 2)),
        method=method,
        after=dice.random() < 0.5,
        skip=dice.choice((0, 0, 1, 2)) if method == "place_order" else 0,
        times=dice.choice((1, 1, 2)),
        heals=dice.random() < 0.8,
        armed_first=dice.random() < 0.5,
        settles=dice.random() < 0.3,
    )


def heard(desk: Desk) -> int:
    """The number of the last call that the exchange heard."""
    calls = desk.exchange.journal.calls()
    return calls[-1].number if calls else 0


class CaseRun:
    """Runs one case from its account to its verdict. `fire` is what happens at the failpoint, `prelude` what the first process
    begins with."""

    def __init__(self, desk: Desk, at: Coordinates, name: str, number: str, scratch: Path, fire: Callable[[], None] = die):
        self.desk, self.at, self.scratch, self.fire = desk, at, scratch, fire
        self.story = STORIES[at.story]
        self.case = Case(desk, desk.account(name, number))
        self.died, self.before = 0, None
        self.prelude: Callable[[], Any] = lambda: None

    def run(self) -> dict[str, Any]:
        self.desk.exchange.journal.orders()  # what was before is read, so that the offset is this case's beginning
        offset, first = self.desk.exchange.journal.path.stat().st_size, heard(self.desk)
        if not self.story.compares:
            self.taken_as_started()
        self.story.wants(self.case)
        self._fault()
        failpoint, trouble = BY_NAME[self.at.failpoint], []
        if failpoint.first:
            trouble += self._life(failpoint.first, 1, begins=False)
        trouble += self._life(failpoint.name, self.at.hit, begins=bool(failpoint.first))
        self.successor()
        found = violations(Evidence(self.case, offset, first))
        if self.at.settles and not found and self._settled_by_people():
            found = violations(Evidence(self.case, offset, first))
        self.desk.exchange.heal()
        if trouble:
            found["what_was_raised"] = trouble
        return {"died": self.died, "violations": found}

    def taken_as_started(self) -> None:
        """What a start with a comparison leaves, without asking the exchange."""
        boot = SenderBoot.objects.first() or boot_register("sweeper")
        account_fund(account=self.case.account, amount=CASH, session=self.desk.day(), key="initial")
        Reconciliation.objects.create(account=self.case.account, boot=boot, kind="BOOT", agrees=True)
        self.desk.arms(self.case.account)

    def _fault(self) -> None:
        fields = dict(FAULTS[self.at.fault])
        self.desk.patience(HASTY if self.at.fault in SLOW else PATIENT)
        if fields:
            after = {"after": self.at.after} if self.at.fault in EITHER else {}
            times = 1 if self.at.fault in SLOW else self.at.times
            self.desk.exchange.fault(self.at.method, skip=self.at.skip, times=times, **after, **fields)

    # --- the first process, and one that dies while it clears up after it

    def _life(self, failpoint: str, hit: int, *, begins: bool) -> list[str]:
        """Fork a process that goes through the story and dies; answers what was raised in it that is no failure of the broker."""
        report = self.scratch / "raised.txt"
        report.unlink(missing_ok=True)
        with forked() as child:
            if child == 0:
                signal.alarm(CHILD_SECONDS)
                self._go(failpoint, hit, begins, report)
        _, status = os.waitpid(child, 0)
        ended = os.waitstatus_to_exitcode(status)
        self.died += ended == -signal.SIGKILL
        if ended in (0, -signal.SIGKILL):
            return []
        return [report.read_text() if report.exists() else f"the process ended with {ended}"]

    def _go(self, failpoint: str, hit: int, begins: bool, report: Path) -> None:
        try:
            self.prelude()
            arm(BY_NAME[failpoint], hit, self.fire)
            if begins:
                self.desk.starts(self.case.account)
            for act in self.story.acts:
                act(self.case)
        except Exception:
            report.write_text(traceback.format_exc())
            raise

    # --- its successor

    def successor(self) -> None:
        """Another process starts; a person arms the account, before or after the books were compared."""
        notes = self.case.notes
        if self.at.heals:
            self.desk.exchange.heal()
        began = heard(self.desk)
        boot_register("sweeper")
        notes.setdefault("compares_after", []).append(began)
        if not self.at.armed_first:
            self.desk.round(self.case.account)
            notes.setdefault("closed", []).append((began, heard(self.desk), "after a start, before anybody armed the account"))
        self.desk.arms(self.case.account)
        for act in self.story.acts:
            if act is round_:
                self._round_if_new()
            else:
                act(self.case)
        self.desk.exchange.heal()
        self.desk.exchange.settle()
        self._until_quiet()

    def _until_quiet(self) -> None:
        """Rounds until one that did not fail changes nothing."""
        for _ in range(MOST_ROUNDS):
            if not self._round_if_new():
                return

    def _round_if_new(self) -> bool:
        """A round, unless the last one left everything as it was and nothing has happened since."""
        now = self._state()
        if now == self.before:
            return False
        answer = self.desk.round(self.case.account)
        self.before = None if answer.startswith(FAILED) else now
        return True

    def _state(self) -> tuple:
        account = self.case.account
        moves = rows_read(Order, ("version",), "account_id = %s", account.pk)
        booked = [len(rows_read(model, ("id",), "account_id = %s", account.pk)) for model in (Fill, CashEntry)]
        theirs = self.desk.exchange.journal.orders(account=account.broker_account)
        return (len(moves), sum(row[0] for row in moves), *booked, *((order.status, order.filled, order.quantity) for order in theirs))

    def _settled_by_people(self) -> bool:
        """Two people write down that what is still unknown never arrived; False where nothing is."""
        unknown = list(self.case.orders(status="UNKNOWN"))
        if not unknown:
            return False
        owner, second = people()
        for order in unknown:
            told = {"outcome": "NEVER_ARRIVED", "evidence": "It is in no list."}
            order_settle(order=order, actor=owner, **told)
            order_settle(order=order, actor=second, confirmation_id=_confirmed(second, order).pk, **told)
            self.case.notes.setdefault("settled", set()).add(order.pk)
        SymbolHalt.objects.filter(account=self.case.account).update(open_key=None)
        self._until_quiet()
        return True


def _confirmed(user: User, order: Order) -> Confirmation:
    """What a fresh password gives."""
    at = clock.now()
    digest = payload_hash(settle_payload(order, "NEVER_ARRIVED", ""))
    return Confirmation.objects.create(user=user, action=SETTLE, payload_hash=digest, created_at=at, expires_at=at + GOOD_FOR)


def retire(account: Account) -> None:
    """A case that is over: no start of a process has to look at its account any more, and another exchange may give out the
    numbers of its orders again."""
    Account.objects.filter(pk=account.pk).update(mode="DRY_RUN")
    others = Order.objects.filter(account=account, client_order_id__startswith=EXTERNAL)
    others.update(client_order_id=Concat(Value("over-"), Cast("pk", CharField())))


def run_case(desk: Desk, at: Coordinates, name: str, number: str, scratch: Path) -> dict[str, Any]:
    """What became of it: how many processes died, and what does not hold, by invariant."""
    run = CaseRun(desk, at, name, number, scratch)
    try:
        return run.run()
    except Exception:  # noqa: BLE001 (whatever comes out of a round is a finding, and the campaign goes on)
        desk.exchange.heal()
        return {"died": run.died, "violations": {"what_was_raised": [traceback.format_exc()]}}
    finally:
        retire(run.case.account)
        connections.close_all()


def calm(desk: Desk, story: str, name: str, number: str, scratch: Path) -> dict[str, Any]:
    """The story without deaths and faults: the orders it ends with, and what does not hold."""
    at = Coordinates(0, FAILPOINTS[0].name, "none", story, 10**6, "place_order", False, 0, 1, True, True, False)
    run = CaseRun(desk, at, name, number, scratch)
    outcome = run.run()
    rows = run.case.orders()
    orders = [f"{row.purpose} {row.symbol} {row.status} {row.filled_quantity:.0f}/{row.quantity:.0f}" for row in rows]
    retire(run.case.account)
    return {"orders": orders, "violations": outcome["violations"]}


__all__ = ["FAILPOINTS", "FAULTS", "Coordinates", "calm", "matrix", "run_case"]
