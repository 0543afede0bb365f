"""Which strategies run: an explicit table from the key of a row to its implementation."""

from collections.abc import Mapping

from strategies.base import Strategy
from strategies.library.mean_reversion import BollingerMeanReversion, PairsTrading
from strategies.library.trend_following import BreakoutMomentum, GoldenCross

REGISTRY: Mapping[str, Strategy] = {
    BollingerMeanReversion.key: BollingerMeanReversion(),
    PairsTrading.key: PairsTrading(),
    BreakoutMomentum.key: BreakoutMomentum(),
    GoldenCross.key: GoldenCross(),
}
