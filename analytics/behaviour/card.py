"""The scores of behaviour as the page shows them, and why a number is missing."""

from decimal import Decimal
from typing import NamedTuple

from django.utils.translation import gettext_lazy as _

from analytics.models import BehaviourScore
from quant_site.core.models import Account

LEFT_OUT = {
    "STOP": _("ended by a stop"),
    "NOT_MATURED": _("less than 10 sessions ago"),
    "NO_BARS": _("without 60 sessions of bars before and 10 after"),
    "NOT_FROZEN": _("ordered before plans were kept"),
    "NOT_A_SHARE": _("not in shares with bars"),
    "SPLIT": _("split while held"),
    "ANOTHER_TRADE": _("not what the plan said"),
    "NOT_FLAT": _("not yet flat"),
    "NO_BAR": _("without a bar on a day it traded"),
}
PARTS = {"all": _("All trades"), "manual": _("By hand"), "strategies": _("Strategies")}
# Label, and what it means; in the order of the card.
HABITS = {
    "disposition": (
        _("Disposition effect"),
        _("PGR − PLR: gains are realised more readily than losses where it is above 0 (days with a sale)."),
    ),
    "pgr": (_("Gains realised (PGR)"), _("Of the gains on days with a sale, the share that was realised.")),
    "plr": (_("Losses realised (PLR)"), _("Of the losses on days with a sale, the share that was realised.")),
    "revenge": (
        _("Revenge trades"),
        _("Opened within 30 minutes of a realised loss, in the same symbol or at 1.5 times the median size."),
    ),
    "fomo": (_("Chased entries"), _("More than 2 ATR beyond the 20-session mean, after a move of more than 2σ the same day.")),
    "overtrading": (_("Overtraded sessions"), _("More entries than mean + 2 sd, and than chance explains (Poisson).")),
}
BUCKETS = {
    "ENTRY": _("Another entry"),
    "STOP_MOVED": _("Stop moved"),
    "EARLY_EXIT": _("Exit other than planned, not later"),
    "OVERRIDE": _("Held beyond the plan"),
    "SIZE": _("Another size"),
    "FEES": _("Commissions"),
}


class Line(NamedTuple):
    """A metric of the card. `value` None: `reason` says why."""

    label: object
    title: object
    value: float | None
    low: float | None
    high: float | None
    reason: str
    n: int


def behaviour_latest(account: Account) -> BehaviourScore | None:
    """The scores of the last week that was judged."""
    return BehaviourScore.objects.filter(account=account).order_by("-session").first()


def behaviour_card(account: Account) -> dict | None:
    """What the card shows; None before the first week was judged."""
    row = behaviour_latest(account)
    if row is None:
        return None
    details, habits = row.details, row.details["habits"]
    return {
        "row": row,
        "since": details["since"],
        "parts": [_part(PARTS[name], details[name]) for name in PARTS],
        "left_out": _left_out(details["all"]["sell_fly"]["left_out"]),
        "habits": [_line(*HABITS[name], habits[name]) for name in HABITS] if habits else [],
        "expectancy_r": _line("", "", habits["expectancy_r"]) if habits else None,
        "expectancy": _line("", "", habits["expectancy"]) if habits else None,
        "overtraded": habits["overtraded"][-5:] if habits else [],
        "plans": _plans(habits["plans"]) if habits else None,
    }


def _part(label, part: dict) -> dict:
    fly = part["sell_fly"]
    lines = {"overall": part["overall"], "discipline": part["discipline"], "sell_fly": fly["score"]}
    lines |= {name: fly[name] for name in ("rate", "chance", "excess")}
    return {"label": label, "trades": part["trades"]} | {name: _line("", "", metric) for name, metric in lines.items()}


def _line(label, title, metric: dict) -> Line:
    return Line(label, title, metric["value"], metric.get("low"), metric.get("high"), metric["reason"] or "", metric["n"])


def _left_out(counts: dict) -> list[tuple]:
    return [(LEFT_OUT.get(code, code), number) for code, number in sorted(counts.items())]


def _plans(plans: dict) -> dict:
    buckets = [(label, Decimal(plans["buckets"][name])) for name, label in BUCKETS.items()]
    sums = {name: Decimal(plans[name]) for name in ("planned", "actual")}
    return plans | sums | {"buckets": buckets, "left_out": _left_out(plans["left_out"])}
