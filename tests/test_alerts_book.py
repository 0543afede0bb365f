"""The book of watches finds what a naive look at every watch at every tick finds, however watches come and go."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.intents.alert_book import AlertBook, Watch

SYMBOLS = ("AAA", "BBB", "CCC")


@dataclass
class Naive:
    """Every watch is looked at, at every tick of its symbol."""

    watches: dict
    sides: dict

    def add(self, watch, beyond):
        self.watches[watch.key], self.sides[watch.key] = watch, beyond

    def remove(self, key):
        self.watches.pop(key, None)
        self.sides.pop(key, None)

    def tick(self, symbol, price, at):
        told = set()
        for key, watch in list(self.watches.items()):
            if watch.symbol != symbol:
                continue
            was, now = self.sides[key], price >= watch.level if watch.above else price <= watch.level
            fires = now and was is False and at > watch.since
            if watch.touch and now and was is False and not fires:
                continue
            if now is not was:
                told.add((key, was, now, fires, price, at))
            self.sides[key] = now
            if fires and watch.once:
                self.remove(key)
        return told


def told(crossings):
    return {(each.watch.key, each.was, each.beyond, each.fires, each.price, each.at) for each in crossings}


level, key = st.integers(1, 12), st.integers(0, 9)
watches = st.builds(
    Watch,
    key=key,
    symbol=st.sampled_from(SYMBOLS[:2]),
    level=level,
    above=st.booleans(),
    since=st.integers(-1, 40),
    once=st.booleans(),
    touch=st.booleans(),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), watches, st.sampled_from([None, False, True])),
        st.tuples(st.just("remove"), key),
        st.tuples(st.just("tick"), st.sampled_from(SYMBOLS), st.integers(0, 13)),
    ),
    max_size=60,
)


@settings(max_examples=400)
@given(steps)
def test_any_sequence_of_ticks_and_changes_finds_what_the_naive_look_finds(sequence):
    book, naive = AlertBook(), Naive({}, {})
    for at, (act, *rest) in enumerate(sequence):
        if act == "add":
            book.add(rest[0], beyond=rest[1])
            naive.add(*rest)
        elif act == "remove":
            book.remove(*rest)
            naive.remove(*rest)
        else:
            crossings = book.tick(*rest, at)
            assert told(crossings) == naive.tick(*rest, at)
            assert len(crossings) == len(told(crossings))
        assert len(book) == len(naive.watches)
        assert {name: book.beyond(name) for name in naive.watches} == naive.sides
        assert book.symbols() == sorted({watch.symbol for watch in naive.watches.values()})


@settings(max_examples=200)
@given(
    st.lists(st.tuples(watches, st.sampled_from([None, False, True])), max_size=12),
    st.lists(st.lists(st.tuples(st.sampled_from(SYMBOLS), st.integers(0, 13)), max_size=20), max_size=4),
)
def test_a_batch_finds_the_same_as_its_ticks_one_by_one(added, batches):
    single, batch, at = AlertBook(), AlertBook(), 0
    for watch, beyond in added:
        single.add(watch, beyond=beyond)
        batch.add(watch, beyond=beyond)
    for ticks in batches:
        times = list(range(at, at + len(ticks)))
        at += len(ticks)
        expected = [
            (number, crossing)
            for number, ((symbol, price), time) in enumerate(zip(ticks, times, strict=True))
            for crossing in single.tick(symbol, price, time)
        ]
        rows = batch.rows(symbol for symbol, _ in ticks)
        prices, clock = np.array([price for _, price in ticks], dtype=np.int64), np.array(times, dtype=np.int64)
        assert batch.match(rows, prices, clock) == expected


def test_a_price_at_the_threshold_has_reached_it_from_either_side():
    book = AlertBook()
    book.add(Watch("above", "AAA", 100, above=True), beyond=False)
    book.add(Watch("below", "AAA", 100, above=False), beyond=False)
    assert [(each.watch.key, each.fires) for each in book.tick("AAA", 101)] == [("above", True)]
    assert {(each.watch.key, each.beyond, each.fires) for each in book.tick("AAA", 100)} == {("below", True, True)}
    assert {(each.watch.key, each.beyond) for each in book.tick("AAA", 99)} == {("above", False)}


def test_a_jump_over_many_thresholds_passes_them_in_their_order():
    book = AlertBook()
    for price in (30, 10, 20):
        book.add(Watch(price, "AAA", price, above=True))
    book.tick("AAA", 5)
    assert [each.watch.key for each in book.tick("AAA", 40)] == [10, 20, 30]
    assert [each.watch.key for each in book.tick("AAA", 5)] == [30, 20, 10]


def test_symbols_beyond_the_first_allocation_are_matched_too():
    book = AlertBook()
    for number in range(500):
        book.add(Watch(number, f"S{number}", 100, above=True), beyond=False)
    rows = book.rows(f"S{number}" for number in range(500))
    found = book.match(rows, np.full(500, 100, dtype=np.int64), np.zeros(500, dtype=np.int64))
    assert [crossing.watch.key for _, crossing in found] == list(range(500))


@pytest.mark.parametrize("absent", ["nothing", 7, None])
def test_removing_what_is_not_there_changes_nothing(absent):
    book = AlertBook()
    book.add(Watch("one", "AAA", 100, above=True), beyond=False)
    book.remove(absent)
    assert [each.fires for each in book.tick("AAA", 100)] == [True]
