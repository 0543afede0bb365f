"""What the hedge engine decides at a close: how much, on which side, and what keeps it from ordering."""

from dataclasses import replace
from decimal import Decimal as D

import numpy as np
import pytest
from django.db import transaction

from quant_site.market.options.quotes import option_market
from tests.hedge_world import HedgeWorld, factor_panel
from tests.options_world import market_panel
from trading.books.ledger import fills_book
from trading.exposure.hedge_engine import AutoHedgeEngine
from trading.exposure.hedging import absolute_aversion, proportional_cost, whalley_wilmott
from trading.models import HedgeRecord, Order, Position

pytestmark = pytest.mark.django_db


def shrunk(panel, symbol, t, market="SPY", sessions=252) -> float:
    """Beta by numpy's own least squares, as an oracle."""
    own, other = (np.diff(panel.close[panel.row(name), max(t - sessions, 0) : t + 1]) for name in (symbol, market))
    own, other = (
        each / panel.close[panel.row(name), max(t - sessions, 0) : t] for name, each in zip((symbol, market), (own, other), strict=True)
    )
    return 0.67 * np.polyfit(other, own, 1)[0] + 0.33


def test_a_long_account_sells_as_many_shares_as_its_dollars_of_beta_are_worth():
    panel = factor_panel(betas=(1.5, 0.7))
    world = HedgeWorld(panel)
    world.buy("AAA", 800, 270), world.buy("BBB", 500, 270)
    policy = world.policy(band=D("0.05"))
    assert world.look(280) == {"policies": 1, "orders": 1, "stopped": 0}

    closes = {name: panel.close[panel.row(name), 280] for name in panel.symbols}
    exposure = shrunk(panel, "AAA", 280) * 800 * closes["AAA"] + shrunk(panel, "BBB", 280) * 500 * closes["BBB"]
    record = policy.records.get()
    assert float(record.exposure) == pytest.approx(exposure, abs=0.01)
    assert record.wanted == 0
    assert float(record.band) == pytest.approx(0.05 * float(world.account.equity_snapshots.get().total_equity), abs=0.01)
    assert record.quantity == -int(exposure / closes["SPY"])
    order = record.order
    assert (order.symbol, order.side, order.quantity, order.origin, order.purpose) == ("SPY", "SELL", -record.quantity, "HEDGE", "ENTRY")
    assert (order.group, order.status, order.signal) == ("HEDGE-BETA", "INTENT", None)
    assert record.detail.startswith(f"ORDERED: SELL {-record.quantity.normalize():f} SPY, expected to cost about ")


def test_a_short_account_buys():
    world = HedgeWorld(factor_panel())
    world.buy("AAA", -800, 270)
    policy = world.policy()
    world.look(280)
    record = policy.records.get()
    assert record.exposure < 0 < record.quantity
    assert record.order.side == "BUY"


def test_within_its_band_nothing_is_ordered_and_the_look_is_still_recorded():
    world = HedgeWorld(factor_panel())
    world.buy("AAA", 160, 270)
    policy = world.policy(band=D("0.10"))
    assert world.look(280)["orders"] == 0
    record = policy.records.get()
    assert 0 < record.exposure < record.band
    assert (record.quantity, record.order, record.detail) == (0, None, "")


def test_a_target_leaves_that_share_of_equity_exposed():
    world = HedgeWorld(factor_panel())
    world.buy("AAA", 1500, 270)
    policy = world.policy(target=D("0.30"), band=D("0.01"))
    world.look(280)
    record, close = policy.records.get(), world.panel.close[world.panel.row("SPY"), 280]
    left = float(record.exposure) + float(record.quantity) * close
    assert abs(left - float(record.wanted)) < close
    assert float(record.wanted) == pytest.approx(0.30 * float(world.account.equity_snapshots.get().total_equity), abs=0.01)


def test_looking_again_changes_nothing():
    world = HedgeWorld(factor_panel())
    world.buy("AAA", 800, 270)
    world.policy()
    world.look(280)
    before = list(HedgeRecord.objects.values()), list(Order.objects.values())
    assert world.look(280) == {"policies": 1, "orders": 0, "stopped": 0}
    assert (list(HedgeRecord.objects.values()), list(Order.objects.values())) == before


