"""The project outside pytest: set up, filled with bundled prices, and asked what two accounts hold."""

from datetime import date
from decimal import Decimal

import django
from django.core.management import call_command
from django.db import connections

django.setup()

from django.db.models import Count  # noqa: E402

from quant_site.core import clock  # noqa: E402
from quant_site.core.models import Account, LoopRun  # noqa: E402
from quant_site.core.services import account_create  # noqa: E402
from quant_site.digest import account_digest  # noqa: E402
from quant_site.market.selectors import panel_load  # noqa: E402
from quant_site.market.services import bundled_import  # noqa: E402
from quant_site.market.sessions import last_completed_session  # noqa: E402
from quant_site.replay import replay_account, replay_run  # noqa: E402
from strategies.services import strategies_seed  # noqa: E402
from trading.brokers.paper import PaperBroker  # noqa: E402
from trading.models import Fill, Order, PaperFill, PaperOrder  # noqa: E402
from trading.order_path.rows import order_create  # noqa: E402
from trading.vocabulary import OrderType, Purpose  # noqa: E402


def fill() -> None:
    """Tables, strategies and bundled bars; then no open connection that a fork could share."""
    call_command("migrate", verbosity=0)
    strategies_seed()
    bundled_import()
    panel_load()
    connections.close_all()


def replay(account: str, start: date, end: date) -> None:
    row = replay_account(account_id=account, cash=Decimal("100000"), symbols=None)
    replay_run(account=row, start=start, end=end)


def finished(account: str, end: date) -> bool:
    done = LoopRun.objects.filter(account_id=account, session=end, status=LoopRun.Status.DONE).exists()
    connections.close_all()
    return done


def compare() -> dict:
    """Digests of both accounts, and orders the paper broker took more than once for the same intent."""
    calm, killed = account_digest(_account("CALM")), account_digest(_account("KILLED"))
    intents = Order.objects.filter(account_id="KILLED").values("signal", "position", "session", "leg", "purpose", "stop_price", "quantity")
    doubles = intents.annotate(n=Count("pk")).filter(n__gt=1).count()
    counts = {
        name: model.objects.filter(account_id="KILLED").count()
        for name, model in {"orders": Order, "fills": Fill, "broker_orders": PaperOrder, "broker_fills": PaperFill}.items()
    }
    calm_counts = {name: model.objects.filter(account_id="CALM").count() for name, model in {"broker_orders": PaperOrder}.items()}
    surplus = counts["broker_orders"] - calm_counts["broker_orders"]
    return {"same_digest": calm == killed, "digest": calm, "double_orders": doubles + max(0, surplus), **counts}


def _account(name: str):
    return LoopRun.objects.filter(account_id=name).select_related("account").first().account


def paper_account(name: str) -> Account:
    """An account of the paper broker that the sweeper works for."""
    bundled_import()
    account = account_create(id=name)
    PaperBroker(panel_load()).open_account(name, account.initial_cash)
    connections.close_all()
    return account


def paper_order(account: Account) -> int:
    """An intent that the sweeper sends whatever the hour is: it closes something, so that no limit has to be looked at."""
    number = Order.objects.filter(account=account).count()
    order = order_create(
        account=account, purpose=Purpose.EXIT, symbol="IBM", side="SELL", order_type=OrderType.MARKET, quantity=1 + number,
        session=last_completed_session(clock.now()), decision_price=100, key=f"order {number}",
    )  # fmt: skip
    connections.close_all()
    return order.pk
