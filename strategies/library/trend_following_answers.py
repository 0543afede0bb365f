"""Cases of the trend followers that are checked by hand."""

import numpy as np

from strategies.base import KnownAnswer, Strategy
from strategies.library.declarations import gettext_noop
from strategies.library.examples import example_panel

# Flat at 10 for 20 sessions, 5 sessions at 9, then 12. After j sessions at 12 the average of 5 is 9 + 0.6·j, that of 20
# is 9.75 + 0.1·j: the second session at 12 crosses, at averages of 10.20 and 9.95.
CROSSES = [*([10.0] * 20), *([9.0] * 5), *([12.0] * 5)]
# Closes at 100 within a dollar: true ranges of 2, a channel from 99 to 101. Then 104, of which the true range is 105 − 100.
BREAKS_OUT = [*([100.0] * 60), 104.0]


def cross_answers(strategy: Strategy) -> tuple[KnownAnswer, ...]:
    panel, params = example_panel(CROSSES), strategy.Params(fast=5, slow=20, entry_window=1)
    features = strategy.prepare(panel, params)
    bought = [t for t in range(len(CROSSES)) if strategy.decide(panel, features, t, params, ())]
    return (
        KnownAnswer(gettext_noop("Session of the first cross"), 26, int(np.flatnonzero(features.age[0] == 0)[0])),
        KnownAnswer(gettext_noop("State of the averages in the session before"), -1, int(features.state[0, 25])),
        KnownAnswer(gettext_noop("Sessions in which it is bought"), "26", ", ".join(map(str, bought))),
        KnownAnswer(gettext_noop("Close over the slow average at the cross"), 12 / 9.95 - 1, float(features.distance[0, 26]), 1e-12),
    )


def breakout_answers(strategy: Strategy) -> tuple[KnownAnswer, ...]:
    panel, params = example_panel(BREAKS_OUT, reach=1.0), strategy.Params()
    features = strategy.prepare(panel, params)
    (draft,) = strategy.decide(panel, features, 60, params, ())
    # N = (19 · 2 + 5) / 20 by Wilder's smoothing; the stop is two of them below the close.
    return (
        KnownAnswer(gettext_noop("High of the 20 sessions before"), 101.0, float(features.entry[0][0, 60])),
        KnownAnswer(gettext_noop("N after the breakout"), 2.15, float(features.n[0, 60]), 1e-12),
        KnownAnswer(gettext_noop("Stop"), 104 - 2 * 2.15, draft.stop_loss, 1e-6),
        KnownAnswer(gettext_noop("System of the trade"), 1, draft.metadata["system"]),
    )
