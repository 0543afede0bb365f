"""Structures of options in a backtest: one order each, all of it or nothing, and to the cent what a replay trades."""

from collections import defaultdict
from dataclasses import replace
from datetime import date
from decimal import Decimal
from zlib import crc32

import pytest

from quant_site.core.types import Direction
from quant_site.market.execution import CostModel
from quant_site.market.options.quotes import OptionMarket
from quant_site.parity import backtest_trail, replay_trail, settings_of
from quant_site.replay import replay_account
from strategies.backtest import BacktestSettings, simulate
from strategies.backtest.comparison import compare
from strategies.backtest.settings import DEFAULT_LIMITS
from strategies.base import Draft, Leg
from strategies.library.drafting import closing, sessions_held
from strategies.models import Strategy
from strategies.parameters import effective_params
from strategies.registry import REGISTRY
from strategies.services import strategies_seed
from tests.backtest_world import QUIET, Scripted, close, flat_then
from tests.options_desk import OptionDesk, option, quoted
from tests.test_loop_options import DeepCall, real, walk  # noqa: F401 (a fixture)
from trading.models import Order, Position

LAST = QUIET - 1  # the column of the first decision; it trades in column QUIET
EXPIRY = date(2015, 7, 17)
LOW, SOLD, CALL, HIGH = (option(right, strike, EXPIRY) for right, strike in (("P", 90), ("P", 95), ("C", 105), ("C", 110)))
PRICES = {LOW: (0.3, 0.4), SOLD: (0.9, 1.0), CALL: (0.8, 0.9), HIGH: (0.2, 0.3)}
FREE = CostModel(*(Decimal(0) for _ in range(7)))
BAR = (100.0, 100.5, 99.5, 100.0)
GROUP = "SPY/condor"


def condor(legs=((LOW, "LONG"), (SOLD, "SHORT"), (CALL, "SHORT"), (HIGH, "LONG")), ratios=()) -> Draft:
    parts = tuple(Leg(symbol, Direction(way), 1 / len(legs), dict(ratios).get(symbol, 1)) for symbol, way in legs)
    return Draft(GROUP, Direction.SHORT, parts, 1.0, "", unit_risk=2000.0)


def played(drafts, prices=None, *, days=4):
    """The run from the first decision on, with SPY at 100 and the options at `prices`."""
    panel = quoted(flat_then({"SPY": [BAR] * days}), PRICES | (prices or {}))
    limits = replace(DEFAULT_LIMITS, max_position_pct=1.0, risk_per_trade_pct=0.1)
    settings = BacktestSettings(costs=FREE, limits=limits)
    return simulate(Scripted(drafts), panel=panel, start=panel.sessions[LAST].item(), settings=settings)


def fills(result) -> dict[tuple[int, str], dict[str, int]]:
    """Signed contracts by symbol, by (sessions after the first decision, purpose)."""
    found = defaultdict(dict)
    for row, each in zip(result.fills, result.fill_rows(), strict=True):
        found[int(row["session"]), each["purpose"]][each["symbol"]] = each["quantity"] * (1 if each["side"] == "BUY" else -1)
    return dict(found)


