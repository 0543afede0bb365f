"""Parameters in force: a strategy's defaults, under the house's active version, under the account's own."""

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache

from quant_site.core.errors import InvalidInput
from quant_site.core.rows import rows_read
from strategies.base import Strategy, StrategyParams
from strategies.models import ParameterVersion
from strategies.models import Strategy as StrategyRow
from strategies.registry import REGISTRY
from strategies.schema import parse_params


def implementation(row: StrategyRow, registry: Mapping[str, Strategy] = REGISTRY) -> Strategy:
    """The strategy behind `row`; raises `InvalidInput("not_implemented")` for a row that is declared only."""
    try:
        return registry[row.key]
    except KeyError:
        why = row.disabled_reason or "It has no implementation."
        raise InvalidInput("not_implemented", f"{row.name} cannot run yet. {why}", strategy=row.key) from None


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
