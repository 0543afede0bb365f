"""Judgements, and what the optimiser made of them."""

from analytics.models.adaptation import Adaptation, Challenger, HoldoutUse, Pin, ShadowDay, Trial
from analytics.models.judgements import Attribution, BehaviourScore, DailyPerformance, ExtremeSignal, Finding, MissedOutcome

__all__ = [
    "Adaptation",
    "Attribution",
    "BehaviourScore",
    "Challenger",
    "DailyPerformance",
    "ExtremeSignal",
    "Finding",
    "HoldoutUse",
    "MissedOutcome",
    "Pin",
    "ShadowDay",
    "Trial",
]
