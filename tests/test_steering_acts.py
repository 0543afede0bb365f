"""What a person decides about the adaptation is done at once, is kept with its reason, and is theirs alone to decide."""

import pytest

from analytics.adapting import steering
from analytics.models import Challenger, Pin
from quant_site.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from quant_site.core.models import Account, AuditLog
from strategies.models import AccountStrategy
from strategies.parameters import effective_params
from strategies.services import version_create
from tests.adaptation_world import (
    AFTER,
    BEFORE,
    NAME,
    SESSION,
    account_make,
    challenger_make,
    people,
    promotion_make,
    strategy_of,
    weight_move,
)

pytestmark = pytest.mark.django_db
HOUSE = 0.0833


@pytest.fixture
def users():
    return people()


@pytest.fixture
def account(users):
    return account_make(users)


@pytest.fixture
def strategy():
    return strategy_of()


@pytest.fixture
def why(users):
    return {"actor": users["owner"], "reason": "It was a lucky year."}


def params(account, strategy) -> dict:
    return effective_params(strategy, account).model_dump()


def pointer(account, strategy):
    return AccountStrategy.objects.filter(account=account, strategy=strategy).first()


# --- vetoes


def test_a_challenger_in_shadow_ends_and_nothing_in_force_moves(account, strategy, users, why):
    challenger = challenger_make(account, strategy, days=5)
    steering.challenger_veto(challenger=challenger, **why)
    row = Challenger.objects.get()
    assert (row.status, row.reason, row.decided_by) == ("VETOED", "It was a lucky year.", users["owner"])
    assert row.ended is not None
    assert pointer(account, strategy) is None


def test_a_change_on_probation_is_taken_back_to_the_house_where_the_account_had_nothing_of_its_own(account, strategy, why):
    challenger = challenger_make(account, strategy, "PROBATION")
    assert params(account, strategy)[NAME] == AFTER
    steering.challenger_veto(challenger=challenger, **why)
    assert params(account, strategy)[NAME] == BEFORE
    assert pointer(account, strategy) is None
    assert AuditLog.objects.filter(action_type="PARAMS_WITHDRAW", account_id=account.pk).count() == 1


def test_a_change_on_probation_is_taken_back_to_the_version_before(account, strategy, why):
    before = version_create(strategy=strategy, params={"weight": 0.2}, reason="Mine.", account=account)
    challenger = challenger_make(account, strategy, "PROBATION")
    steering.challenger_veto(challenger=challenger, **why)
    assert pointer(account, strategy).active_version == before
    assert params(account, strategy)["weight"] == 0.2
    assert Challenger.objects.get().status == "VETOED"


def test_a_weight_that_moved_since_the_promotion_stays_when_the_parameter_is_taken_back(account, strategy, why):
    challenger = challenger_make(account, strategy, "PROBATION")
    weight_move(account, strategy, 0.1, HOUSE)
    steering.challenger_veto(challenger=challenger, **why)
    in_force = params(account, strategy)
    assert (in_force[NAME], in_force["weight"]) == (BEFORE, 0.1)
    assert pointer(account, strategy).active_version.params == {"weight": 0.1}


def test_what_a_person_set_since_the_promotion_stays(account, strategy, why):
    challenger = challenger_make(account, strategy, "PROBATION")
    version_create(strategy=strategy, params={NAME: 1.7}, reason="Mine.", account=account)
    steering.challenger_veto(challenger=challenger, **why)
    assert params(account, strategy)[NAME] == 1.7


@pytest.mark.parametrize("status", ["CONFIRMED", "ROLLED_BACK", "DROPPED", "VETOED"])
def test_what_is_over_is_not_vetoed(account, strategy, why, status):
    challenger = challenger_make(account, strategy, status)
    with pytest.raises(Conflict, match="over"):
        steering.challenger_veto(challenger=challenger, **why)
    assert Challenger.objects.get().status == status


def test_a_second_veto_that_read_the_row_before_the_first_does_nothing(account, strategy, why):
    stale = challenger_make(account, strategy, "PROBATION")
    steering.challenger_veto(challenger=Challenger.objects.get(), **why)
    with pytest.raises(Conflict):
        steering.challenger_veto(challenger=stale, **why)


# --- pins


def test_a_pin_is_set_once_and_has_the_newest_reason(account, strategy, users, why):
    steering.pin_set(account=account, strategy=strategy, what="WEIGHT", **why)
    steering.pin_set(account=account, strategy=strategy, what="WEIGHT", actor=users["trader"], reason="Still.")
    pin = Pin.objects.get()
    assert (pin.reason, pin.pinned_by) == ("Still.", users["trader"])


