"""What a backtest answers: metrics over whole trades, the benchmark beside them, plain values, and what was assumed."""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from quant_site.core.errors import DataMissing, InvalidInput
from quant_site.core.stats import Undefined
from strategies.backtest import BacktestSettings, backtest, simulate
from strategies.backtest.assumptions import ACTIONS, ADJUSTED, UNSEEN
from strategies.backtest.report import metrics_of, whole_trades
from strategies.registry import REGISTRY
from tests.backtest_world import Scripted, flat_then
from tests.support_strategies import bundled_panel, random_panel

SPAN = {"start": date(2008, 1, 2), "end": date(2012, 12, 31)}


@pytest.fixture(scope="module")
def pairs():
    return simulate("pairs_trading", panel=bundled_panel(), settings=BacktestSettings(benchmark="IBM"), **SPAN)


def test_a_pair_is_one_trade_in_the_metrics(pairs):
    legs = pairs.trade_rows()
    by_trade: dict[tuple, list] = {}
    for leg in legs:
        by_trade.setdefault((leg["group"], leg["entry_session"]), []).append(leg)
    closed = [trade for trade in by_trade.values() if all(leg["exit_session"] for leg in trade)]
    assert len(closed) < len(legs) / 1.9
    results = [sum(leg["pnl"] for leg in trade) for trade in closed]
    assert pairs.metrics["win_rate"].n == len(closed)
    assert pairs.metrics["win_rate"].value == pytest.approx(np.mean(np.array(results) > 0))
    assert pairs.metrics["expectancy"].value == pytest.approx(np.mean(results))
    assert pairs.metrics["average_holding"].value == pytest.approx(np.mean([trade[0]["sessions_held"] for trade in closed]))


def test_profit_and_loss_of_all_trades_is_what_the_account_gained(pairs):
    for key in sorted(REGISTRY):
        result = simulate(key, panel=bundled_panel(), **SPAN)
        assert sum(trade["pnl"] for trade in result.trade_rows()) == pytest.approx(result.equity[-1] - result.capital, abs=0.005)
        assert np.allclose(result.equity - result.cash, 0, atol=0.005) == (len(result.fills) == 0)


def test_the_metrics_are_those_of_the_returns_and_amounts(pairs):
    returns = np.diff(pairs.equity, prepend=pairs.capital) / np.concatenate([[pairs.capital], pairs.equity[:-1]])
    assert np.allclose(pairs.returns, returns)
    assert pairs.metrics["time_weighted_return"].value == pytest.approx(pairs.equity[-1] / pairs.capital - 1)
    assert pairs.metrics["sharpe_ratio"].value == pytest.approx(returns.mean() / returns.std(ddof=1) * np.sqrt(252))
    assert pairs.metrics["exposure"].value == pytest.approx((pairs.gross / pairs.equity).mean())
    fills = pairs.fill_rows()
    sides = [sum(fill["quantity"] * fill["price"] for fill in fills if fill["side"] == side) for side in ("BUY", "SELL")]
    assert pairs.metrics["turnover"].value == pytest.approx(min(sides) / pairs.equity.mean())


def test_the_benchmark_begins_with_the_session_before(pairs):
    panel = bundled_panel()
    first = panel.index(date(2008, 1, 2))
    closes = panel.adj_close[panel.row("IBM"), first - 1 :]
    assert pairs.benchmark == pytest.approx((closes[1:] / closes[:-1] - 1)[: len(pairs.sessions)])
    slope = np.polyfit(pairs.benchmark, pairs.returns, 1)[0]
    assert pairs.metrics["beta"].value == pytest.approx(slope)


def test_a_benchmark_listed_later_counts_from_its_second_bar_on():
    result = simulate("golden_cross", panel=bundled_panel(), start=date(2003, 1, 2), settings=BacktestSettings(benchmark="GOOG"))
    known = np.isfinite(result.benchmark)
    assert not known[:400].any()
    assert result.metrics["beta"].n == known.sum() == (known[400:]).sum()
    without = simulate("golden_cross", panel=bundled_panel(), start=date(2003, 1, 2), settings=BacktestSettings(benchmark="NONE"))
    assert without.benchmark is None
    assert "beta" not in without.metrics


def test_legs_of_a_trade_are_added_up_and_open_trades_left_out():
    trades = np.zeros(5, [("pnl", "i8"), ("entry", "i4"), ("exit", "i4")])
    trades["pnl"], trades["entry"], trades["exit"] = [100, -250, 40, 999, 1], [3, 3, 5, 8, 8], [7, 9, 6, -1, 9]
    made, held = whole_trades(trades, [0, 0, 1, 2, 2])
    assert (made.tolist(), held.tolist()) == ([-1.5, 0.4], [6, 1])


