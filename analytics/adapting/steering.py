"""What a person decides about the adaptation: veto a challenger, pin what is not to move, take a change back.

Only who may trade on the account decides, and nobody on a replay's. Each act leaves an audit entry, and each change of what is
in force is a version of the account like any other.
"""

from django.db import transaction

from analytics.adapting.adaptation_reads import Standing, standings
from analytics.models import Adaptation, Challenger, Pin
from quant_site.core import clock
from quant_site.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from quant_site.core.models import Account
from quant_site.core.selectors import may_trade
from quant_site.core.services import audit_record
from quant_site.core.types import ratio
from quant_site.market.sessions import last_completed_session
from strategies.models import ParameterVersion, Strategy
from strategies.parameters import effective_params, implementation
from strategies.services import active_version, version_activate, version_create, version_withdraw

LONGEST_REASON = 255
# Events of the lane of parameters after which a challenger's change is in force.
BROUGHT_IN = ("PROMOTED", "CONFIRMED")
CHANGED_NOTHING = "This decision changed nothing: there is nothing to take back."
TAKEN_BACK = "This change was taken back already."


@transaction.atomic
def challenger_veto(*, challenger: Challenger, actor, reason: str, ip_address: str = "") -> Challenger:
    """End a challenger. What is on probation is taken back: the version before is in force again.

    Where something newer is in force by now, only the challenger's own change is undone; a value that a person has set since
    stays. Raises `Conflict` for a challenger that is over, `InvalidInput` without a reason, `NotAllowed`.
    """
    reason = _allowed(challenger.account, actor, reason)
    challenger = _locked(challenger)
    if challenger.status not in Challenger.LIVE:
        raise Conflict("challenger_over", "This challenger is over: there is nothing to veto.")
    if challenger.status == Challenger.Status.PROBATION:
        _take_back(challenger, actor, reason)
    return _vetoed(challenger, actor, reason, ip_address)


def _locked(challenger: Challenger) -> Challenger:
    """The row as it stands, kept from others; the strategy first, as whoever makes a version does."""
    Strategy.objects.select_for_update().get(pk=challenger.strategy_id)
    return Challenger.objects.select_for_update().get(pk=challenger.pk)


def _take_back(challenger: Challenger, actor, reason: str) -> None:
    strategy, account, before = challenger.strategy, challenger.account, challenger.previous_version
    active = active_version(strategy, account)
    if active is not None and active.pk == challenger.version_id:
        if before is not None and before.account_id:
            version_activate(version=before, actor=actor)
        else:
            version_withdraw(strategy=strategy, account=account, actor=actor)
    elif in_force(challenger):
        values = before.params if before is not None and before.account_id else {}
        undone = {name: values.get(name) for name in challenger.change}
        evidence = {"challenger": challenger.pk}
        version_create(strategy=strategy, params=undone, reason=reason, actor=actor, account=account, evidence=evidence)


def in_force(challenger: Challenger) -> bool:
    """Whether the values that the challenger brought are those in force."""
    values = effective_params(challenger.strategy, challenger.account).model_dump(mode="json")
    return all(values.get(name) == after for name, (_, after) in challenger.change.items())


def _vetoed(challenger: Challenger, actor, reason: str, ip_address: str) -> Challenger:
    was = challenger.status
    challenger.status, challenger.reason, challenger.decided_by = Challenger.Status.VETOED, reason, actor
    challenger.ended = last_completed_session(clock.now())
    challenger.save(update_fields=["status", "reason", "decided_by", "ended"])
    details = {"strategy": challenger.strategy.key, "change": challenger.change, "was": was, "reason": reason}
    _audit("CHALLENGER_VETO", challenger, actor, ip_address, details)
    return challenger


# --- pins


@transaction.atomic
def pin_set(*, account: Account, strategy: Strategy, what: str, actor, reason: str, ip_address: str = "") -> Pin:
    """Keep the optimiser from moving the strategy's weight, or its parameters, on this account. Set again it has the new reason.

    Raises `InvalidInput` without a reason, for a strategy that is only declared, or for no such thing to pin; `NotAllowed`.
    """
    reason = _allowed(account, actor, reason)
    if what not in Pin.What.values:
        raise InvalidInput("unknown_pin", f"Pin one of {', '.join(Pin.What.values)}, not {what!r}.")
    implementation(strategy)
    values = {"reason": reason, "pinned_by": actor, "pinned_at": clock.now()}
    pin, _ = Pin.objects.update_or_create(account=account, strategy=strategy, what=what, defaults=values)
    _audit("PIN_SET", pin, actor, ip_address, {"strategy": strategy.key, "what": what, "reason": reason})
    return pin


