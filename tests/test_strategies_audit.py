"""The causality audit: strategies of the library pass it, and every way of looking ahead that is planted is caught."""

import json

import numpy as np
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from quant_site.core.types import Direction
from quant_site.market.indicators import sma
from strategies.audit import CONVERGES, FAILED, NOT_SHOWN, PASSED, audit
from strategies.backtest.stored import stored_panel
from strategies.base import Draft, Leg, Needs, Strategy
from strategies.registry import REGISTRY
from tests.backtest_world import real_market
from tests.support_strategies import bundled_panel, random_panel

# Enough for each of these to trade; with the bundled prices of five stocks the others have nothing to do.
ON_BUNDLED = ("bollinger_mean_reversion", "breakout_momentum", "golden_cross", "pairs_trading")
STOCKS = 30


class Planted(Strategy):
    """Buys where its signal says so and sells where it does not; subclasses say what the signal sees."""

    key = "planted"
    name = "Planted"
    warm_up = 20

    def needs(self, params):
        return Needs(sessions=self.warm_up)

    def prepare(self, panel, params):
        return self.signal(panel, panel.adj_close)

    def signal(self, panel, close):
        raise NotImplementedError

    def decide(self, panel, features, t, params, holdings):
        held = {holding.group for holding in holdings}
        drafts = []
        for row, symbol in enumerate(panel.symbols):
            wanted = features[row, t]
            if wanted > 0 and symbol not in held and panel.close[row, t] > 0:
                drafts.append(Draft(symbol, Direction.LONG, (Leg(symbol, Direction.LONG),), 1.0, "", metadata={"signal": float(wanted)}))
            elif wanted <= 0 and symbol in held:
                drafts.append(Draft(symbol, Direction.CLOSE, (Leg(symbol, Direction.CLOSE),), 0.0, ""))
        return drafts


class Honest(Planted):
    def signal(self, panel, close):
        return np.nan_to_num(close - sma(close, 20))


class TomorrowsClose(Planted):
    def signal(self, panel, close):
        return np.nan_to_num(np.diff(close, axis=1, append=np.nan))


class CentredAverage(Planted):
    """The mean of five sessions on either side."""

    def signal(self, panel, close):
        centred = np.full(close.shape, np.nan)
        centred[:, 5:-5] = np.lib.stride_tricks.sliding_window_view(close, 11, axis=1).mean(axis=-1)
        return np.nan_to_num(close - centred)


class WholeSampleScore(Planted):
    """Standardised by a mean and deviation of all there is."""

    def signal(self, panel, close):
        return np.nan_to_num((close - np.nanmean(close, axis=1, keepdims=True)) / np.nanstd(close, axis=1, keepdims=True))


class BackFilled(Planted):
    """Where a bar is missing it takes the next one that is there."""

    def signal(self, panel, close):
        filled = close.copy()
        for t in range(close.shape[1] - 2, -1, -1):
            filled[:, t] = np.where(np.isnan(filled[:, t]), filled[:, t + 1], filled[:, t])
        return np.nan_to_num(filled - sma(np.nan_to_num(filled, nan=50.0), 20))

    def decide(self, panel, features, t, params, holdings):
        drafts = []
        for row, symbol in enumerate(panel.symbols):
            if np.isnan(panel.close[row, t]) and not holdings:
                drafts.append(Draft(symbol, Direction.LONG, (Leg(symbol, Direction.LONG),), float(features[row, t]), ""))
        return drafts[:1]


class PeeksWhenDeciding(Honest):
    """Clean features, but the decision itself reads on."""

    def decide(self, panel, features, t, params, holdings):
        following = min(t + 1, len(panel.sessions) - 1)
        rising = panel.close[:, following] > panel.close[:, t]
        return [draft for draft in super().decide(panel, features, t, params, holdings) if rising[panel.row(draft.group)]]


class KnowsTheEnd(Planted):
    """Buys what has risen by the last bar there is."""

    def signal(self, panel, close):
        return np.nan_to_num(close[:, -1:] - close)


class SinceTheBeginning(Planted):
    """Causal, but what it does depends for ever on where the data begin."""

    def signal(self, panel, close):
        moves = np.nan_to_num(np.sign(np.diff(close, axis=1, prepend=close[:, :1])))
        return np.cumsum(moves, axis=1)


def verdicts(strategy, panel, **options) -> dict:
    return {verdict.test: verdict for verdict in audit(strategy, strategy.Params(), panel, **options)}


@pytest.mark.parametrize("seed", range(3))
def test_a_strategy_that_looks_back_only_passes_every_test(seed):
    found = verdicts(Honest(), random_panel(seed), seed=seed)
    assert [verdict.outcome for verdict in found.values()] == [PASSED] * 4
    assert all(verdict.drafts > 5 for verdict in found.values())
    # With gaps a symbol has its bars later than the first one: its warm-up is not over yet.
    gappy = verdicts(Honest(), random_panel(seed, gaps=True), seed=seed)
    assert not any(verdict.failed for verdict in gappy.values())


