"""`Proposal`: what a trade would do to the account."""

from dataclasses import dataclass

from quant_site.core.types import Direction
from quant_site.market.options.contracts import parse_contract


def is_share(symbol: str) -> bool:
    """Whether `symbol` is held as it is priced: anything but an option."""
    return parse_contract(symbol) is None


@dataclass(frozen=True)
class ProposedLeg:
    """`quantity` and `notional` are signed: negative when sold short."""

    symbol: str
    quantity: float
    notional: float

    @property
    def name(self) -> str:
        """Whose single-name limit it counts against: its own symbol's, of an option its underlying's."""
        contract = parse_contract(self.symbol)
        return self.symbol if contract is None else contract.underlying


@dataclass(frozen=True)
class Proposal:
    """What a signal or an order would do to the account. `share` is the part of the gross limit its strategy may use (what
    belongs to no strategy has `strategy_id` None); `binding` names the cap that set the size.

    Options come in structures: `loss` is the most that one can lose, `locks` what its options take out of the free cash
    (net premium and margin), in dollars; `uncovered` are the options sold in it that none of its own cover.
    """

    strategy_id: int | None
    direction: Direction
    legs: tuple[ProposedLeg, ...]
    share: float = 1.0
    binding: str = ""
    loss: float = 0.0
    locks: float = 0.0
    uncovered: tuple[str, ...] = ()

    @property
    def shares(self) -> list[ProposedLeg]:
        """Its legs but options."""
        return [leg for leg in self.legs if is_share(leg.symbol)]

    @property
    def options(self) -> list[ProposedLeg]:
        """Its legs that are options."""
        return [leg for leg in self.legs if not is_share(leg.symbol)]

    @property
    def underlyings(self) -> list[str]:
        """What its options are on, sorted."""
        return sorted({leg.name for leg in self.options})

    @property
    def needed_for_options(self) -> float:
        """Cash that its options claim."""
        return max(self.loss, self.locks)

    @property
    def gross(self) -> float:
        return sum(abs(leg.notional) for leg in self.shares) + self.loss
