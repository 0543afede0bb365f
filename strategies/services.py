"""Writes of the strategy library: its rows, their parameter versions, and whether they run."""

from collections.abc import Mapping
from datetime import date

from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction

from quant_site.core.errors import Conflict, InvalidInput
from quant_site.core.rows import objects_read, rows_read
from quant_site.core.services import audit_record, event_publish
from strategies.catalogue import CATALOGUE, Entry
from strategies.models import AccountStrategy, ParameterVersion, Strategy
from strategies.parameters import account_overrides, house_overrides, implementation
from strategies.schema import parse_params
from strategies.selectors import scope_of


@transaction.atomic
def strategies_seed() -> list[Strategy]:
    """Write the rows of the library that are not there yet; what a person has edited stays as it is.

    Defaults belong to the code, so they follow it. A row that had no implementation and has one by now is switched on.
    """
    rows = {row.key: row for row in Strategy.objects.filter(key__in=[entry.key for entry in CATALOGUE])}
    return [_refresh(rows[entry.key], entry) if entry.key in rows else _plant(entry) for entry in CATALOGUE]


def _plant(entry: Entry) -> Strategy:
    row = Strategy.objects.create(
        key=entry.key,
        name=entry.name,
        category=entry.category,
        description=entry.description,
        default_params=entry.default_params,
        signal_sources=entry.signal_sources,
        run_schedule=entry.run_schedule,
    )
    _first_version(row)
    return row


def _refresh(row: Strategy, entry: Entry) -> Strategy:
    facts = {"default_params": entry.default_params}
    if not row.default_params:
        facts |= {"enabled": True, "disabled_reason": "", "run_schedule": entry.run_schedule, "signal_sources": entry.signal_sources}
    if row.default_params != entry.default_params:
        for name, value in facts.items():
            setattr(row, name, value)
        row.save(update_fields=[*facts, "updated_at"])
    if row.active_version_id is None:
        _first_version(row)
    return row


def _first_version(row: Strategy) -> ParameterVersion:
    """Version 1 sets nothing: going back to it is going back to the defaults."""
    return version_create(
        strategy=row, params={}, reason="The published defaults.", actor="seed", source=ParameterVersion.Source.SEED, activate=True
    )


@transaction.atomic
def version_create(
    *,
    strategy: Strategy,
    params: Mapping,
    reason: str,
    actor=None,
    source: str = ParameterVersion.Source.PERSON,
    account=None,
    evidence: Mapping | None = None,
    session: date | None = None,
    activate: bool = True,
) -> ParameterVersion:
    """Make a new version of the house (account None) or of `account`, and point to it when `activate`.

    `params` are the changes against the version active in that scope; None takes a parameter back to what lies
    beneath. Where nothing changes the active version is returned and nothing is written. Raises `InvalidInput` for a
    parameter or value the strategy cannot take, or without a reason.
    """
    if not reason.strip():
        raise InvalidInput("reason_missing", "Say why the parameters change: the reason is kept with the version.")
    strategy = Strategy.objects.select_for_update().get(pk=strategy.pk)
    active = active_version(strategy, account)
    overrides = _overrides(strategy, account, active, params)
    if active is not None and overrides == active.params:
        return active
    scope = scope_of(account)
    newest = rows_read(ParameterVersion, ("number",), "strategy_id = %s AND scope = %s ORDER BY number DESC LIMIT 1", strategy.pk, scope)
    version = ParameterVersion(
        strategy=strategy,
        account_id=scope or None,
        scope=scope,
        number=newest[0][0] + 1 if newest else 1,
        params=overrides,
        diff=_diff(strategy, account, overrides),
        source=source,
        reason=reason.strip()[:255],
        evidence=dict(evidence or {}),
        session=session,
        created_by=actor if isinstance(actor, AbstractBaseUser) else None,
    )
    try:
        with transaction.atomic():
            version.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict("version_exists", "Somebody changed these parameters at the same moment: read them again.") from error
    _announce("PARAMS_CREATE", version, actor)
    return version_activate(version=version, actor=actor) if activate else version


