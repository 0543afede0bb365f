"""Weights move once a week, by a version of the account, within the band, and only with enough of a record."""

from datetime import date
from decimal import Decimal as D

import numpy as np
import pytest

from analytics.judging.evaluation import Totals
from analytics.judging.tally import ReturnTally
from analytics.models import Adaptation, DailyPerformance
from analytics.optimizer import AdaptiveOptimizer
from analytics.performance import is_week_end
from analytics.selectors import adaptations_latest
from analytics.tuning import weights
from quant_site.core.models import OutboxEvent
from quant_site.core.services import account_create
from quant_site.market.sessions import sessions_between
from strategies.models import ParameterVersion, Strategy
from strategies.parameters import effective_params
from strategies.services import strategies_seed, version_create

pytestmark = pytest.mark.django_db

DAYS = sessions_between(date(2012, 1, 3), date(2012, 12, 31))
WEEK_ENDS = [day for day in DAYS if is_week_end(day)]
KEYS = ["bollinger_mean_reversion", "breakout_momentum", "golden_cross", "pairs_trading"]


class Record:
    """Daily returns of strategies as the evaluation leaves them, one session at a time."""

    def __init__(self, account_id="weighed", keys=KEYS, seed=1, drift=(0.0, 0.0, 0.0, 0.0), scale=(0.01, 0.01, 0.01, 0.01)):
        self.account = account_create(id=account_id)
        self.strategies = {key: Strategy.objects.get(key=key) for key in keys}
        for strategy in self.strategies.values():
            version_create(strategy=strategy, params={"weight": 0.25}, reason="Four share the account.", account=self.account)
        rng = np.random.default_rng(seed)
        self.returns = {key: np.round(rng.normal(drift[i], scale[i], len(DAYS)), 6) for i, key in enumerate(keys)}
        self.tallies = dict.fromkeys(keys, ReturnTally())
        self.optimizer = AdaptiveOptimizer(self.account)
        self.t = 0

    def until(self, day):
        rows = []
        while self.t < len(DAYS) and DAYS[self.t] <= day:
            for key, strategy in self.strategies.items():
                change = D(str(self.returns[key][self.t]))
                self.tallies[key] = self.tallies[key].plus(change)
                state = Totals(returns=self.tallies[key]).dump()
                rows.append(
                    DailyPerformance(
                        account=self.account, strategy=strategy, scope=key, session=DAYS[self.t], pnl=0, cumulative_pnl=0,
                        daily_return=change, state=state,
                    )
                )  # fmt: skip
            self.t += 1
        DailyPerformance.objects.bulk_create(rows)
        return self

    def optimize(self, day):
        return self.until(day).optimizer.run_daily_optimization(day)

    def weights(self):
        return {key: effective_params(Strategy.objects.get(key=key), self.account).weight for key in self.strategies}


@pytest.fixture(autouse=True)
def library():
    strategies_seed()


def first_full_week():
    return next(day for day in WEEK_ENDS if DAYS.index(day) >= 59)


def test_nothing_moves_before_sixty_sessions_and_the_reason_is_said():
    record = Record()
    early = [day for day in WEEK_ENDS if DAYS.index(day) < 59]
    answers = [record.optimize(day) for day in early]
    assert all("60 sessions of returns: there are 0" in answer["skipped"] for answer in answers)
    assert not Adaptation.objects.exists()


def test_nothing_moves_within_a_week():
    record = Record()
    day = next(day for day in DAYS[100:] if not is_week_end(day))
    assert record.optimize(day) == {"skipped": "Weights and parameters move at the end of a week."}


def test_one_strategy_alone_is_not_weighed():
    record = Record(keys=KEYS[:1])
    answer = record.optimize(WEEK_ENDS[-1])
    assert "there are 1" in answer["skipped"]
    assert answer["candidates"] == KEYS[:1]


def test_the_first_decision_goes_from_the_weights_towards_inverse_volatility():
    record = Record(scale=(0.002, 0.01, 0.01, 0.01))
    answer = record.optimize(first_full_week())
    rows = {row.strategy.key: row for row in Adaptation.objects.select_related("strategy", "version")}
    spreads = [record.returns[key][: record.t].std(ddof=1) for key in KEYS]
    prior = (1 / np.array(spreads)) / (1 / np.array(spreads)).sum()
    assert [rows[key].evidence["belief"] for key in KEYS] == pytest.approx(prior.tolist(), abs=1e-6)
    assert answer["changed"] == 4
    assert rows[KEYS[0]].weight_after == D("0.27")
    assert sum(row.weight_after for row in rows.values()) == D(1)
    for key, row in rows.items():
        assert row.version.source == ParameterVersion.Source.OPTIMIZER
        assert (row.version.account, row.version.session) == (record.account, first_full_week())
        assert record.weights()[key] == pytest.approx(float(row.weight_after))


def test_a_year_of_weeks_follows_the_definition_and_stays_in_the_band():
    record = Record(drift=(0.002, 0.0, 0.0, -0.002))
    belief, last, current = None, None, [0.25] * 4
    for day in [day for day in WEEK_ENDS if day >= first_full_week()]:
        record.optimize(day)
        series = [record.returns[key][: record.t] for key in KEYS]
        if belief is None:
            belief = weights.prior(current, [one.std(ddof=1) for one in series])
        else:
            new = record.t - 1 - DAYS.index(last)
            gains = [np.clip(one[-new:].sum() / one[-new - 60 : -new].std(ddof=1), -6, 6) for one in series]
            belief = weights.hedge(belief, gains)
        target = weights.step(current, belief)
        if np.abs(target - current).max() >= 0.00995:
            current = target.tolist()
        rows = list(Adaptation.objects.filter(session=day, lane="WEIGHTS").order_by("strategy__key"))
        assert [row.evidence["belief"] for row in rows] == pytest.approx(belief.tolist(), abs=1e-8)
        assert [row.evidence["base"] for row in rows] == pytest.approx(current, abs=2e-6)
        kept = [row.evidence["base"] * row.evidence["factor"] for row in rows]
        assert [float(row.weight_after) for row in rows] == pytest.approx(kept, abs=6e-5)
        assert all(abs(row.weight_after - row.weight_before) <= D("0.02") for row in rows)
        assert all(0.125 - 1e-6 <= weight <= 0.5 + 1e-6 for weight in current)
        last = day
    assert current[0] > 0.35
    assert current[3] < 0.2


