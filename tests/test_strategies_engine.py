"""The engine: one row a strategy, account and session, whatever happens in between."""

import json
from datetime import date
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from quant_site.core.errors import Conflict, DataMissing, InvalidInput, NotFound
from quant_site.core.models import Account
from quant_site.core.types import Direction
from strategies.base import Draft, Leg, Needs, Strategy
from strategies.drafts import draft_from_json
from strategies.engine import StrategyEngine, universe_panel
from strategies.features import FeatureCache
from strategies.models import StrategyRun
from strategies.registry import REGISTRY
from strategies.schema import parse_params
from strategies.selectors import strategy_by_key
from strategies.services import strategies_seed, strategy_toggle, version_create
from tests.support_strategies import bundled_panel, holding_of, random_panel, strategy_gone

pytestmark = pytest.mark.django_db

ENGINE = StrategyEngine()
# AAPL breaks out upwards at this close.
BREAKOUT = date(2004, 10, 14)


class Always(Strategy):
    """Stands in for golden_cross: proposes one entry and closes what is held, or does what `act` says."""

    key = "golden_cross"
    name = "Always"

    def __init__(self, act=None):
        self.act, self.asked = act, 0

    def needs(self, params):
        return Needs(sessions=10)

    def prepare(self, panel, params):
        return None

    def decide(self, panel, features, t, params, holdings):
        self.asked += 1
        if self.act is not None:
            return self.act(holdings)
        closes = [Draft(trade.group, Direction.CLOSE, (Leg(trade.group, Direction.CLOSE),), 0.0, "") for trade in holdings]
        return [*closes, Draft("NEW", Direction.LONG, (Leg("NEW", Direction.LONG),), 1.0, "")]


@pytest.fixture
def library():
    return {row.key: row for row in strategies_seed()}


@pytest.fixture
def account():
    return Account.objects.create(id="ONE")


def with_always(act=None):
    stand_in = Always(act)
    return StrategyEngine({**REGISTRY, stand_in.key: stand_in}), stand_in


def run_all(account, session=BREAKOUT, panel=None, holdings=None, engine=ENGINE):
    runs = engine.run_enabled(account=account, session=session, panel=panel or bundled_panel(), holdings=holdings or {})
    return {run.strategy.key: run for run in runs}


def rows():
    return list(StrategyRun.objects.order_by("pk").values())


def directions(run):
    return [(stored["group"], stored["direction"]) for stored in run.output]


def test_every_strategy_that_is_on_leaves_one_row_with_its_drafts_and_parameters(library, account):
    runs = run_all(account)
    assert set(runs) == set(REGISTRY)
    ran = {key for key, run in runs.items() if run.status == "COMPLETED"}
    assert ran >= {"bollinger_mean_reversion", "pairs_trading", "breakout_momentum", "golden_cross"}
    # What lacks its data says so; nothing else keeps a strategy from its session.
    assert all(run.status == "ABSTAINED" and "manage.py import_" in run.abstain_reason for key, run in runs.items() if key not in ran)
    turtle = StrategyRun.objects.get(strategy__key="breakout_momentum")
    assert turtle.params == REGISTRY["breakout_momentum"].Params().model_dump(mode="json")
    assert turtle.signal_count == len(turtle.output) > 0
    assert draft_from_json(turtle.output[0]).legs
    assert turtle.finished_at is not None


def test_running_a_session_again_writes_nothing(library, account):
    first = run_all(account)
    before = rows()
    again = run_all(account)
    assert rows() == before
    assert {key: run.pk for key, run in again.items()} == {key: run.pk for key, run in first.items()}


def test_a_strategy_without_enough_history_abstains_and_says_how_to_get_it(library, account):
    panel = random_panel(1, sessions=120)
    runs = run_all(account, panel.sessions[100].item(), panel)
    assert runs["golden_cross"].status == "ABSTAINED"
    assert "201 sessions" in runs["golden_cross"].abstain_reason
    assert "import_bars" in runs["golden_cross"].abstain_reason
    assert runs["golden_cross"].output == []
    assert runs["breakout_momentum"].status == "COMPLETED"


