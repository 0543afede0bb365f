"""StrategyEngine: runs the library for an account and a session, and records what each strategy proposed."""

import logging
from collections.abc import Mapping, Sequence
from datetime import date

from django.db import transaction

from quant_site.core import clock
from quant_site.core.errors import Conflict, QuantError
from quant_site.core.rows import places, row_insert, rows_read
from quant_site.core.types import Direction
from quant_site.market.panel import Panel
from quant_site.market.selectors import panel_load, universe_symbols
from strategies import selectors, services
from strategies.base import Holding, StrategyParams
from strategies.base import Strategy as Implementation
from strategies.drafts import draft_to_json
from strategies.features import features
from strategies.models import ParameterVersion, Strategy, StrategyRun
from strategies.parameters import account_overrides, implementation, merged_params
from strategies.readiness import check_one_per_trade, missing
from strategies.registry import REGISTRY

logger = logging.getLogger(__name__)

Holdings = Mapping[int, tuple[Holding, ...]]
FINISHED = frozenset({StrategyRun.Status.COMPLETED, StrategyRun.Status.ABSTAINED})
REWRITTEN = ["status", "params", "held", "output", "signal_count", "abstain_reason", "error", "started_at", "finished_at"]


class StrategyEngine:
    def __init__(self, registry: Mapping[str, Implementation] = REGISTRY):
        self.registry = registry

    def get_all_strategies(self, category: str | None = None) -> list[Strategy]:
        """Every strategy, or those of one category."""
        return selectors.strategies_list(category=category)

    def run_strategy(
        self, strategy_id: int, *, account, session: date, panel: Panel | None = None, holdings: Sequence[Holding] = ()
    ) -> StrategyRun:
        """Run one strategy and record it; a session it has finished already is answered as it was recorded.

        Without `panel` it sees the account's universe as stored. Raises `NotFound` for no such strategy, `InvalidInput`
        for one that cannot run yet, `Conflict` for one that is switched off, `DataMissing` for a session without bars.
        """
        row = selectors.strategy_get(strategy_id=strategy_id)
        implementation(row, self.registry)
        if not row.enabled:
            raise Conflict("strategy_disabled", f"{row.name} is switched off: {row.disabled_reason}", strategy=row.key)
        panel = universe_panel(account) if panel is None else panel
        panel.index(session)
        known = StrategyRun.objects.filter(account=account, strategy=row, session=session).select_related("strategy").first()
        if known is not None and known.status in FINISHED:
            return known
        return self._run([row], account, session, panel, {row.pk: tuple(holdings)})[0]

    def run_enabled(self, *, account, session: date, panel: Panel, holdings: Holdings) -> list[StrategyRun]:
        """Run what is switched on, and the exits of what is off but still holds trades; one row each, in order.

        A strategy that raises leaves a FAILED row and the others go on. Doing it again repeats failed runs, and those
        that did not know of the same open trades, and nothing else. Raises `DataMissing` for a session without bars.
        """
        panel.index(session)
        holding = [strategy for strategy, trades in holdings.items() if trades]
        rows = selectors.strategies_due(keys=list(self.registry), holding=holding)
        return self._run(rows, account, session, panel, holdings)

    def update_strategy_params(self, strategy_id: int, params: Mapping, *, reason: str, actor=None, account=None) -> ParameterVersion:
        """Change parameters of the house, or of `account`, by a new version that is active at once."""
        row = selectors.strategy_get(strategy_id=strategy_id)
        return services.version_create(strategy=row, params=params, reason=reason, actor=actor, account=account)

    def toggle_strategy(self, strategy_id: int, *, enabled: bool | None = None, actor=None, reason: str = "") -> Strategy:
        """Switch a strategy on or off; without `enabled`, to the other."""
        row = selectors.strategy_get(strategy_id=strategy_id)
        target = not row.enabled if enabled is None else enabled
        return services.strategy_toggle(strategy=row, enabled=target, actor=actor, reason=reason)

    def get_strategy_performance(self, strategy_id: int, account=None) -> dict:
        """The statistics on the row (None until they are defined) and how its runs ended, for `account` or all."""
        row = selectors.strategy_get(strategy_id=strategy_id)
        totals = selectors.run_totals(strategy=row, accounts=None if account is None else [account])
        statistics = {"win_rate": row.win_rate, "sharpe_ratio": row.sharpe_ratio, "total_signals": row.total_signals}
        return {"strategy": row.key, **statistics, "last_run_at": row.last_run_at, **totals}

    # --- how a run comes about

    def _run(self, rows: list[Strategy], account, session: date, panel: Panel, holdings: Holdings) -> list[StrategyRun]:
        own, known = account_overrides(rows, account), _known(rows, account, session)
        runs, fresh, again = [], [], []
        for row in rows:
            held = tuple(sorted(holdings.get(row.pk, ()), key=lambda holding: holding.group))
            run = known.get(row.pk)
            if run is None or run.status not in FINISHED or run.held != [holding.group for holding in held]:
                (again if run else fresh).append(row)
                run = run or StrategyRun(account=account, strategy=row, session=session)
                self._evaluate(run, row, own.get(row.pk, {}), panel, held)
            run.strategy = row
            runs.append(run)
        _store(account, runs, fresh, again)
        return runs

    def _evaluate(self, run: StrategyRun, row: Strategy, own: dict, panel: Panel, held: tuple[Holding, ...]) -> None:
        """Fill `run` with what the strategy proposes, or with why it does not."""
        run.started_at = run.finished_at = clock.now()
        run.held, run.params, run.output = [holding.group for holding in held], {}, []
        run.abstain_reason, run.error = "", ""
        try:
            code, params = implementation(row, self.registry), merged_params(row, own, self.registry)
            run.params = params.model_dump(mode="json")
            self._propose(run, code, params, panel, held, exits_only=not row.enabled)
        except QuantError as error:
            logger.error("%s %s: %s", row.key, run.session, error.message)
            run.status, run.error = StrategyRun.Status.FAILED, f"{error.code}: {error.message}"
        except Exception as error:  # a defect of one strategy must not stop the others, nor their exits
            logger.exception("%s %s", row.key, run.session)
            run.status, run.error = StrategyRun.Status.FAILED, f"{type(error).__name__}: {error}"
        run.signal_count = len(run.output)

    def _propose(
        self, run: StrategyRun, code: Implementation, params: StrategyParams, panel: Panel, held: tuple[Holding, ...], *, exits_only: bool
    ) -> None:
        t = panel.index(run.session)
        lack = missing(code.needs(params), panel, t)
        prepared = None
        if not lack or held:
            prepared = features.prepared(code, panel, params)
            lack = lack or code.lack(panel, prepared, t, params)
        run.status, run.abstain_reason = StrategyRun.Status.ABSTAINED if lack else StrategyRun.Status.COMPLETED, lack[:255]
        if lack and not held:
            return
        blind = [holding for holding in held if not all(panel.knows(symbol) for symbol in holding.quantities)]
        if blind:
            run.error = f"No bars of {', '.join(holding.group for holding in blind)}: open, and their exits cannot be decided."
            logger.error("%s %s: %s", code.key, run.session, run.error)
        seen = tuple(holding for holding in held if holding not in blind)
        drafts = code.decide(panel, prepared, t, params, seen)
        if exits_only or lack:
            drafts = [draft for draft in drafts if draft.direction is Direction.CLOSE]
        check_one_per_trade(drafts)
        run.output = [draft_to_json(draft) for draft in drafts]


