"""What a drawdown leaves of the size of new trades. The compiled backtest compiles these very functions and constants.

The multiplier is 1 down to a drawdown of 5 % and falls linearly to 0 at the account's limit. Where the account names a
level at which it opens again, what has reached the limit stays at 0 until it has recovered to that level: without it an
account at its limit trades a little at each small recovery. Whether it is shut is a function of the path of drawdowns at
the closes, one state carried from close to close.
"""

from numba.extending import register_jitable

THROTTLE_START = 0.05
# Cash that a short sale locks beside its proceeds, as a share of them.
SHORT_MARGIN = 0.5


@register_jitable
def drawdown_throttle(depth: float, limit: float) -> float:
    """1 down to a drawdown of 5 %, then falling linearly to 0 at the account's limit; the compiled backtest compiles it too."""
    if depth <= THROTTLE_START:
        return 1.0
    return max(0.0, (limit - depth) / (limit - THROTTLE_START)) if limit > THROTTLE_START else 0.0


def drawdown_shut(before: bool, depth: float, limit: float, release: float | None) -> bool:
    """Whether the account is shut after a close at `depth`, where it was `before`; never without a level of release."""
    if release is None:
        return False
    return depth >= limit or (before and depth > release)
