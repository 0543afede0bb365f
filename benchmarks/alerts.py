"""Alerts matched in memory beside what one would write first: sorted lists with bisect, and an indexed SQL query a tick.

    python -m benchmarks.alerts [--quick]

All see the same ticks of the same alerts in the same run; "×" is how much longer another one takes than ours tick by tick. Ours
tells which alerts crossed, either way; the others only count firings. Then the whole way, from stored bars to recorded firings:
how many alerts had to fire, and how many did, once each, on a site of its own in a temporary folder.
"""

import argparse
import os
import random
import sqlite3
import tempfile
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np

from trading.intents.alert_book import AlertBook, Watch

SYMBOLS, ALERTS, REPETITIONS = 5_000, 100_000, 5
SEED = 20_260_213
DOLLAR = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="A tenth of the alerts, symbols and ticks.")
    scale = 10 if parser.parse_args().quick else 1
    for line in report(SYMBOLS // scale, ALERTS // scale, 1_000_000 // scale, 1000 // scale):
        print(line, flush=True)


def report(symbols: int, alerts: int, ticks: int, stored: int) -> Iterator[str]:
    for words, step in (("a second's move of a stock with 30 % a year", 0.000125), ("wild", 0.001)):
        yield f"{alerts:,} alerts on {symbols:,} symbols, {ticks:,} ticks, steps of {100 * step:.4g} % ({words}), median of {REPETITIONS}"
        yield from matched(Market(symbols, alerts, ticks, step))
    yield from end_to_end(stored, 20 * stored)


def matched(market: "Market") -> Iterator[str]:
    ticks = len(market.ticks)
    expected = None
    base = None
    for name, count, run in contestants(market):
        seconds, fired = measured(run, REPETITIONS if count == ticks else 1)
        rate = count / seconds
        base = base or rate
        note = ""
        if count == ticks:
            expected = fired if expected is None else expected
            note = f"{fired:>9,} firings" if fired == expected else f"{fired:>9,} FIRINGS, NOT {expected:,}"
        yield f"  {name:44} {rate:14,.0f} ticks/s {base / rate:10,.2f} ×  {note}"


class Market:
    """Thresholds around the first prices, and ticks of random walks, in micros."""

    def __init__(self, symbols: int, alerts: int, ticks: int, step: float):
        dice = np.random.default_rng(SEED)
        self.names = [f"S{number:05}" for number in range(symbols)]
        start = dice.integers(5 * DOLLAR, 500 * DOLLAR, symbols)
        self.of = dice.integers(0, symbols, alerts)
        self.levels = (start[self.of] * (1 + dice.normal(0, 0.05, alerts))).astype(np.int64)
        self.above = dice.random(alerts) < 0.5
        self.rows = dice.integers(0, symbols, ticks)
        steps = 1 + dice.normal(0, step, ticks)
        self.prices = np.empty(ticks, dtype=np.int64)
        last = start.astype(float)
        for number, (row, step) in enumerate(zip(self.rows.tolist(), steps.tolist(), strict=True)):
            last[row] *= step
            self.prices[number] = last[row]
        self.first = start
        self.ticks = list(zip([self.names[row] for row in self.rows.tolist()], self.prices.tolist(), strict=True))

    def watches(self) -> Iterator[tuple[str, int, bool, bool]]:
        """(symbol, level, above, whether the first price has reached it)."""
        for row, level, above in zip(self.of.tolist(), self.levels.tolist(), self.above.tolist(), strict=True):
            yield self.names[row], level, above, bool(self.first[row] >= level if above else self.first[row] <= level)


Run = Callable[[], Callable[[], int]]


def contestants(market: Market) -> Iterator[tuple[str, int, Run]]:
    """Name, ticks, and what prepares a run; the run answers how many alerts fired."""
    every, some = len(market.ticks), min(20_000, len(market.ticks))
    yield "ours, tick by tick", every, lambda: by_tick(market)
    yield "ours, batches of 10,000", every, lambda: by_batch(market)
    yield "bisect on sorted lists, tick by tick", every, lambda: by_bisect(market)
    yield f"indexed SQLite in memory ({some:,} ticks)", some, lambda: by_sql(market, some)


def measured(prepare: Run, repetitions: int) -> tuple[float, int]:
    """Median seconds of one processor, so that what else the machine does counts little; and what the last run found."""
    times = []
    for _ in range(repetitions):
        run = prepare()
        began = time.process_time()
        fired = run()
        times.append(time.process_time() - began)
    return median(times), fired


def book_of(market: Market) -> AlertBook:
    book = AlertBook()
    for key, (symbol, level, above, beyond) in enumerate(market.watches()):
        book.add(Watch(key, symbol, level, above), beyond=beyond)
    for symbol, price in zip(market.names, market.first.tolist(), strict=True):
        book.tick(symbol, price)
    return book


def by_tick(market: Market) -> Callable[[], int]:
    book, ticks = book_of(market), market.ticks

    def run() -> int:
        fired, tick = 0, book.tick
        for symbol, price in ticks:
            for crossing in tick(symbol, price):
                fired += crossing.fires
        return fired

    return run


def by_batch(market: Market) -> Callable[[], int]:
    book = book_of(market)
    numbers = book.rows(market.names)
    batches = [(numbers[market.rows[at : at + 10_000]], market.prices[at : at + 10_000]) for at in range(0, len(market.rows), 10_000)]

    def run() -> int:
        found = (book.match(rows, prices, np.zeros(len(rows), dtype=np.int64)) for rows, prices in batches)
        return sum(crossing.fires for crossings in found for _, crossing in crossings)

    return run


def by_bisect(market: Market) -> Callable[[], int]:
    """Per symbol the sorted thresholds above and below, and the last price: what lies between it and the tick has been crossed."""
    above, below = ({name: [] for name in market.names} for _ in range(2))
    for symbol, level, rises, _ in market.watches():
        (above if rises else below)[symbol].append(level)
    for levels in (*above.values(), *below.values()):
        levels.sort()
    last = dict(zip(market.names, market.first.tolist(), strict=True))
    ticks = market.ticks

    def run() -> int:
        fired = 0
        for symbol, price in ticks:
            before = last[symbol]
            if price > before:
                levels = above[symbol]
                fired += bisect_right(levels, price) - bisect_right(levels, before)
            elif price < before:
                levels = below[symbol]
                fired += bisect_right(levels, before - 1) - bisect_right(levels, price - 1)
            last[symbol] = price
        return fired

    return run


def by_sql(market: Market, count: int) -> Callable[[], int]:
    base = sqlite3.connect(":memory:")
    base.execute("CREATE TABLE alerts (id INTEGER PRIMARY KEY, symbol TEXT, above INTEGER, level INTEGER)")
    base.executemany("INSERT INTO alerts (symbol, above, level) VALUES (?, ?, ?)", [(s, a, level) for s, level, a, _ in market.watches()])
    base.execute("CREATE INDEX by_level ON alerts (symbol, above, level)")
    last, ticks = dict(zip(market.names, market.first.tolist(), strict=True)), market.ticks[:count]
    up = "SELECT count(*) FROM alerts WHERE symbol = ? AND above = 1 AND level > ? AND level <= ?"
    down = "SELECT count(*) FROM alerts WHERE symbol = ? AND above = 0 AND level < ? AND level >= ?"

    def run() -> int:
        fired = 0
        for symbol, price in ticks:
            before, last[symbol] = last[symbol], price
            if price != before:
                fired += base.execute(up if price > before else down, (symbol, before, price)).fetchone()[0]
        return fired

    return run


# --- The whole way


def end_to_end(symbols: int, alerts: int) -> Iterator[str]:
    """Bars of one session, through the engine, into rows. What had to fire is found by looking at every alert and price."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        os.environ |= {"DJANGO_SETTINGS_MODULE": "quant_site.settings", "VAR_DIR": folder, "MARKET_DATA_DIR": str(Path(folder) / "market")}
        os.environ.setdefault("LOG_LEVEL", "ERROR")
        import django  # noqa: PLC0415 - once the settings are chosen
        from django.core.management import call_command  # noqa: PLC0415

        django.setup()
        call_command("migrate", verbosity=0)
        yield f"\nThe whole way: {alerts:,} alerts on {symbols:,} symbols, the bars of one session"
        yield from engine_run(symbols, alerts)


def engine_run(symbols: int, alerts: int) -> Iterator[str]:
    from quant_site.core import clock  # noqa: PLC0415 - it needs the site
    from tests.intents_world import DAYS, FLAT, account_live, after, bars_write  # noqa: PLC0415
    from trading.intents.alert_engine import AlertEngine  # noqa: PLC0415
    from trading.models import AlertFiring, PriceAlert, WatchedBar  # noqa: PLC0415

    dice = random.Random(SEED)
    names = [f"S{number:05}" for number in range(symbols)]
    with clock.use(after(DAYS[0])) as now:
        account = account_live()
        for name in names:
            bars_write(name, [FLAT])
        WatchedBar.objects.bulk_create([WatchedBar(symbol=name, session=DAYS[0], close=100) for name in names])
        rows = []
        for _ in range(alerts):
            above, level = dice.random() < 0.5, round(dice.uniform(80, 120), 2)
            kind = "PRICE_ABOVE" if above else "PRICE_BELOW"
            beyond = level <= 100 if above else level >= 100
            rows.append(
                PriceAlert(
                    account=account, symbol=dice.choice(names), alert_type=kind, threshold_value=f"{level:.2f}", is_beyond=beyond,
                    action_params={"once": False},
                )
            )  # fmt: skip
        PriceAlert.objects.bulk_create(rows, batch_size=5000)
        now.move_to(after(DAYS[1]).at)
        bars = {}
        for name in names:
            open_, close = dice.randint(92, 108), dice.randint(92, 108)
            bars[name] = tuple(map(float, (open_, max(open_, close) + dice.randint(0, 6), min(open_, close) - dice.randint(0, 6), close)))
            bars_write(name, [FLAT, bars[name]])
        began = time.perf_counter()
        engine = AlertEngine()
        loaded = time.perf_counter()
        engine.step()
        done = time.perf_counter()
        again = AlertEngine().step()
    must = {row.pk: crossings(row, bars[row.symbol]) for row in PriceAlert.objects.all()}
    found = dict.fromkeys(must, 0)
    for pk in AlertFiring.objects.values_list("alert", flat=True):
        found[pk] += 1
    due, fired, seconds = sum(must.values()), sum(found.values()), done - loaded
    yield f"  loaded in {loaded - began:.2f} s; matched and recorded in {seconds:.2f} s: {fired / seconds:,.0f} firings a second"
    yield f"  had to fire: {sum(map(bool, must.values())):,} alerts, {due:,} times"
    yield f"  recorded:    {sum(map(bool, found.values())):,} alerts, {fired:,} times"
    wrong = sum(must[pk] != found[pk] for pk in must)
    yield f"  alerts with another count than they must have: {wrong}; fired by a second engine over the same bars: {again}"


def crossings(row, bar: tuple) -> int:
    """How often the prices of the bar come to the alert from the other side, by looking at each."""
    open_, high, low, close = bar
    path = [100.0, open_, *((low, high) if close >= open_ else (high, low)), close]
    level, above = float(row.threshold_value), row.alert_type == "PRICE_ABOVE"
    sides = [price >= level if above else price <= level for price in path]
    return sum(now and not before for before, now in pairwise(sides))


if __name__ == "__main__":
    main()
