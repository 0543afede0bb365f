"""Which quotes of one expiration cannot all be true: what their bids and asks would let anyone earn without risk.

The forward is the chain's own, the median of what put–call parity says near the money, so a dividend that is due soon is
in it and a wrong quote is not. Against it every quote is held:

- CROSSED: the bid is above the ask, or one of them negative or not a number;
- BELOW_INTRINSIC, ABOVE_BOUND: the ask is under what exercising is worth, the bid over the most the option can pay;
- VERTICAL: a higher call (a lower put) is bid above what the more valuable one is offered at, or two strikes lie further
  apart in price than in strike;
- BUTTERFLY: a strike is bid above what the strikes around it cost in proportion;
- PARITY: the pair of call and put is out of the bounds of put–call parity: with X the discounted forward, X − K to
  max(S, X) − K·e^{−rT} for American options, X − K·e^{−rT} on both sides for European ones (Hull, chapter 11).

Of quotes that contradict each other the one goes that stands against most others; of a pair out of parity both, for
nothing tells which is wrong. Where the bounds need the spot, they leave it room: it is never of the very same second.
"""

import numpy as np

TICK = 0.01
# Share of the spot by which it may have moved between the quotes and its own time.
SPOT_SLACK = 0.001
NEAR_STRIKES = 8
LEAST_PAIRS = 3


def parity_forward(strike, call_mid, put_mid, discount: float, spot: float) -> float:
    """The forward at which call − put = discount · (forward − strike), the median over the strikes nearest `spot`.

    The arrays hold one entry a strike, NaN where either side has no two-sided quote. NaN with fewer than three pairs.
    """
    pairs = np.flatnonzero(np.isfinite(call_mid) & np.isfinite(put_mid))
    near = pairs[np.argsort(np.abs(strike[pairs] - spot), kind="stable")][:NEAR_STRIKES]
    if len(near) < LEAST_PAIRS:
        return np.nan
    return float(np.median(strike[near] + (call_mid[near] - put_mid[near]) / discount))


def quarantine(call, strike, bid, ask, *, spot: float, forward: float, discount: float, european: bool, slack: float = 0.0) -> np.ndarray:
    """The reason against each quote of one expiration, "" where there is none. `call` is a mask; order does not matter.

    `slack` widens the bounds that need spot and rate, in money.
    """
    reasons = np.full(len(strike), "", dtype="<U16")
    with np.errstate(invalid="ignore"):
        wrong = ~((bid >= 0) & (ask >= bid) & np.isfinite(ask))
    reasons[wrong] = "CROSSED"
    room = max(TICK, SPOT_SLACK * spot) + slack
    _check_bounds(reasons, call, strike, bid, ask, spot, forward * discount, discount, european, room)
    for right in (True, False):
        rows = np.flatnonzero((call == right) & (reasons == ""))
        rows = rows[np.argsort(strike[rows], kind="stable")]
        rows = _drop(reasons, rows, "VERTICAL", lambda at, right=right: _verticals(right, strike[at], bid[at], ask[at]))
        _drop(reasons, rows, "BUTTERFLY", lambda at: _butterflies(strike[at], bid[at], ask[at]))
    _check_parity(reasons, call, strike, bid, ask, spot, forward * discount, discount, european, room)
    return reasons


def _check_bounds(reasons, call, strike, bid, ask, spot, asset, discount, european, room) -> None:
    """`asset` is the discounted forward."""
    held = np.where(call, asset, discount * strike)
    paid = np.where(call, discount * strike, asset)
    least = held - paid if european else np.maximum(held - paid, np.where(call, spot - strike, strike - spot))
    most = held if european else np.where(call, max(spot, asset), strike)
    good = reasons == ""
    reasons[good & (ask < least - room)] = "BELOW_INTRINSIC"
    reasons[good & (bid > most + room)] = "ABOVE_BOUND"


def _drop(reasons, rows, reason, conflicts) -> np.ndarray:
    """Mark the row that stands in most of `conflicts(rows)`, until none are left; returns the rows that stay."""
    while len(rows) > 1:
        counts = conflicts(rows)
        if not counts.any():
            break
        worst = int(np.argmax(counts))
        reasons[rows[worst]] = reason
        rows = np.delete(rows, worst)
    return rows


def _verticals(call: bool, strike, bid, ask) -> np.ndarray:
    """In how many contradictions with another strike each quote stands; strikes ascending."""
    # The dear one of two strikes is the lower call and the higher put; [i, j] is true where i is dear and j cheap.
    dear = strike[:, None] < strike[None, :] if call else strike[:, None] > strike[None, :]
    width = np.abs(strike[:, None] - strike[None, :])
    inverted = bid[None, :] > ask[:, None] + TICK / 2
    too_far = bid[:, None] - ask[None, :] > width + TICK / 2
    conflict = dear & (inverted | too_far)
    return conflict.sum(axis=0) + conflict.sum(axis=1)


def _butterflies(strike, bid, ask) -> np.ndarray:
    """The same for each three neighbouring strikes; where only one butterfly is wrong its body counts more than the wings."""
    counts = np.zeros(len(strike))
    if len(strike) < 3:
        return counts
    low, body, high = strike[:-2], strike[1:-1], strike[2:]
    share = (high - body) / (high - low)
    wrong = bid[1:-1] > share * ask[:-2] + (1 - share) * ask[2:] + TICK / 2
    for offset, weight in ((0, 1.0), (1, 1.5), (2, 1.0)):
        counts[offset : len(strike) - 2 + offset] += weight * wrong
    return counts


def _check_parity(reasons, call, strike, bid, ask, spot, asset, discount, european, room) -> None:
    calls, puts = (np.flatnonzero((call == right) & (reasons == "")) for right in (True, False))
    strikes, at_call, at_put = np.intersect1d(strike[calls], strike[puts], return_indices=True)
    c, p = calls[at_call], puts[at_put]
    least = asset - strikes * (discount if european else 1.0)
    most = (asset if european else max(spot, asset)) - strikes * discount
    wrong = (ask[c] - bid[p] < least - room) | (bid[c] - ask[p] > most + room)
    reasons[c[wrong]] = reasons[p[wrong]] = "PARITY"
