"""What can be set on a strategy, read off its parameter model: one row a parameter, for forms, pages and the API; and the check
of what somebody wants to set."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from quant_site.core.errors import InvalidInput
from strategies.base import Strategy, StrategyParams

TYPES = {bool: "boolean", int: "integer", float: "number"}


@dataclass(frozen=True)
class ParameterRow:
    """`kind` is JSON schema's word; `choices` are those of a parameter that takes one of a few values. `step` is what a
    form or a search moves it by, None where none is natural; `unit` and `description` are English. Not `searched` is what no record
    may decide."""

    name: str
    kind: str
    default: Any
    minimum: float | None
    maximum: float | None
    choices: tuple
    step: float | None
    unit: str
    description: str
    searched: bool = True

    @property
    def bounds(self) -> str:
        """The range as a trader writes it: 2 – 500, or the choices."""
        if self.choices:
            return ", ".join(map(str, self.choices))
        return "" if self.minimum is None or self.maximum is None else f"{self.minimum:g} – {self.maximum:g}"


def parameter_rows(strategy: Strategy) -> list[ParameterRow]:
    """In the order of the strategy's model."""
    return [_row(name, info) for name, info in strategy.Params.model_fields.items()]


def _row(name: str, info: FieldInfo) -> ParameterRow:
    choices = get_args(info.annotation)
    extra = info.json_schema_extra or {}
    return ParameterRow(
        name=name,
        kind=TYPES.get(info.annotation) or TYPES.get(type(info.default), "string"),
        default=info.default,
        minimum=_bound(info, "ge"),
        maximum=_bound(info, "le"),
        choices=choices,
        step=extra.get("step"),
        unit=extra.get("unit") or "",
        description=info.description or "",
        searched=extra.get("searched", True),
    )


def _bound(info: FieldInfo, name: str) -> float | None:
    return next((getattr(rule, name) for rule in info.metadata if getattr(rule, name, None) is not None), None)


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