def test_a_pair_strategy_abstains_with_one_symbol(library, account):
    panel = random_panel(1, symbols=1, sessions=300)
    assert "2 symbols" in run_all(account, panel.sessions[290].item(), panel)["pairs_trading"].abstain_reason


def test_one_strategy_that_raises_fails_alone_and_is_run_again_next_time(library, account):
    def crash(holdings):
        raise ZeroDivisionError("a defect")

    broken, _ = with_always(crash)
    runs = run_all(account, engine=broken)
    assert (runs["golden_cross"].status, runs["golden_cross"].error) == ("FAILED", "ZeroDivisionError: a defect")
    assert runs["breakout_momentum"].status == "COMPLETED"
    mended, stand_in = with_always()
    again = run_all(account, engine=mended)
    assert (again["golden_cross"].status, again["golden_cross"].error, stand_in.asked) == ("COMPLETED", "", 1)
    assert again["golden_cross"].pk == runs["golden_cross"].pk
    assert StrategyRun.objects.count() == len(REGISTRY)


@pytest.mark.parametrize(
    "drafts, code",
    [
        (lambda held: [Draft("A", Direction.LONG, (Leg("A", Direction.LONG),), float("nan"), "")], "bad_draft"),
        (lambda held: [Draft("A", Direction.LONG, (Leg("A", Direction.LONG),), 1.0, "")] * 2, "two_drafts"),
    ],
)
def test_drafts_that_make_no_sense_fail_the_run(library, account, drafts, code):
    engine, _ = with_always(drafts)
    run = run_all(account, engine=engine)["golden_cross"]
    assert (run.status, run.output, run.signal_count) == ("FAILED", [], 0)
    assert run.error.startswith(code)


def test_stored_parameters_that_no_longer_fit_fail_their_strategy_only(library, account):
    version = version_create(strategy=library["golden_cross"], params={"slow": 150}, reason="A test.")
    type(version).objects.filter(pk=version.pk).update(params={"slow": 9999})
    runs = run_all(account)
    assert runs["golden_cross"].status == "FAILED"
    assert "slow" in runs["golden_cross"].error
    assert runs["breakout_momentum"].status == "COMPLETED"


def test_a_run_uses_the_accounts_parameters(library, account):
    version_create(strategy=library["golden_cross"], params={"slow": 150}, reason="A test.", account=account)
    other = Account.objects.create(id="TWO")
    assert run_all(account)["golden_cross"].params["slow"] == 150
    assert run_all(other)["golden_cross"].params["slow"] == 200


def test_a_strategy_that_is_off_opens_nothing_and_still_closes_what_it_holds(library, account):
    row = strategy_toggle(strategy=library["golden_cross"], enabled=False, reason="Off.")
    engine, _ = with_always()
    assert "golden_cross" not in run_all(account, engine=engine)
    held = {row.pk: (holding_of("AAPL", Direction.LONG, 40.0, date(2004, 10, 1)),)}
    runs = run_all(account, date(2004, 10, 15), engine=engine, holdings=held)
    assert directions(runs["golden_cross"]) == [("AAPL", "CLOSE")]


def test_exits_are_decided_even_where_history_is_too_short_to_enter(library, account):
    engine, _ = with_always()
    panel = random_panel(1, sessions=30)
    held = {library["golden_cross"].pk: (holding_of("S1", Direction.LONG, 50.0, panel.sessions[2].item()),)}
    run = run_all(account, panel.sessions[5].item(), panel, held, engine)["golden_cross"]
    assert (run.status, directions(run)) == ("ABSTAINED", [("S1", "CLOSE")])


