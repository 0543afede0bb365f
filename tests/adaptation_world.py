"""An account whose strategies the optimiser moved: weights, an alarm, challengers in every state, trials and a holdout."""

from datetime import date, timedelta
from decimal import Decimal

from analytics.models import Adaptation, Challenger, HoldoutUse, Pin, ShadowDay, Trial
from quant_site.core.models import Account
from strategies.models import Strategy
from strategies.services import active_version, strategies_seed, version_create
from tests.control_world import PASSWORD, account_make, client_of, people

SESSION = date(2019, 6, 28)
NAME, BEFORE, AFTER = "width", 2.0, 2.2
GATE = {
    "spa_p": 0.012,
    "dsr": None,
    "pbo": 0.09,
    "plateau": 0.93,
    "trials": 61,
    "sets": 14,
    "sessions": 1260,
    "champion_sharpe": 0.61,
    "challenger_sharpe": 0.84,
    "first": "2013-12-20",
    "last": "2018-12-27",
    "holdout": {"first": "2018-12-28", "last": "2019-06-28", "difference_bps": 0.42, "passed": True},
}


def strategy_of(key: str = "bollinger_mean_reversion") -> Strategy:
    strategies_seed()
    return Strategy.objects.select_related("active_version").get(key=key)


def weight_move(account: Account, strategy: Strategy, after, before=None, *, session=SESSION, lane="WEIGHTS", **evidence) -> Adaptation:
    """A decision that moved a weight, with its version, as the optimiser writes it; without `before` it kept the weight."""
    version = None
    if before is not None:
        version = version_create(
            strategy=strategy, params={"weight": after}, reason="By the record.", source="OPTIMIZER", account=account, session=session
        )
    told = {"DERISK": {"factor_before": 1.0, "factor_after": 0.5, "cusum": 12.1}, "WEIGHTS": {"belief": 0.3, "factor": 1.0}}[lane]
    return Adaptation.objects.create(
        account=account,
        strategy=strategy,
        session=session,
        lane=lane,
        weight_before=Decimal(str(after if before is None else before)),
        weight_after=Decimal(str(after)),
        version=version,
        evidence=told | evidence,
        reason="By the record.",
    )


def challenger_make(account: Account, strategy: Strategy, status: str = "SHADOW", *, change=None, days: int = 0, **fields) -> Challenger:
    """A challenger; one that was promoted has its version in force. `days` sessions of evidence grow to 1.02**days."""
    change = change or {NAME: [BEFORE, AFTER]}
    values = {"champion": {}, "gate": GATE, "started": SESSION - timedelta(days=days), "threshold": 40.0, "evidence": 1.02**days}
    challenger = Challenger(account=account, strategy=strategy, status=status, change=change, sessions=days, **(values | fields))
    if status in ("PROBATION", "CONFIRMED"):
        challenger.previous_version = active_version(strategy, account)
        params = {name: after for name, (_, after) in change.items()}
        challenger.version = version_create(strategy=strategy, params=params, reason="Promoted.", source="OPTIMIZER", account=account)
    challenger.save()
    first = challenger.promoted or challenger.started
    rows = [(first + timedelta(days=day), 1.02**day) for day in range(1, days + 1)]
    ShadowDay.objects.bulk_create(
        ShadowDay(challenger=challenger, session=at, champion_return=0.001, challenger_return=0.002, evidence=value) for at, value in rows
    )
    return challenger


def promotion_make(account: Account, strategy: Strategy, challenger: Challenger, event: str = "PROMOTED", *, session=SESSION) -> Adaptation:
    """The decision about a challenger, as the optimiser writes it."""
    evidence = {"event": event, "change": challenger.change, "evidence": 41.7, "threshold": 40.0, "sessions": 240}
    return Adaptation.objects.create(
        account=account,
        strategy=strategy,
        session=session,
        lane="PARAMETERS",
        weight_before=Decimal("0.25"),
        weight_after=Decimal("0.25"),
        version=challenger.version,
        challenger=challenger,
        evidence=evidence,
        reason="By the evidence.",
    )


def trial_make(account: Account, strategy: Strategy, digest: str, *, session=SESSION) -> Trial:
    return Trial.objects.create(
        account=account,
        strategy=strategy,
        session=session,
        params={NAME: AFTER},
        params_hash=digest,
        role="CANDIDATE",
        data_digest="d" * 64,
        code_version="abc",
        first_session=date(2014, 1, 2),
        last_session=date(2018, 12, 31),
        n=1258,
        sharpe=0.05,
        returns=b"x",
    )


def everything_make(account: Account, actor) -> None:
    """One of each kind, for pages."""
    mean, cross, breakout = strategy_of(), strategy_of("golden_cross"), strategy_of("breakout_momentum")
    weight = 0.0833
    for week in range(30):
        after = round(weight + (0.002 if week % 3 else -0.003), 6)
        weight_move(account, mean, after, weight, session=SESSION - timedelta(weeks=30 - week))
        weight = after
    weight_move(account, mean, weight)
    weight_move(account, cross, 0.04165, 0.0833, lane="DERISK", claimed_sharpe=0.8, realised_sharpe=-0.4)
    challenger_make(account, mean, days=120)
    probation = challenger_make(
        account, breakout, "PROBATION", change={"n_window": [20, 22]}, days=40, promoted=SESSION - timedelta(days=40), threshold=20.0
    )
    promotion_make(account, breakout, probation)
    challenger_make(account, cross, "DROPPED", change={"fast": [50, 55]}, ended=SESSION, evidence=0.4, days=3, reason="No evidence.")
    Pin.objects.create(account=account, strategy=cross, what="WEIGHT", reason="It waits for the audit.", pinned_by=actor)
    for digest in ("a", "b", "c"):
        trial_make(account, mean, digest)
    HoldoutUse.objects.create(
        account=account, strategy=mean, session=SESSION, first_session=date(2018, 12, 28), last_session=SESSION, passed=True, evidence={}
    )


__all__ = [
    "AFTER",
    "BEFORE",
    "NAME",
    "PASSWORD",
    "SESSION",
    "account_make",
    "challenger_make",
    "client_of",
    "everything_make",
    "people",
    "promotion_make",
    "strategy_of",
    "trial_make",
    "weight_move",
]
