"""A signal moves by its table only, and only from where it really is."""

import pytest

from quant_site.core.errors import Conflict, IllegalTransition
from quant_site.core.models import Account, OutboxEvent
from signals_app.models import TradingSignal
from signals_app.services import signal_move
from signals_app.states import OPEN, TERMINAL, TRANSITIONS, SignalStatus, check_transition
from strategies.models import Strategy

pytestmark = pytest.mark.django_db


@pytest.fixture
def signal():
    account = Account.objects.create(id="A")
    strategy = Strategy.objects.create(key="k", name="K", category="TREND_FOLLOWING")
    return TradingSignal.objects.create(account=account, strategy=strategy, session="2019-03-08", symbol="KO", direction="LONG")


def test_the_table_knows_every_status_and_leads_nowhere_else():
    assert set(TRANSITIONS) == set(SignalStatus)
    assert {target for targets in TRANSITIONS.values() for target in targets} <= set(SignalStatus)
    assert set(SignalStatus) == OPEN | TERMINAL


def test_every_status_can_be_reached_from_pending():
    reached, frontier = set(), {SignalStatus.PENDING}
    while frontier:
        reached |= frontier
        frontier = {target for status in frontier for target in TRANSITIONS[status]} - reached
    assert reached == set(SignalStatus)


@pytest.mark.parametrize("current", list(SignalStatus))
@pytest.mark.parametrize("target", list(SignalStatus))
def test_a_move_that_is_not_in_the_table_is_refused(current, target):
    if target in TRANSITIONS[current]:
        check_transition(current, target)
    else:
        with pytest.raises(IllegalTransition):
            check_transition(current, target)


def test_a_move_is_written_with_its_event(signal):
    signal_move(signal, SignalStatus.VALIDATED)
    assert TradingSignal.objects.get().signal_status == "VALIDATED"
    event = OutboxEvent.objects.get()
    assert (event.type, event.account_id, event.payload["status"]) == ("signal.moved", "A", "VALIDATED")


def test_of_two_movers_with_the_same_reading_one_loses(signal):
    other = TradingSignal.objects.get()
    signal_move(signal, SignalStatus.VALIDATED)
    with pytest.raises(Conflict):
        signal_move(other, SignalStatus.REJECTED)
    assert TradingSignal.objects.get().signal_status == "VALIDATED"
    assert OutboxEvent.objects.count() == 1
