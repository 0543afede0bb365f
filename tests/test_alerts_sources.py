"""Prices become ticks in a defined order, within the budget of who is asked for them."""

from datetime import timedelta

import pytest

from quant_site.core import clock
from quant_site.market.sessions import session_close, session_open
from tests.intents_world import DAYS, D
from trading.brokers.base import LiveQuote
from trading.intents import price_sources
from trading.intents.price_sources import QuotePolling, QuotePush, Tick, bar_ticks

DAY = DAYS[29]


@pytest.mark.parametrize(
    ("bar", "path"),
    [
        ((100.0, 110.0, 90.0, 105.0), [100, 90, 110, 105]),
        ((100.0, 110.0, 90.0, 100.0), [100, 90, 110, 100]),
        ((100.0, 110.0, 90.0, 95.0), [100, 110, 90, 95]),
    ],
)
def test_a_bar_becomes_four_ticks_in_the_order_of_its_path(bar, path):
    ticks = bar_ticks("AAA", DAY, *bar)
    assert [tick.price for tick in ticks] == [price * 1_000_000 for price in path]
    assert [tick.at for tick in ticks] == [session_open(DAY), *[session_close(DAY)] * 3]


def test_a_price_that_binary_cannot_hold_becomes_the_micros_that_were_written():
    assert [tick.price for tick in bar_ticks("AAA", DAY, 441.40, 441.41, 0.1 + 0.2, 441.41)][:2] == [441_400_000, 300_000]


class Market:
    """Counts what it is asked; its quotes are of now."""

    def __init__(self):
        self.asked, self.last, self.mid, self.fails = [], D(100), (None, None), False

    def quote(self, symbol):
        self.asked.append(symbol)
        if self.fails:
            raise ConnectionError
        return LiveQuote(symbol, *self.mid, self.last, clock.now())


@pytest.fixture
def hours():
    with clock.use(clock.VirtualClock(session_open(DAY) + timedelta(hours=1))) as time:
        yield time


@pytest.fixture
def wall(monkeypatch):
    """The seconds by which budgets are kept; a test moves them."""
    seconds = [1000.0]
    monkeypatch.setattr(price_sources.time, "monotonic", lambda: seconds[0])
    return seconds


def read(source):
    return [tick for part in source.read() for tick in part.ticks]


def test_symbols_are_asked_for_in_turn_within_the_budget(hours, wall):
    market = Market()
    source = QuotePolling("live", market.quote, per_minute=60, at_once=2)
    source.follow(["A", "B", "C"])
    read(source)
    read(source)
    assert market.asked == ["A", "B"]
    wall[0] += 1
    read(source)
    assert market.asked == ["A", "B", "C"]
    wall[0] += 3600
    read(source)
    assert market.asked == ["A", "B", "C", "A", "B"]  # what was not used is not saved up
    source.follow(["B", "D"])
    wall[0] += 2
    read(source)
    assert market.asked[-2:] == ["B", "D"]


def test_nobody_is_asked_outside_regular_hours(hours, wall):
    market = Market()
    source = QuotePolling("live", market.quote)
    source.follow(["A"])
    hours.move_to(session_close(DAY))
    assert (read(source), market.asked) == ([], [])


def test_the_last_trade_counts_else_the_middle_and_an_old_quote_is_no_tick(hours, wall):
    market = Market()
    source = QuotePolling("live", market.quote)
    source.follow(["A"])
    assert read(source) == [Tick("A", 100_000_000, clock.now())]
    assert read(source) == []  # the same moment again
    hours.move_to(clock.now() + timedelta(seconds=1))
    market.last, market.mid = None, (D(101), D(102))
    assert [tick.price for tick in read(source)] == [101_500_000]
    hours.move_to(clock.now() + timedelta(seconds=1))
    market.mid = (None, None)
    assert read(source) == []


def test_a_market_that_fails_is_asked_again_later(hours, wall):
    market = Market()
    source = QuotePolling("live", market.quote)
    source.follow(["A", "B"])
    market.fails = True
    assert (read(source), market.asked) == ([], ["A"])
    market.fails = False
    assert {tick.symbol for tick in read(source)} == {"A", "B"}


def test_what_is_pushed_is_read_once_and_in_its_order():
    wanted = []
    source = QuotePush("live", subscribe=wanted.append)
    source.follow(["A", "B"])
    for number, symbol in enumerate("ABA"):
        source.push(symbol, D(number + 1), session_open(DAY))
    assert [(tick.symbol, tick.price) for tick in read(source)] == [("A", 1_000_000), ("B", 2_000_000), ("A", 3_000_000)]
    assert (read(source), wanted) == ([], [["A", "B"]])
