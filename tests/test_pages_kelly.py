"""What the record would bear stands on the page of the adaptation, and says when it cannot be said."""

from datetime import date
from decimal import Decimal as D

import numpy as np
import pytest

from analytics.adapting.kelly_reads import kelly_bearing
from analytics.models import DailyPerformance
from analytics.tuning.kelly import kelly_fractions
from quant_site.core.services import account_create
from quant_site.market.sessions import sessions_between
from strategies.models import Strategy
from strategies.services import strategies_seed

pytestmark = pytest.mark.django_db
DAYS = sessions_between(date(2012, 1, 3), date(2012, 12, 31))
KEYS = ("breakout_momentum", "golden_cross", "low_volatility")


@pytest.fixture
def account():
    strategies_seed()
    return account_create(id="bearing")


def judged(account, returns, days=DAYS):
    """Daily returns by strategy, as the evaluation leaves them; None is a gap."""
    rows = []
    for key, values in returns.items():
        strategy = Strategy.objects.get(key=key)
        for day, value in zip(days, values, strict=False):
            change = None if value is None else D(str(round(value, 6)))
            rows.append(
                DailyPerformance(account=account, strategy=strategy, scope=key, session=day, pnl=0, cumulative_pnl=0, daily_return=change)
            )
    DailyPerformance.objects.bulk_create(rows)


def series(seed, mean):
    return np.round(np.random.default_rng(seed).normal(mean, 0.01, len(DAYS)), 6)


def test_it_is_kelly_s_answer_for_those_that_ever_moved(account):
    first, second = series(1, 0.002), series(2, 0.001)
    judged(account, {"breakout_momentum": first, "golden_cross": second, "low_volatility": np.zeros(len(DAYS))})
    found = kelly_bearing(account)
    expected = kelly_fractions(np.column_stack([first, second]))
    assert [row.key for row, _ in found.multiples] == ["breakout_momentum", "golden_cross"]
    assert [metric.value for _, metric in found.multiples] == pytest.approx([metric.value for metric in expected.fractions])
    assert found.sessions == len(DAYS)


def test_sessions_that_one_of_them_has_no_return_in_do_not_count(account):
    first = series(1, 0.002)
    judged(account, {"breakout_momentum": first, "golden_cross": [None] * 50 + list(series(2, 0.001)[50:])})
    assert kelly_bearing(account).sessions == len(DAYS) - 50


def test_the_page_shows_a_multiple_a_dash_with_its_reason_or_that_there_is_nothing(account, admin_client):
    def card():
        text = admin_client.get("/adaptation/", {"account": account.pk}, headers={"accept-language": "en"}).content.decode()
        return text[text.index('id="kelly"') :].split("</section>")[0]

    assert "No strategy has moved yet." in card()
    judged(account, {"breakout_momentum": series(1, 0.004)[:40]})
    assert "too short" in card()
    DailyPerformance.objects.all().delete()
    judged(account, {"breakout_momentum": series(1, 0.004)})
    value = kelly_bearing(account).multiples[0][1].value
    assert value > 0
    assert f"× {value:.2f}" in card()