def test_the_same_account_is_hedged_by_the_same_orders():
    def orders() -> list[tuple]:
        with transaction.atomic():
            world = HedgeWorld(factor_panel(betas=(1.5, 0.7)))
            world.buy("BBB", 500, 270), world.buy("AAA", 800, 270)
            world.policy()
            world.look(280)
            found = list(Order.objects.filter(origin="HEDGE").values_list("client_order_id", "side", "quantity"))
            transaction.set_rollback(True)
            return found

    assert orders() == orders()
    assert not Order.objects.exists()


def test_an_account_without_policies_costs_one_query(django_assert_num_queries):
    world = HedgeWorld(factor_panel())
    world.buy("AAA", 800, 270)
    world.policy(state="OFF")
    world.close(280)
    engine = AutoHedgeEngine(world.account, world.panel)
    with django_assert_num_queries(1):
        assert engine.run(world.day(280)) == {}
    assert not HedgeRecord.objects.exists()


def test_while_an_order_of_the_hedge_is_open_there_is_no_second_one():
    world = HedgeWorld(factor_panel())
    world.buy("AAA", 800, 270)
    policy = world.policy()
    world.look(280)
    world.look(281)
    last = policy.records.first()
    assert (last.session, last.quantity, last.order) == (world.day(281), 0, None)
    assert last.detail.startswith("ORDER_OPEN: ")
    assert Order.objects.filter(origin="HEDGE").count() == 1


# --- what cannot be measured is not hedged


def test_without_enough_history_nothing_is_ordered_and_the_record_says_why():
    world = HedgeWorld(factor_panel(sessions=50))
    world.buy("AAA", 800, 40)
    policy = world.policy()
    world.look(45)
    record = policy.records.get()
    assert (record.exposure, record.wanted, record.band, record.quantity) == (None, None, None, 0)
    assert record.detail == "NO_BETA: AAA has no beta to SPY: 45 common sessions, 60 are needed."


def test_an_account_without_equity_has_no_target():
    world = HedgeWorld(factor_panel(), cash="1000")
    world.buy("AAA", -800, 100, price=10)
    policy = world.policy()
    world.look(280)
    record = policy.records.get()
    assert world.account.equity_snapshots.get().total_equity < 0
    assert (record.exposure, record.quantity) == (None, 0)
    assert record.detail.startswith("NO_EQUITY: ")


def test_a_hedge_without_a_bar_that_day_waits():
    panel = factor_panel()
    closes = panel.close.copy()
    closes[panel.row("SPY"), 280] = np.nan
    world = HedgeWorld(replace(panel, close=closes))
    world.buy("AAA", 800, 270)
    policy = world.policy()
    world.look(280)
    assert policy.records.get().detail == f"NO_PRICE: SPY has no bar of {world.day(280)}."


# --- what the house forbids


@pytest.mark.parametrize("state", ["REDUCING", "HALTED"])
def test_an_account_that_may_not_open_gets_no_new_hedge(state):
    world = HedgeWorld(factor_panel())
    world.buy("AAA", 800, 270)
    policy = world.policy()
    type(world.account).objects.filter(pk=world.account.pk).update(state=state)
    world.look(280)
    record = policy.records.get()
    assert (record.quantity, record.order) == (0, None)
    assert record.detail.startswith(f"{state}: ")
    assert record.exposure > 0
    assert not Order.objects.filter(origin="HEDGE").exists()


def test_a_reducing_account_still_makes_its_hedge_smaller():
    world = hedged_world(-900)
    type(world.account).objects.filter(pk=world.account.pk).update(state="REDUCING")
    world.look(282)
    record = world.account.hedge_policies.get().records.first()
    assert record.quantity > 0
    assert (record.order.purpose, record.order.side) == ("REDUCE", "BUY")


def test_what_the_risk_checks_deny_is_recorded_with_their_reason():
    world = HedgeWorld(factor_panel(), allow_short=False)
    world.buy("AAA", 800, 270)
    policy = world.policy()
    world.look(280)
    record = policy.records.get()
    assert record.order.status == "DENIED"
    assert (record.quantity, record.detail) == (0, record.order.status_reason)
    assert "SHORT_NOT_ALLOWED" in record.detail


