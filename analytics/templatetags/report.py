"""Charts and shades of the report: words are the reader's, shapes those of `analytics.reports.report_svg`."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.utils.translation import gettext

from analytics.reports import report_svg
from analytics.reports.report_svg import Line
from analytics.reports.tearsheet import TearSheet
from analytics.reports.tearsheet_changes import WeightPath
from analytics.reports.tearsheet_figures import Histogram, shade
from analytics.templatetags.figures import number, percent, tone
from analytics.words import report_words, wording

register = template.Library()


@register.simple_tag
def growth_chart(sheet: TearSheet):
    """Growth of 100 beside the benchmark's; of a strategy its P&L."""
    curves = sheet.curves
    if sheet.strategy:
        own = Line("own", [float(amount) for amount in curves.pnl])
        return _drawn(report_svg.line_chart(curves.sessions, [own], label=gettext("Cumulative P&L"), base=0.0))
    lines = [Line("bench", curves.benchmark), Line("own", curves.growth)]
    return _drawn(report_svg.line_chart(curves.sessions, lines, label=gettext("Growth of 100"), base=100.0))


@register.simple_tag
def underwater_chart(sheet: TearSheet):
    depths = [None if depth is None else 100 * depth for depth in sheet.curves.drawdown]
    line = Line("under", depths, area=True)
    return _drawn(report_svg.line_chart(sheet.curves.sessions, [line], label=gettext("Drawdown, per cent"), height=130, base=0.0))


@register.simple_tag
def sharpe_chart(sheet: TearSheet):
    line = Line("own", sheet.curves.rolling_sharpe)
    return _drawn(report_svg.line_chart(sheet.curves.sessions, [line], label=gettext("Rolling Sharpe ratio"), height=130, base=0.0))


@register.simple_tag
def outcome_chart(found: Histogram, label: str):
    return _drawn(report_svg.histogram_chart(found, label=label))


@register.simple_tag
def weight_chart(path: WeightPath, sheet: TearSheet):
    label = f"{percent(path.before, 1)} → {percent(path.after, 1)}"
    return _drawn(report_svg.steps_chart(path.points, sheet.first or path.points[0][0], sheet.last or path.points[-1][0], label=label))


@register.simple_tag
def gain_bar(value, largest):
    return _drawn(report_svg.share_bar(value, largest, label=number(value, 2, signed=True)))


def _drawn(svg: str):
    # Made of numbers; its label is escaped where it is written.
    return mark_safe(svg)


@register.filter
def shaded(change, scale):
    """The class of a cell of the heat-map."""
    steps = shade(change, scale)
    return f"heat heat-{'up' if steps > 0 else 'down'}-{abs(steps)}" if steps else "heat"


@register.filter
def hundredths(change, places):
    """A ratio as percentage points with `places` decimals and its colour, without the sign of per cent."""
    return format_html('<span class="num {}">{}</span>', tone(100 * change, places), number(100 * change, places, signed=True))


@register.filter
def bucket(key, dimension):
    return report_words.bucket(dimension, key)


@register.filter
def named(strategy_id, names: dict):
    """A strategy's name by its id; nothing for trades by hand."""
    return wording.say(names[strategy_id]) if strategy_id in names else ""