def test_a_pin_is_removed_and_the_audit_keeps_both_reasons(account, strategy, why):
    steering.pin_set(account=account, strategy=strategy, what="PARAMETERS", **why)
    steering.pin_remove(account=account, strategy=strategy, what="PARAMETERS", actor=why["actor"], reason="Done.")
    assert not Pin.objects.exists()
    details = AuditLog.objects.get(action_type="PIN_REMOVE").details
    assert (details["reason"], details["was"]) == ("Done.", "It was a lucky year.")


def test_what_is_not_pinned_is_not_unpinned(account, strategy, why):
    with pytest.raises(NotFound):
        steering.pin_remove(account=account, strategy=strategy, what="WEIGHT", **why)


@pytest.mark.parametrize(("what", "reason"), [("EVERYTHING", "Because."), ("WEIGHT", "  "), ("WEIGHT", "x" * 256)])
def test_a_pin_needs_something_to_pin_and_a_reason(account, strategy, users, what, reason):
    with pytest.raises(InvalidInput):
        steering.pin_set(account=account, strategy=strategy, what=what, actor=users["owner"], reason=reason)
    assert not Pin.objects.exists()


# --- reverting


def test_the_first_weight_of_the_account_is_taken_back_to_the_house(account, strategy, why):
    moved = weight_move(account, strategy, 0.1, HOUSE)
    steering.adaptation_revert(adaptation=moved, **why)
    assert params(account, strategy)["weight"] == HOUSE
    assert pointer(account, strategy) is None


def test_a_weight_is_taken_back_by_a_new_version_of_a_person(account, strategy, users, why):
    weight_move(account, strategy, 0.1, HOUSE, session=SESSION.replace(day=21))
    moved = weight_move(account, strategy, 0.05, 0.1, lane="DERISK")
    steering.adaptation_revert(adaptation=moved, **why)
    version = pointer(account, strategy).active_version
    assert version.params == {"weight": 0.1}
    assert (version.source, version.created_by, version.reason) == ("PERSON", users["owner"], "It was a lucky year.")


def test_what_the_account_had_set_besides_its_weight_stays(account, strategy, why):
    version_create(strategy=strategy, params={NAME: 1.7}, reason="Mine.", account=account)
    moved = weight_move(account, strategy, 0.1, HOUSE)
    steering.adaptation_revert(adaptation=moved, **why)
    assert (params(account, strategy)[NAME], params(account, strategy)["weight"]) == (1.7, HOUSE)


def test_a_house_that_changed_its_weight_meanwhile_does_not_decide_what_the_weight_before_was(account, strategy, why):
    moved = weight_move(account, strategy, 0.1, HOUSE)
    version_create(strategy=strategy, params={"weight": 0.3}, reason="More.")
    steering.adaptation_revert(adaptation=moved, **why)
    assert params(account, strategy)["weight"] == HOUSE


def test_only_the_last_move_of_a_weight_is_taken_back(account, strategy, why):
    first = weight_move(account, strategy, 0.1, HOUSE, session=SESSION.replace(day=21))
    weight_move(account, strategy, 0.12, 0.1)
    with pytest.raises(Conflict, match="newer decision"):
        steering.adaptation_revert(adaptation=first, **why)


def test_moves_are_taken_back_one_by_one_from_the_last(account, strategy, why):
    moves = [
        weight_move(account, strategy, after, before, session=SESSION.replace(day=day), lane=lane)
        for before, after, day, lane in ((HOUSE, 0.1, 14, "WEIGHTS"), (0.1, 0.12, 21, "WEIGHTS"), (0.12, 0.06, 21, "DERISK"))
    ]
    for moved, weight in zip(reversed(moves), (0.12, 0.1, HOUSE), strict=True):
        steering.adaptation_revert(adaptation=moved, **why)
        assert params(account, strategy)["weight"] == weight
        with pytest.raises(Conflict):
            steering.adaptation_revert(adaptation=moved, **why)


def test_a_weight_that_a_person_set_since_is_not_overwritten(account, strategy, why):
    moved = weight_move(account, strategy, 0.1, HOUSE)
    version_create(strategy=strategy, params={"weight": 0.2}, reason="Mine.", account=account)
    with pytest.raises(Conflict, match=r"the weight is 0\.2, not 0\.1"):
        steering.adaptation_revert(adaptation=moved, **why)
    assert params(account, strategy)["weight"] == 0.2


