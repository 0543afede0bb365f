"""Options through the whole loop: structures are opened, held to their expiry, reduced or assigned, and every cent is accounted for."""

from collections import defaultdict
from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from quant_site.core.models import Account, LoopStage
from quant_site.core.types import Direction
from quant_site.loop import QuantTradingLoop
from quant_site.market.options.contracts import parse_contract
from quant_site.market.options.quotes import option_market
from quant_site.market.panel import Panel
from quant_site.market.selectors import panel_load
from quant_site.market.services import bars_import
from quant_site.market.sessions import sessions_between
from quant_site.replay import replay_account, replay_run
from signals_app.models import SignalOutcome, TradingSignal
from strategies.library.drafting import closing, sessions_held
from strategies.models import Strategy as StrategyRow
from strategies.models import StrategyRun
from tests.options_desk import OptionDesk
from trading.brokers.paper import PaperBroker
from trading.models import CashEntry, EquitySnapshot, Fill, Order, Position

pytestmark = pytest.mark.django_db(transaction=True)
D = Decimal
START, END = date(2018, 1, 2), date(2018, 4, 30)


def walk(folder):
    """SPY and VIX of half a year: SPY falls through the condor's wings and comes back."""
    days = sessions_between(date(2017, 12, 1), date(2018, 6, 29))
    rng = np.random.default_rng(5)
    close = 260 * np.exp(np.cumsum(rng.normal(0, 0.006, len(days))) - 0.12 * np.exp(-(((np.arange(len(days)) - 62) / 12) ** 2)))
    vix = 15 + 400 * np.clip(-np.diff(np.log(close), prepend=np.log(close[0])), 0, None)
    for symbol, prices in (("SPY", close), ("VIX", vix)):
        opened = np.roll(prices, 1) * 1.001
        opened[0] = prices[0]
        high, low = np.maximum(opened, prices) * 1.002, np.minimum(opened, prices) * 0.998
        frame = pd.DataFrame({"date": days, "open": opened, "high": high, "low": low, "close": prices, "volume": 1e8})
        frame.round(2).to_csv(folder / f"{symbol}.csv", index=False)
        bars_import(path=folder / f"{symbol}.csv", kind="ETF" if symbol == "SPY" else "INDEX")


@pytest.fixture
def simulated(tmp_path, market_dir):
    walk(tmp_path)


@pytest.fixture
def real(market_fixtures, market_dir):
    bars_import(path=market_fixtures / "prices" / "etf" / "SPY.csv.gz", kind="ETF")
    bars_import(path=market_fixtures / "vol" / "VIX.csv.gz", kind="INDEX")


@pytest.fixture(params=["simulated", "real"])
def spy(request):
    return request.getfixturevalue(request.param)


def replay(desk=None, name="DESK", start=START, end=END, **options):
    desk = desk or OptionDesk()
    StrategyRow.objects.get_or_create(key=desk.key, defaults={"name": desk.name, "category": desk.category})
    account = replay_account(account_id=name, cash=D("1000000"), symbols=["SPY"])
    return replay_run(account=account, start=start, end=end, registry={desk.key: desk}, adapt=False, **options)


def cents(value: float) -> D:
    return D(str(value)).quantize(D("0.01"))


def check_against_the_quotes(panel: Panel) -> None:
    """Fills, settlements, cash and equity from the quotes of the panel and its raw closes alone."""
    market, cash, held = option_market(panel), D("1000000"), defaultdict(int)
    moves = [(fill.session, 0, fill) for fill in Fill.objects.all()]
    moves += [(entry.session, 1, entry) for entry in CashEntry.objects.filter(kind="EXPIRY")]
    for day, _, move in sorted(moves, key=lambda each: each[:2]):
        t = panel.index(day)
        if isinstance(move, Fill):
            quote, way = market.quote(move.symbol, t, "OPEN"), 1 if move.side == "BUY" else -1
            assert float(move.price) == pytest.approx(quote.ask if way > 0 else quote.bid, abs=1e-6)
            assert move.commission == D("0.65") * move.quantity
            cash -= way * 100 * move.quantity * move.price + move.commission
            held[move.symbol] += way * int(move.quantity)
        else:
            contract = parse_contract(move.symbol)
            assert contract.expiry == day
            worth = contract.intrinsic(float(panel.close[panel.row("SPY"), t]))
            assert move.amount == cents(100 * held[move.symbol] * round(worth, 6))
            cash += move.amount
            held.pop(move.symbol)
    last = EquitySnapshot.objects.order_by("snapshot_date").last()
    t, open_now = panel.index(END), {symbol: count for symbol, count in held.items() if count}
    marks = {symbol: round(market.quote(symbol, t, "CLOSE").mid, 6) for symbol in open_now}
    open_value = sum(cents(100 * count * marks[symbol]) for symbol, count in open_now.items())
    assert (last.cash, last.total_equity) == (cash, cash + open_value)
    assert PaperBroker(panel).cash("DESK") == cash


