"""The closed loop: market data → strategies → signals → risk → orders → positions → evaluation → adaptation.

One pass covers one session of one account, after its close. A replay, a DRY_RUN and a REAL account run the same
stages; what differs is the clock, and the broker behind the orders. Each stage is recorded, leaves everything as it
was when it runs twice, and is where a crashed pass resumes.
"""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import date
from typing import NamedTuple

from django.db import transaction
from django.db.models import F

from analytics.behaviour.record import behaviour_record
from analytics.judging.attribution import attribution_record
from analytics.judging.missed import missed_record
from analytics.optimizer import AdaptiveOptimizer
from analytics.performance import PerformanceAnalyzer
from quant_site.core import clock
from quant_site.core.errors import DataMissing, NotAllowed, QuantError
from quant_site.core.locks import exclusive
from quant_site.core.models import Account, LoopRun, LoopStage
from quant_site.core.rows import row_insert, row_update
from quant_site.core.services import events_publish
from quant_site.market.panel import Panel
from quant_site.market.selectors import panel_load, universe_symbols
from quant_site.market.sessions import last_completed_session, next_session, sessions_between
from signals_app.engine import SignalEngine
from signals_app.models import TradingSignal
from signals_app.services import signals_expire
from signals_app.states import SignalStatus
from strategies.base import Strategy
from strategies.engine import StrategyEngine
from strategies.models import StrategyRun
from strategies.registry import REGISTRY
from strategies.risk import RiskContext
from strategies.services import strategies_seed
from trading.books.equity import equity_snapshot
from trading.books.ledger import positions_mark
from trading.books.settlement import account_open, session_settle
from trading.brokers import broker_for
from trading.exposure.context import holdings_build, risk_context_build
from trading.exposure.hedge_engine import AutoHedgeEngine
from trading.order_path.executor import OrderExecutor
from trading.order_path.orders import orders_recover

logger = logging.getLogger(__name__)


class Stage(NamedTuple):
    """`atomic`: its rows and its record commit together. A stage that talks to a broker cannot be: it commits before it sends; nor can
    one that computes for long, which would keep everybody else from writing."""

    name: str
    work: Callable[[], dict]
    atomic: bool = True


