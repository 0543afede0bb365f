"""Words of the adaptation: codes of decisions and of the gate's numbers, and what steering refuses, as templates; see `phrases`."""

from django.utils.translation import gettext, gettext_noop, pgettext_lazy
from django.utils.translation import gettext_lazy as _

EVENTS = {
    "REFUSED": _("Refused by the gate"),
    "SHADOW": _("Went into shadow"),
    "PROMOTED": _("Promoted, on probation"),
    "CONFIRMED": _("Confirmed"),
    "ROLLED_BACK": _("Taken back"),
    "DROPPED": _("Dropped"),
}
# Why the gate lets no challenger in.
REFUSALS = {
    "NOT_BETTER": _("No neighbour was better."),
    "NOT_SIGNIFICANT": _("The best one may be luck."),
    "OVERFIT": _("The choice would not have held in the other half."),
    "NO_PLATEAU": _("It stands alone: its neighbours are worse."),
    "HOLDOUT": _("It was behind in the holdout."),
}
# Keys of a decision's evidence.
FIELDS = {
    "evidence": _("evidence E"),
    "threshold": _("threshold"),
    "sessions": _("sessions"),
    "belief": _("belief"),
    "gain": _("return in volatilities"),
    "since": _("since"),
    "strategies": _("strategies"),
    "target": pgettext_lazy("weight", "target"),
    "base": _("weight before de-risking"),
    "factor": _("de-risk factor"),
    "cusum": _("CUSUM"),
    "alarm": _("alarm at"),
    "claimed_sharpe": _("claimed Sharpe ratio"),
    "realised_sharpe": _("realised Sharpe ratio"),
    "factor_before": _("factor before"),
    "factor_after": _("factor after"),
    "scale_before": _("volatility scale before"),
    "scale_after": _("volatility scale after"),
    "drawdown": _("drawdown"),
    "bound": _("its bound"),
}
# Numbers of the gate: what they are called, and what they must be.
GATE = {
    "spa_p": _("SPA p-value"),
    "dsr": _("Deflated Sharpe ratio"),
    "pbo": _("Probability of overfitting"),
    "plateau": _("Neighbours' median of the peak"),
    "champion_sharpe": _("Sharpe ratio a year, in force"),
    "challenger_sharpe": _("Sharpe ratio a year, challenger"),
    "trials": _("Sets ever tried"),
    "sessions": _("Sessions searched"),
}
PINS = {"WEIGHT": pgettext_lazy("pinned", "weight"), "PARAMETERS": pgettext_lazy("pinned", "parameters")}

# What the optimiser writes, and what is refused.
SENTENCES = (
    gettext_noop("No challenger: {refusals}."),
    gettext_noop("{name} {before} to {after} passed the gate and stands in shadow."),
    gettext_noop("{name} {before} to {after} after {sessions} sessions in shadow: evidence {evidence} of {threshold}."),
    gettext_noop("{name} {before} to {after} showed no edge within {sessions} sessions in shadow."),
    gettext_noop("{name} {before} to {after} held for {sessions} sessions."),
    gettext_noop("{name} {after} back to {before} after {sessions} sessions in force: {why}."),
    gettext_noop("the old value did better"),
    gettext_noop("it lost more than its record allows"),
    gettext_noop("The parameters in force were changed by a person."),
    gettext_noop("A person pinned the parameters."),
    gettext_noop("Keeps {after} of its weight after {before}: a Sharpe ratio of {claimed} is claimed, {realised} is there."),
    gettext_noop("This challenger is over: there is nothing to veto."),
    gettext_noop("Pin one of {choices}, not {text}."),
    gettext_noop("This is not pinned on account {account}."),
    gettext_noop("Account {account} belongs to a replay: nobody steers it by hand."),
    gettext_noop("Say why, in at most {number} characters: the reason is kept."),
    gettext_noop("The strategy cannot run with what is stored: nothing of it is in force."),
    gettext_noop("This decision changed nothing: there is nothing to take back."),
    gettext_noop("A newer decision moved this weight: take that one back first."),
    gettext_noop("Something newer is in force: the weight is {weight}, not {before}. Set it by hand where it is not what you want."),
    gettext_noop("This change was taken back already."),
    gettext_noop("Something newer is in force: the parameter has another value. Set it by hand where it is not what you want."),
)


def event(code: str) -> str:
    return str(EVENTS.get(code, code))


def refusals(told: dict) -> str:
    """Why a search ended without a challenger."""
    return " ".join(str(REFUSALS.get(code, code)) for code in told.get("refusals") or ["HOLDOUT"])


def evidence(told: dict) -> list[tuple[str, object]]:
    """The numbers of a decision's evidence as [(label, value)], in a fixed order; what has no name here is not shown."""
    return [(str(label), told[name]) for name, label in FIELDS.items() if told.get(name) is not None]


def bound(number) -> str:
    """What a number of the gate must be; empty where it decides nothing."""
    if number.below is not None:
        return gettext("below %(limit)s") % {"limit": f"{number.below:g}"}
    if number.above is not None:
        return gettext("above %(limit)s") % {"limit": f"{number.above:g}"}
    return "" if number.least is None else gettext("at least %(limit)s") % {"limit": f"{number.least:.0%}"}
