"""Conformance cards: what a strategy is by its source, what it needs, where it departs, and whether its code agrees.

The known answers are computed anew each time, by the strategy's own code.
"""

from dataclasses import asdict, dataclass

from quant_site.core.errors import InvalidInput
from strategies.base import KnownAnswer, Strategy
from strategies.registry import REGISTRY
from strategies.schema import ParameterRow, parameter_rows


@dataclass(frozen=True)
class Card:
    """Texts are English, marked for translation. `warm_up` counts sessions under the default parameters."""

    key: str
    name: str
    category: str
    source: str
    description: str
    parameters: tuple[ParameterRow, ...]
    warm_up: int
    symbols: int
    among: tuple[str, ...]
    requires: tuple[str, ...]
    departures: tuple[str, ...]
    known_answers: tuple[KnownAnswer, ...]

    @property
    def conforms(self) -> bool:
        """Whether every known answer holds; a card without any proves nothing."""
        return bool(self.known_answers) and all(answer.holds for answer in self.known_answers)

    def as_dict(self) -> dict:
        """JSON form."""
        answers = [asdict(answer) | {"holds": answer.holds} for answer in self.known_answers]
        return asdict(self) | {"known_answers": answers, "conforms": self.conforms}


def card_of(key: str) -> Card:
    """The card of one strategy; raises `InvalidInput` for a key that has no implementation."""
    if key not in REGISTRY:
        raise InvalidInput("unknown_strategy", f"There is no strategy {key!r}: there are {', '.join(REGISTRY)}.", strategy=key)
    return card(REGISTRY[key])


def card(strategy: Strategy) -> Card:
    params = strategy.Params()
    needs = strategy.needs(params)
    return Card(
        key=strategy.key,
        name=strategy.name,
        category=strategy.category,
        source=strategy.source,
        description=strategy.description,
        parameters=tuple(parameter_rows(strategy)),
        warm_up=needs.sessions,
        symbols=needs.symbols,
        among=needs.among,
        requires=strategy.requires,
        departures=strategy.departures,
        known_answers=strategy.known_answers(),
    )
