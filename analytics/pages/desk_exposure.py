"""What an account is exposed to, each figure beside its limit. Pure: a report, limits and numbers in, rows for a page out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from analytics.words.desk_words import GREEKS, label
from strategies.risk import ExposureReport, RiskContext, RiskLimits
from strategies.risk.holdings import Measured
from strategies.risk.report import StressCell

NEAR = 0.8  # of a limit: from here on it deserves a look
GREEK_LIMITS = {"delta": "max_delta_pct", "gamma": "max_gamma_pct", "vega": "max_vega_pct", "theta": "max_theta_pct"}


@dataclass(frozen=True)
class Usage:
    """Dollars of one figure and its limit; without a limit `limit` is None, and an unknown `value` has its `reason`. A bar
    without a limit ends at `scale` dollars."""

    label: str
    value: float | None
    limit: float | None = None
    equity: float = 0.0
    reason: str = ""
    note: str = ""
    scale: float = 0.0

    @property
    def share(self) -> float | None:
        """Of equity; None where there is neither."""
        return self.value / self.equity if self.value is not None and self.equity > 0 else None

    @property
    def used(self) -> float | None:
        """Of the limit. Anything beyond a limit of nothing is all of it, and more."""
        if self.value is None or self.limit is None:
            return None
        if self.limit <= 0:
            return 0.0 if not self.value else 2.0
        return abs(self.value) / self.limit

    @property
    def width(self) -> float:
        """Of a bar, 0 to 100."""
        used = self.used if self.limit is not None else abs(self.value or 0.0) / self.scale if self.scale else 0.0
        return round(min(1.0, used or 0.0) * 100, 1)

    @property
    def tone(self) -> str:
        if self.used is None:
            return "plain"
        return "bad" if self.used > 1 else "warn" if self.used >= NEAR else "good"


@dataclass(frozen=True)
class GridRow:
    """What every spot moving by `spot` gains, by the shocks of volatility; `cells` are (cell, whether it is the worst)."""

    spot: float
    cells: tuple[tuple[StressCell, bool], ...]


def usages(report: ExposureReport, limits: RiskLimits, *, largest: tuple[str, float] | None, options: bool) -> list[Usage]:
    """The figures of the whole account; Greeks beyond delta only where `options` are held or limited."""
    equity = report.equity

    def usage(name: str, measured: Measured | float | None, share: float | None, note: str = "") -> Usage:
        found = measured if isinstance(measured, Measured) else Measured(measured)
        return Usage(name, found.value, None if share is None else share * equity, equity, found.reason, note)

    worst = report.stress.worst
    shortfall, count = report.expected_shortfall, report.expected_shortfall.n
    loss = Measured(None, report.stress.code, report.stress.reason) if worst is None else Measured(max(0.0, -worst.gain))
    scenarios = _("%(count)s scenarios") % {"count": f"{count:,}"} if count and shortfall.value is not None else ""
    rows = [
        usage(pgettext("figure", "Gross exposure"), report.gross, limits.max_gross_exposure),
        usage(pgettext("figure", "Net exposure"), report.net, limits.max_net_exposure),
        usage(_("Expected shortfall of a day"), shortfall, limits.max_es_pct, scenarios),
        usage(_("Worst loss under stress"), loss, limits.max_stress_pct),
    ]
    if largest is not None:
        rows.insert(2, usage(_("Largest single name"), largest[1], limits.max_position_pct, largest[0]))
    shown = [name for name in GREEKS if options or getattr(limits, GREEK_LIMITS[name]) is not None]
    return rows + [usage(label(GREEKS, name), report.greeks[name], getattr(limits, GREEK_LIMITS[name])) for name in shown]


def sectors(by_sector: Mapping[str, float], equity: float, share: float | None) -> list[Usage]:
    """By sector, the largest first. Without a limit a bar shows a sector beside the largest one."""
    limit = None if share is None else share * equity
    rows = sorted(by_sector.items(), key=lambda row: (-row[1], row[0]))
    scale = rows[0][1] if rows else 0.0
    return [Usage(name, value, limit, equity, scale=scale) for name, value in rows if value]


def largest_name(context: RiskContext) -> tuple[str, float] | None:
    """The name of which most is held and on its way: its shares, and what options on it can lose."""
    names = sorted({*context.share_values, *context.option_risk})
    values = [(abs(context.net(name)) + context.options_at_risk(name), name) for name in names]
    value, name = max(values, default=(0.0, ""))
    return (name, value) if value else None


def grid(cells: Sequence[StressCell], worst: StressCell | None) -> tuple[list[float], list[GridRow]]:
    """The shocks of volatility, and a row for each shock of spot. Where nothing is lost no cell is the worst."""
    columns = list(dict.fromkeys(cell.volatility for cell in cells))
    spots = list(dict.fromkeys(cell.spot for cell in cells))
    loses = worst is not None and worst.gain < 0
    return columns, [GridRow(spot, tuple((cell, loses and cell == worst) for cell in cells if cell.spot == spot)) for spot in spots]


@dataclass(frozen=True)
class Change:
    """A figure before and after an order, and its limit."""

    label: str
    before: float | None
    after: float | None
    limit: float | None = None
    reason: str = ""

    @property
    def beyond(self) -> bool:
        return self.after is not None and self.limit is not None and abs(self.after) > self.limit


def changes(before: Mapping, after: Mapping | None, limits: RiskLimits) -> list[Change]:
    """What an order makes of an account's exposure, from two reports as JSON. Without `after` nothing is opened."""
    equity = before["equity"]
    later = after or before

    def change(name: str, old: Mapping | float | None, new: Mapping | float | None, share: float | None) -> Change:
        old, new = (each if isinstance(each, Mapping) else {"value": each, "reason": ""} for each in (old, new))
        return Change(name, old["value"], new["value"], None if share is None else share * equity, new["reason"] or old["reason"])

    rows = [
        change(pgettext("figure", "Gross exposure"), before["gross"], later["gross"], limits.max_gross_exposure),
        change(pgettext("figure", "Net exposure"), before["net"], later["net"], limits.max_net_exposure),
        change(_("Expected shortfall of a day"), before["expected_shortfall"], later["expected_shortfall"], limits.max_es_pct),
        change(_("Worst loss under stress"), _loss(before["stress"]), _loss(later["stress"]), limits.max_stress_pct),
    ]
    greeks = [name for name in GREEKS if name != "delta" and (before["greeks"][name]["value"] or later["greeks"][name]["value"])]
    return rows + [
        change(label(GREEKS, name), before["greeks"][name], later["greeks"][name], getattr(limits, GREEK_LIMITS[name])) for name in greeks
    ]


def _loss(stress: Mapping) -> dict:
    worst = stress["worst"]
    return {"value": None if worst is None else max(0.0, -worst["gain"]), "reason": stress["reason"]}