def _overrides(strategy: Strategy, account, active: ParameterVersion | None, changes: Mapping) -> dict:
    """The complete overrides of a new version, as the strategy's own types, checked with what lies beneath them."""
    kept = {**(active.params if active else {}), **changes}
    kept = {name: value for name, value in kept.items() if value is not None}
    code = implementation(strategy)
    beneath = house_overrides(strategy) if account is not None else {}
    values = parse_params(code, beneath | kept).model_dump(mode="json")
    overrides = {name: values[name] for name in sorted(kept)}
    if account is None:
        defaults = code.Params().model_dump(mode="json")
        overrides = {name: value for name, value in overrides.items() if value != defaults[name]}
    return overrides


def _diff(strategy: Strategy, account, overrides: Mapping) -> dict:
    """{name: [before, after]} of what is in force in the scope."""
    code, house = implementation(strategy), house_overrides(strategy)
    own = account_overrides([strategy], account).get(strategy.pk, {}) if account is not None else {}
    defaults = code.Params().model_dump(mode="json")
    before = {**defaults, **house, **own}
    after = {**defaults, **(house if account is not None else {}), **overrides}
    return {name: [before[name], after[name]] for name in sorted(after) if before.get(name) != after[name]}


def active_version(strategy: Strategy, account=None) -> ParameterVersion | None:
    """The version that is active for the house, or the account's own (None where it follows the house)."""
    if account is None:
        return strategy.active_version
    where = "id IN (SELECT active_version_id FROM account_strategies WHERE strategy_id = %s AND account_id = %s)"
    own = objects_read(ParameterVersion, where, strategy.pk, account.pk)
    return own[0] if own else None


@transaction.atomic
def version_activate(*, version: ParameterVersion, actor=None) -> ParameterVersion:
    """Point the version's scope to it; an older version is gone back to the same way.

    Raises `InvalidInput` when its values no longer fit the strategy.
    """
    strategy = version.strategy
    beneath = house_overrides(strategy) if version.account_id else {}
    parse_params(implementation(strategy), beneath | version.params)
    if version.account_id:
        AccountStrategy.objects.update_or_create(strategy=strategy, account_id=version.account_id, defaults={"active_version": version})
    else:
        strategy.active_version, strategy.current_params = version, version.params
        strategy.save(update_fields=["active_version", "current_params", "updated_at"])
    _announce("PARAMS_ACTIVATE", version, actor)
    payload = {"strategy": strategy.key, "version": version.number, "params": version.params, "source": version.source}
    event_publish(type="strategy.params", payload=payload, account=version.account_id)
    return version


@transaction.atomic
def version_withdraw(*, strategy: Strategy, account, actor=None) -> None:
    """Take the account's own version away, so that it follows the house again; nothing happens where it has none."""
    own = active_version(strategy, account)
    if own is None:
        return
    AccountStrategy.objects.filter(strategy=strategy, account=account).delete()
    _announce("PARAMS_WITHDRAW", own, actor)
    payload = {"strategy": strategy.key, "version": None, "params": {}, "source": own.source}
    event_publish(type="strategy.params", payload=payload, account=account)


def _announce(action: str, version: ParameterVersion, actor) -> None:
    details = {"strategy": version.strategy.key, "number": version.number, "diff": version.diff, "reason": version.reason}
    audit_record(action=action, actor=actor or "system", account=version.account_id, resource=version, details=details)


@transaction.atomic
def strategy_toggle(*, strategy: Strategy, enabled: bool, actor=None, reason: str = "") -> Strategy:
    """Switch a strategy on or off. Off, it opens nothing and still closes what it holds.

    Raises `InvalidInput("not_implemented")` when a strategy that is only declared is switched on.
    """
    if enabled:
        implementation(strategy)
    if strategy.enabled == enabled:
        return strategy
    strategy.enabled = enabled
    strategy.disabled_reason = "" if enabled else (reason.strip() or "Switched off by hand.")[:255]
    strategy.save(update_fields=["enabled", "disabled_reason", "updated_at"])
    details = {"strategy": strategy.key, "enabled": enabled, "reason": reason}
    audit_record(action="STRATEGY_TOGGLE", actor=actor or "system", resource=strategy, details=details)
    event_publish(type="strategy.toggled", payload={"strategy": strategy.key, "enabled": enabled, "reason": strategy.disabled_reason})
    return strategy
