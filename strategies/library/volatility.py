"""Volatility: iron condors on the index, and straddles where implied volatility is far from its forecast."""

from strategies.library.iron_condor import CATEGORY, IronCondor
from strategies.library.volatility_arbitrage import VolatilityArbitrage

__all__ = ["CATEGORY", "IronCondor", "VolatilityArbitrage"]
