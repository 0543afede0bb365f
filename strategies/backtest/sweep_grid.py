"""The parameter sets of a sweep: every combination of some values, or a sample of them, checked as parameters are.

A value that a strategy cannot take is refused with the words of `strategies.parameters`. Combinations whose values are
each right and do not go together (a fast average that is not the faster one) are skipped and counted.
"""

import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import product
from typing import Any

from pydantic import ValidationError

from quant_site.core.errors import InvalidInput
from strategies.base import Strategy, StrategyParams
from strategies.schema import parameter_rows, parse_params

MOST_SETS = 100_000
WORDS = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True)
class Grid:
    """Values by parameter; its sets are their product, the last parameter running fastest."""

    axes: Mapping[str, tuple]

    @property
    def size(self) -> int:
        return math.prod(len(values) for values in self.axes.values())

    def sets(self, indices: Sequence[int] | None = None) -> Iterator[dict[str, Any]]:
        """The values of these combinations, or of all."""
        if indices is None:
            return (dict(zip(self.axes, values, strict=True)) for values in product(*self.axes.values()))
        return map(self._at, indices)

    def _at(self, index: int) -> dict[str, Any]:
        chosen = {}
        for name, values in reversed(self.axes.items()):
            index, at = divmod(index, len(values))
            chosen[name] = values[at]
        return dict(reversed(chosen.items()))

    def chosen(self, sample: int | None = None, seed: int = 0) -> Sequence[int]:
        """The combinations to run: all, or `sample` of them drawn with `seed`, in order. Raises `InvalidInput` for too many."""
        count = self.size if sample is None else min(sample, self.size)
        if count > MOST_SETS:
            message = f"These are {count:,} sets; at most {MOST_SETS:,} are run at once: take wider steps, or a sample of the grid."
            raise InvalidInput("too_many_sets", message, sets=count, most=MOST_SETS)
        return range(self.size) if count == self.size else sorted(random.Random(seed).sample(range(self.size), count))


def grid_of(strategy: Strategy, axes: Mapping[str, Iterable]) -> Grid:
    """A grid of values that `strategy` can take, each checked by itself. Raises `InvalidInput` as `parse_params` does."""
    checked = {name: tuple(dict.fromkeys(values)) for name, values in axes.items()}
    empty = sorted(name for name, values in checked.items() if not values)
    if empty or not checked:
        raise InvalidInput("no_values", f"Give values to sweep{f' for {chr(44).join(empty)}' if empty else ''}, as fast=10:100:5.")
    for name, values in checked.items():
        for value in values:
            _check(strategy, name, value)
    return Grid(checked)


def _check(strategy: Strategy, name: str, value) -> None:
    try:
        parse_params(strategy, {name: value})
    except InvalidInput as error:
        # Whether it goes with the values of other parameters is another question.
        if set(error.details["fields"]) != {"parameters"}:
            raise


def valid_params(strategy: Strategy, values: Mapping[str, Any]) -> StrategyParams | None:
    """The parameters of one set, None where its values, each of them right, do not go together."""
    try:
        return strategy.Params(**values)
    except ValidationError:
        return None


# --- from words


def axes_of(strategy: Strategy, words: Sequence[str]) -> dict[str, tuple]:
    """Values by parameter from words like fast=10:100:5 (to the end, in steps), width=1.5,2,2.5 and short=true,false.

    A range without a step takes the parameter's own. Raises `InvalidInput` for words that are none of these.
    """
    kinds = {row.name: row for row in parameter_rows(strategy)}
    axes: dict[str, tuple] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not text:
            raise InvalidInput(
                "bad_grid", f"{word!r} names no values: write a parameter and its values, as fast=10:100:5 or short=true,false."
            )
        if name not in kinds:
            parse_params(strategy, {name: None})  # says what might have been meant
        axes[name] = tuple(value for part in text.split(",") for value in _values(word, part, kinds[name]))
    return axes


def _values(word: str, text: str, row) -> list:
    if row.kind == "boolean":
        if text.lower() not in WORDS:
            raise InvalidInput("bad_grid", f"{word!r}: {row.name} is true or false, not {text!r}.")
        return [WORDS[text.lower()]]
    try:
        numbers = [Decimal(part) for part in text.split(":")]
    except InvalidOperation:
        raise InvalidInput("bad_grid", f"{word!r}: {text!r} is no number and no range from:to:step.") from None
    if len(numbers) == 1:
        return [_typed(numbers[0])]
    step = numbers[2] if len(numbers) == 3 else Decimal(str(row.step or 1))
    first, last = numbers[:2]
    if len(numbers) > 3 or step <= 0 or last < first or not all(number.is_finite() for number in numbers):
        raise InvalidInput(
            "bad_grid", f"{word!r}: a range is written from:to:step, with the step above zero and the end not before the start."
        )
    count = int((last - first) / step) + 1
    if count > MOST_SETS:
        raise InvalidInput("too_many_sets", f"{word!r} has {count:,} values; at most {MOST_SETS:,} sets are run at once.")
    return [_typed(first + i * step) for i in range(count)]


def _typed(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() else float(number)
