"""Guards that act alone: they tighten, tell everybody, and what they set stays until a person lets go."""

from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quant_site.core import clock
from quant_site.core.errors import InvalidInput
from quant_site.core.models import Account
from tests.control_world import account_make, audited, confirmation_for, events_of, people, state_of
from trading.control.guards import account_reduce, critical_alert, daily_loss_check, losses_guard, runaway_check, runaway_guard
from trading.control.trading_state import RESUME, resume_payload, trading_state_set
from trading.models import Order

D = Decimal


def limits(daily="0.03", drawdown="0.20", orders=None, rejects=None):
    return SimpleNamespace(
        max_daily_loss_pct=None if daily is None else D(daily),
        max_drawdown_pct=D(drawdown),
        max_orders_per_minute=orders,
        max_rejects_per_minute=rejects,
    )


def code_of(breach):
    return breach and breach.code


@pytest.fixture
def account(db):
    return account_make(people(), max_daily_loss_pct=D("0.03"), max_orders_per_minute=3, max_rejects_per_minute=2)


# --- losses


@pytest.mark.parametrize(
    ("before", "now", "flow", "drawdown", "found"),
    [
        ("100000", "97000", "0", None, None),  # at the limit
        ("100000", "96999.99", "0", None, "DAILY_LOSS"),
        ("100000", "103000", "0", None, None),
        ("100000", "90000", "-10000", None, None),  # withdrawn, not lost
        ("100000", "146000", "50000", None, None),  # 4000 of 150000 is 2.67 %
        ("100000", "145000", "50000", None, "DAILY_LOSS"),
        ("0", "0", "0", None, None),  # an empty account
        ("0", "99000", "100000", None, None),  # its first deposit
        ("0", "-0.01", "0", None, "DAILY_LOSS"),
        ("-5", "-5", "0", None, None),
        ("-5", "-6", "0", None, "DAILY_LOSS"),
        ("100000", "100000", "0", "-0.1999", None),
        ("100000", "100000", "0", "-0.20", "DRAWDOWN"),
        ("100000", "100000", "0", "0", None),
        ("100000", "90000", "0", "-0.30", "DAILY_LOSS"),
    ],
)
def test_losses_are_measured_against_the_limits(before, now, flow, drawdown, found):
    breach = daily_loss_check(
        account=limits(), equity_now=D(now), equity_before=D(before), net_flow=D(flow), drawdown=None if drawdown is None else D(drawdown)
    )
    assert code_of(breach) == found


def test_without_a_daily_limit_only_the_drawdown_counts():
    free = limits(daily=None)
    assert daily_loss_check(account=free, equity_now=D(1), equity_before=D(100)) is None
    assert code_of(daily_loss_check(account=free, equity_now=D(1), equity_before=D(100), drawdown=D("-0.99"))) == "DRAWDOWN"


@given(st.integers(1, 10**9), st.integers(0, 2 * 10**9), st.integers(0, 1000))
def test_a_loss_is_a_breach_exactly_when_its_share_is_above_the_limit(before, now, thousandths):
    """Cents and thousandths as whole numbers: no rounding on this side."""
    breach = daily_loss_check(account=limits(daily=D(thousandths) / 1000), equity_now=D(now) / 100, equity_before=D(before) / 100)
    assert (breach is not None) == (1000 * (before - now) > thousandths * before)


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.integers(-(10**9), 10**9))
def test_money_that_comes_or_goes_is_neither_loss_nor_gain(before, now, flow):
    assume(before + flow > 0 and now + flow > 0)
    moved = daily_loss_check(account=limits("0"), equity_now=D(now) / 100, equity_before=D(before) / 100, net_flow=D(0))
    with_flow = daily_loss_check(account=limits("0"), equity_now=D(now + flow) / 100, equity_before=D(before) / 100, net_flow=D(flow) / 100)
    assert (moved is None) == (with_flow is None)


@pytest.mark.parametrize("wrong", ["NaN", "Infinity"])
@pytest.mark.parametrize("which", ["equity_now", "equity_before", "net_flow", "drawdown"])
def test_a_number_that_is_none_is_an_error_and_never_silence(which, wrong):
    values = {"equity_now": D(100), "equity_before": D(100), "net_flow": D(0), "drawdown": D(0)} | {which: D(wrong)}
    with pytest.raises(InvalidInput):
        daily_loss_check(account=limits(), **values)


def test_a_breach_lets_the_account_only_reduce_and_tells(account):
    breach = losses_guard(account=account, equity_now=D(96000), equity_before=D(100000))
    row = Account.objects.get(pk=account.pk)
    assert (row.state, row.state_reason) == ("REDUCING", f"DAILY_LOSS: {breach.message}")
    assert breach.message == "The account lost 4.00% since the last close; 3.00% is its limit."
    [entry] = audited("ACCOUNT_REDUCE")
    assert (entry.actor, entry.details["value"], entry.details["limit"]) == ("system", "0.040000", "0.03")
    [(name, payload)] = events_of(account, "account.")
    assert (name, payload["from"], payload["to"], payload["by"]) == ("account.state", "ACTIVE", "REDUCING", "system")


