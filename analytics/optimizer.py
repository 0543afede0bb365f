"""`AdaptiveOptimizer`: feeds what was learnt back into the strategies, in four lanes.

1. Less risk: by itself, from an alarm on what a strategy claimed (`lane_weights`) and the account's drawdown (risk checks).
2. Weights: by themselves, slowly, within a band (`lane_weights`).
3. Parameters: only from champion to challenger (`lane_parameters`), because choosing what looked best lately is right by chance
   in most worlds without any edge. It takes months to years of evidence.
4. More risk: a limit loosened, leverage, automatic execution are for a person.

What moves is a parameter version of the account like any change; reverting it moves the pointer.
"""

from collections.abc import Mapping
from datetime import date

from django.db import transaction

from analytics.adapting.lane_parameters import ParameterLane, is_quarter_end
from analytics.adapting.lane_weights import WeightLanes
from analytics.performance import is_week_end
from quant_site.core.models import Account
from quant_site.market.panel import Panel
from strategies.base import Strategy
from strategies.registry import REGISTRY


class AdaptiveOptimizer:
    """Optimises one account. Without a `panel` nothing can be played in shadow, and parameters stay as they are.

    With `every` the parameters of all strategies are searched, which takes minutes at the end of a quarter; without, those of the
    strategies with compiled rules.
    """

    def __init__(self, account: Account, panel: Panel | None = None, registry: Mapping[str, Strategy] = REGISTRY, *, every: bool = False):
        self.account = account
        self.parameters = ParameterLane(account, panel, registry, every=every) if panel is not None else None
        self.weights = WeightLanes(account)

    def run_daily_optimization(self, session: date) -> dict:
        """Let the lanes decide at the end of a week; answers what was decided, or {"skipped": why}. Idempotent.

        Not to be called within a transaction: playing parameters would keep it open.
        """
        if not is_week_end(session):
            return {"skipped": "Weights and parameters move at the end of a week."}
        with transaction.atomic():
            moved = self.weights.move(session)
        changed = self.parameters.move(session, propose=is_quarter_end(session)) if self.parameters else {}
        if not changed:
            return moved
        return {name: value for name, value in moved.items() if name != "skipped"} | {"parameters": changed}
