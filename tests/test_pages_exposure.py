"""Figures beside their limits: how much of a limit is used, what has none, and which cell of the grid is the worst."""

from dataclasses import replace

import pytest
from django.utils import translation

from analytics.pages.desk_exposure import Usage, changes, grid, sectors, usages
from strategies.risk import RiskLimits
from strategies.risk.holdings import Measured
from strategies.risk.report import ExposureReport, Stress, StressCell

LIMITS = RiskLimits(0.2, 1.0, 0.2, 0.01, 0.01, 3, True)
FLAT = dict.fromkeys(("delta", "gamma", "vega", "theta"), Measured(0.0))
REPORT = ExposureReport(
    equity=1000.0,
    gross=400.0,
    net=Measured(-300.0),
    by_sector={"Energy": 100.0, "Banks": 300.0, "Nothing": 0.0},
    greeks=FLAT,
    greeks_by_name={},
    expected_shortfall=Measured(None, "NOT_ENOUGH_HISTORY", "Too short."),
    stress=Stress((), None, "NO_VALUATION", "No quote."),
)


@pytest.mark.parametrize(
    ("value", "limit", "used", "tone", "width"),
    [
        (50.0, 100.0, 0.5, "good", 50.0),
        (79.9, 100.0, 0.799, "good", 79.9),
        (80.0, 100.0, 0.8, "warn", 80.0),
        (100.0, 100.0, 1.0, "warn", 100.0),
        (100.1, 100.0, 1.001, "bad", 100.0),
        (-150.0, 100.0, 1.5, "bad", 100.0),
        (0.0, 0.0, 0.0, "good", 0.0),
        (1.0, 0.0, 2.0, "bad", 100.0),
        (50.0, None, None, "plain", 0.0),
        (None, 100.0, None, "plain", 0.0),
    ],
)
def test_a_figure_uses_a_part_of_its_limit_either_way(value, limit, used, tone, width):
    usage = Usage("x", value, limit)
    assert usage.used == (None if used is None else pytest.approx(used))
    assert (usage.tone, usage.width) == (tone, width)


@pytest.fixture(autouse=True)
def in_english():
    with translation.override("en"):
        yield


def test_an_unknown_figure_keeps_its_reason_and_no_figure_is_made_up():
    found = {usage.label: usage for usage in usages(REPORT, replace(LIMITS, max_es_pct=0.05), largest=("AAA", 250.0), options=False)}
    assert (found["Expected shortfall of a day"].value, found["Expected shortfall of a day"].reason) == (None, "Too short.")
    assert found["Expected shortfall of a day"].limit == pytest.approx(50.0)
    assert (found["Worst loss under stress"].value, found["Worst loss under stress"].reason) == (None, "No quote.")
    assert (found["Largest single name"].limit, found["Largest single name"].tone) == (pytest.approx(200.0), "bad")
    assert found["Net exposure"].limit is None and found["Net exposure"].share == pytest.approx(-0.3)


def test_greeks_are_shown_where_options_are_held_or_a_limit_is_set():
    def shown(**options):
        return {usage.label for usage in usages(REPORT, options.pop("limits", LIMITS), largest=None, **options)}

    assert not {"Delta", "Vega"} & shown(options=False)
    assert {"Delta", "Gamma", "Vega", "Theta"} <= shown(options=True)
    assert {"Vega"} == {"Delta", "Gamma", "Vega", "Theta"} & shown(options=False, limits=replace(LIMITS, max_vega_pct=0.01))


def test_without_equity_no_share_of_it_is_shown():
    assert Usage("x", 10.0, equity=0.0).share is None


def test_sectors_stand_largest_first_beside_the_limit_or_else_the_largest():
    free, limited = sectors(REPORT.by_sector, 1000.0, None), sectors(REPORT.by_sector, 1000.0, 0.25)
    assert [(row.label, row.width, row.tone) for row in free] == [("Banks", 100.0, "plain"), ("Energy", 33.3, "plain")]
    assert [(row.label, row.width, row.tone) for row in limited] == [("Banks", 100.0, "bad"), ("Energy", 40.0, "good")]


def test_exactly_one_cell_is_the_worst_and_none_where_nothing_is_lost():
    cells = tuple(StressCell(spot, vol, 10 * spot - vol) for spot in (-0.2, 0.1) for vol in (-0.25, 0.5))
    columns, rows = grid(cells, min(cells, key=lambda cell: cell.gain))
    assert columns == [-0.25, 0.5]
    assert [row.spot for row in rows] == [-0.2, 0.1]
    assert [(cell.spot, cell.volatility) for row in rows for cell, worst in row.cells if worst] == [(-0.2, 0.5)]
    gains = tuple(replace(cell, gain=abs(cell.gain)) for cell in cells)
    assert not any(worst for row in grid(gains, min(gains, key=lambda cell: cell.gain))[1] for _, worst in row.cells)


def test_an_order_changes_figures_and_breaks_a_limit():
    stressed = replace(REPORT, stress=Stress((StressCell(-0.2, 0.5, -80.0),), StressCell(-0.2, 0.5, -80.0)))
    after = replace(stressed, gross=1200.0, stress=Stress((StressCell(-0.2, 0.5, -240.0),), StressCell(-0.2, 0.5, -240.0)))
    rows = {row.label: row for row in changes(stressed.as_json(), after.as_json(), replace(LIMITS, max_stress_pct=0.3))}
    assert (rows["Gross exposure"].before, rows["Gross exposure"].after, rows["Gross exposure"].beyond) == (400.0, 1200.0, True)
    assert (rows["Worst loss under stress"].after, rows["Worst loss under stress"].beyond) == (240.0, False)
    assert (rows["Expected shortfall of a day"].after, rows["Expected shortfall of a day"].reason) == (None, "Too short.")
    assert all(row.before == row.after for row in changes(REPORT.as_json(), None, LIMITS))