def test_a_symbol_that_is_held_the_other_way_round_is_not_hedged_with():
    world = HedgeWorld(factor_panel())
    world.buy("AAA", 800, 270), world.buy("SPY", 10, 270)
    policy = world.policy()
    world.look(280)
    record = policy.records.get()
    assert record.quantity == 0
    assert "OPPOSITE_POSITION" in record.detail


# --- a hedge that is in place


def hedged_world(shares: int, *, stock: int = 800) -> HedgeWorld:
    """An account with `stock` shares of AAA, whose hedge of `shares` of SPY is filled."""
    world = HedgeWorld(factor_panel())
    world.buy("AAA", stock, 270)
    world.policy()
    world.close(279)
    side = "BUY" if shares > 0 else "SELL"
    order = world.books.order("SPY", side, abs(shares), session=world.day(280), group="HEDGE-BETA", origin="HEDGE")
    price = str(round(world.panel.close[world.panel.row("SPY"), 280], 4))
    fill = world.books.fill(order, abs(shares), price, session=world.day(280))
    world.fill = fill
    fills_book(account=world.account, fills=[fill])
    return world


def test_a_hedge_in_place_is_part_of_the_exposure():
    world = hedged_world(-500)
    world.look(280)
    record, panel = world.account.hedge_policies.get().records.get(), world.panel
    stock = shrunk(panel, "AAA", 280) * 800 * panel.close[panel.row("AAA"), 280]
    assert float(record.exposure) == pytest.approx(stock - 500 * panel.close[panel.row("SPY"), 280], abs=0.05)


def test_its_result_and_cost_are_those_of_its_own_trade():
    world = hedged_world(-500)
    world.look(280)
    world.look(281)
    first, second = world.account.hedge_policies.get().records.order_by("session")
    panel, row = world.panel, world.panel.row("SPY")
    # Filled at the close of column 280: that day the hedge made nothing but its commission.
    assert first.hedge_pnl == D("-1.00")
    assert first.hedge_cost == D("1.00") + (world.fill.amount * D("0.0003")).quantize(D("0.01"))
    moved = D(str(round(-500 * (panel.close[row, 281] - panel.close[row, 280]), 2)))
    assert second.hedge_pnl == pytest.approx(moved, abs=D("0.02"))
    assert second.hedge_cost == 0
    assert second.total_pnl == first.hedge_pnl + second.hedge_pnl
    position = Position.objects.get(symbol="SPY")
    assert second.total_pnl == position.realized_pnl + position.dividends + position.unrealized_pnl
    snapshots = list(world.account.equity_snapshots.order_by("snapshot_date"))
    assert second.account_pnl == snapshots[-1].total_equity - snapshots[-2].total_equity


def test_a_hedge_that_has_to_turn_round_is_closed_first():
    world = hedged_world(300, stock=800)  # bought where it should be sold
    world.look(280)
    record = world.account.hedge_policies.get().records.get()
    assert (record.order.purpose, record.order.side, record.order.quantity) == ("EXIT", "SELL", 300)
    assert record.order.position == Position.objects.get(symbol="SPY")


def test_a_stopped_hedge_is_unwound_and_then_left_alone():
    world = hedged_world(-500)
    policy = world.account.hedge_policies.get()
    policy.state, policy.state_reason = "STOPPED", "TOO_DEAR: It cost too much."
    policy.save()
    world.look(280)
    record = policy.records.get()
    assert (record.order.purpose, record.order.side, record.order.quantity) == ("EXIT", "BUY", 500)
    assert (record.quantity, record.detail) == (500, "TOO_DEAR: It cost too much.")
    Position.objects.filter(symbol="SPY").update(exit_session=world.day(281), quantity=0)
    Order.objects.filter(origin="HEDGE").update(status="FILLED")
    assert world.look(282)["orders"] == 0
    assert policy.records.count() == 1


def test_an_order_that_is_refused_later_is_noted_at_the_next_look():
    world = HedgeWorld(factor_panel())
    world.buy("AAA", 800, 270)
    policy = world.policy()
    world.look(280)
    Order.objects.filter(origin="HEDGE").update(status="REJECTED", status_reason="BUYING_POWER: There is not enough.")
    world.look(281)
    refused = policy.records.get(session=world.day(280))
    assert (refused.quantity, refused.detail) == (0, "BUYING_POWER: There is not enough.")
    assert policy.records.get(session=world.day(281)).quantity < 0