def test_a_run_that_did_not_know_of_an_open_trade_is_made_again_by_the_loop(library, account):
    engine, stand_in = with_always()
    row = library["golden_cross"]
    engine.run_strategy(row.pk, account=account, session=BREAKOUT, panel=bundled_panel())
    held = {row.pk: (holding_of("AAPL", Direction.LONG, 40.0, date(2004, 10, 1)),)}
    run = run_all(account, holdings=held, engine=engine)["golden_cross"]
    assert directions(run) == [("AAPL", "CLOSE"), ("NEW", "LONG")]
    assert (StrategyRun.objects.get(pk=run.pk).held, stand_in.asked) == (["AAPL"], 2)
    run_all(account, holdings=held, engine=engine)
    assert stand_in.asked == 2


def test_a_trade_whose_symbol_has_no_bars_is_named_and_does_not_stop_the_others(library, account):
    engine, _ = with_always()
    trades = (holding_of("AAPL", Direction.LONG, 40.0, date(2004, 10, 1)), holding_of("GONE", Direction.LONG, 9.0, date(2004, 10, 1)))
    run = run_all(account, holdings={library["golden_cross"].pk: trades}, engine=engine)["golden_cross"]
    assert directions(run) == [("AAPL", "CLOSE"), ("NEW", "LONG")]
    assert "GONE" in run.error


def test_the_order_in_which_trades_are_given_changes_nothing(library, account):
    trades = tuple(holding_of(symbol, Direction.LONG, 40.0, date(2004, 10, 1)) for symbol in ("IBM", "AAPL", "MSFT"))
    engine, _ = with_always()
    first = run_all(account, holdings={library["golden_cross"].pk: trades}, engine=engine)["golden_cross"]
    other = run_all(Account.objects.create(id="TWO"), holdings={library["golden_cross"].pk: trades[::-1]}, engine=engine)["golden_cross"]
    assert first.output == other.output


def test_a_replay_leaves_no_trace_on_the_strategy(library, account):
    run_all(Account.objects.create(id="PAST", is_replay=True))
    assert strategy_by_key(key="golden_cross").last_run_at is None
    run_all(account)
    assert strategy_by_key(key="golden_cross").last_run_at is not None


def test_a_session_of_the_loop_takes_few_statements(library):
    account = Account.objects.create(id="PAST", is_replay=True)
    run_all(account)
    with CaptureQueriesContext(connection) as queries:
        runs = run_all(account, date(2004, 10, 15))
    # Strategies, the house's and the account's versions, known runs, and each run, whose id the signals need.
    assert len(queries) == 4 + len(runs)


def test_features_are_prepared_once_for_a_panel_and_a_set_of_parameters():
    cache, panel, counted = FeatureCache(), random_panel(1), []

    class Counting(Always):
        def prepare(self, panel, params):
            counted.append(params)
            return len(counted)

    strategy = Counting()
    light, heavy = parse_params(strategy, {}), parse_params(strategy, {"weight": 0.5})
    assert [cache.prepared(strategy, panel, params) for params in (light, heavy, light)] == [1, 1, 1]
    assert cache.prepared(strategy, random_panel(1), light) == 2
    assert cache.restricted(panel, ("S1", "S2")) is cache.restricted(panel, ("S1", "S2"))


def test_the_cache_lets_go_of_a_panel_nobody_uses():
    cache = FeatureCache()
    cache.bar_counts(random_panel(1))
    assert len(cache._panels) == 0


def test_running_one_strategy_answers_what_was_recorded(library, account):
    row = library["breakout_momentum"]
    run = ENGINE.run_strategy(row.pk, account=account, session=BREAKOUT, panel=bundled_panel())
    again = ENGINE.run_strategy(row.pk, account=account, session=BREAKOUT, panel=bundled_panel())
    assert (run.pk, run.output) == (again.pk, again.output)
    assert run.output


def test_a_strategy_that_cannot_be_run_says_why(library, account):
    strategy_toggle(strategy=library["golden_cross"], enabled=False, reason="Too few trades.")
    attempts = ((library["golden_cross"], Conflict, "Too few trades"), (strategy_gone(), InvalidInput, "taken out of the library"))
    for row, error, words in attempts:
        with pytest.raises(error, match=words):
            ENGINE.run_strategy(row.pk, account=account, session=BREAKOUT, panel=bundled_panel())
    with pytest.raises(NotFound):
        ENGINE.run_strategy(999, account=account, session=BREAKOUT, panel=bundled_panel())
    with pytest.raises(DataMissing, match="no bars of session"):
        ENGINE.run_strategy(library["pairs_trading"].pk, account=account, session=date(2031, 1, 2), panel=bundled_panel())
    assert StrategyRun.objects.count() == 0