def test_a_revert_is_not_done_twice(account, strategy, why):
    weight_move(account, strategy, 0.1, HOUSE, session=SESSION.replace(day=21))
    moved = weight_move(account, strategy, 0.12, 0.1)
    steering.adaptation_revert(adaptation=moved, **why)
    with pytest.raises(Conflict):
        steering.adaptation_revert(adaptation=moved, **why)


def test_a_decision_that_kept_the_weight_has_nothing_to_take_back(account, strategy, why):
    with pytest.raises(Conflict, match="changed nothing"):
        steering.adaptation_revert(adaptation=weight_move(account, strategy, HOUSE), **why)


@pytest.mark.parametrize(("status", "event"), [("PROBATION", "PROMOTED"), ("CONFIRMED", "CONFIRMED"), ("CONFIRMED", "PROMOTED")])
def test_a_promotion_is_taken_back_with_its_challenger(account, strategy, why, status, event):
    before = version_create(strategy=strategy, params={"weight": 0.2}, reason="Mine.", account=account)
    challenger = challenger_make(account, strategy, status)
    decision = promotion_make(account, strategy, challenger, event)
    steering.adaptation_revert(adaptation=decision, **why)
    assert pointer(account, strategy).active_version == before
    assert Challenger.objects.get().status == "VETOED"
    with pytest.raises(Conflict, match="already"):
        steering.adaptation_revert(adaptation=decision, **why)


def test_a_promotion_under_a_newer_value_is_not_taken_back(account, strategy, why):
    challenger = challenger_make(account, strategy, "PROBATION")
    decision = promotion_make(account, strategy, challenger)
    version_create(strategy=strategy, params={NAME: 1.7}, reason="Mine.", account=account)
    with pytest.raises(Conflict, match="another value"):
        steering.adaptation_revert(adaptation=decision, **why)
    assert Challenger.objects.get().status == "PROBATION"


@pytest.mark.parametrize("event", ["SHADOW", "DROPPED", "ROLLED_BACK"])
def test_what_brought_no_parameters_in_has_nothing_to_take_back(account, strategy, why, event):
    decision = promotion_make(account, strategy, challenger_make(account, strategy), event)
    with pytest.raises(Conflict, match="changed nothing"):
        steering.adaptation_revert(adaptation=decision, **why)


# --- who


def each_act(account, strategy, actor, reason="Because."):
    challenger = challenger_make(account, strategy)
    moved = weight_move(account, strategy, 0.1, HOUSE)
    Pin.objects.create(account=account, strategy=strategy, what="PARAMETERS", reason="Set.")
    who = {"actor": actor, "reason": reason}
    return [
        lambda: steering.challenger_veto(challenger=challenger, **who),
        lambda: steering.pin_set(account=account, strategy=strategy, what="WEIGHT", **who),
        lambda: steering.pin_remove(account=account, strategy=strategy, what="PARAMETERS", **who),
        lambda: steering.adaptation_revert(adaptation=moved, **who),
    ]


def state(account, strategy) -> tuple:
    pins = list(Pin.objects.values_list("what", "reason"))
    return params(account, strategy), list(Challenger.objects.values_list("status", flat=True)), pins, AuditLog.objects.count()


@pytest.mark.parametrize("name", ["reader", "other"])
def test_who_may_not_trade_decides_nothing(account, strategy, users, name):
    acts = each_act(account, strategy, users[name])
    before = state(account, strategy)
    for act in acts:
        with pytest.raises(NotAllowed, match="not trade on it"):
            act()
    assert state(account, strategy) == before


def test_nobody_decides_on_a_replay(account, strategy, users):
    acts = each_act(account, strategy, users["owner"])
    Account.objects.filter(pk=account.pk).update(is_replay=True)
    account.refresh_from_db()
    before = state(account, strategy)
    for act in acts:
        with pytest.raises(NotAllowed, match="replay"):
            act()
    assert state(account, strategy) == before


def test_every_act_needs_a_reason(account, strategy, users):
    acts = each_act(account, strategy, users["owner"], reason="   ")
    before = state(account, strategy)
    for act in acts:
        with pytest.raises(InvalidInput, match="Say why"):
            act()
    assert state(account, strategy) == before


def test_every_act_is_audited_with_its_actor_and_reason(account, strategy, users):
    for act in each_act(account, strategy, users["trader"]):
        act()
    audited = AuditLog.objects.filter(action_type__in=["CHALLENGER_VETO", "PIN_SET", "PIN_REMOVE", "ADAPTATION_REVERT"])
    assert audited.count() == 4
    assert {(row.actor, row.account_id, row.details["reason"]) for row in audited} == {("trader", account.pk, "Because.")}