def test_without_a_breach_nothing_moves(account):
    assert losses_guard(account=account, equity_now=D(99000), equity_before=D(100000)) is None
    assert state_of(account) == "ACTIVE"


def test_it_stays_so_when_the_loss_is_made_good(account):
    losses_guard(account=account, equity_now=D(96000), equity_before=D(100000))
    assert losses_guard(account=account, equity_now=D(101000), equity_before=D(100000)) is None
    assert state_of(account) == "REDUCING"


def test_it_says_so_once(account):
    for _ in range(3):
        assert losses_guard(account=account, equity_now=D(96000), equity_before=D(100000))
    assert len(audited("ACCOUNT_REDUCE")) == len(events_of(account, "account.")) == 1


def test_a_halted_account_stays_halted(account):
    Account.objects.update(state="HALTED", state_reason="fire")
    losses_guard(account=account, equity_now=D(50000), equity_before=D(100000))
    assert account_reduce(account.pk, "X", "y") is False
    assert Account.objects.values_list("state", "state_reason").get() == ("HALTED", "fire")


def test_only_a_person_lets_it_open_positions_again(account):
    losses_guard(account=account, equity_now=D(96000), equity_before=D(100000))
    owner = account.owner
    given = confirmation_for(owner, RESUME, resume_payload(account.pk, "ACTIVE"))
    trading_state_set(account=account, state="ACTIVE", reason="seen", actor=owner, confirmation_id=given)
    assert state_of(account) == "ACTIVE"


# --- runaway


@pytest.mark.parametrize(
    ("orders", "rejects", "found"),
    [(3, 2, None), (4, 0, "RUNAWAY_ORDERS"), (0, 3, "RUNAWAY_REJECTS"), (4, 3, "RUNAWAY_ORDERS"), (0, 0, None)],
)
def test_a_runaway_is_more_than_the_limit_allows(orders, rejects, found):
    assert code_of(runaway_check(account=limits(orders=3, rejects=2), orders=orders, rejects=rejects)) == found


def test_without_a_limit_nothing_runs_away():
    assert runaway_check(account=limits(), orders=10**6, rejects=10**6) is None


def order_make(account, number, *, status="ACKED", ago=0.0):
    at = clock.now() - timedelta(seconds=ago)
    common = {
        "purpose": "ENTRY",
        "mode": "DRY_RUN",
        "session": at.date(),
        "symbol": "IBM",
        "side": "BUY",
        "order_type": "MKT",
        "quantity": 1,
    }
    sent = None if status == "DENIED" else at
    return Order.objects.create(account=account, client_order_id=f"o-{number}", status=status, sent_at=sent, updated_at=at, **common)


def test_orders_of_the_last_minute_are_counted_and_halt(account):
    for number in range(3):
        order_make(account, number, ago=1)
    order_make(account, "old", ago=61)
    assert runaway_guard(account=account) is None
    order_make(account, "fourth", ago=59)
    assert code_of(runaway_guard(account=account)) == "RUNAWAY_ORDERS"
    assert state_of(account) == "HALTED"


def test_refusals_of_the_broker_are_counted_and_those_of_the_gate_are_not(account):
    for number in range(5):
        order_make(account, number, status="DENIED")
    for number in ("a", "b"):
        order_make(account, number, status="REJECTED")
    assert runaway_guard(account=account) is None
    order_make(account, "c", status="REJECTED")
    assert code_of(runaway_guard(account=account)) == "RUNAWAY_REJECTS"
    assert Account.objects.get(pk=account.pk).state_reason == "RUNAWAY_REJECTS: 3 orders were refused within a minute; 2 are allowed."


def test_orders_of_another_account_do_not_count(account):
    other = account_make({**{u.username: u for u in (account.owner,)}, **{m.user.username: m.user for m in account.memberships.all()}}, "B")
    for number in range(9):
        order_make(other, number)
    assert runaway_guard(account=account) is None


# --- alerts


def test_a_critical_alert_tells_and_halts_without_a_person(account):
    critical_alert(account=account, code="MISMATCH", message="IBM: 10 here, 0 there.", symbol="IBM")
    assert state_of(account) == "HALTED"
    assert [name for name, _ in events_of(account)] == ["alert.critical", "account.halted"]
    assert events_of(account)[0][1] == {"code": "MISMATCH", "message": "IBM: 10 here, 0 there.", "symbol": "IBM", "halted": True}
    assert audited("ALERT_CRITICAL")[0].details["symbol"] == "IBM"


def test_a_critical_alert_may_leave_the_account_running(account):
    critical_alert(account=account.pk, code="LATE", message="The books are late.", halt=False)
    assert state_of(account) == "ACTIVE"
    assert [name for name, _ in events_of(account)] == ["alert.critical"]


def test_a_second_alert_of_a_halted_account_is_told_too(account):
    for code in ("ONE", "TWO"):
        critical_alert(account=account, code=code, message="m")
    assert [payload["code"] for name, payload in events_of(account, "alert.")] == ["ONE", "TWO"]
    assert Account.objects.get(pk=account.pk).state_reason == "ONE: m"