class QuantTradingLoop:
    """Runs sessions of one account over one panel. The caller holds the account's loop lock (see `cycle_run`).

    `registry` names the strategies that may run. Without `adapt` their weights stay as they are: what a comparison with a
    backtest needs.
    """

    def __init__(
        self,
        account: Account,
        panel: Panel,
        *,
        kind: LoopRun.Kind = LoopRun.Kind.LIVE,
        registry: Mapping[str, Strategy] = REGISTRY,
        adapt: bool = True,
    ):
        self.account, self.panel, self.kind, self.adapt = account, panel, kind, adapt
        self.market = panel.select(tradable_universe(account, panel))
        self.broker = broker_for(account, panel)
        self.strategies, self.signals = StrategyEngine(registry), SignalEngine(account)
        self.session: date | None = None
        self.recorded: dict[str, str] = {}
        self.opened = False
        # What a stage hands to the next within one pass; a pass that resumes reads it from the database.
        self.handed: dict[str, list] = {}
        self.context: RiskContext | None = None

    def stages(self) -> tuple[Stage, ...]:
        return (
            Stage("market_data", self._market_data),
            Stage("settlement", self._settlement, atomic=False),
            Stage("positions", self._positions),
            Stage("strategies", self._strategies),
            Stage("signals", self._signals),
            Stage("risk", self._risk),
            Stage("orders", self._orders, atomic=False),
            Stage("hedge", self._hedge, atomic=False),
            Stage("evaluation", self._evaluation),
            Stage("improvements", self._improvements),
            Stage("adaptation", self._adaptation, atomic=False),
        )

    def run(self, session: date) -> LoopRun:
        """Run or resume the pass over `session`; a pass that is done changes nothing. Raises what a stage raised."""
        self.session, self.handed, self.context = session, {}, None
        known = LoopRun.objects.filter(account=self.account, session=session).first()
        if known and known.status == LoopRun.Status.DONE:
            return known
        self.recorded = dict(known.stages.values_list("name", "status")) if known else {}
        run = known or self._begin()
        for position, stage in enumerate(self.stages()):
            if self.recorded.get(stage.name, LoopStage.Status.FAILED) == LoopStage.Status.FAILED:
                self._perform(run, position, stage)
        return self._finish(run)

    # --- the stages

    def _market_data(self) -> dict:
        t = self.panel.index(self.session)
        absent = [symbol for row, symbol in enumerate(self.market.symbols) if self.market.close[row, t] != self.market.close[row, t]]
        sources = sorted({self.panel.sources.get(symbol, "") for symbol in self.market.symbols} - {""})
        return {"symbols": len(self.market.symbols), "without_bar": len(absent), "sources": sources}

    def _settlement(self) -> dict:
        return session_settle(account=self.account, broker=self.broker, session=self.session)

    def _positions(self) -> dict:
        marked = positions_mark(account=self.account, session=self.session, panel=self.panel)
        snapshot = equity_snapshot(account=self.account, session=self.session, panel=self.panel)
        return {"open": len(marked), "equity": str(snapshot.total_equity), "cash": str(snapshot.cash)}

    def _strategies(self) -> dict:
        held = holdings_build(account=self.account, registry=self.strategies.registry)
        runs = self.strategies.run_enabled(account=self.account, session=self.session, panel=self.market, holdings=held)
        self.handed["runs"] = runs
        return {run.strategy.key: {"status": run.status, "drafts": run.signal_count, "why": run.abstain_reason} for run in runs}

    def _signals(self) -> dict:
        expired = signals_expire(account=self.account, before=self.session)
        runs = self.handed.get("runs")
        if runs is None:
            runs = StrategyRun.objects.filter(account=self.account, session=self.session).select_related("strategy")
        runs = sorted(runs, key=lambda run: run.strategy.key)
        drafts = any(run.output for run in runs)
        created = self.signals.generate_signals(runs, context=self._risk_context()) if drafts else []
        self.handed["pending"] = created
        return {"created": len(created), "expired": expired}

    def _risk(self) -> dict:
        pending = self.handed.get("pending")
        if pending is None:
            pending = self.signals.get_pending_signals(self.session)
        passed = self.signals.validate_signals(pending, self._risk_context()) if pending else []
        refused = [signal for signal in pending if signal.signal_status == SignalStatus.REJECTED]
        codes = [error["code"] for signal in refused for error in signal.validation_errors]
        self.handed["validated"] = passed
        return {"validated": len(passed), "rejected": len(refused), "codes": {code: codes.count(code) for code in sorted(set(codes))}}

    def _orders(self) -> dict:
        ready = self.handed.get("validated")
        if ready is None:
            statuses = [SignalStatus.VALIDATED, SignalStatus.EXECUTING]
            ready = TradingSignal.objects.filter(account=self.account, session=self.session, signal_status__in=statuses)
            ready = list(ready.select_related("strategy"))
        ready.sort(key=lambda signal: (signal.strategy.key, signal.symbol, signal.direction))
        return OrderExecutor(self.account, self.broker, self.session).execute_signal_batch(ready)

    def _hedge(self) -> dict:
        engine = AutoHedgeEngine(self.account, self.panel)
        done = engine.run(self.session)
        if done:
            orders_recover(self.account, self.broker, session=self.session)
            engine.note_refusals()
        return done

    def _evaluation(self) -> dict:
        rows = self._analyzer().evaluate_daily_performance(self.session)
        missed_record(self.account, self.session, self.panel)
        attribution_record(self.account, self.session, self.panel)
        whole = next(row for row in rows if row.strategy_id is None)
        return {"pnl": str(whole.pnl), "cumulative_pnl": str(whole.cumulative_pnl), "strategies": len(rows) - 1}

    def _improvements(self) -> dict:
        findings = self._analyzer().identify_improvement_opportunities(self.session)
        behaviour_record(self.account, self.session, self.panel)
        return {"findings": [finding.code for finding in findings]}

    def _adaptation(self) -> dict:
        if not self.adapt:
            return {"skipped": "This run keeps its weights."}
        # A replay goes through decades: it searches what is fast.
        every = self.kind == LoopRun.Kind.LIVE
        return AdaptiveOptimizer(self.account, self.market, self.strategies.registry, every=every).run_daily_optimization(self.session)

    # --- how a stage is run and recorded

    def _analyzer(self) -> PerformanceAnalyzer:
        """A real broker's books are compared every minute by the account's rounds, and differ for reasons that are no defect."""
        return PerformanceAnalyzer(self.account, broker=self.broker if self.broker.simulated else None)

    def _begin(self) -> LoopRun:
        if not self.opened:
            account_open(account=self.account, broker=self.broker, session=self.session)
            self.opened = True
        run = LoopRun(account=self.account, session=self.session, kind=self.kind, started_at=clock.now())
        row_insert(run)
        return run

    def _risk_context(self) -> RiskContext:
        """The account at the close, the same for all stages of a pass; what must be fresh is read again when sending."""
        if self.context is None:
            self.context = risk_context_build(account=self.account, session=self.session, panel=self.panel)
        return self.context

    def _perform(self, run: LoopRun, position: int, stage: Stage) -> None:
        started = time.monotonic()
        try:
            if stage.atomic:
                with transaction.atomic():
                    self._record(run, position, stage.name, stage.work(), started)
            else:
                self._record(run, position, stage.name, stage.work(), started)
        except Exception as error:
            self._record_failure(run, position, stage.name, error, started)
            raise

    def _record(self, run: LoopRun, position: int, name: str, detail: dict, started: float) -> None:
        values = {
            "position": position,
            "status": LoopStage.Status.SKIPPED if "skipped" in detail else LoopStage.Status.DONE,
            "detail": detail,
            "error": "",
            "wall_ms": int((time.monotonic() - started) * 1000),
            "finished_at": clock.now(),
        }
        if name in self.recorded:
            run.stages.filter(name=name).update(**values)
        else:
            row_insert(LoopStage(run=run, name=name, **values))
        if self.kind == LoopRun.Kind.LIVE:
            events_publish([("loop.stage", self._event(run) | {"stage": name, "status": values["status"]})], account=self.account)

    def _record_failure(self, run: LoopRun, position: int, name: str, error: Exception, started: float) -> None:
        message = error.message if isinstance(error, QuantError) else f"{type(error).__name__}: {error}"
        values = {
            "position": position,
            "status": LoopStage.Status.FAILED,
            "error": message,
            "wall_ms": int((time.monotonic() - started) * 1000),
            "finished_at": clock.now(),
        }
        with transaction.atomic():
            if not run.stages.filter(name=name).update(attempts=F("attempts") + 1, **values):
                LoopStage.objects.create(run=run, name=name, **values)
            LoopRun.objects.filter(pk=run.pk).update(status=LoopRun.Status.FAILED, error=f"{name}: {message}", finished_at=clock.now())
            payload = self._event(run) | {"stage": name, "status": "FAILED", "error": message}
            events_publish([("loop.stage", payload)], account=self.account)
        logger.error("Loop %s %s failed at stage %s: %s", self.account.pk, self.session, name, message)

    def _finish(self, run: LoopRun) -> LoopRun:
        sources = sorted({self.panel.sources.get(symbol, "") for symbol in self.market.symbols} - {""})
        run.status, run.error, run.finished_at = LoopRun.Status.DONE, "", clock.now()
        run.data_as_of, run.data_source = self.session, "; ".join(sources)[:128]
        with transaction.atomic():
            row_update(run)
            events_publish([("loop.run", self._event(run) | {"status": run.status})], account=self.account)
        return run

    def _event(self, run: LoopRun) -> dict:
        return {"id": run.pk, "session": str(self.session), "kind": run.kind}


