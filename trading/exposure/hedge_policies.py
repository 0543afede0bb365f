"""Hedge policies as rows: a person switches them on and off, the engine stops those that do not work."""

from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction

from quant_site.core.errors import Conflict, DataMissing, InvalidInput, NotAllowed
from quant_site.core.models import Account
from quant_site.core.selectors import may_trade
from quant_site.core.services import audit_record, event_publish
from quant_site.core.types import ratio
from quant_site.market.models import Instrument
from quant_site.market.options.contracts import parse_contract
from quant_site.market.selectors import unknown_symbols
from quant_site.market.store import symbol_clean
from trading.exposure.hedging import LEAST_REVIEWED
from trading.models import HedgePolicy

Kind, State = HedgePolicy.Kind, HedgePolicy.State
# What leaves more than this of equity exposed, either way, is no hedge.
LARGEST_TARGET = Decimal(2)


def hedge_group(policy: HedgePolicy) -> str:
    """The trade that the hedge of a policy is booked as, which keeps it apart from every other holding in the symbol."""
    return f"HEDGE-{policy.kind}"


@transaction.atomic
def hedge_policy_set(
    *,
    account: Account,
    kind: str,
    symbol: str,
    actor,
    state: str | None = None,
    target: Decimal | None = None,
    band: Decimal | None = None,
    risk_aversion: Decimal | None = None,
    review_sessions: int | None = None,
) -> HedgePolicy:
    """Make the policy of `kind` and `symbol`, or change what is given (not None) of the one there is.

    Switched on, it is judged from then on, whatever it did before; an open hedge of a policy that is switched off stays, for
    the person to decide about. Raises `NotAllowed` without the right to trade, `InvalidInput` for values that cannot be,
    `DataMissing` for a symbol without bars, and `Conflict` for a second beta hedge: two would answer each other's trades.
    """
    if not isinstance(actor, str) and not may_trade(user=actor, account=account):
        raise NotAllowed("read_only", f"You may look at account {account.pk}, not trade on it.")
    symbol = symbol_clean(symbol)
    if kind not in Kind.values:
        raise InvalidInput("bad_kind", f"A hedge is of the kind {' or '.join(Kind.values)}, not {kind!r}.")
    Account.objects.select_for_update().get(pk=account.pk)
    known = HedgePolicy.objects.select_for_update().filter(account=account, kind=kind, symbol=symbol).first()
    policy = known or HedgePolicy(account=account, kind=kind, symbol=symbol)
    before = {name: getattr(policy, name) for name in ("state", "target", "band", "risk_aversion", "review_sessions")}
    if known is None:
        _require_instrument(symbol)
    _change(policy, state, target, band, risk_aversion, review_sessions)
    moved = {name: [str(value), str(getattr(policy, name))] for name, value in before.items() if value != getattr(policy, name)}
    if known is None or moved:
        policy.save()
        details = {"kind": kind, "symbol": symbol, **moved}
        audit_record(action="HEDGE_POLICY_SET", actor=actor, account=account, resource=policy, details=details)
        event_publish(type="hedge.policy", payload=policy_event(policy), account=account)
    return policy


@transaction.atomic
def hedge_policy_stop(*, policy: HedgePolicy, reason: str) -> None:
    """End a hedge that does not work. Only a person switches it on again."""
    policy.state, policy.state_reason = State.STOPPED, reason[:255]
    policy.save(update_fields=["state", "state_reason", "updated_at"])
    details = {"kind": policy.kind, "symbol": policy.symbol, "reason": reason}
    audit_record(action="HEDGE_STOP", actor="hedge", account=policy.account_id, resource=policy, details=details)
    event_publish(type="hedge.stopped", payload=policy_event(policy), account=policy.account_id)


def policy_event(policy: HedgePolicy) -> dict:
    """What a client learns about a policy."""
    return {"id": policy.pk, "kind": policy.kind, "symbol": policy.symbol, "state": policy.state, "reason": policy.state_reason}


def _require_instrument(symbol: str) -> None:
    if parse_contract(symbol) is not None:
        raise InvalidInput("bad_hedge", f"{symbol} is an option: hedge with shares or a fund.", symbol=symbol)
    unknown = unknown_symbols([symbol])
    if unknown:
        raise DataMissing("unknown_symbol", unknown[symbol], symbol=symbol)
    if not Instrument.objects.get(pk=symbol).tradable:
        raise InvalidInput("not_tradable", f"{symbol} cannot be traded, so it hedges nothing: take a fund that follows it.", symbol=symbol)


def _change(policy: HedgePolicy, state, target, band, risk_aversion, review_sessions) -> None:
    if state is not None and state != policy.state:
        if state not in (State.ON, State.OFF):
            raise InvalidInput("bad_state", f"A person switches a hedge ON or OFF, not {state!r}.")
        if state == State.ON:
            _require_only_one(policy)
            policy.since = None
        policy.state, policy.state_reason = state, ""
    for name, value in (("target", target), ("band", band), ("risk_aversion", risk_aversion)):
        if value is not None:
            setattr(policy, name, ratio(value))
    if review_sessions is not None:
        policy.review_sessions = review_sessions
    if abs(policy.target) > LARGEST_TARGET:
        raise InvalidInput("bad_target", f"A target lies between -{LARGEST_TARGET} and {LARGEST_TARGET} times equity, not {policy.target}.")
    if policy.band < 0 or policy.risk_aversion <= 0:
        raise InvalidInput("bad_band", "A band is zero or more, and an aversion to risk above zero.")
    if not isinstance(policy.review_sessions, int) or policy.review_sessions < LEAST_REVIEWED:
        raise InvalidInput("bad_review", f"A hedge is judged over {LEAST_REVIEWED} sessions or more.")
    try:
        policy.clean_fields(exclude=["account"])
    except ValidationError as error:
        raise InvalidInput("invalid_policy", " ".join(error.messages), fields=error.message_dict) from error


def _require_only_one(policy: HedgePolicy) -> None:
    if policy.kind != Kind.BETA:
        return
    other = HedgePolicy.objects.filter(account=policy.account, kind=Kind.BETA, state=State.ON).exclude(pk=policy.pk).first()
    if other is not None:
        raise Conflict("hedged_already", f"The account hedges its beta with {other.symbol}: switch that off first.", id=other.pk)
