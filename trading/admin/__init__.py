"""Admin of trading. Importing the package registers all of it."""

from trading.admin import control, hedges, intents, records

__all__ = ["control", "hedges", "intents", "records"]
