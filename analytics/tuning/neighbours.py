"""Parameter sets one small step away: one parameter at a time, by at most a fifth of its value."""

from strategies.base import Strategy, StrategyParams
from strategies.schema import ParameterRow, parameter_rows

LARGEST_STEP = 0.20
SLACK = 1e-9
PLACES = 10


def neighbours(strategy: Strategy, params: StrategyParams) -> list[tuple[str, StrategyParams]]:
    """(parameter, set) one step below and above `params`, in the order of the strategy's model.

    The step is the parameter's own where that is at most 20 % of its value, else the largest number that is: for whole
    numbers below five there is none. What no record may decide is left alone (`knob`), sets that the strategy refuses are left out.
    """
    found = []
    for row in parameter_rows(strategy):
        if row.step is None or not row.searched or row.kind not in ("integer", "number") or row.choices:
            continue
        for value in _steps(row, getattr(params, row.name)):
            try:
                moved = type(params)(**(params.model_dump() | {row.name: value}))
            except ValueError:
                continue
            found.append((row.name, moved))
    return found


def _steps(row: ParameterRow, value: float) -> list[float]:
    room = LARGEST_STEP * abs(value)
    size = row.step if row.step <= room + SLACK else room
    if row.kind == "integer":
        size = int(size + SLACK)
    return [] if size <= SLACK else [round(value - size, PLACES), round(value + size, PLACES)]