def test_the_library_can_be_listed_by_category(library):
    assert [row.key for row in ENGINE.get_all_strategies("TREND_FOLLOWING")] == ["breakout_momentum", "golden_cross"]
    assert len(ENGINE.get_all_strategies()) == 12
    with pytest.raises(InvalidInput, match="MEAN_REVERSION"):
        ENGINE.get_all_strategies("MOMENTUM")


def test_performance_is_undefined_until_something_happened(library, account):
    answer = ENGINE.get_strategy_performance(library["golden_cross"].pk)
    assert (answer["win_rate"], answer["sharpe_ratio"], answer["runs"], answer["drafts"]) == (None, None, {}, 0)
    run_all(account)
    answer = ENGINE.get_strategy_performance(library["breakout_momentum"].pk, account=account)
    assert answer["runs"] == {"COMPLETED": 1}
    assert answer["drafts"] > 0


def test_parameters_and_the_switch_are_reached_through_the_engine(library):
    row = library["golden_cross"]
    assert ENGINE.update_strategy_params(row.pk, {"slow": 150}, reason="A test.").number == 2
    assert ENGINE.toggle_strategy(row.pk).enabled is False
    assert ENGINE.toggle_strategy(row.pk, enabled=False).enabled is False
    assert ENGINE.toggle_strategy(row.pk).enabled is True


# --- on the stored bundled bars


def run_command(*args):
    out = StringIO()
    call_command("run_strategy", *args, stdout=out)
    return out.getvalue()


def test_without_a_panel_a_strategy_sees_the_tradable_universe(bundled_market):
    account = Account.objects.create(id="ONE")
    panel = universe_panel(account)
    assert panel.symbols == ("AAPL", "FB", "GOOG", "IBM", "MSFT")
    assert universe_panel(account) is panel
    chosen = Account.objects.create(id="TWO", universe=["MSFT", "AAPL"])
    assert universe_panel(chosen).symbols == ("AAPL", "MSFT")


def test_the_command_prints_what_a_strategy_proposes(bundled_market):
    Account.objects.create(id="ONE")
    args = ["breakout_momentum", "--account", "ONE", "--session", str(BREAKOUT)]
    shown = json.loads(run_command(*args, "--json"))
    assert (shown["status"], shown["session"]) == ("COMPLETED", "2004-10-14")
    assert "AAPL" in [draft["group"] for draft in shown["drafts"]]
    assert "AAPL" in run_command(*args)
    assert StrategyRun.objects.count() == 1


@pytest.mark.parametrize(
    "args, words",
    [
        (["golden_cros", "--account", "ONE"], "did you mean 'golden_cross'"),
        (["golden_cross", "--account", "NOBODY"], "NOBODY"),
        (["gone", "--account", "ONE"], "taken out of the library"),
        (["golden_cross", "--account", "ONE", "--session", "2004-10-16"], "no bars of session"),
    ],
)
def test_the_command_refuses_what_makes_no_sense_and_writes_nothing(bundled_market, args, words):
    strategy_gone()
    Account.objects.create(id="ONE")
    with pytest.raises(CommandError, match=words):
        run_command(*args)
    assert StrategyRun.objects.count() == 0


def test_the_stored_bars_decide_as_the_same_bars_in_memory(bundled_market):
    account = Account.objects.create(id="ONE")
    stored, memory = universe_panel(account), bundled_panel()
    rows = [stored.row(symbol) for symbol in memory.symbols]
    columns = np.searchsorted(stored.sessions, memory.sessions)
    np.testing.assert_allclose(stored.adj_close[np.ix_(rows, columns)], memory.adj_close, rtol=1e-9)