@transaction.atomic
def pin_remove(*, account: Account, strategy: Strategy, what: str, actor, reason: str, ip_address: str = "") -> None:
    """Let the optimiser move it again. Raises `NotFound` where it is not pinned, `InvalidInput` without a reason, `NotAllowed`."""
    reason = _allowed(account, actor, reason)
    pin = Pin.objects.filter(account=account, strategy=strategy, what=what).first()
    if pin is None:
        raise NotFound("not_pinned", f"This is not pinned on account {account.pk}.")
    _audit("PIN_REMOVE", pin, actor, ip_address, {"strategy": strategy.key, "what": what, "reason": reason, "was": pin.reason})
    pin.delete()


# --- taking a change back


@transaction.atomic
def adaptation_revert(*, adaptation: Adaptation, actor, reason: str, ip_address: str = "") -> Adaptation:
    """Put back what was in force before a change of the optimiser: the weight, or the parameters with the challenger's end.

    The optimiser decides anew at its next look; what is to stay is pinned. Raises `Conflict` where it changed nothing or
    something newer is in force, `InvalidInput` without a reason, `NotAllowed`.
    """
    reason = _allowed(adaptation.account, actor, reason)
    Strategy.objects.select_for_update().get(pk=adaptation.strategy_id)
    standing = standings(adaptation.account, [adaptation.strategy]).get(adaptation.strategy_id)
    problem = revert_problem(adaptation, standing)
    if problem:
        raise Conflict("not_revertible", problem)
    if adaptation.lane == Adaptation.Lane.PARAMETERS:
        challenger = _locked(adaptation.challenger)
        _take_back(challenger, actor, reason)
        _vetoed(challenger, actor, reason, ip_address)
    else:
        _weight_back(adaptation, actor, reason)
    details = {"strategy": adaptation.strategy.key, "lane": adaptation.lane, "session": str(adaptation.session), "reason": reason}
    _audit("ADAPTATION_REVERT", adaptation, actor, ip_address, details)
    return adaptation


def revert_problem(adaptation: Adaptation, standing: Standing | None) -> str:
    """Why a decision cannot be taken back now, and what to do; empty where it can."""
    if standing is None:
        return "The strategy cannot run with what is stored: nothing of it is in force."
    if adaptation.lane == Adaptation.Lane.PARAMETERS:
        return _parameters_problem(adaptation, standing)
    if adaptation.version_id is None:
        return CHANGED_NOTHING
    if adaptation.pk in standing.reverted:
        return TAKEN_BACK
    if standing.newest_move != adaptation.pk:
        return "A newer decision moved this weight: take that one back first."
    if ratio(standing.weight) != adaptation.weight_after:
        now, then = f"{standing.weight:g}", f"{float(adaptation.weight_after):g}"
        return f"Something newer is in force: the weight is {now}, not {then}. Set it by hand where it is not what you want."
    return ""


def _parameters_problem(adaptation: Adaptation, standing: Standing) -> str:
    if adaptation.evidence.get("event") not in BROUGHT_IN:
        return CHANGED_NOTHING
    challenger = standing.challengers.get(adaptation.challenger_id)
    if challenger is None:
        return TAKEN_BACK
    if any(standing.params.get(name) != after for name, (_, after) in challenger.change.items()):
        return "Something newer is in force: the parameter has another value. Set it by hand where it is not what you want."
    return ""


def _weight_back(adaptation: Adaptation, actor, reason: str) -> None:
    """Without a version of its own before, and where the house still has that weight, the account follows the house again."""
    strategy, account, made = adaptation.strategy, adaptation.account, adaptation.version
    active = active_version(strategy, account)
    earlier = ParameterVersion.objects.filter(strategy=strategy, scope=account.pk, number__lt=made.number).exists()
    alone = active is not None and active.pk == made.pk and not earlier and set(made.params) == {"weight"}
    if alone and ratio(effective_params(strategy).weight) == adaptation.weight_before:
        version_withdraw(strategy=strategy, account=account, actor=actor)
        return
    version_create(
        strategy=strategy,
        params={"weight": float(adaptation.weight_before)},
        reason=reason,
        actor=actor,
        account=account,
        evidence={"adaptation": adaptation.pk},
    )


# --- who, and why


def _allowed(account: Account, actor, reason: str) -> str:
    """The reason as it is kept, of somebody who may decide."""
    if not may_trade(user=actor, account=account):
        raise NotAllowed("read_only", f"You may look at account {account.pk}, not trade on it.")
    if account.is_replay:
        raise NotAllowed("replay_account", f"Account {account.pk} belongs to a replay: nobody steers it by hand.")
    reason = reason.strip()
    if not 0 < len(reason) <= LONGEST_REASON:
        raise InvalidInput("reason_missing", f"Say why, in at most {LONGEST_REASON} characters: the reason is kept.")
    return reason


def _audit(action: str, row, actor, ip_address: str, details: dict) -> None:
    audit_record(action=action, actor=actor, account=row.account_id, resource=row, details=details, ip_address=ip_address)
