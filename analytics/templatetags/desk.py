"""What the pages of risk and plans show beside figures: verdicts, halts, shocks, bars and what an alert does."""

from decimal import Decimal, InvalidOperation

from django import template
from django.utils.html import format_html
from django.utils.translation import gettext

from analytics.pages.desk_exposure import Usage
from analytics.pages.page_forms import shown
from analytics.templatetags.figures import DASH, absent, number, percent, price, ratio, shares, tone
from analytics.words import desk_words, wording
from signals_app.models import DIRECTION_LABELS
from trading.exposure.assessment_rules import Reason
from trading.models import PriceAlert, TradingPlan

register = template.Library()

# How a rule's value and limit are written; what is not named is a ratio.
PRICES, SHARES_OF_EQUITY, DAYS = {"STOP_REACHED", "TARGET_REACHED"}, {"OVERWEIGHT"}, {"SOLD_OPTION_EXPIRES"}


@register.simple_tag
def missing(why=""):
    """A dash that says in a sentence why there is nothing."""
    return format_html('<span class="undefined" title="{}">{}</span>', wording.say(why) if why else gettext("Undefined"), DASH)


@register.simple_tag
def verdict(code):
    return format_html(
        '<span class="chip chip-{}">{}</span>', desk_words.VERDICT_CLASS.get(code, "quiet"), desk_words.label(desk_words.VERDICTS, code)
    )


@register.simple_tag
def bar(usage: Usage):
    """How much of its limit a figure uses; without a limit how it stands beside the largest."""
    name = gettext("%(share)s of its limit") % {"share": percent(usage.used, 0)} if usage.used is not None else usage.label
    return format_html(
        '<svg class="bar bar-{}" viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<rect class="track" width="100" height="6"/><rect class="fill" width="{}" height="6"/></svg>',
        usage.tone,
        name,
        f"{usage.width:.1f}",
    )


@register.filter
def shock(value):
    """−20% or +50%, without colour."""
    return number(value * 100, 0, signed=True) + "%"


@register.filter
def dollars(value):
    """Whole dollars, for what no cent matters to."""
    return DASH if absent(value) else number(value, 0)


@register.filter
def whole_gain(value):
    """+1,234 with its colour."""
    return DASH if absent(value) else format_html('<span class="num {}">{}</span>', tone(value, 0), number(value, 0, signed=True))


@register.filter
def typed(value):
    """A number as it is typed into a form."""
    return "" if absent(value) else shown(value)


@register.filter
def stored(text):
    """A number that JSON keeps as text, with its separators; any other text as it is."""
    if absent(text):
        return DASH
    try:
        exact = Decimal(text)
    except InvalidOperation:
        return text
    if not exact.is_finite():
        return text
    places = text.rpartition(".")[2] if "." in text else ""
    kept = len(places) if len(places) == 2 else max(0, -exact.normalize().as_tuple().exponent)  # cents stay cents
    return number(exact, kept)


@register.filter
def rule_numbers(reason: Reason):
    """The value that broke a rule's limit, and the limit; empty where it has none."""
    if reason.value is None or reason.limit is None:
        return ""
    write = price if reason.code in PRICES else percent if reason.code in SHARES_OF_EQUITY else shares if reason.code in DAYS else ratio
    return f"{write(reason.value)} / {write(reason.limit)}"


@register.filter
def sentences(text):
    """Sentences that are joined by "; ", each in the reader's language."""
    return wording.say_each(text)


@register.filter
def halt_name(code):
    return desk_words.label(desk_words.HALTS, code)


@register.filter
def outcome_name(code):
    return desk_words.label(desk_words.OUTCOMES, code)


@register.filter
def flag_name(code):
    return desk_words.label(desk_words.FLAGS, code)


@register.filter
def time_in_force(code):
    return desk_words.label(desk_words.TIMES_IN_FORCE, code)


@register.filter
def wanted(values):
    """A change that is asked for, as [(label, value)]."""
    return [(desk_words.label(desk_words.COLUMNS, name), price(value)) for name, value in values.items()]


@register.filter
def threshold(alert: PriceAlert):
    """A price, or a change as ±5%."""
    if alert.alert_type != PriceAlert.Kind.PERCENT_CHANGE:
        return price(alert.threshold_value)
    places = 0 if alert.threshold_value == alert.threshold_value.to_integral_value() else 2
    return number(alert.threshold_value, places, signed=True) + "%"


@register.filter
def alert_terms(alert: PriceAlert):
    """What an alert plans or trades when it fires, as [(label, text)]; what is only so or not has no text."""
    words = {**DIRECTION_LABELS, **dict(TradingPlan.Kind.choices), **desk_words.ORDER_TYPES}
    found = []
    for name, value in alert.action_params.items():
        if value is not False:
            text = "" if value is True else str(words[value]) if value in words else str(value)
            found.append((desk_words.label(desk_words.COLUMNS, name), text))
    return found
