"""Parameters move from champion to challenger: rows, versions, people's words, and the way back. The market is scripted: what one
set earns more than another is known."""

import math
from datetime import date

import numpy as np
import pytest

from analytics.adapting.lane_parameters import ParameterLane, is_quarter_end, seed_of
from analytics.adapting.shadow import Evaluated, ShadowMarket, chosen, params_hash, unpacked
from analytics.models import Adaptation, Challenger, HoldoutUse, Pin, ShadowDay, Trial
from analytics.performance import is_week_end
from quant_site.core.models import AuditLog, OutboxEvent
from quant_site.core.services import account_create
from quant_site.market.sessions import sessions_between
from strategies.models import ParameterVersion, Strategy
from strategies.parameters import effective_params
from strategies.registry import REGISTRY
from strategies.services import strategies_seed, version_create
from tests.accounting_world import panel_of

pytestmark = pytest.mark.django_db

DAYS = sessions_between(date(2005, 1, 3), date(2014, 12, 31))
KEY = "golden_cross"
GOLDEN = REGISTRY[KEY]
PUBLISHED = GOLDEN.Params()
START = 800
REGISTERED = {KEY: GOLDEN}


class ScriptedMarket(ShadowMarket):
    """The first step upwards of `fast` adds `edge` a year to the Sharpe ratio of the difference, until `turns`; then it only loses."""

    def __init__(self, edge, turns=None):
        super().__init__(panel_of({"AAA": [100.0] * len(DAYS)}, sessions=DAYS), REGISTERED)
        self.edge, self.turns = edge, len(DAYS) if turns is None else turns
        self.asked = []

    def first(self, strategy):
        return 0

    def returns(self, strategy, sets, first, last, since=None):
        self.asked.append((first, last))
        rows = [self._row(params)[first : last + 1] for params in sets]
        if since is None:
            self.evaluated += [Evaluated(strategy, params, first, last, row) for params, row in zip(sets, rows, strict=True)]
        return np.array(rows)

    def _row(self, params):
        noise = np.random.default_rng(1).normal(0, 1, len(DAYS))
        own = np.random.default_rng(int(params_hash(params)[:8], 16)).normal(0, 1, len(DAYS))
        edge = np.full(len(DAYS), self.edge / math.sqrt(252))
        edge[self.turns :] = -1.5
        better = params.fast > PUBLISHED.fast
        return 0.01 * (noise + 0.3 * (own + better * edge) * (params != PUBLISHED))


@pytest.fixture
def account():
    strategies_seed()
    Strategy.objects.exclude(key=KEY).update(enabled=False)
    return account_create(id="adapting")


def lane(account, market):
    found = ParameterLane(account, market.panel, REGISTERED)
    found.market = market
    return found


def weeks(first=START, last=-1):
    return [day for day in DAYS[first:last] if is_week_end(day)]


def run(account, market, days, until=None):
    """Week by week, until something of the kind `until` is decided; answers the session."""
    room = lane(account, market)
    for day in days:
        decided = room.move(day, propose=is_quarter_end(day))
        if until is not None and decided.get(KEY) == until:
            return day
    assert until is None, f"nothing was {until}"
    return None


def in_force(account):
    return effective_params(Strategy.objects.get(key=KEY), account)


def promoted(account, market=None):
    market = market or ScriptedMarket(edge=6.0)
    return market, run(account, market, weeks(), until="PROMOTED")


def test_without_an_edge_every_quarter_is_refused_and_says_why(account):
    run(account, ScriptedMarket(edge=0.0), weeks(last=START + 260))
    rows = Adaptation.objects.all()
    assert {row.evidence["event"] for row in rows} == {"REFUSED"}
    assert len(rows) >= 3
    assert all(row.evidence["refusals"] and row.reason.startswith("No challenger: ") for row in rows)
    assert in_force(account) == PUBLISHED
    assert not Challenger.objects.exists() and not HoldoutUse.objects.exists()