def tradable_universe(account: Account, panel: Panel) -> list[str]:
    """The account's symbols, or every tradable one; sorted, and only those the panel holds."""
    chosen = account.universe or universe_symbols()
    return sorted(symbol for symbol in chosen if symbol in panel)


def loop_lock(account: Account):
    """Only one process runs the loop of an account; the lock dies with its holder."""
    return exclusive(f"loop:{account.pk}", busy=f"The loop of account {account.pk} is running in another process.")


def cycle_run(account: Account, session: date | None = None) -> list[LoopRun]:
    """Run the live loop of `account` up to `session` (default: the last completed one), missed sessions first.

    Raises `DataMissing` when the stored bars do not reach a session, `NotAllowed` for a replay's account, `Conflict`
    when the account's loop runs elsewhere.
    """
    if account.is_replay:
        raise NotAllowed("replay_account", f"Account {account.pk} belongs to a replay: it never runs on the live clock.")
    target = session or last_completed_session(clock.now())
    strategies_seed()
    with loop_lock(account):
        panel = panel_load()
        due = sessions_due(account, target)
        for day in due:
            panel.index(day)
        loop = QuantTradingLoop(account, panel)
        return [loop.run(day) for day in due]


def sessions_due(account: Account, target: date) -> list[date]:
    """Sessions up to `target` that the loop has not finished; only `target` for an account that never ran."""
    runs = LoopRun.objects.filter(account=account)
    unfinished = runs.exclude(status=LoopRun.Status.DONE).order_by("session").values_list("session", flat=True).first()
    last = runs.filter(status=LoopRun.Status.DONE).order_by("-session").values_list("session", flat=True).first()
    start = unfinished or (next_session(last) if last else target)
    return sessions_between(start, target) if start <= target else []


def cycles_run_all() -> dict[str, str]:
    """Run the due sessions of every live account; what one account raises is reported and does not stop the others."""
    results = {}
    for account in Account.objects.filter(is_replay=False).order_by("pk"):
        try:
            runs = cycle_run(account)
            results[account.pk] = f"{len(runs)} sessions"
        except DataMissing as error:
            results[account.pk] = error.message
            logger.warning("Loop of %s: %s", account.pk, error.message)
        except QuantError as error:
            results[account.pk] = f"{error.code}: {error.message}"
            logger.error("Loop of %s: %s", account.pk, error.message)
    return results
