"""SignalEngine: from a strategy run's drafts to sized, scored and checked signals."""

from collections.abc import Sequence
from datetime import date

from quant_site.core.errors import NotFound
from quant_site.core.types import Direction, optional, price, quantity, ratio, score
from quant_site.market.sessions import next_session, session_close
from signals_app import selectors, services
from signals_app.models import SignalOutcome, TradingSignal
from signals_app.scoring import risk_score, signal_strength
from signals_app.states import SignalStatus
from strategies.base import Draft, Leg
from strategies.drafts import SIZES, draft_from_json
from strategies.models import StrategyRun
from strategies.risk import Proposal, RiskContext, assess, proposal_of
from strategies.sizing import Size, size_entry


class SignalEngine:
    """Works on one account. What it decides depends on the runs and the context it is given, on nothing else."""

    def __init__(self, account):
        self.account = account

    def generate_signals_from_strategy_run(self, run_id: int, *, context: RiskContext) -> list[TradingSignal]:
        """Signals of one run; raises `NotFound` for a run that is not this account's."""
        run = StrategyRun.objects.select_related("strategy").filter(pk=run_id, account=self.account).first()
        if run is None:
            raise NotFound("run_not_found", f"There is no strategy run {run_id} of account {self.account.pk}.")
        return self.generate_signals([run], context=context)

    def generate_signals(self, runs: Sequence[StrategyRun], *, context: RiskContext) -> list[TradingSignal]:
        """Signals of the runs of one session, sized one after the other so that each sees what the earlier ones took.

        A run that has signals already keeps them: generating twice writes nothing.
        """
        drafted = [run for run in runs if run.output]
        known = selectors.runs_with_signals(drafted)
        fresh = [run for run in drafted if run.pk not in known]
        history = selectors.score_history(account=self.account, before=context.session, strategy_ids={run.strategy_id for run in fresh})
        proposals = [(run, draft_from_json(item)) for run in fresh for item in run.output]
        proposals.sort(key=lambda pair: (pair[1].direction != Direction.CLOSE, pair[0].strategy.key, -pair[1].score, pair[1].group))
        signals = []
        for run, draft in proposals:
            signal, context = self._signal(run, draft, context, scale=len(runs), history=history[run.strategy_id])
            signals.append(signal)
        return services.signals_create(signals, account=self.account) if signals else []

    def validate_signal(self, signal: TradingSignal, context: RiskContext) -> RiskContext:
        """Check one pending signal; it becomes VALIDATED or REJECTED. Answers the context with the signal in it."""
        context = _judge(signal, context)
        services.signals_decide([signal], account=self.account)
        return context

    def validate_signals(self, signals: Sequence[TradingSignal], context: RiskContext) -> list[TradingSignal]:
        """Check signals in execution order, each after what the earlier ones take; answers those that passed."""
        ordered = services.in_execution_order(signals)
        pending = [signal for signal in ordered if signal.signal_status == SignalStatus.PENDING]
        for signal in pending:
            context = _judge(signal, context)
        if pending:
            services.signals_decide(pending, account=self.account)
        return [signal for signal in ordered if signal.signal_status == SignalStatus.VALIDATED]

    def get_pending_signals(self, session: date | None = None) -> list[TradingSignal]:
        return list(selectors.signals_pending(account=self.account, session=session))

    def update_signal_execution(self, signal: TradingSignal, status: SignalStatus, *, errors: list[dict] | None = None) -> TradingSignal:
        """Record how the execution of a signal went on."""
        return services.signal_move(signal, status, **({"validation_errors": errors} if errors else {}))

    def evaluate_signal_performance(self, signal: TradingSignal) -> SignalOutcome | None:
        """How the signal's trade ended, or None while it is open or was never executed."""
        return SignalOutcome.objects.filter(signal=signal).first()

    def _signal(self, run: StrategyRun, draft: Draft, context: RiskContext, *, scale: int, history) -> tuple[TradingSignal, RiskContext]:
        weight = float(run.params.get("weight", 1.0 / scale))
        signal = self._base(run, draft, weight)
        if draft.direction is Direction.CLOSE:
            return signal, context
        size = size_entry(draft, context, strategy_id=run.strategy_id, share=weight, scale=weight * scale)
        _apply_size(signal, draft, size)
        proposal = proposal_from_signal(signal, context)
        strength, missing = signal_strength(draft.score, history)
        signal.signal_strength = optional(score, strength)
        signal.risk_score = optional(score, risk_score(proposal, size, context, stopped=draft.stop_loss is not None))
        if missing:
            signal.signal_metadata["strength"] = missing
        return signal, context if size.empty else context.with_entry(proposal)

    def _base(self, run: StrategyRun, draft: Draft, weight: float) -> TradingSignal:
        return TradingSignal(
            account=self.account,
            strategy=run.strategy,
            strategy_run=run,
            session=run.session,
            symbol=draft.group,
            direction=draft.direction.value,
            legs=[_leg(leg) for leg in draft.legs],
            reason=draft.reason[:255],
            score=None if draft.direction is Direction.CLOSE else draft.score,
            weight=ratio(weight),
            entry_price=optional(price, draft.entry_price),
            stop_loss=optional(price, draft.stop_loss),
            take_profit=optional(price, draft.take_profit),
            signal_metadata={**draft.metadata, "add": draft.add, **_terms(draft)},
            expires_at=session_close(next_session(run.session)),
        )