def test_condors_and_straddles_live_to_their_expiry_and_every_cent_follows_from_the_quotes(spy):
    summary = replay()
    panel = panel_load()
    check_against_the_quotes(panel)
    assert set(summary.signals) == {"EXECUTED"}
    closed = Position.objects.exclude(exit_session=None)
    assert set(closed.values_list("exit_reason", flat=True)) == {"EXPIRY"}
    assert closed.filter(exit_price__gt=0).exists()
    assert closed.count() == 3 * 6
    outcomes = {row.signal_id: row for row in SignalOutcome.objects.select_related("signal")}
    for pk, outcome in outcomes.items():
        legs = Position.objects.filter(signal_id=pk)
        assert outcome.realized_pnl == sum(leg.realized_pnl for leg in legs)
        risk = outcome.signal.signal_metadata["loss_at_stop"]
        assert float(outcome.r_multiple) == pytest.approx(float(outcome.realized_pnl) / risk, abs=1e-4)
    worst = min(float(outcome.r_multiple) for outcome in outcomes.values())
    assert worst > -1.25, "the gap and the fees between decision and fill aside, no unit loses more than it was sized for"


def test_a_replay_of_one_strategy_runs_nothing_else_and_keeps_its_weight(simulated):
    replay(end=date(2018, 1, 31))
    assert set(StrategyRun.objects.values_list("strategy__key", flat=True)) == {"desk"}
    stages = LoopStage.objects.filter(name="adaptation").values_list("status", "detail")
    assert {(status, detail["skipped"]) for status, detail in stages} == {("SKIPPED", "This run keeps its weights.")}


def test_two_replays_and_two_halves_have_one_digest(simulated):
    whole = replay()
    replay(name="HALVES", end=date(2018, 2, 16))
    assert replay(name="HALVES", start=date(2018, 2, 20)).digest == whole.digest


@pytest.mark.parametrize("stage", ["settlement", "orders"])
@pytest.mark.parametrize("broken", [date(2018, 1, 3), date(2018, 2, 16)], ids=["entry", "expiry"])
def test_a_stage_that_fails_once_is_where_the_next_pass_resumes(simulated, monkeypatch, stage, broken):
    calm = replay(end=date(2018, 2, 28))
    work, failed = getattr(QuantTradingLoop, f"_{stage}"), []

    def fail_once(loop):
        detail = work(loop)
        if loop.session == broken and not failed:
            failed.append(stage)
            raise RuntimeError("the power went out")
        return detail

    monkeypatch.setattr(QuantTradingLoop, f"_{stage}", fail_once)
    with pytest.raises(RuntimeError):
        replay(name="BROKEN", end=date(2018, 2, 28))
    assert replay(name="BROKEN", end=date(2018, 2, 28)).digest == calm.digest


class Reducing(OptionDesk):
    """Closes half of a condor after five sessions and the rest after ten."""

    def close(self, panel, t, holding):
        draft = closing(holding, "TIME", "Time.")
        held = sessions_held(panel, holding, t)
        if holding.group != "SPY/condor" or held not in (5, 10):
            return None
        return replace(draft, portion=0.5) if held == 5 else draft


def test_a_condor_is_reduced_by_half_and_closed_later(simulated):
    replay(Reducing(), end=date(2018, 1, 31))
    first = TradingSignal.objects.filter(symbol="SPY/condor", direction="SHORT").order_by("session").first()
    legs = Position.objects.filter(signal=first)
    assert {leg.exit_reason for leg in legs} == {"EXIT"}
    assert legs.count() == 4
    size = int(first.position_size)
    orders = Order.objects.filter(group="SPY/condor", session__gte=first.session).order_by("id")[:3]
    assert [(order.purpose, len(order.legs), order.quantity) for order in orders] == [
        ("ENTRY", 4, size),
        ("REDUCE", 4, size // 2),
        ("EXIT", 4, size - size // 2),
    ]
    assert SignalOutcome.objects.get(signal=first).realized_pnl == sum(leg.realized_pnl for leg in legs)


class DeepCall(OptionDesk):
    """Sells a call deep in the money and buys one at the money against it, once."""

    def condor(self, panel, t):
        spot = float(panel.close[panel.row("SPY"), t])
        strikes = [("C", round(spot), Direction.LONG), ("C", round(spot * 0.7), Direction.SHORT)]
        draft = self._structure(panel, t, "SPY/condor", Direction.SHORT, [*strikes])
        return None if panel.sessions[t].item() > date(2018, 2, 21) else draft

    def straddle(self, panel, t):
        return None


def test_a_written_call_deep_in_the_money_is_assigned_before_the_dividend(real):
    """SPY paid 1.0968 on 2018-03-16; 190 calls had next to no time value left."""
    replay(DeepCall(), start=date(2018, 2, 21), end=date(2018, 4, 25))
    ends = {leg.direction.lower(): leg for leg in Position.objects.all()}
    assert (ends["short"].exit_session, ends["short"].exit_reason) == (date(2018, 3, 16), "ASSIGNMENT")
    panel = panel_load()
    strike = float(parse_contract(ends["short"].symbol).strike)
    before = float(panel.close[panel.row("SPY"), panel.index(date(2018, 3, 15))])
    assert float(ends["short"].exit_price) == pytest.approx(before - strike)
    assert CashEntry.objects.get(kind="ASSIGNMENT").amount == -cents(100 * int(ends["short"].entry_quantity) * (before - strike))
    assert ends["long"].exit_reason == "EXPIRY"
    assert Account.objects.get(pk="DESK").state == "ACTIVE"