def test_nothing_traded_leaves_trade_metrics_undefined_and_says_so():
    result = simulate(Scripted({}), panel=flat_then({"AAA": [(1.0, 1.0, 1.0, 1.0)]}))
    assert result.metrics["win_rate"].reason is Undefined.NO_TRADES
    assert result.metrics["sharpe_ratio"].value is None
    assert UNSEEN in result.assumptions
    assert ADJUSTED in result.assumptions


def test_an_account_that_is_ruined_is_measured_up_to_its_ruin(pairs):
    equity = pairs.equity.copy()
    equity[600:] = [-50.0, 0.0, *[100.0] * (len(equity) - 602)]
    found = metrics_of(replace(pairs, equity=equity))
    assert found["sharpe_ratio"].n == found["beta"].n == 601
    assert found["max_drawdown"].value < -1
    assert found["exposure"].reason is Undefined.NO_EQUITY


def test_the_whole_result_is_json(pairs):
    plain = json.loads(json.dumps(pairs.as_json(), allow_nan=False))
    assert len(plain["sessions"]) == len(plain["equity"]) == len(plain["benchmark"]) == 1259
    assert plain["fills"][0]["session"] == str(pairs.fill_rows()[0]["session"])
    assert plain["metrics"]["win_rate"]["n"] == pairs.metrics["win_rate"].n
    assert plain["params"]["pairs"] == 5


def test_the_assumptions_name_what_applies(pairs):
    assert ACTIONS in pairs.assumptions
    assert not any("option" in text.lower() for text in pairs.assumptions)
    assert len(set(pairs.assumptions)) == len(pairs.assumptions) >= 7


def test_a_share_of_the_account_scales_every_size():
    whole, half = (
        simulate("golden_cross", panel=bundled_panel(), settings=BacktestSettings(share=share), **SPAN).fills["quantity"]
        for share in (1.0, 0.5)
    )
    assert len(whole) == len(half)
    assert ((half - whole / 2) < 1.01).all()
    own = simulate("golden_cross", {"weight": 0.5}, panel=bundled_panel(), settings=BacktestSettings(share=None), **SPAN)
    assert (own.fills["quantity"] == half).all()


def test_the_same_run_twice_is_the_same_to_the_last_bit():
    one, other = (
        simulate("breakout_momentum", panel=random_panel(5), settings=BacktestSettings(capital=Decimal(50_000))) for _ in range(2)
    )
    assert np.array_equal(one.fills, other.fills)
    assert np.array_equal(one.trades, other.trades)
    assert one.metrics == other.metrics


@pytest.mark.parametrize("key", ["bollinger_mean_reversion", "breakout_momentum", "golden_cross", "pairs_trading"])
def test_whatever_runs_a_strategy_answers_what_the_simulation_answers(key):
    fast, slow = (run(key, panel=bundled_panel(), **SPAN) for run in (backtest, simulate))
    for name in ("fills", "trades", "equity", "cash", "gross"):
        assert np.array_equal(getattr(fast, name), getattr(slow, name))
    assert (fast.metrics, fast.rejected, fast.drafts) == (slow.metrics, slow.rejected, slow.drafts)


@pytest.mark.parametrize(
    ("ask", "error", "said"),
    [
        ({"strategy": "golden_kross"}, InvalidInput, "choose one of"),
        ({"params": {"fst": 10}}, InvalidInput, "did you mean 'fast'"),
        ({"params": {"fast": 1}}, InvalidInput, "greater than or equal to"),
        ({"start": date(2012, 1, 3), "end": date(2011, 1, 3)}, InvalidInput, "before it begins"),
        ({"start": date(2050, 1, 3)}, DataMissing, "choose others"),
    ],
)
def test_what_cannot_be_run_is_refused_with_what_to_do(ask, error, said):
    asked = {"strategy": "golden_cross", "params": {}, "start": None, "end": None} | ask
    with pytest.raises(error, match=said):
        backtest(asked["strategy"], asked["params"], panel=bundled_panel(), start=asked["start"], end=asked["end"])


def test_dates_that_are_no_sessions_mean_those_within():
    result = backtest("golden_cross", panel=bundled_panel(), start=date(2008, 1, 1), end=date(2008, 1, 6))
    assert [str(day) for day in result.sessions] == ["2008-01-02", "2008-01-03", "2008-01-04"]
