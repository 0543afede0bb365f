"""AlertEngine: the process that watches prices for alerts and for plans that execute by themselves.

Everything it holds in memory follows from rows: it loads what is watched, follows changes through the outbox, matches
ticks against its books and writes down what they did. It may die anywhere. What was matched and not recorded is matched
again by the next one: alerts keep the side last recorded, plans their status, symbols the last bar that became ticks.
Several may run at once; each crossing and each plan is one's.

One round: follow changes; take ticks and record what they did, bars together with it; do what fired alerts are for; let plans
expire and follow their orders. Plans come before the record of their ticks, so that a bar is read again until they have gone.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
from django.db import OperationalError, close_old_connections
from django.db.models import Q, QuerySet

from quant_site.core import clock
from quant_site.core.errors import QuantError
from quant_site.core.models import Account, OutboxEvent
from quant_site.core.stream.outbox import BATCH, Cursor, cursor_at_end
from quant_site.core.types import Direction
from quant_site.market.selectors import panel_load
from trading.brokers import broker_for
from trading.intents.alert_book import AlertBook, Crossing, Watch
from trading.intents.alert_firings import BARS_WATCHED, Move, firing_act, firings_pending, moves_record
from trading.intents.alerts import counts_from_close, level_of, watched_terms
from trading.intents.bar_marks import trades_by_session
from trading.intents.intent_tickets import sides_held
from trading.intents.plan_rules import MICROS, entry_level
from trading.intents.plans import plan_execute_reached, plans_expire, plans_follow
from trading.intents.price_sources import BARS, QuotePolling, StoredBars, Tick, Ticks, TickSource
from trading.models import PriceAlert, TradingPlan, WatchedBar
from trading.order_path.states import OPEN

logger = logging.getLogger(__name__)
INTERVAL = 0.5
LOOKS_AGAIN = 30.0  # seconds until what could not be watched or done is tried again
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ALERT, PLAN = "alert", "plan"
AT_ONCE = 5000


@dataclass(slots=True)
class Watched:
    """An alert in a book. `count` is how often it has fired, as far as this process knows; its row is kept where its level moves."""

    symbol: str
    terms: tuple
    feed: str
    count: int
    row: PriceAlert | None


def source_for(account: Account) -> TickSource:
    """The stream of prices for accounts like `account`; raises `Unavailable` where its broker is not there."""
    if trades_by_session(account):
        return StoredBars()
    return QuotePolling(account.broker, broker_for(account, panel_load()).quote)


class AlertEngine:
    """Call `step` again and again. After an exception it is worth nothing: make a new one."""

    def __init__(self, source_of: Callable[[Account], TickSource] = source_for):
        self._source_of = source_of
        self.sources: dict[str, TickSource] = {BARS: StoredBars()}
        self.books: dict[str, AlertBook] = {BARS: AlertBook()}
        self._alerts: dict[int, Watched] = {}
        self._plans: dict[int, str] = {}
        self._from_close: dict[str, set[int]] = defaultdict(set)
        self._marks: dict[str, tuple[date, Decimal]] = {}
        self._accounts: dict[str, Account] = {}
        self._unserved: set[tuple[str, int]] = set()
        self._down: dict[str, str] = {}
        self._postponed: dict[int, float] = {}
        self._looks_again_at = 0.0
        self._symbols_changed = True
        self._cursor: Cursor = cursor_at_end(time.monotonic())
        self._marks_read()
        self._alerts_put(self._alert_rows().iterator(chunk_size=AT_ONCE))
        self._plans_put(self._plan_rows())

    def step(self) -> int:
        """One round; answers how many alerts fired and plans went."""
        self._follow()
        self._look_again()
        self._follow_symbols()
        went = sum(self._take(name, part) for name, source in list(self.sources.items()) for part in source.read())
        self._act()
        plans_expire()
        plans_follow()
        return went

    # --- what is watched

    def _alert_rows(self) -> QuerySet[PriceAlert]:
        return PriceAlert.objects.filter(is_active=True, is_deleted=False, account__is_replay=False).order_by("pk")

    def _plan_rows(self) -> QuerySet[TradingPlan]:
        waiting = TradingPlan.objects.filter(status=TradingPlan.Status.ACTIVE, auto_execute=True, is_deleted=False)
        return waiting.filter(account__is_replay=False).exclude(orders__status__in=OPEN).order_by("pk")

    def _marks_read(self, symbols: Iterable[str] | None = None) -> None:
        rows = WatchedBar.objects.all() if symbols is None else WatchedBar.objects.filter(pk__in=symbols)
        self._marks |= {symbol: (session, close) for symbol, session, close in rows.values_list("symbol", "session", "close")}

    def _alerts_put(self, rows: Iterable[PriceAlert]) -> None:
        """Watch these alerts as their rows are."""
        for row in rows:
            if row.symbol not in self._marks:
                self._marks_read([row.symbol])
            feed = self._feed(row.account_id)
            level = level_of(row, self._close(row.symbol))
            if feed is None or level is None:
                self._unserved.add((ALERT, row.pk))
                continue
            once = row.action_params.get("once", False)
            watch = Watch((ALERT, row.pk), row.symbol, level.price, level.above, since=_micros_of(row.watched_since), once=once)
            self.books[feed].add(watch, beyond=row.is_beyond)
            moving = row if counts_from_close(row) else None
            if moving is not None:
                self._from_close[row.symbol].add(row.pk)
            self._alerts[row.pk] = Watched(row.symbol, watched_terms(row), feed, row.trigger_count, moving)

    def _alerts_reload(self, ids: set[int]) -> None:
        for pk in ids:
            self._alert_drop(pk)
        ordered = sorted(ids)
        for first in range(0, len(ordered), AT_ONCE):
            self._alerts_put(self._alert_rows().filter(pk__in=ordered[first : first + AT_ONCE]))
        self._symbols_changed |= bool(ids)

    def _alert_drop(self, pk: int) -> None:
        watched = self._alerts.pop(pk, None)
        if watched is not None:
            self.books[watched.feed].remove((ALERT, pk))
            self._from_close[watched.symbol].discard(pk)

    def _plans_put(self, rows: Iterable[TradingPlan]) -> None:
        """Wait for the prices of these plans. One that closes waits on the side that what is held asks for."""
        rows = list(rows)
        held = sides_held(account_ids={row.account_id for row in rows if row.direction == Direction.CLOSE})
        for row in rows:
            feed = self._feed(row.account_id)
            sign = -held.get((row.account_id, row.symbol), 0) if row.direction == Direction.CLOSE else Direction(row.direction).sign
            if feed is None or not sign:
                self._unserved.add((PLAN, row.pk))
                continue
            level = entry_level(row.plan_type, sign, row.entry_price)
            since = _micros_of(row.updated_at)
            watch = Watch((PLAN, row.pk), row.symbol, level.price, level.above, since=since, once=True, touch=True)
            self.books[feed].add(watch, beyond=False)
            self._plans[row.pk] = feed

    def _plans_reload(self, ids: set[int]) -> None:
        for pk in ids:
            feed = self._plans.pop(pk, None)
            if feed is not None:
                self.books[feed].remove((PLAN, pk))
        self._plans_put(self._plan_rows().filter(pk__in=sorted(ids)) if ids else ())
        self._symbols_changed |= bool(ids)

    def _feed(self, account_id: str) -> str | None:
        """The name of the stream that serves the account; None while there is none."""
        account = self._accounts.get(account_id)
        if account is None:
            account = self._accounts[account_id] = Account.objects.get(pk=account_id)
        feed = BARS if trades_by_session(account) else account.broker
        if feed not in self.sources and not self._open(feed, account):
            return None
        return feed

    def _open(self, feed: str, account: Account) -> bool:
        """Begin a stream. One that cannot be had is not asked for again before the next look."""
        if feed in self._down:
            return False
        try:
            self.sources[feed] = self._source_of(account)
        except QuantError as error:
            logger.warning("No prices for account %s: %s", account.pk, error.message)
            self._down[feed] = error.message
            return False
        self.books[feed] = AlertBook()
        return True

    def _close(self, symbol: str) -> Decimal | None:
        return self._marks[symbol][1] if symbol in self._marks else None

    # --- changes by others

    def _follow(self) -> None:
        """Take in what was changed since the last round, here or elsewhere."""
        alerts, plans = set(), set()
        for type, payload in self._events():
            if type == BARS_WATCHED:
                behind = {
                    symbol for symbol in payload["symbols"] if symbol in self._marks and str(self._marks[symbol][0]) < payload["session"]
                }
                self._marks_read(behind)
                alerts |= {pk for pk, watched in self._alerts.items() if watched.symbol in behind} if behind else set()
            elif type.startswith("plan."):
                plans.add(payload["id"])
            elif type != "alert.acted" and not self._known(type, payload):
                alerts.add(payload["id"])
        self._alerts_reload(alerts)
        self._plans_reload(plans)

    def _events(self) -> Iterable[tuple[str, dict]]:
        """New events about plans, alerts and bars. The ids of all others are read too: a gap is one that may still come."""
        size = BATCH
        while size == BATCH:
            now = time.monotonic()
            unseen = Q(id__gt=self._cursor.position) | Q(id__in=self._cursor.awaited(now))
            rows = list(OutboxEvent.objects.filter(unseen).order_by("id").values_list("id", "type")[:BATCH])
            self._cursor.advance([id for id, _ in rows], now)
            ours = [id for id, type in rows if type.startswith(("plan.", "alert.")) or type == BARS_WATCHED]
            if ours:
                yield from OutboxEvent.objects.filter(pk__in=ours).order_by("id").values_list("type", "payload")
            size = len(rows)

    def _known(self, type: str, payload: dict) -> bool:
        """Whether this is the firing of an alert that this process has recorded itself."""
        watched = self._alerts.get(payload["id"])
        return type == "alert.fired" and (not payload["active"] if watched is None else watched.count >= payload["crossing"])

    def _look_again(self) -> None:
        """Now and then: what no stream served, and plans that close, whose side is that of what is held."""
        if time.monotonic() < self._looks_again_at:
            return
        self._looks_again_at = time.monotonic() + LOOKS_AGAIN
        unserved, self._unserved, self._accounts, self._down = self._unserved, set(), {}, {}
        closing = set(self._plan_rows().filter(direction=Direction.CLOSE).values_list("pk", flat=True))
        self._alerts_reload({pk for kind, pk in unserved if kind == ALERT})
        self._plans_reload({pk for kind, pk in unserved if kind == PLAN} | closing)

    def _follow_symbols(self) -> None:
        if self._symbols_changed:
            self._symbols_changed = False
            for name, source in self.sources.items():
                books = self.books.values() if name == BARS else [self.books[name]]
                source.follow(sorted({symbol for book in books for symbol in book.symbols()}))

    # --- ticks

    def _take(self, name: str, part: Ticks) -> int:
        """Match a part of a stream, and record what it did."""
        moves, reached = self._count_from(part.opening), []
        book = self.books[name]
        rows = book.rows(tick.symbol for tick in part.ticks)
        prices = np.array([tick.price for tick in part.ticks], dtype=np.int64)
        times = np.array([_micros_of(tick.at) for tick in part.ticks], dtype=np.int64)
        for number, crossing in book.match(rows, prices, times):
            kind, pk = crossing.watch.key
            if kind == PLAN:
                reached += [(pk, part.ticks[number])] if crossing.fires else []
            else:
                moves.append(self._move(pk, crossing, part.ticks[number].at))
        moves += self._count_from({symbol: mark.close for symbol, mark in part.marks.items()})
        went = self._plans_go(reached)
        if not (moves or part.marks):
            return went
        recorded = moves_record(moves=moves, marks=part.marks)
        self._marks |= {symbol: (mark.session, mark.close) for symbol, mark in part.marks.items()}
        self._marks_read(recorded.stale_symbols)
        self._alerts_reload(recorded.stale_alerts)
        return went + recorded.fired

    def _move(self, pk: int, crossing: Crossing, at: datetime) -> Move:
        watched = self._alerts[pk]
        move = Move(
            alert_id=pk,
            symbol=crossing.watch.symbol,
            terms=watched.terms,
            count=watched.count,
            was=crossing.was,
            beyond=crossing.beyond,
            fires=crossing.fires,
            price=Decimal(crossing.price) / MICROS,
            at=at,
        )
        watched.count += crossing.fires
        if crossing.fires and crossing.watch.once:
            self._alert_drop(pk)
        return move

    def _count_from(self, closes: dict[str, Decimal]) -> list[Move]:
        """Let changes in per cent count from these closes: there the change is none, so an alert that was beyond is not now."""
        moves = []
        for symbol, close in closes.items():
            for pk in sorted(self._from_close.get(symbol, ())):
                watched = self._alerts[pk]
                book, level = self.books[watched.feed], level_of(watched.row, close)
                watch, was = book[(ALERT, pk)], book.beyond((ALERT, pk))
                if level.price != watch.level:
                    book.add(replace(watch, level=level.price), beyond=False)
                    quiet = Crossing(watch, was, beyond=False, fires=False, price=int(close * MICROS), at=0)
                    moves += [self._move(pk, quiet, clock.now())] if was is not False else []
        return moves

    def _plans_go(self, reached: list[tuple[int, Tick]]) -> int:
        went = 0
        for pk, tick in reached:
            self._plans.pop(pk, None)
            try:
                went += plan_execute_reached(plan_id=pk, price=tick.price, at=tick.at) is not None
            except OperationalError:
                raise
            except Exception:
                # A plan that cannot be ordered for a reason nobody foresaw must not keep the others from being watched.
                logger.exception("Plan %s could not be executed.", pk)
                self._unserved.add((PLAN, pk))
        return went

    # --- after a firing

    def _act(self) -> None:
        for pk in firings_pending():
            if self._postponed.get(pk, 0.0) > time.monotonic():
                continue
            try:
                firing_act(firing_id=pk)
            except OperationalError:
                raise
            except Exception:
                logger.exception("What firing %s is for could not be done; it is tried again.", pk)
                self._postponed[pk] = time.monotonic() + LOOKS_AGAIN


def watch_forever(*, interval: float = INTERVAL, stopped: Callable[[], bool] = lambda: False) -> None:
    """Watch until `stopped` answers True. After whatever went wrong it begins anew from the rows."""
    engine = None
    while not stopped():
        try:
            engine = engine or AlertEngine()
            went = engine.step()
            if went:
                logger.info("%s alerts and plans went off.", went)
        except Exception:
            # Whatever it was: what is in memory may not be what is recorded. The rows know.
            logger.exception("The watch of prices begins anew.")
            engine = None
            close_old_connections()
        time.sleep(interval)


def _micros_of(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)
