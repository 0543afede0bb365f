"""What can be set on a strategy, read off its parameter model: one row a parameter, for forms, pages and the API."""

from dataclasses import dataclass
from typing import Any, get_args

from pydantic.fields import FieldInfo

from strategies.base import Strategy

TYPES = {bool: "boolean", int: "integer", float: "number"}


@dataclass(frozen=True)
class ParameterRow:
    """`kind` is JSON schema's word; `choices` are those of a parameter that takes one of a few values. `step` is what a
    form or a search moves it by, None where none is natural; `unit` and `description` are English."""

    name: str
    kind: str
    default: Any
    minimum: float | None
    maximum: float | None
    choices: tuple
    step: float | None
    unit: str
    description: str

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
    )


def _bound(info: FieldInfo, name: str) -> float | None:
    return next((getattr(rule, name) for rule in info.metadata if getattr(rule, name, None) is not None), None)