def test_deciding_again_changes_nothing():
    record = Record(scale=(0.002, 0.01, 0.01, 0.01))
    first = record.optimize(first_full_week())
    counts = Adaptation.objects.count(), ParameterVersion.objects.count(), OutboxEvent.objects.count()
    assert record.optimize(first_full_week()) == first
    assert (Adaptation.objects.count(), ParameterVersion.objects.count(), OutboxEvent.objects.count()) == counts


def test_small_changes_are_recorded_as_kept_and_make_no_version():
    record = Record(scale=(0.01, 0.01, 0.01, 0.01))
    record.returns = dict.fromkeys(KEYS, record.returns[KEYS[0]])
    versions = ParameterVersion.objects.count()
    answer = record.optimize(first_full_week())
    assert answer == {"changed": 0, "weights": dict.fromkeys(KEYS, 0.25)}
    assert ParameterVersion.objects.count() == versions
    assert {row.reason for row in Adaptation.objects.all()} == {"Kept: the weights would move by less than 0.01."}
    assert adaptations_latest(account=record.account, changed_only=True) == []
    assert len(adaptations_latest(account=record.account)) == 4


def test_a_weight_of_zero_and_a_disabled_strategy_are_a_person_s_decisions():
    record = Record(scale=(0.002, 0.01, 0.01, 0.01))
    version_create(strategy=record.strategies[KEYS[1]], params={"weight": 0.0}, reason="off", account=record.account)
    Strategy.objects.filter(key=KEYS[2]).update(enabled=False)
    record.optimize(first_full_week())
    assert set(Adaptation.objects.values_list("strategy__key", flat=True)) == {KEYS[0], KEYS[3]}
    assert record.weights()[KEYS[1]] == 0.0


def test_the_budget_that_a_person_set_is_kept():
    record = Record(scale=(0.002, 0.01, 0.01, 0.01))
    for key in KEYS:
        version_create(strategy=record.strategies[key], params={"weight": 0.1}, reason="less", account=record.account)
    for day in [day for day in WEEK_ENDS if day >= first_full_week()][:8]:
        record.optimize(day)
    assert sum(record.weights().values()) == pytest.approx(0.4, abs=1e-6)
    assert record.weights()[KEYS[0]] > 0.1


def test_other_overrides_of_the_account_survive_a_new_weight():
    record = Record(scale=(0.002, 0.01, 0.01, 0.01))
    strategy = record.strategies["golden_cross"]
    field = next(name for name in effective_params(strategy, record.account).model_dump() if name != "weight")
    value = getattr(effective_params(strategy, record.account), field)
    changed = value + 1 if isinstance(value, int) else value * 1.01
    version_create(strategy=strategy, params={field: changed}, reason="mine", account=record.account)
    record.optimize(first_full_week())
    after = effective_params(Strategy.objects.get(pk=strategy.pk), record.account)
    assert getattr(after, field) == pytest.approx(changed)
    assert after.weight != 0.25


def test_a_strategy_that_joins_starts_with_an_equal_share_of_the_belief():
    record = Record(drift=(0.003, 0.0, 0.0, 0.0))
    late = record.strategies.pop("pairs_trading")
    record.optimize(first_full_week())
    first = {row.strategy.key: row.evidence["belief"] for row in Adaptation.objects.select_related("strategy")}
    joined = WEEK_ENDS[WEEK_ENDS.index(first_full_week()) + 1]
    record.until(joined)
    history = [D(str(change)) for change in record.returns["pairs_trading"][: record.t]]
    tally = ReturnTally()
    for change in history:
        tally = tally.plus(change)
    DailyPerformance.objects.create(
        account=record.account, strategy=late, scope=late.key, session=joined, pnl=0, cumulative_pnl=0, daily_return=history[-1],
        state=Totals(returns=tally).dump(),
    )  # fmt: skip
    record.optimizer.run_daily_optimization(joined)
    rows = {row.strategy.key: row.evidence for row in Adaptation.objects.filter(session=joined, lane="WEIGHTS").select_related("strategy")}
    assert {row["since"] for row in rows.values()} == {str(first_full_week())}
    shared = [0.75 * first[key] for key in KEYS[:3]] + [0.25]
    expected = weights.hedge(shared, [rows[key]["gain"] for key in KEYS])
    assert [rows[key]["belief"] for key in KEYS] == pytest.approx(expected.tolist(), abs=1e-6)


def test_the_decision_does_not_depend_on_ids_or_the_account_s_name():
    one, other = Record("one", drift=(0.002, 0, 0, -0.002)), Record("other", drift=(0.002, 0, 0, -0.002))
    for day in [day for day in WEEK_ENDS if day >= first_full_week()][:5]:
        assert one.optimize(day) == other.optimize(day)
    rows = Adaptation.objects.order_by("session", "strategy__key")
    decisions = [
        list(rows.filter(account=record.account).values_list("session", "weight_after", "evidence", "reason")) for record in (one, other)
    ]
    assert decisions[0] == decisions[1]