@pytest.mark.parametrize(
    ("kind", "tests"),
    [
        (TomorrowsClose, {"truncation", "shuffle", "tomorrow"}),
        (CentredAverage, {"truncation", "shuffle"}),
        (WholeSampleScore, {"truncation"}),
        (BackFilled, {"truncation", "tomorrow"}),
        (PeeksWhenDeciding, {"truncation", "shuffle", "tomorrow"}),
        (KnowsTheEnd, {"truncation", "shuffle"}),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_every_way_of_looking_ahead_is_caught(kind, tests, seed):
    found = verdicts(kind(), random_panel(seed, gaps=kind is BackFilled), cuts=24, seed=seed)
    failed = {test for test, verdict in found.items() if verdict.outcome == FAILED}
    assert tests <= failed
    assert "changes when what comes" in found["truncation"].detail


def test_a_strategy_that_never_forgets_where_its_data_begin_fails_the_warm_up_only():
    found = verdicts(SinceTheBeginning(), random_panel(2, sessions=600))
    assert found.pop("warm-up").outcome == FAILED
    assert {verdict.outcome for verdict in found.values()} == {PASSED}


def test_a_warm_up_that_is_declared_too_short_is_measured():
    class Hasty(Honest):
        warm_up = 5

        def signal(self, panel, close):
            return np.where(np.isnan(sma(close, 20)), 1.0, super().signal(panel, close))

    found = verdicts(Hasty(), random_panel(1))["warm-up"]
    assert found.outcome == CONVERGES
    assert "Decisions agree from 20 sessions after the beginning on, 5 are declared." in found.detail


def test_where_nothing_is_proposed_nothing_is_claimed():
    class Silent(Planted):
        def signal(self, panel, close):
            return np.zeros_like(close)

    assert {verdict.outcome for verdict in audit(Silent(), Silent.Params(), random_panel(1))} == {NOT_SHOWN}


def test_a_panel_too_short_for_a_second_warm_up_says_so():
    assert verdicts(Honest(), random_panel(1, sessions=30))["warm-up"].outcome == NOT_SHOWN


def test_the_same_seed_draws_the_same_sessions():
    panel = random_panel(4)
    assert audit(Honest(), Honest.Params(), panel, seed=3) == audit(Honest(), Honest.Params(), panel, seed=3)


# --- the library


@pytest.fixture(scope="module")
def panels(tmp_path_factory):
    return {"folder": tmp_path_factory.mktemp("real")}


@pytest.fixture
def market(request, settings, key, panels):
    """The bundled prices, or real stocks and funds with all that is known beside them, read once."""
    if key in ON_BUNDLED:
        return bundled_panel().until(bundled_panel().sessions[1200].item())
    settings.MARKET_DATA_DIR = panels["folder"] / "store"
    if "real" not in panels:
        request.getfixturevalue("db")
        real_market(request.getfixturevalue("market_fixtures"), panels["folder"] / "bars", stocks=STOCKS)
        panels["real"] = stored_panel()
    return panels["real"]


@pytest.mark.parametrize("key", sorted(REGISTRY))
def test_no_strategy_of_the_library_looks_ahead(key, market):
    found = verdicts(REGISTRY[key], market, cuts=8)
    assert [verdict for verdict in found.values() if verdict.failed] == []
    assert [found[test].outcome for test in ("truncation", "shuffle", "tomorrow")] == [PASSED] * 3


# --- the command


@pytest.mark.django_db
@pytest.mark.usefixtures("bundled_market")
def test_the_command_prints_a_verdict_per_test_and_fails_on_a_finding(capsys, monkeypatch):
    call_command("audit_strategy", "golden_cross", "--cuts", "4", "--symbols", "IBM,MSFT", "--json")
    printed = json.loads(capsys.readouterr().out)
    assert (printed["strategy"], [each["test"] for each in printed["verdicts"]]) == (
        "golden_cross",
        ["truncation", "shuffle", "tomorrow", "warm-up"],
    )
    monkeypatch.setitem(REGISTRY, "planted", TomorrowsClose())
    with pytest.raises(SystemExit) as failed:
        call_command("audit_strategy", "planted", "--symbols", "IBM")
    assert failed.value.code == 1
    assert "FAILED" in capsys.readouterr().out


@pytest.mark.django_db
@pytest.mark.usefixtures("bundled_market")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Name one"),
        (["golden_cross", "--all"], "Name one"),
        (["gold"], "choose one of"),
        (["golden_cross", "--symbols", "SPX"], "cannot be traded"),
    ],
)
def test_the_command_says_what_it_cannot_do(words, said):
    with pytest.raises(CommandError, match=said):
        call_command("audit_strategy", *words)
