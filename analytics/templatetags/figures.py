"""Figures as a trader reads them: thousands separators, a sign beside the colour, a dash with its reason.

Every filter answers "—" for what is absent: an undefined number is never shown as 0.
"""

from decimal import Decimal
from zoneinfo import ZoneInfo

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from analytics.words import wording

register = template.Library()

DASH = "—"
MINUS = "−"
NEW_YORK = ZoneInfo("America/New_York")


def absent(value) -> bool:
    """None, or the empty text that a template makes of what is not there."""
    return value is None or value == ""


def number(value, places: int, *, signed: bool = False) -> str:
    """`value` with thousands separators and `places` decimals; a zero after rounding carries no sign."""
    text = f"{abs(Decimal(str(value))):,.{places}f}"
    if not text.strip("0.,"):
        return text
    return (MINUS if value < 0 else "+" if signed else "") + text


def tone(value, places: int) -> str:
    rounded = round(Decimal(str(value)), places)
    return "up" if rounded > 0 else "down" if rounded < 0 else "flat"


def _toned(value, text: str, places: int) -> SafeString:
    return format_html('<span class="num {}">{}</span>', tone(value, places), text)


@register.filter
def money(value):
    """1,234.50"""
    return DASH if absent(value) else number(value, 2)


@register.filter
def gain(value):
    """+1,234.50 with its colour."""
    return DASH if absent(value) else _toned(value, number(value, 2, signed=True), 2)


@register.filter
def percent(value, places=2):
    """A ratio as 12.34%."""
    return DASH if absent(value) else number(Decimal(str(value)) * 100, int(places)) + "%"


@register.filter
def change(value, places=2):
    """A ratio as +12.34% with its colour."""
    if absent(value):
        return DASH
    scaled = Decimal(str(value)) * 100
    return _toned(scaled, number(scaled, int(places), signed=True) + "%", int(places))


@register.filter
def depth(value):
    """A drawdown as −12.34%, without colour: it is never good news."""
    return DASH if absent(value) else number(Decimal(str(value)) * 100, 2) + "%"


@register.filter
def ratio(value, places=2):
    return DASH if absent(value) else number(value, int(places))


@register.filter
def price(value):
    """Two decimals, four where the price has more than cents."""
    if absent(value):
        return DASH
    exact = round(Decimal(str(value)), 4)
    return number(exact, 2 if exact == round(exact, 2) else 4)


@register.filter
def shares(value):
    """A quantity: whole where it is whole."""
    if absent(value):
        return DASH
    exact = Decimal(str(value))
    return number(exact, 0 if exact == exact.to_integral() else 4)


@register.filter
def new_york(moment, pattern="%m-%d %H:%M"):
    """A time on the exchange's clock."""
    return DASH if absent(moment) else moment.astimezone(NEW_YORK).strftime(pattern)


@register.filter
def seconds(milliseconds):
    """12 ms, 3.4 s"""
    if absent(milliseconds):
        return DASH
    return f"{milliseconds:,.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:,.1f} s"


@register.filter
def worded(text):
    """Stored English (a name, a reason, a description) in the reader's language where it is known."""
    return wording.say(text)


@register.filter
def stage_name(name):
    return wording.stage(name)


@register.filter
def facts(detail):
    """A stage's or finding's detail as [(label, text)]."""
    return wording.facts(detail)


@register.filter
def violations(errors):
    """`validation_errors` as [{label, value, limit, message}], each code once."""
    return wording.violations(errors)


@register.filter
def plain(value):
    """A parameter's value as a person writes it."""
    return wording.plain(value)


@register.simple_tag
def undefined(reason=""):
    """A dash that says why there is no number."""
    text = wording.reason(reason)
    return format_html('<span class="undefined" title="{}">{}</span>', text, DASH)


@register.simple_tag
def reason_text(reason=""):
    return wording.reason(reason)


@register.simple_tag
def chip(status, label=""):
    """A status as a small label; the class carries its meaning, never the up and down colours."""
    return format_html('<span class="chip chip-{}">{}</span>', wording.STATUS_CLASS.get(status, "quiet"), label or status)


@register.filter
def points(value):
    """A ratio as percentage points without the sign of per cent, for dense tables."""
    if absent(value):
        return DASH
    scaled = Decimal(str(value)) * 100
    return _toned(scaled, number(scaled, 1, signed=True), 1)


@register.filter
def order_type(code):
    return wording.order_type(code)


@register.filter
def order_status(code):
    return wording.status_labels().get(code, code)


@register.filter
def exit_reason(code):
    return wording.exit_reason(code)


@register.filter
def finding_title(code):
    return wording.finding_title(code)


@register.filter
def mode_name(code):
    return wording.mode(code)


@register.filter
def run_summary(run):
    """What a run did, in a few words, from the details of its stages."""
    return wording.run_summary({stage.name: stage.detail for stage in run.stages.all()})


@register.filter
def order_reason(text):
    return wording.order_reason(text)


@register.filter
def violation_name(code):
    return wording.violation_name(code)


@register.filter
def instrument(symbol):
    """A symbol as a trader reads it: an option by its underlying, expiry, strike and right, anything else as it is."""
    return wording.instrument(symbol)


@register.simple_tag
def synthetic(metadata):
    """A label beside what was priced by a model and not by a market."""
    if not metadata or not metadata.get("synthetic"):
        return ""
    title = gettext("Priced by a model from the underlying and its volatility, not quoted by a market.")
    return format_html('<span class="chip chip-warn" title="{}">{}</span>', title, gettext("synthetic"))
