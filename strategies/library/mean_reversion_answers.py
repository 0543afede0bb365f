"""Cases of mean reversion that are checked by hand."""

import numpy as np

from strategies.base import KnownAnswer, Strategy
from strategies.library.distance import nearest_pairs
from strategies.library.examples import example_panel
from strategies.library.kernels import divergence_age

# Closes within half a dollar: true ranges of 1. Then a close at 5, of which the true range is 10 − 4.5.
FALLS = [*([10.0] * 20), 5.0]
# Normalised 1, 1.1, 1.2 and 1, 1, 1.1; the third symbol is far from both.
PRICES = np.array([[100.0, 110.0, 120.0], [50.0, 50.0, 55.0], [10.0, 30.0, 20.0]])


def band_answers(strategy: Strategy) -> tuple[KnownAnswer, ...]:
    panel = example_panel(FALLS, reach=0.5)
    params = strategy.Params(window=5, width=1.9, atr_window=5, adx_limit=100.0)
    features = strategy.prepare(panel, params)
    (draft,) = strategy.decide(panel, features, 20, params, ())
    # Of 10, 10, 10, 10 and 5 the mean is 9, the population variance (4 · 1 + 16) / 5 = 4; ATR = (4 · 1 + 5.5) / 5.
    return (
        KnownAnswer("Middle band", 9.0, float(features.middle[0, 20]), 1e-12),
        KnownAnswer("Close in standard deviations from it", -2.0, float(features.z[0, 20]), 1e-9),
        KnownAnswer("Direction", "LONG", draft.direction.value),
        KnownAnswer("Stop, 2.5 average true ranges below", 5 - 2.5 * 1.9, draft.stop_loss, 1e-6),
    )


def pair_answers() -> tuple[KnownAnswer, ...]:
    (pair,) = nearest_pairs(PRICES, ("A", "B", "C"), 1)
    ages = divergence_age(np.array([[0.5, 2.1, 1.0, 2.5, -0.1, 0.0]]), 2.0)[0]
    # Differences 0, 0.1 and 0.1: their squares sum to 0.02, their sample variance is 0.02 / 3 / 2.
    return (
        KnownAnswer("The nearest pair", "0, 1", f"{pair.a}, {pair.b}"),
        KnownAnswer("Sum of squared differences", 0.02, pair.distance, 1e-12),
        KnownAnswer("Formation σ", (0.02 / 6) ** 0.5, pair.sigma, 1e-12),
        KnownAnswer("Sessions since it diverged beyond 2 σ", "-1, 0, 1, 2, -1, -1", ", ".join(map(str, ages))),
    )
