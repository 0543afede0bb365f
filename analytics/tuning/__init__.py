"""The statistics by which parameters and weights may move. Pure: arrays and frozen dataclasses, no rows.

`gate` decides whether a candidate may stand against what is in force, `duel` what becomes of it there, by the evidence of
`eprocess`; `lane` lets all strategies of an account take their turns. `derisk` watches for what stopped working.
"""
