"""The metrics of `quant_site.core.stats` under the name analytics knows them by: one definition for it and for backtests."""

from quant_site.core import stats
from quant_site.core.stats import *  # noqa: F403

__all__ = stats.__all__
