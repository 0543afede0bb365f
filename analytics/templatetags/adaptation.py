"""What the page of the adaptation shows beside figures: paths, bars on a log scale, and codes in words."""

from django import template
from django.utils.html import format_html
from django.utils.translation import gettext

from analytics.adapting.adaptation_figures import GateNumber, Path
from analytics.templatetags.figures import DASH, absent, number, percent, ratio, shares
from analytics.words import phrases_adaptation, wording

register = template.Library()

STATUS = {"SHADOW": "busy", "PROBATION": "warn", "CONFIRMED": "good", "ROLLED_BACK": "bad", "VETOED": "bad"}
LANES = {"DERISK": "warn", "WEIGHTS": "busy", "PARAMETERS": "good"}
WRITTEN = {"ratio3": lambda value: ratio(value, 3), "ratio": ratio, "percent": lambda value: percent(value, 0), "count": shares}


@register.simple_tag
def path_svg(path: Path, label):
    """A path with the line it has to reach, and the one at which there is nothing yet."""
    size = f"0 0 {path.width:g} {path.height:g}"
    lines = [_line("base", path, path.base), _line("level", path, path.level)]
    return format_html(
        '<svg class="path" viewBox="{}" preserveAspectRatio="none" role="img" aria-label="{}">{}{}<polyline points="{}"/></svg>',
        size,
        label,
        *lines,
        path.points,
    )


def _line(name: str, path: Path, height: float | None):
    if height is None:
        return ""
    return format_html('<line class="{}" x1="0" x2="{}" y1="{}" y2="{}"/>', name, f"{path.width:g}", f"{height:.1f}", f"{height:.1f}")


@register.simple_tag
def log_bar(contender):
    """How far the evidence has come on a log scale. On probation it speaks against what is in force."""
    tone = "bad" if contender.on_probation else "good"
    label = gettext("%(share)s of the way on a log scale") % {"share": percent(contender.share, 0)}
    return format_html(
        '<svg class="bar bar-{}" viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<rect class="track" width="100" height="6"/><rect class="fill" width="{}" height="6"/></svg>',
        tone,
        label,
        f"{100 * contender.share:.1f}",
    )


@register.filter
def evidence_number(value):
    """Evidence as it is read: few digits where it is large."""
    if absent(value):
        return DASH
    return number(value, 0 if value >= 1000 else 1 if value >= 10 else 3 if value < 0.1 else 2)


@register.simple_tag
def status_chip(challenger):
    return _chip(STATUS.get(challenger.status, "quiet"), challenger.get_status_display())


@register.simple_tag
def lane_chip(decision):
    return _chip(LANES.get(decision.lane, "quiet"), decision.get_lane_display())


def _chip(kind: str, label):
    return format_html('<span class="chip chip-{}">{}</span>', kind, label)


@register.filter
def changes(change: dict):
    """{name: [before, after]} as [(name, before, after)]."""
    return [(name, wording.plain(before), wording.plain(after)) for name, (before, after) in sorted((change or {}).items())]


@register.filter
def event_name(code):
    return phrases_adaptation.event(code)


@register.filter
def decision_reason(decision):
    """Why, in the reader's language; of what the gate refused in words instead of its codes."""
    if decision.evidence.get("event") == "REFUSED":
        return phrases_adaptation.refusals(decision.evidence)
    return wording.say(decision.reason)


@register.filter
def pinned_name(what):
    return phrases_adaptation.PINS.get(what, what)


@register.filter
def decision_evidence(told: dict):
    """The evidence of a decision as [(label, text)]."""
    return [
        (label, wording.plain(round(value, 4) if isinstance(value, float) else value)) for label, value in phrases_adaptation.evidence(told)
    ]


@register.filter
def gate_name(item: GateNumber):
    return phrases_adaptation.GATE.get(item.name, item.name)


@register.filter
def gate_value(item: GateNumber):
    return DASH if item.value is None else WRITTEN[item.kind](item.value)


@register.filter
def gate_bound(item: GateNumber):
    return phrases_adaptation.bound(item)
