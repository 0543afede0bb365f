"""The twelve rows of the strategy table, in the order of their categories: those that run, then what is declared."""

from dataclasses import dataclass

from strategies.base import Strategy
from strategies.library import defensive, macro_hedge, multi_factor, volatility
from strategies.library.declarations import Planned
from strategies.registry import REGISTRY

# Half an hour after the regular close, when the bars of the day are there.
AFTER_THE_CLOSE = "30 16 * * 1-5"


@dataclass(frozen=True)
class Entry:
    """One row as it is seeded. `disabled_reason` is empty where the strategy runs."""

    key: str
    name: str
    category: str
    description: str
    signal_sources: list[str]
    default_params: dict
    run_schedule: str
    disabled_reason: str = ""

    @property
    def runs(self) -> bool:
        return not self.disabled_reason


def _running(strategy: Strategy) -> Entry:
    return Entry(
        key=strategy.key,
        name=strategy.name,
        category=strategy.category,
        description=strategy.description,
        signal_sources=list(strategy.signal_sources),
        default_params=strategy.Params().model_dump(mode="json"),
        run_schedule=AFTER_THE_CLOSE,
    )


def _declared(planned: Planned) -> Entry:
    return Entry(
        key=planned.key,
        name=planned.name,
        category=planned.category,
        description=planned.description,
        signal_sources=list(planned.signal_sources),
        default_params={},
        run_schedule="",
        disabled_reason=planned.lacks,
    )


CATALOGUE: tuple[Entry, ...] = (
    *(_running(strategy) for strategy in REGISTRY.values()),
    *(_declared(planned) for category in (multi_factor, defensive, volatility, macro_hedge) for planned in category.PLANNED),
)