def _leg(leg: Leg) -> dict:
    plain = {"symbol": leg.symbol, "direction": leg.direction.value, "ratio": leg.ratio, "quantity": None}
    return plain | {"units": leg.units} if leg.units else plain


def _terms(draft: Draft) -> dict:
    """What a signal keeps of how its draft wants to be sized or closed: what is set apart from the default only."""
    if draft.direction is Direction.CLOSE:
        return {} if draft.portion == 1.0 else {"portion": draft.portion}
    sizing = {name: getattr(draft, name) for name in SIZES if getattr(draft, name) is not None}
    return {"sizing": sizing} if sizing else {}


def _apply_size(signal: TradingSignal, draft: Draft, size: Size) -> None:
    for leg, count in zip(signal.legs, size.quantities, strict=True):
        leg["quantity"] = abs(count)
    signal.position_size = quantity(abs(size.quantities[0]))
    signal.signal_metadata["binding"] = size.binding
    signal.signal_metadata["loss_at_stop"] = round(size.loss_at_stop, 2)
    signal.signal_metadata["asked"] = round(size.asked, 6)


def _judge(signal: TradingSignal, context: RiskContext) -> RiskContext:
    """Set the verdict on `signal`, in memory, and answer the context in which it goes ahead."""
    proposal = proposal_from_signal(signal, context)
    violations = assess(proposal, context)
    signal.validation_errors = [violation.as_json() for violation in violations]
    signal.signal_status = SignalStatus.REJECTED if violations else SignalStatus.VALIDATED
    return context if violations or proposal.direction is Direction.CLOSE else context.with_entry(proposal)


def proposal_from_signal(signal: TradingSignal, context: RiskContext) -> Proposal:
    """What the signal would do to the account at the prices of `context`."""
    unit_risk = signal.signal_metadata.get("sizing", {}).get("unit_risk")
    return proposal_of(
        context,
        {leg["symbol"]: Direction(leg["direction"]).sign * (leg["quantity"] or 0) for leg in signal.legs},
        strategy_id=signal.strategy_id,
        direction=Direction(signal.direction),
        share=float(signal.weight or 1),
        binding=signal.signal_metadata.get("binding", ""),
        units=0 if unit_risk is None else structure_units(signal.legs),
        unit_risk=unit_risk or 0.0,
    )


def structure_units(legs: list[dict]) -> int:
    """How many whole units of a structure its sized `legs` are."""
    return min(((leg["quantity"] or 0) // leg["units"] for leg in legs if leg.get("units")), default=0)
