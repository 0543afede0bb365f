"""Splits and dividends come back from adjusted prices as they were declared."""

from datetime import date
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_site.market.actions import corporate_actions
from quant_site.market.panel import Panel
from quant_site.market.providers.bundled import BundledProvider
from quant_site.market.sessions import session_array
from quant_site.market.store import COLUMNS, BarStore

DAYS = session_array(date(2015, 1, 2), date(2017, 12, 29))


def panel_of(close, adjusted, symbol="X"):
    close, factor = np.atleast_2d(close), np.atleast_2d(adjusted / close)
    return Panel((symbol,), DAYS[: close.shape[1]].copy(), close.copy(), close.copy(), close.copy(), close.copy(), close * 0, factor)


def history(actions: dict[int, tuple[str, float]], *, start=80.0, length=300, seed=7, decimals=None, wiki=False):
    """Raw closes to cents, and adjusted ones as CRSP and Yahoo (or Quandl WIKI) make them, rounded to `decimals`."""
    returns = np.random.default_rng(seed).normal(0, 0.012, length)
    close = np.empty(length)
    close[0] = start
    ratio = np.ones(length)
    for t in range(1, length):
        kind, value = actions.get(t, ("", 0.0))
        base = close[t - 1] / value if kind == "SPLIT" else close[t - 1] - (value if kind == "DIVIDEND" else 0)
        close[t] = round(base * (1 + returns[t]), 2)
        if kind == "SPLIT":
            ratio[t] = value
        elif kind:
            ratio[t] = 1 + value / close[t] if wiki else close[t - 1] / (close[t - 1] - value)
    factor = 1 / np.append(np.cumprod(ratio[::-1])[::-1][1:], 1.0)
    adjusted = close * factor
    return close, adjusted if decimals is None else adjusted.round(decimals)


def read(close, adjusted):
    return {t: [(each.kind, each.value) for each in found] for t, found in corporate_actions(panel_of(close, adjusted)).items()}


@pytest.mark.parametrize("wiki", [False, True], ids=["as Yahoo", "as WIKI"])
@pytest.mark.parametrize("decimals", [None, 6])
def test_a_year_of_actions_is_read_exactly(wiki, decimals):
    declared = {30: ("DIVIDEND", 0.42), 93: ("DIVIDEND", 0.42), 120: ("SPLIT", 2.0), 156: ("DIVIDEND", 0.225), 219: ("DIVIDEND", 3.08)}
    found = read(*history(declared, decimals=decimals, wiki=wiki))
    assert found == {t: [(kind, Decimal(str(value)))] for t, (kind, value) in declared.items()}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2.0, Decimal(2)),
        (3.0, Decimal(3)),
        (1.5, Decimal("1.5")),
        (7.0, Decimal(7)),
        (0.1, Decimal("0.1")),
        (0.5, Decimal("0.5")),
        (20.0, Decimal(20)),
    ],
)
def test_splits_and_reverse_splits_come_back_as_their_fraction(value, expected):
    assert read(*history({50: ("SPLIT", value)}, start=400.0, decimals=4)) == {50: [("SPLIT", expected)]}


def test_rounding_of_a_cheap_adjusted_price_invents_no_dividend():
    """A share whose adjusted price is 3.70, to cents, moves by a third of a per cent by rounding alone."""
    close, adjusted = history({200: ("SPLIT", 28.0)}, start=103.6, decimals=2)
    assert np.abs(np.diff(adjusted / close)[:190] / (adjusted / close)[:190]).max() > 1e-3
    assert read(close, adjusted) == {200: [("SPLIT", Decimal(28))]}


def test_a_spin_off_is_cash_of_its_worth_and_a_correction_of_the_source_is_nothing():
    worth = round(0.27 * history({})[0][39], 2)
    close, adjusted = history({40: ("DIVIDEND", worth)})
    assert read(close, adjusted) == {40: [("DIVIDEND", Decimal(str(worth)))]}
    adjusted = close.copy()
    adjusted[:100] *= 1.01
    assert read(close, adjusted) == {}
    assert read(close, close) == {}