# --- options


def options_account(count: int, right: str = "C") -> tuple[HedgeWorld, str]:
    panel = market_panel(sessions=120)
    world = HedgeWorld(panel, cash="1000000")
    chain = option_market(panel).chain("SPY", 90)
    quote = chain.nearest_delta(chain.expirations()[1], right, 0.5)
    world.buy(quote.contract.symbol, count, 90, price=quote.mid)
    return world, quote.contract.symbol


@pytest.mark.parametrize(("count", "right", "side"), [(40, "C", "SELL"), (-40, "C", "BUY"), (40, "P", "BUY"), (-40, "P", "SELL")])
def test_options_are_hedged_to_the_edge_of_their_band(count, right, side):
    world, symbol = options_account(count, right)
    policy = world.policy("DELTA", risk_aversion=D("50"))
    world.look(91)
    record = policy.records.get()
    quote, spot = option_market(world.panel).quote(symbol, 91, "CLOSE"), world.panel.close[world.panel.row("SPY"), 91]
    equity = float(world.account.equity_snapshots.get().total_equity)
    assert float(record.exposure) == pytest.approx(quote.delta * 100 * count * spot, abs=0.01)
    engine = AutoHedgeEngine(world.account, world.panel)
    years = (quote.contract.expiry - world.day(91)).days / 365
    width = whalley_wilmott(
        quote.gamma * 100 * count,
        spot,
        cost=proportional_cost(engine.costs, spot),
        aversion=absolute_aversion(50.0, equity),
        discount=np.exp(-np.log1p(0.02) * years),
    )
    assert float(record.band) == pytest.approx(width * spot, rel=1e-6)
    after = float(record.exposure) + float(record.quantity) * spot
    edge = np.sign(float(record.exposure)) * width * spot
    assert abs(after) >= abs(edge) and abs(after - edge) < spot
    assert record.order.side == side


def test_options_on_another_underlying_are_no_part_of_a_delta_hedge():
    world, symbol = options_account(40)
    other = option_market(world.panel).chain("ACME", 90)
    quote = other.nearest_delta(other.expirations()[1], "P", 0.5)
    world.buy(quote.contract.symbol, 300, 90, price=quote.mid)
    policy = world.policy("DELTA", risk_aversion=D("50"))
    world.look(91)
    spot = world.panel.close[world.panel.row("SPY"), 91]
    expected = option_market(world.panel).quote(symbol, 91, "CLOSE").delta * 4000 * spot
    assert float(policy.records.get().exposure) == pytest.approx(expected, abs=0.01)


def test_a_beta_hedge_counts_options_by_their_delta_and_the_beta_of_their_underlying():
    panel = market_panel(sessions=120)
    world = HedgeWorld(panel, cash="1000000")
    chain = option_market(panel).chain("ACME", 90)
    quote = chain.nearest_delta(chain.expirations()[1], "P", 0.5)
    world.buy(quote.contract.symbol, 100, 90, price=quote.mid)
    policy = world.policy(band=D("0"))
    world.look(91)
    delta = option_market(panel).quote(quote.contract.symbol, 91, "CLOSE").delta
    expected = shrunk(panel, "ACME", 91) * delta * 10_000 * panel.close[panel.row("ACME"), 91]
    assert float(policy.records.get().exposure) == pytest.approx(expected, abs=0.01)


def test_without_options_on_its_underlying_a_delta_hedge_has_nothing_to_do():
    world = HedgeWorld(market_panel(sessions=120))
    world.buy("SPY", 100, 90)
    policy = world.policy("DELTA")
    world.look(91)
    record = policy.records.get()
    assert (record.exposure, record.band, record.quantity, record.detail) == (0, 0, 0, "")


def test_options_without_a_quote_are_not_hedged():
    world, symbol = options_account(40)
    policy = world.policy("DELTA")
    closes = world.panel.close.copy()
    closes[world.panel.row("VIX"), 80:] = np.nan
    world.panel = replace(world.panel, close=closes)
    world.look(91)
    record = policy.records.get()
    assert (record.exposure, record.quantity) == (None, 0)
    assert record.detail.startswith(f"MISSING_GREEK: {symbol} has no delta: Synthetic options on SPY need bars of VIX")