def test_every_set_that_was_evaluated_is_in_the_ledger_once_a_quarter(account):
    market = ScriptedMarket(edge=0.0)
    run(account, market, weeks(last=START + 130))
    sessions = sorted(set(Trial.objects.values_list("session", flat=True)))
    assert len(sessions) == 2
    for session in sessions:
        rows = list(Trial.objects.filter(session=session))
        assert [row.params for row in rows if row.role == "CHAMPION"] == [chosen(PUBLISHED)]
        assert {row.role for row in rows} == {"CHAMPION", "CANDIDATE", "NEIGHBOUR"}
        [row] = [row for row in rows if row.role == "CHAMPION"]
        first, last = DAYS.index(row.first_session), DAYS.index(row.last_session)
        assert last == DAYS.index(session) - 126
        np.testing.assert_allclose(unpacked(bytes(row.returns)), market._row(PUBLISHED)[first : last + 1], atol=1e-8)
        assert (row.seed, row.data_digest) == (seed_of(KEY, session), market.panel.digest)
        assert len(row.code_version) == 12
        assert row.sharpe == pytest.approx(unpacked(bytes(row.returns)).mean() / unpacked(bytes(row.returns)).std(ddof=1), rel=1e-5)
    told = [row.evidence["trials"] for row in Adaptation.objects.order_by("session")]
    assert told[-1] == Trial.objects.values("params_hash").distinct().count()


def test_the_holdout_is_not_played_before_a_candidate_has_passed(account):
    market = ScriptedMarket(edge=0.0)
    day = run(account, market, weeks(), until="REFUSED")
    assert max(last for _, last in market.asked) == DAYS.index(day) - 126


def test_an_edge_stands_in_shadow_first_and_changes_nothing_there(account):
    market = ScriptedMarket(edge=6.0)
    day = run(account, market, weeks(), until="SHADOW")
    [challenger] = Challenger.objects.all()
    assert challenger.change == {"fast": [PUBLISHED.fast, PUBLISHED.fast + GOLDEN.Params.model_fields["fast"].json_schema_extra["step"]]}
    assert (challenger.status, challenger.started, challenger.threshold) == ("SHADOW", day, 20.0)
    assert challenger.gate["pbo"] < 0.2 and challenger.gate["holdout"]["passed"]
    assert in_force(account) == PUBLISHED
    [spent] = HoldoutUse.objects.all()
    assert (DAYS.index(spent.first_session), spent.last_session) == (DAYS.index(day) - 125, day)


def test_it_is_promoted_on_evidence_with_everything_that_led_to_it(account):
    market, day = promoted(account)
    challenger = Challenger.objects.get()
    path = list(ShadowDay.objects.order_by("session"))
    assert (challenger.status, challenger.promoted, challenger.sessions) == ("PROBATION", day, len(path))
    assert len(path) >= 60
    assert path[-1].evidence >= 20 > path[-2].evidence
    t = DAYS.index(path[7].session)
    assert path[7].champion_return == pytest.approx(market._row(PUBLISHED)[t])
    assert in_force(account).fast == challenger.change["fast"][1]
    version = challenger.version
    assert (version.source, version.account, version.session) == ("OPTIMIZER", account, day)
    row = Adaptation.objects.get(evidence__event="PROMOTED")
    assert (row.version, row.challenger, row.evidence["change"]) == (version, challenger, challenger.change)
    assert AuditLog.objects.filter(action_type="CHALLENGER_PROMOTED").exists()
    assert OutboxEvent.objects.filter(type="challenger").exists()


def test_what_goes_bad_after_the_promotion_is_taken_back_by_itself(account):
    market, day = promoted(account)
    market.turns = DAYS.index(day) + 20
    back = run(account, market, [week for week in weeks() if week > day], until="ROLLED_BACK")
    challenger = Challenger.objects.get()
    assert (challenger.status, challenger.ended) == ("ROLLED_BACK", back)
    assert DAYS.index(back) - DAYS.index(day) < 126
    assert in_force(account) == PUBLISHED
    row = Adaptation.objects.get(evidence__event="ROLLED_BACK")
    assert row.evidence["why"] in ("REVERSED", "DRAWDOWN")
    assert row.version.params.get("fast", PUBLISHED.fast) == PUBLISHED.fast
    assert AuditLog.objects.filter(action_type="CHALLENGER_ROLLED_BACK").exists()


def test_what_holds_for_half_a_year_is_confirmed(account):
    market, day = promoted(account)
    run(account, market, [week for week in weeks() if week > day], until="CONFIRMED")
    assert in_force(account).fast > PUBLISHED.fast


def test_a_weight_that_changed_meanwhile_survives_promotion_and_rollback(account):
    market = ScriptedMarket(edge=6.0)
    shadow = run(account, market, weeks(), until="SHADOW")
    version_create(strategy=Strategy.objects.get(key=KEY), params={"weight": 0.31}, reason="more", account=account)
    day = run(account, market, [week for week in weeks() if week > shadow], until="PROMOTED")
    assert in_force(account).weight == 0.31
    market.turns = DAYS.index(day) + 5
    run(account, market, [week for week in weeks() if week > day], until="ROLLED_BACK")
    assert (in_force(account).weight, in_force(account).fast) == (0.31, PUBLISHED.fast)


