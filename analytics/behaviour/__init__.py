"""How a person trades: `scores`, `habits` and `plan_replay` (what departures from a plan cost) are pure: arrays, Decimals and frozen
dataclasses. `reads` and its like bring them what they look at, `record` writes what they find, `card` shows it."""
