"""The drawdown throttle with a level of release: shut at the limit, open again only once the account has recovered to the level."""

from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from quant_site.core.rows import row_insert
from strategies.backtest.engine import columns_of
from strategies.backtest.kernel import can_run, run_rules
from strategies.backtest.settings import DEFAULT_LIMITS, BacktestSettings
from strategies.registry import REGISTRY
from strategies.risk import drawdown_shut
from tests.accounting_world import SESSIONS, World, panel_of
from tests.kernel_world import wild_panel
from tests.risk_world import codes, context, trade
from trading.exposure.context import risk_context_build
from trading.models import EquitySnapshot

LIMIT, RELEASE = 0.20, 0.10
paths = st.lists(st.floats(0, 0.4).map(lambda depth: round(depth, 6)), min_size=1, max_size=40)


def shut_after(path, release=RELEASE) -> bool:
    shut = False
    for depth in path:
        shut = drawdown_shut(shut, depth, LIMIT, release)
    return shut


@given(paths)
def test_the_account_is_shut_from_the_limit_on_until_it_stood_at_the_level_of_release(path):
    """Oracle: the last close at which it was decided."""
    decided = [depth for depth in path if depth >= LIMIT or depth <= RELEASE]
    assert shut_after(path) == (bool(decided) and decided[-1] >= LIMIT)


@given(paths)
def test_without_a_level_of_release_it_is_never_shut(path):
    assert not shut_after(path, None)


def test_a_shut_account_opens_nothing_and_closes_all():
    limits = {"max_drawdown_pct": LIMIT, "drawdown_release_pct": RELEASE}
    shut = context(limits=limits, drawdown=-0.15, shut=True)
    assert (shut.throttle, replace(shut, shut=False).throttle) == (0.0, pytest.approx(1 / 3))
    assert codes(trade({"KO": 1}), shut) == ["DRAWDOWN_LIMIT"]
    assert codes(trade({"KO": 1}), replace(shut, shut=False)) == []


@given(path=paths)
@pytest.mark.django_db
def test_the_books_tell_the_same_as_the_path(path, django_db_blocker):
    """The context reads one earlier close, whatever the path."""
    with django_db_blocker.unblock(), transaction.atomic():
        account = World(max_drawdown_pct=Decimal(str(LIMIT)), drawdown_release_pct=Decimal(str(RELEASE))).account
        for session, depth in zip(SESSIONS[1:], path, strict=False):
            row = EquitySnapshot(account=account, snapshot_date=session, total_equity=Decimal(100_000), drawdown_pct=Decimal(str(-depth)))
            row_insert(row)
        panel = panel_of({"AAA": [50] * (len(path) + 1)})
        assert risk_context_build(account=account, session=SESSIONS[len(path)], panel=panel).shut == shut_after(path)
        transaction.set_rollback(True)


# --- the compiled backtest


@pytest.mark.parametrize(
    "limits",
    [
        {"drawdown_release_pct": 0.1},
        {"max_sector_pct": 0.3},
        {"max_group_pct": 0.3},
        {"max_net_exposure": 0.5},
        {"max_symbol_notional": 5000.0},
        {"max_order_notional": 5000.0},
        {"max_es_pct": 0.1},
        {"max_stress_pct": 0.1},
        *({f"max_{greek}_pct": 0.1} for greek in ("delta", "gamma", "vega", "theta")),
        {"day_trade_rule": "OFF"},
        {"restricted": ("AAA",)},
    ],
)
def test_the_compiled_backtest_leaves_limits_it_does_not_know_to_the_simulation(limits):
    strategy = REGISTRY["golden_cross"]
    settings = BacktestSettings(limits=replace(DEFAULT_LIMITS, **limits))
    panel = wild_panel(6, 2, 300)
    assert can_run(strategy, BacktestSettings())
    assert not can_run(strategy, settings)
    assert run_rules(strategy, strategy.Params(fast=5, slow=20), panel, *columns_of(strategy, panel, None, None), settings) is None


def test_what_only_matters_when_an_order_is_sent_leaves_the_backtest_compiled():
    limits = replace(DEFAULT_LIMITS, confirm_above=1.0, price_collar_pct=0.05, quote_max_age=5, max_orders_per_minute=1, options_level=0)
    assert can_run(REGISTRY["golden_cross"], BacktestSettings(limits=limits))
