"""Which strategies run: an explicit table from the key of a row to its implementation."""

from collections.abc import Mapping

from strategies.base import Strategy
from strategies.library.defensive import LowVolatility, TailHedge
from strategies.library.macro_hedge import CtaCommodities, SectorRotation
from strategies.library.mean_reversion import BollingerMeanReversion, PairsTrading
from strategies.library.multi_factor import FamaFrenchThreeFactor, MomentumQuality
from strategies.library.trend_following import BreakoutMomentum, GoldenCross
from strategies.library.volatility import IronCondor, VolatilityArbitrage

LIBRARY: tuple[Strategy, ...] = (
    BollingerMeanReversion(),
    PairsTrading(),
    BreakoutMomentum(),
    GoldenCross(),
    FamaFrenchThreeFactor(),
    MomentumQuality(),
    LowVolatility(),
    TailHedge(),
    IronCondor(),
    VolatilityArbitrage(),
    SectorRotation(),
    CtaCommodities(),
)
REGISTRY: Mapping[str, Strategy] = {strategy.key: strategy for strategy in LIBRARY}
