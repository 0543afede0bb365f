"""The twelve rows of the strategy table as they are seeded, in the order of their categories."""

from dataclasses import dataclass

from strategies.base import Strategy
from strategies.registry import REGISTRY

# Half an hour after the regular close, when the bars of the day are there.
AFTER_THE_CLOSE = "30 16 * * 1-5"


@dataclass(frozen=True)
class Entry:
    """One row as it is seeded."""

    key: str
    name: str
    category: str
    description: str
    signal_sources: list[str]
    default_params: dict
    run_schedule: str


def _entry(strategy: Strategy) -> Entry:
    return Entry(
        key=strategy.key,
        name=strategy.name,
        category=strategy.category,
        description=strategy.description,
        signal_sources=list(strategy.signal_sources),
        default_params=strategy.Params().model_dump(mode="json"),
        run_schedule=AFTER_THE_CLOSE,
    )


CATALOGUE: tuple[Entry, ...] = tuple(_entry(strategy) for strategy in REGISTRY.values())
