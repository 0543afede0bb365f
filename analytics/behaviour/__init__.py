"""How a person trades: scores, habits, and what departures from a plan cost. Pure: arrays, Decimals and frozen dataclasses."""
