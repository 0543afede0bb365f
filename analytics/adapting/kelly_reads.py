"""How many times its present size the record of each strategy would bear, by Kelly's rule."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from analytics.models import DailyPerformance
from analytics.stats import Metric
from analytics.tuning.kelly import KellyAnswer, kelly_fractions
from quant_site.core.models import Account
from quant_site.core.rows import rows_read
from strategies.models import Strategy

YEARS = 5
WHERE = "account_id = %s AND strategy_id IS NOT NULL AND daily_return IS NOT NULL AND session > %s ORDER BY session"
LAST = "account_id = %s ORDER BY session DESC LIMIT 1"


@dataclass(frozen=True)
class Bearing:
    """`multiples` of each strategy that ever moved: of what it contributes to the account as it is now weighted. `answer` has what
    they were made of; None where nothing was evaluated yet."""

    multiples: list[tuple[Strategy, Metric]]
    answer: KellyAnswer | None
    sessions: int


def kelly_bearing(account: Account) -> Bearing:
    """Over those of the last five years' sessions in which every strategy that ever moved was judged."""
    last = rows_read(DailyPerformance, ("session",), LAST, account.pk)
    days: dict[date, dict[int, float]] = defaultdict(dict)
    since = last[0][0] - timedelta(days=round(365.25 * YEARS)) if last else date.max
    for pk, session, change in rows_read(DailyPerformance, ("strategy_id", "session", "daily_return"), WHERE, account.pk, since):
        days[session][pk] = float(change)
    moved = {pk for changes in days.values() for pk, change in changes.items() if change}
    rows = list(Strategy.objects.filter(pk__in=moved).order_by("key"))
    whole = [[changes[row.pk] for row in rows] for changes in days.values() if rows and all(row.pk in changes for row in rows)]
    if not whole:
        return Bearing([], None, 0)
    answer = kelly_fractions(np.array(whole))
    return Bearing(list(zip(rows, answer.fractions, strict=True)), answer, len(whole))
