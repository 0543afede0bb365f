"""What open options lock in a margin account, by the strategy-based rules (Cboe, "Margin Manual"; FINRA Rule 4210(f)(2)).

Option by option the buyer has paid in full and locks nothing more. What is sold is covered by what is bought of the same
right, underlying and a no earlier expiry; the covered part locks the most that it can lose at one price of the underlying
at the expiry of what was sold: the width of a spread, the larger side of an iron condor, nothing where it cannot lose. What
is left uncovered locks its premium plus 20 % of the underlying less the amount out of the money, and at least its premium
plus 10 % of the underlying (a call) or of the strike (a put); of uncovered calls and puts together the larger side and the
premium of the other. Broad indexes may be margined at 15 %, and shares cover calls: neither is made use of here.

Amounts are dollars, quantities signed contracts, prices per unit of the underlying. Pure.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from quant_site.market.options.contracts import OPTION_MULTIPLIER, OptionContract, parse_contract

UNCOVERED, LEAST = 0.20, 0.10
Contracts = Sequence[tuple[OptionContract, float]]


@dataclass
class _Cover:
    """Contracts that cover one another, by the expiry of what was sold; and what was sold without cover."""

    covered: dict[date, list[tuple[OptionContract, float]]] = field(default_factory=lambda: defaultdict(list))
    uncovered: list[tuple[OptionContract, float]] = field(default_factory=list)


def margins(quantities: Mapping[str, float], prices: Mapping[str, float]) -> dict[str, float]:
    """What the options of `quantities` lock, by underlying; other symbols are passed over.

    `prices` holds options (mids) and underlyings. An underlying without a price counts as its option's strike, a premium
    that is not known as what exercising is worth.
    """
    return {name: _requirement(_cover(contracts), prices) for name, contracts in _by_underlying(quantities).items()}


def uncovered(quantities: Mapping[str, float]) -> tuple[str, ...]:
    """Symbols of the options that are sold, wholly or in part, without one that is bought to cover them; sorted."""
    every = _by_underlying(quantities).values()
    return tuple(sorted({contract.symbol for contracts in every for contract, _ in _cover(contracts).uncovered}))


def _by_underlying(quantities: Mapping[str, float]) -> dict[str, Contracts]:
    found = defaultdict(list)
    for symbol in sorted(quantities):
        contract, quantity = parse_contract(symbol), float(quantities[symbol])
        if contract is not None and quantity:
            found[contract.underlying].append((contract, quantity))
    return found


def _cover(contracts: Contracts) -> _Cover:
    """Each sold contract, the first to expire and the most dangerous first, takes the best cover that is left."""
    cover, bought = _Cover(), {contract: quantity for contract, quantity in contracts if quantity > 0}
    sold = sorted(((contract, -quantity) for contract, quantity in contracts if quantity < 0), key=lambda pair: _rank(pair[0]))
    for short, count in sold:
        for long in sorted((each for each in bought if each.right == short.right and each.expiry >= short.expiry), key=_rank):
            taken = min(count, bought[long])
            if taken > 0:
                cover.covered[short.expiry] += [(short, -taken), (long, taken)]
                bought[long] -= taken
                count -= taken
        if count > 0:
            cover.uncovered.append((short, count))
    return cover


def _rank(contract: OptionContract) -> tuple:
    """By expiry, then calls from the lowest strike up and puts from the highest down: the order in which they are worth most."""
    return contract.expiry, contract.strike if contract.right == "C" else -contract.strike


def _requirement(cover: _Cover, prices: Mapping[str, float]) -> float:
    units = sum(map(_largest_loss, cover.covered.values())) + _uncovered_requirement(cover.uncovered, prices)
    return OPTION_MULTIPLIER * units


def _largest_loss(contracts: Contracts) -> float:
    """The most that has to be paid at one price of the underlying: found at a strike or at 0, for no call is without cover."""
    spots = {0.0, *(float(contract.strike) for contract, _ in contracts)}
    return max(0.0, -min(sum(quantity * contract.intrinsic(spot) for contract, quantity in contracts) for spot in spots))


def _uncovered_requirement(sold: Iterable[tuple[OptionContract, float]], prices: Mapping[str, float]) -> float:
    needs, premiums = {"C": 0.0, "P": 0.0}, {"C": 0.0, "P": 0.0}
    for contract, count in sold:
        strike = float(contract.strike)
        spot = prices.get(contract.underlying, strike)
        premium = prices.get(contract.symbol, contract.intrinsic(spot))
        out_of_the_money = max(0.0, strike - spot if contract.right == "C" else spot - strike)
        least = LEAST * (spot if contract.right == "C" else strike)
        needs[contract.right] += count * (premium + max(UNCOVERED * spot - out_of_the_money, least))
        premiums[contract.right] += count * premium
    return max(needs["C"] + premiums["P"], needs["P"] + premiums["C"])
