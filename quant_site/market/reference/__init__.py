"""Reference data: factors, rates, implied volatilities, fundamentals and sectors, stored and aligned to a panel."""

from quant_site.market.reference.arrays import Reference

__all__ = ["Reference"]