def test_all_legs_are_opened_reduced_and_closed_at_one_open_each():
    result = played({LAST: [condor()], LAST + 1: [close(GROUP, 0.5)], LAST + 2: [close(GROUP)]})
    size = fills(result)[1, "ENTRY"][LOW]
    assert size > 3
    kept = size - size // 2
    assert fills(result) == {
        (1, "ENTRY"): {LOW: size, SOLD: -size, CALL: -size, HIGH: size},
        (2, "REDUCE"): {LOW: -(size // 2), SOLD: size // 2, CALL: size // 2, HIGH: -(size // 2)},
        (3, "EXIT"): {LOW: -kept, SOLD: kept, CALL: kept, HIGH: -kept},
    }
    # Opened for a credit of 1.00, closed for a debit of 1.40.
    assert result.cash[-1] == pytest.approx(100_000 - 40 * size)


@pytest.mark.parametrize("lacking", [LOW, CALL])
def test_where_one_leg_has_no_quote_at_the_open_nothing_of_it_trades(lacking):
    result = played({LAST: [condor()]}, {lacking: {(QUIET, "OPEN"): None, "else": PRICES[lacking]}})
    assert (fills(result), dict(result.rejected)) == ({}, {"NO_BAR": 1})


def test_an_exit_waits_for_the_open_at_which_every_leg_trades():
    result = played({LAST: [condor()], LAST + 1: [close(GROUP)]}, {HIGH: {(QUIET + 1, "OPEN"): None, "else": PRICES[HIGH]}})
    assert {key: len(legs) for key, legs in fills(result).items()} == {(1, "ENTRY"): 4, (3, "EXIT"): 4}


def test_a_leg_of_two_contracts_in_a_unit_is_traded_and_reduced_twice_as_far():
    legs = ((LOW, "LONG"), (SOLD, "SHORT"))
    result = played({LAST: [condor(legs, {LOW: 2})], LAST + 1: [close(GROUP, 0.34)]})
    entry, reduction = fills(result)[1, "ENTRY"], fills(result)[2, "REDUCE"]
    assert entry[LOW] == -2 * entry[SOLD]
    assert reduction == {LOW: -2 * reduction[SOLD], SOLD: int(0.34 * -entry[SOLD])}


# --- and a replay does the same


class Hasty(OptionDesk):
    """Reduces its structures by half after two sessions, closes them after four, and opens the next at once."""

    def close(self, panel, t, holding):
        held = sessions_held(panel, holding, t)
        draft = closing(holding, "TIME", "Time.")
        return replace(draft, portion=0.5) if held == 2 else draft if held >= 4 else None


def with_gaps(monkeypatch) -> None:
    """Every sixth option has no quote at an open, others each day."""
    quote = OptionMarket.quote

    def gapped(self, symbol, t, moment):
        missing = moment == "OPEN" and crc32(f"{symbol} {t}".encode()) % 6 == 0
        return None if missing else quote(self, symbol, t, moment)

    monkeypatch.setattr(OptionMarket, "quote", gapped)


def both(strategy, monkeypatch, start, end):
    """The replay and the backtest of a strategy that is registered for this test only."""
    strategies_seed()
    monkeypatch.setitem(REGISTRY, strategy.key, strategy)
    Strategy.objects.create(key=strategy.key, name=strategy.name, category=strategy.category, enabled=True)
    account = replay_account(account_id="replay", cash=1_000_000, symbols=["SPY"])
    replayed = replay_trail(account, strategy, start, end)
    params = effective_params(Strategy.objects.get(key=strategy.key), account)
    return replayed, backtest_trail(strategy, params, replayed.panel, start, end, settings_of(account))


@pytest.mark.django_db
@pytest.mark.usefixtures("market_dir")
def test_with_quotes_missing_here_and_there_a_replay_and_a_backtest_trade_the_same_whole_structures(tmp_path, monkeypatch):
    walk(tmp_path)
    with_gaps(monkeypatch)
    replay, backtest = both(Hasty(), monkeypatch, date(2018, 1, 2), date(2018, 4, 30))
    assert compare(replay, backtest) == []
    assert replay.fills == backtest.fills
    assert (replay.equity, replay.refused) == (backtest.equity, backtest.refused)
    together = defaultdict(set)
    for fill in replay.fills:
        together[fill.session, fill.group, fill.purpose].add((fill.symbol, fill.quantity))
    sizes = {"SPY/condor": 4, "SPY/straddle": 2}
    assert {(group, len(legs), len({count for _, count in legs})) for (_, group, _), legs in together.items()} == {
        (group, legs, 1) for group, legs in sizes.items()
    }
    # Nothing of what may happen was missing.
    assert {purpose for *_, purpose in together} == {"ENTRY", "REDUCE", "EXIT"}
    assert "NO_BAR" in replay.refused.values()
    expired = Order.objects.filter(status="EXPIRED").exclude(legs=[])
    assert {"ENTRY", "EXIT"} <= set(expired.values_list("purpose", flat=True))
    assert not Order.objects.filter(legs=[]).exists()


class Leaving(DeepCall):
    """Decides to close on the eve of the day on which the call that it wrote is assigned."""

    def close(self, panel, t, holding):
        return closing(holding, "TIME", "Time.") if panel.sessions[t].item() == date(2018, 3, 15) else None


@pytest.mark.django_db
@pytest.mark.usefixtures("real")
def test_an_exit_that_lost_a_leg_to_an_assignment_is_finished_at_the_next_open_in_both(monkeypatch):
    """SPY paid on 2018-03-16: the written call was assigned before the open at which both were to be closed."""
    replay, backtest = both(Leaving(), monkeypatch, date(2018, 2, 21), date(2018, 3, 29))
    assert compare(replay, backtest) == []
    assert (replay.fills, replay.equity) == (backtest.fills, backtest.equity)
    ends = {leg.direction: (leg.exit_session, leg.exit_reason) for leg in Position.objects.all()}
    assert ends == {"SHORT": (date(2018, 3, 16), "ASSIGNMENT"), "LONG": (date(2018, 3, 19), "EXIT")}
    exits = Order.objects.filter(purpose="EXIT").order_by("id")
    assert [(order.status, order.status_reason, len(order.legs)) for order in exits] == [
        ("CANCELLED", "CONTRACT_ENDED", 2),
        ("FILLED", "", 0),
    ]
