"""Replay: the live loop over history, session by session, with a virtual clock.

A replay belongs to one account. It is resumable at any moment, also after a kill -9, because the loop is; running it
again over the same sessions changes nothing; and the digest of what it wrote depends on the data and the settings
only: not on ids, not on the account's name, not on the wall clock.
"""

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db import connection
from django.db.models import Count, Max, Min, Sum

from quant_site.core import clock
from quant_site.core.errors import Conflict, DataMissing, InvalidInput, NotAllowed
from quant_site.core.models import Account, LoopRun
from quant_site.core.services import account_create
from quant_site.core.types import Mode
from quant_site.digest import account_digest
from quant_site.loop import QuantTradingLoop, loop_lock
from quant_site.market.selectors import panel_load, unknown_symbols
from quant_site.market.sessions import next_session, session_close, sessions_between
from signals_app.selectors import signal_counts
from strategies.base import Strategy
from strategies.models import StrategyRun
from strategies.registry import REGISTRY
from strategies.services import strategies_seed
from trading.books.checks import books_check
from trading.models import EquitySnapshot, Fill, Order

# The loop runs a little after the close, when the day's bars are there.
AFTER_CLOSE = timedelta(minutes=15)


@dataclass(frozen=True)
class ReplaySummary:
    """What a replay ends with. Amounts are strings of cents; `seconds` is this run's own time."""

    account: str
    first_session: str
    last_session: str
    sessions: int
    runs: int
    drafts: int
    signals: dict[str, int]
    orders: dict[str, int]
    fills: int
    realized_pnl: str | None
    unrealized_pnl: str | None
    final_equity: str | None
    seconds: float
    sessions_per_second: float | None
    digest: str

    def as_json(self) -> dict:
        return asdict(self)


def replay_account(
    *, account_id: str, cash: Decimal, symbols: list[str] | None, owner=None, keeps_living: bool = False, **fields
) -> Account:
    """The account of a replay, made as a paper account where it does not exist.

    Raises `NotAllowed` for an account that trades on the live clock and `Conflict` when it was made for other symbols.
    """
    unknown = unknown_symbols(symbols or [])
    if unknown:
        raise DataMissing("unknown_symbol", " ".join(unknown.values()), symbols=sorted(unknown))
    account = Account.objects.filter(pk=account_id).first()
    if account is None:
        return account_create(
            id=account_id,
            owner=owner,
            initial_cash=cash,
            universe=sorted(set(symbols or [])),
            is_replay=not keeps_living,
            actor="replay",
            **fields,
        )
    if account.mode != Mode.DRY_RUN or account.broker != Account.Broker.PAPER or _ran_live(account):
        raise NotAllowed("live_account", f"Account {account_id} trades on the live clock: replay on an account of its own.")
    if symbols is not None and sorted(set(symbols)) != account.universe:
        raise Conflict("other_symbols", f"Account {account_id} was made for other symbols: use the same ones or another account.")
    return account


def _ran_live(account: Account) -> bool:
    return LoopRun.objects.filter(account=account, kind=LoopRun.Kind.LIVE).exists()


def replay_sessions(start: date, end: date) -> list[date]:
    """The sessions from `start` to `end`; raises `InvalidInput` or `DataMissing` where the stored bars do not cover them."""
    panel = panel_load()
    if start > end:
        raise InvalidInput("bad_range", f"The replay would end ({end}) before it begins ({start}).")
    if not len(panel.sessions):
        raise DataMissing("no_bars", "No bars are stored: import some with `manage.py import_bars PATH`.")
    first, last = panel.sessions[0].astype(date), panel.sessions[-1].astype(date)
    if start < first or end > last:
        raise InvalidInput("out_of_range", f"Bars are stored from {first} to {last}: choose the replay's dates within.")
    sessions = sessions_between(start, end)
    if not sessions:
        raise InvalidInput("no_sessions", f"The exchange was closed from {start} to {end}.")
    return sessions


def _require_no_gap(account: Account, sessions: list[date]) -> None:
    ran = LoopRun.objects.filter(account=account).aggregate(first=Min("session"), last=Max("session"))
    if ran["first"] and not ran["first"] <= sessions[0] <= next_session(ran["last"]):
        raise Conflict(
            "gap",
            f"Account {account.pk} holds sessions {ran['first']} to {ran['last']}: begin within them or on the session after.",
        )


def replay_run(
    *,
    account: Account,
    start: date,
    end: date,
    registry: Mapping[str, Strategy] | None = None,
    adapt: bool = True,
    progress: Callable[[list[date]], Iterator[date]] = iter,
) -> ReplaySummary:
    """Drive the loop over the sessions from `start` to `end` and answer the summary.

    `registry` (by key; None: all) names the strategies that may run, `adapt` says whether their weights move. `progress`
    wraps the list of sessions that are due, to show how far it is. Whatever stops it, the same call goes on from there.
    Raises `LedgerMismatch` where cash, positions and profit do not reconcile, at the session it happens.
    """
    sessions = replay_sessions(start, end)
    _require_no_gap(account, sessions)
    strategies_seed()
    panel = panel_load()
    began = time.monotonic()
    with loop_lock(account), _fast_commits(), _patient_collector():
        strategies = REGISTRY if registry is None else registry
        loop = QuantTradingLoop(account, panel, kind=LoopRun.Kind.REPLAY, registry=strategies, adapt=adapt)
        done = set(
            LoopRun.objects.filter(account=account, status=LoopRun.Status.DONE, session__range=(sessions[0], sessions[-1])).values_list(
                "session", flat=True
            )
        )
        due = [session for session in sessions if session not in done]
        with clock.use(clock.VirtualClock(session_close(sessions[0]))) as virtual:
            for session in progress(due):
                virtual.move_to(session_close(session) + AFTER_CLOSE)
                loop.run(session)
        if due:
            books_check(account=account, session=due[-1], broker=loop.broker, full=True)
    return replay_summary(account, sessions, seconds=time.monotonic() - began, worked=len(due))


@contextmanager
def _fast_commits():
    """A replay moves no real money: SQLite need not flush the disk at each commit. A power cut costs sessions, not truth."""
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous=NORMAL")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous=FULL")


@contextmanager
def _patient_collector():
    """What is loaded by now stays: the garbage collector need not walk through it again and again (a tenth of the time)."""
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def replay_summary(account: Account, sessions: list[date], *, seconds: float, worked: int) -> ReplaySummary:
    """What the account's rows say at the end of a replay."""
    last = EquitySnapshot.objects.filter(account=account).order_by("-snapshot_date").first()
    runs = StrategyRun.objects.filter(account=account).aggregate(n=Count("pk"), drafts=Sum("signal_count"))
    orders = Order.objects.filter(account=account).values_list("status").annotate(n=Count("pk")).order_by("status")
    return ReplaySummary(
        account=account.pk,
        first_session=str(sessions[0]),
        last_session=str(sessions[-1]),
        sessions=len(sessions),
        runs=runs["n"],
        drafts=runs["drafts"] or 0,
        signals=signal_counts(account=account),
        orders=dict(orders),
        fills=Fill.objects.filter(account=account).count(),
        realized_pnl=str(last.realized_pnl) if last else None,
        unrealized_pnl=str(last.unrealized_pnl) if last else None,
        final_equity=str(last.total_equity) if last else None,
        seconds=round(seconds, 2),
        sessions_per_second=round(worked / seconds, 1) if worked and seconds > 0 else None,
        digest=account_digest(account),
    )