def test_an_action_is_seen_at_the_first_bar_after_a_gap():
    close, adjusted = history({30: ("SPLIT", 2.0)})
    close[28:33] = np.nan
    assert read(close, adjusted) == {33: [("SPLIT", Decimal(2))]}


@settings(max_examples=40, deadline=None)
@given(
    gaps=st.lists(st.tuples(st.integers(20, 60), st.integers(5, 400)), min_size=1, max_size=5),
    seed=st.integers(0, 50),
    decimals=st.sampled_from([None, 4, 3]),
    cut=st.integers(10, 299),
)
def test_what_comes_later_changes_no_action_before(gaps, seed, decimals, cut):
    sessions = np.cumsum([gap for gap, _ in gaps]).tolist()
    close, adjusted = history(
        dict(zip(sessions, [("DIVIDEND", cents / 100) for _, cents in gaps], strict=True)), seed=seed, decimals=decimals
    )
    whole = read(close, adjusted)
    assert read(close[:cut], adjusted[:cut]) == {t: found for t, found in whole.items() if t < cut}


@pytest.fixture(scope="module")
def bundled(tmp_path_factory):
    store = BarStore(tmp_path_factory.mktemp("actions"))
    for raw in BundledProvider().bars():
        if raw.kind == "STOCK":
            store.write(raw.symbol, raw.frame[list(COLUMNS)].reset_index(drop=True), raw.source)
    return store.panel(store.symbols())


def test_the_bundled_histories_show_the_actions_that_were_declared(bundled):
    found = {
        (each.symbol, str(bundled.sessions[t])): (each.kind, each.value)
        for t, actions in corporate_actions(bundled).items()
        for each in actions
    }
    assert found["AAPL", "2000-06-21"] == found["AAPL", "2005-02-28"] == found["MSFT", "2003-02-18"] == ("SPLIT", Decimal(2))
    assert [key for key, (kind, _) in found.items() if kind == "SPLIT"] == [
        ("AAPL", "2000-06-21"),
        ("MSFT", "2003-02-18"),
        ("AAPL", "2005-02-28"),
    ]
    assert found["MSFT", "2004-11-15"] == ("DIVIDEND", Decimal("3.08"))
    assert found["AAPL", "2012-08-09"] == ("DIVIDEND", Decimal("2.65"))
    ibm = [value for (symbol, _), (_, value) in sorted(found.items(), key=lambda item: item[0][1]) if symbol == "IBM"]
    assert len(ibm) == 52
    assert ibm[-9:] == [Decimal(text) for text in ("0.65", "0.75", "0.75", "0.75", "0.75", "0.85", "0.85", "0.85", "0.85")]
    assert all(value == round(value, 2) for value in ibm)
    assert not [key for key in found if key[0] in ("GOOG", "FB")]


def test_total_return_from_raw_prices_and_actions_equals_that_of_adjusted_prices(bundled):
    """What the broker will book (cash and shares) explains the adjusted series: the two never drift apart."""
    row = bundled.row("IBM")
    valid = np.flatnonzero(np.isfinite(bundled.close[row]))
    actions = corporate_actions(bundled)
    wealth = 1.0
    for before, t in pairwise(valid):
        cash = sum(float(each.value) for each in actions.get(int(t), ()) if each.symbol == "IBM" and each.kind == "DIVIDEND")
        wealth *= (bundled.close[row, t] + cash) / bundled.close[row, before]
    assert wealth == pytest.approx(bundled.adj_close[row, valid[-1]] / bundled.adj_close[row, valid[0]], rel=1e-3)


def test_more_decimals_later_do_not_sharpen_what_was_read_before():
    """Prices to cents, then to six decimals: rounding noise of the first year stays noise, whatever the second shows."""
    close, adjusted = history({200: ("SPLIT", 28.0)}, start=103.6)
    adjusted[:150] = adjusted[:150].round(2)
    assert read(close[:150], adjusted[:150]) == {}
    assert min(read(close, adjusted)) >= 150
