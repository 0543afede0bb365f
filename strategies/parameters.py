"""Parameters in force: a strategy's defaults, under the house's active version, under the account's own."""

import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache

from pydantic import ValidationError

from quant_site.core.errors import InvalidInput
from quant_site.core.rows import rows_read
from strategies.base import Strategy, StrategyParams
from strategies.models import ParameterVersion
from strategies.models import Strategy as StrategyRow
from strategies.registry import REGISTRY


def implementation(row: StrategyRow, registry: Mapping[str, Strategy] = REGISTRY) -> Strategy:
    """The strategy behind `row`; raises `InvalidInput("not_implemented")` for a row that is declared only."""
    try:
        return registry[row.key]
    except KeyError:
        why = row.disabled_reason or "It has no implementation."
        raise InvalidInput("not_implemented", f"{row.name} cannot run yet. {why}", strategy=row.key) from None


def parse_params(strategy: Strategy, overrides: Mapping) -> StrategyParams:
    """The defaults of `strategy` with `overrides`, checked.

    Raises `InvalidInput`: "unknown_parameter" for a name it does not have, with the nearest one it has, and
    "invalid_parameter" for a value out of its range. `details["fields"]` maps each name to what is wrong with it.
    """
    fields = strategy.Params.model_fields
    unknown = {name: _did_you_mean(str(name), fields) for name in overrides if name not in fields}
    if unknown:
        message = f"{strategy.name}: {' '.join(unknown.values())}"
        raise InvalidInput("unknown_parameter", message, fields=unknown, known=sorted(fields))
    # Pydantic would take True for 1.
    switches = [name for name, value in overrides.items() if isinstance(value, bool) and fields[name].annotation is not bool]
    if switches:
        raise _invalid(strategy, dict.fromkeys(switches, "Input should be a number"))
    try:
        return strategy.Params(**overrides)
    except ValidationError as error:
        wrong = {".".join(map(str, item["loc"])) or "parameters": item["msg"] for item in error.errors()}
        raise _invalid(strategy, wrong) from error


def _invalid(strategy: Strategy, fields: dict[str, str]) -> InvalidInput:
    wrong = "; ".join(f"{name}: {message}" for name, message in fields.items())
    return InvalidInput("invalid_parameter", f"{strategy.name}: {wrong}.", fields=fields)


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f"There is no parameter {name!r}" + (f": did you mean {near[0]!r}?" if near else f"; it has {', '.join(sorted(known))}.")


@lru_cache(maxsize=512)
def _parsed(strategy: Strategy, overrides: str) -> StrategyParams:
    return parse_params(strategy, json.loads(overrides))


def house_overrides(row: StrategyRow) -> dict:
    """What the house sets apart from the defaults."""
    return dict(row.active_version.params) if row.active_version_id else {}


def account_overrides(rows: Iterable[StrategyRow], account) -> dict[int, dict]:
    """By strategy id, what `account` sets apart from the house; one query for all `rows`."""
    where = "id IN (SELECT active_version_id FROM account_strategies WHERE account_id = %s)"
    own = rows_read(ParameterVersion, ("strategy_id", "params"), where, account.pk)
    asked = {row.pk for row in rows}
    return {strategy: params for strategy, params in own if strategy in asked}


def merged_params(row: StrategyRow, own: Mapping, registry: Mapping[str, Strategy] = REGISTRY) -> StrategyParams:
    """Defaults, then the house's active version, then `own`."""
    overrides = house_overrides(row) | dict(own)
    return _parsed(implementation(row, registry), json.dumps(overrides, sort_keys=True))


def effective_params(strategy_row: StrategyRow, account=None) -> StrategyParams:
    """The parameters that a run of `strategy_row` for `account` (None: the house) uses.

    Raises `InvalidInput` where a stored version no longer fits the strategy's ranges.
    """
    own = account_overrides([strategy_row], account).get(strategy_row.pk, {}) if account is not None else {}
    return merged_params(strategy_row, own)
