"""Writes the scores of behaviour: one row an account and week, over the trades closed in the last 252 sessions."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import NamedTuple

from analytics.behaviour import habits, scores
from analytics.behaviour.habit_reads import Person, entries_of, entry_sessions, losses_of, opened_of, person_read, sale_days
from analytics.behaviour.plan_reads import departures_read
from analytics.behaviour.reads import Closed, Window, closed_read, exits_of, stop_trades_of
from analytics.behaviour.scores import SellFly
from analytics.models import BehaviourScore
from analytics.performance import is_week_end
from analytics.services import rows_sync
from analytics.stats import Metric
from quant_site.core.models import Account
from quant_site.core.rows import rows_read
from quant_site.core.types import optional, score
from quant_site.market.panel import Panel
from trading.models import EquitySnapshot

VERSION = 1


class Scores(NamedTuple):
    sell_fly: SellFly
    discipline: Metric
    overall: Metric

    def as_dict(self, trades: int) -> dict:
        metrics = {"score": self.sell_fly.score, "rate": self.sell_fly.rate, "chance": self.sell_fly.chance, "excess": self.sell_fly.excess}
        return {
            "trades": trades,
            "sell_fly": {name: metric.as_dict() for name, metric in metrics.items()} | {"left_out": self.sell_fly.left_out},
            "discipline": self.discipline.as_dict(),
            "overall": self.overall.as_dict(),
        }


def behaviour_record(account: Account, session: date, panel: Panel) -> BehaviourScore | None:
    """Judge the habits of the account at the end of a week; None on other sessions. Running it again changes nothing.

    A session that later ones have followed keeps its row: the positions have moved on. Raises `DataMissing` where the panel does
    not reach `session`.
    """
    if not is_week_end(session):
        return None
    if rows_read(EquitySnapshot, ("id",), "account_id = %s AND snapshot_date > %s LIMIT 1", account.pk, session):
        return BehaviourScore.objects.filter(account=account, session=session).first()
    window = Window.ending(account, session, panel)
    closed = closed_read(window)
    whole, details = _judge(closed, window)
    row = BehaviourScore(
        account=account,
        session=session,
        sell_fly_score=optional(score, whole.sell_fly.score.value),
        discipline_score=optional(score, whole.discipline.value),
        overall_score=optional(score, whole.overall.value),
        details=details,
    )
    rows_sync(BehaviourScore, [row], ("session",), account=account, session=session)
    return row


def _judge(closed: list[Closed], window: Window) -> tuple[Scores, dict]:
    whole = _scores(closed, window)
    manual, strategies = ([one for one in closed if one.manual is wanted] for wanted in (True, False))
    person = person_read(closed, window)
    return whole, {
        "version": VERSION,
        "since": str(window.since),
        "all": whole.as_dict(len(closed)),
        "manual": (_scores(manual, window) if strategies else whole).as_dict(len(manual)),
        "strategies": (_scores(strategies, window) if manual else whole).as_dict(len(strategies)),
        "habits": _habits(person, window) if person.all else None,
    }


def _scores(closed: Sequence[Closed], window: Window) -> Scores:
    fly = scores.sell_fly(exits_of(closed, window))
    on_time = scores.discipline(stop_trades_of(closed, window))
    return Scores(fly, on_time, scores.overall(on_time, fly.score))


def _habits(person: Person, window: Window) -> dict:
    odean = habits.disposition(sale_days(person, window))
    trading = habits.overtrading(entry_sessions(person, window), window.sessions)
    results = [one.result for one in person.closed]
    multiples = habits.r_multiples(results, [None if one.initial_risk is None else float(one.initial_risk) for one in person.closed])
    metrics = {
        "pgr": odean.pgr,
        "plr": odean.plr,
        "disposition": odean.effect,
        "revenge": habits.revenge(opened_of(person, window), losses_of(person)),
        "fomo": habits.fomo(entries_of(person, window)),
        "overtrading": trading.share,
        "expectancy_r": habits.bootstrap_mean(multiples),
        "expectancy": habits.bootstrap_mean(results),
    }
    departures = asdict(departures_read(person, window))
    money = {name: str(departures[name]) for name in ("planned", "actual")}
    buckets = {name: str(amount) for name, amount in departures["buckets"].items()}
    return {name: metric.as_dict() for name, metric in metrics.items()} | {
        "overtraded": [str(day) for day in trading.sessions],
        "plans": departures | money | {"buckets": buckets, "tampered": list(departures["tampered"])},
    }