def universe_panel(account=None) -> Panel:
    """The account's symbols as stored (where it names none, or without an account: every tradable one), without benchmarks."""
    panel, chosen = panel_load(), account.universe if account is not None else []
    return features.restricted(panel, tuple(sorted(symbol for symbol in chosen or universe_symbols() if symbol in panel)))


def _known(rows: list[Strategy], account, session: date) -> dict[int, StrategyRun]:
    """Runs of the session that are there already, by strategy; a session that runs for the first time has none."""
    ids = [row.pk for row in rows]
    where = "account_id = %s AND session = %s AND strategy_id IN "
    if not ids or not rows_read(StrategyRun, ("id",), where + places(ids), account.pk, session, *ids):
        return {}
    stored = StrategyRun.objects.filter(account=account, session=session, strategy_id__in=ids).order_by()
    return {run.strategy_id: run for run in stored}


@transaction.atomic(savepoint=False)
def _store(account, runs: list[StrategyRun], fresh: list[Strategy], again: list[Strategy]) -> None:
    """Write new runs, each with its id, and rewritten ones in one statement. A replay leaves no trace on the strategy's row."""
    new, old = ([run for run in runs if run.strategy in rows] for rows in (fresh, again))
    for run in new:
        row_insert(run)
    if old:
        StrategyRun.objects.bulk_update(old, REWRITTEN)
    if (new or old) and not account.is_replay:
        Strategy.objects.filter(pk__in=[run.strategy_id for run in (*new, *old)]).update(last_run_at=clock.now())
