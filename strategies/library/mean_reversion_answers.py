"""Cases of mean reversion that are checked by hand."""

import numpy as np

from strategies.base import KnownAnswer, Strategy
from strategies.library.declarations import gettext_noop
from strategies.library.distance import nearest_pairs
from strategies.library.examples import example_panel
from strategies.library.kernels import divergence_age

# Closes at 101 and 99 in turn, traded half a dollar around: true ranges of 2.5. Then one at 92, whose range is 99 − 91.5.
FALLS = [*([101.0, 99.0] * 10), 92.0]
# Normalised 1, 1.1, 1.2 and 1, 1, 1.1; the third symbol is far from both.
PRICES = np.array([[100.0, 110.0, 120.0], [50.0, 50.0, 55.0], [10.0, 30.0, 20.0]])


def band_answers(strategy: Strategy) -> tuple[KnownAnswer, ...]:
    panel = example_panel(FALLS, reach=0.5)
    params = strategy.Params(window=5, width=1.9, atr_window=5, adx_window=5, adx_limit=100.0)
    features = strategy.prepare(panel, params)
    (draft,) = strategy.decide(panel, features, 20, params, ())
    # Of 101, 99, 101, 99 and 92 the mean is 98.4, the population variance 55.2 / 5; ATR = (4 · 2.5 + 7.5) / 5 = 3.5.
    return (
        KnownAnswer(gettext_noop("Middle band"), 98.4, float(features.middle[0, 20]), 1e-12),
        KnownAnswer(gettext_noop("Close in standard deviations from it"), -6.4 / 11.04**0.5, float(features.z[0, 20]), 1e-9),
        KnownAnswer(gettext_noop("Direction"), "LONG", draft.direction.value),
        KnownAnswer(gettext_noop("Stop, 2.5 average true ranges below"), 92 - 2.5 * 3.5, draft.stop_loss, 1e-6),
    )


def pair_answers() -> tuple[KnownAnswer, ...]:
    (pair,) = nearest_pairs(PRICES, ("A", "B", "C"), 1)
    ages = divergence_age(np.array([[0.5, 2.1, 1.0, 2.5, -0.1, 0.0]]), 2.0)[0]
    # Differences 0, 0.1 and 0.1: their squares sum to 0.02, their sample variance is 0.02 / 3 / 2.
    return (
        KnownAnswer(gettext_noop("The nearest pair"), "0, 1", f"{pair.a}, {pair.b}"),
        KnownAnswer(gettext_noop("Sum of squared differences"), 0.02, pair.distance, 1e-12),
        KnownAnswer(gettext_noop("Formation σ"), (0.02 / 6) ** 0.5, pair.sigma, 1e-12),
        KnownAnswer(gettext_noop("Sessions since it diverged beyond 2 σ"), "-1, 0, 1, 2, -1, -1", ", ".join(map(str, ages))),
    )