def test_parameters_that_a_person_changes_end_the_duel(account):
    market = ScriptedMarket(edge=6.0)
    day = run(account, market, weeks(), until="SHADOW")
    version_create(strategy=Strategy.objects.get(key=KEY), params={"slow": PUBLISHED.slow + 1}, reason="mine", account=account)
    run(account, market, [week for week in weeks() if week > day][:1])
    challenger = Challenger.objects.get(started=day)
    assert (challenger.status, challenger.reason) == ("DROPPED", "The parameters in force were changed by a person.")


def test_what_is_pinned_is_neither_searched_nor_promoted(account):
    market = ScriptedMarket(edge=6.0)
    day = run(account, market, weeks(), until="SHADOW")
    Pin.objects.create(account=account, strategy=Strategy.objects.get(key=KEY), what="PARAMETERS", reason="mine")
    run(account, market, [week for week in weeks() if week > day][:60])
    assert [row.status for row in Challenger.objects.all()] == ["DROPPED"]
    assert in_force(account) == PUBLISHED
    assert Trial.objects.filter(session__gt=day).count() == 0


def test_each_new_challenger_needs_more_evidence(account):
    market = ScriptedMarket(edge=6.0)
    day = run(account, market, weeks(), until="SHADOW")
    Challenger.objects.update(status="VETOED")
    run(account, market, [week for week in weeks() if week > day], until="SHADOW")
    assert sorted(Challenger.objects.values_list("threshold", flat=True)) == [20.0, 40.0]
    first, second = HoldoutUse.objects.order_by("session")
    assert second.first_session > first.last_session, "sessions that confirmed one candidate confirm no other"


def test_looking_again_at_the_same_session_changes_nothing(account):
    market = ScriptedMarket(edge=6.0)
    day = run(account, market, weeks(), until="SHADOW")

    def count():
        return [model.objects.count() for model in (Adaptation, Challenger, HoldoutUse, ShadowDay, Trial, ParameterVersion)]

    before = count()
    assert lane(account, market).move(day, propose=True) == {}
    assert count() == before


@pytest.mark.parametrize("decides", ["veto", "pin", "change"])
def test_what_a_person_decides_while_it_is_played_comes_first(account, decides):
    strategy = Strategy.objects.get(key=KEY)
    acts = {
        "veto": lambda: Challenger.objects.update(status="VETOED"),
        "pin": lambda: Pin.objects.get_or_create(account=account, strategy=strategy, what="PARAMETERS", reason="mine"),
        "change": lambda: version_create(strategy=strategy, params={"slow": PUBLISHED.slow + 1}, reason="mine", account=account),
    }

    class Interrupted(ScriptedMarket):
        def returns(self, strategy, sets, first, last, since=None):
            if since is not None and last >= self.at:
                acts[decides]()
            return super().returns(strategy, sets, first, last, since)

    market = Interrupted(edge=6.0)
    market.at = len(DAYS)
    shadow = run(account, market, weeks(), until="SHADOW")
    after = [week for week in weeks() if week > shadow]
    plain = ScriptedMarket(edge=6.0)
    days = DAYS.index(shadow) + 60
    run(account, plain, [week for week in after if DAYS.index(week) < days])
    market.at = 0
    decided = lane(account, market).move(next(week for week in after if DAYS.index(week) >= days), propose=False)
    assert decided == {}
    assert in_force(account).fast == PUBLISHED.fast
    assert not Adaptation.objects.filter(evidence__event="PROMOTED").exists()


def test_sets_that_were_tried_while_a_person_decided_are_in_the_ledger_of_their_strategy(account):
    strategy = Strategy.objects.get(key=KEY)

    class Pinned(ScriptedMarket):
        def returns(self, *names, **options):
            Pin.objects.get_or_create(account=account, strategy=strategy, what="PARAMETERS", reason="mine")
            return super().returns(*names, **options)

    market = Pinned(edge=6.0)
    room = lane(account, market)
    day = next(day for day in weeks() if is_quarter_end(day))
    assert room.move(day, propose=True) == {}
    assert Trial.objects.filter(strategy=strategy).count() > 1
    assert market.evaluated == []
    assert not Challenger.objects.exists()
