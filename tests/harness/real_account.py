"""Real accounts at a fake Tiger, outside pytest: one database and one exchange for many cases, an account for each.

Imported by `workspace.prepare` once Django is set up. The real adapter talks to the exchange through the real SDK.
"""

import contextlib
import logging
import os
from datetime import date
from decimal import Decimal
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import Error as DatabaseError
from django.db import connections

from quant_site.core import clock
from quant_site.core.errors import QuantError
from quant_site.core.models import Account, AccountMember
from quant_site.core.services import account_create
from quant_site.environment import TigerSettings
from quant_site.market.models import Instrument
from quant_site.market.sessions import last_completed_session
from quant_site.market.tiger import budget, wire
from tests.fake_tiger.client import FakeTiger
from tests.harness.workspace import MovedClock
from tests.orders_world import DAYS, FLAT, panel_of
from trading.brokers.base import Broker
from trading.brokers.tiger import TigerBroker
from trading.control.senders import boot_register
from trading.models import Arming, SenderBoot
from trading.order_path import sweeper

D = Decimal
CASH = D(100_000)
SYMBOLS = ("AAA", "BBB", "CCC", "DDD")
EXTERNAL = "EXT"
# Options by identifier, with blanks as the exchange has them: what they trade at.
OPTIONS = {"AAA   190315C00100000": Decimal("4.00"), "AAA   190315C00110000": Decimal("1.50")}
PRICE = D(100)
PATIENT, HASTY = 5, 0.4  # seconds that the SDK waits for an answer
PAUSE = 0.02  # seconds before a question is asked again
FAILED = "failed:"
LIMITS = {"max_position_pct": 1, "max_gross_exposure": D("0.05"), "max_adv_pct": 1, "day_trade_rule": "OFF", "quote_max_age": 86_400}


class Exchange(FakeTiger):
    """A fake with an account for each of `names`."""

    def __init__(self, folder: Path, names: list[str]):
        first, *others = names
        super().__init__(folder, account=first, kind="GLOBAL", cash=CASH)
        self._arguments += [f"--account={name}:GLOBAL:{CASH}" for name in others]


def tables() -> None:
    """Migrate, and leave no connection that a fork could share."""
    call_command("migrate", verbosity=0)
    people()
    connections.close_all()


def people() -> tuple[User, User]:
    """The owner of every account, and the second person."""
    return tuple(User.objects.get_or_create(username=name)[0] for name in ("owner", "second"))


class Desk:
    """What a campaign works with: `clock`, `exchange`, `panel`. One is made per worker, after the tables are there."""

    def __init__(self, folder: Path, clock_: MovedClock, names: list[str]):
        logging.disable(logging.CRITICAL)
        self.survives = False
        self.clock, self.panel = clock_, panel_of({symbol: [FLAT] * len(DAYS) for symbol in (*SYMBOLS, EXTERNAL)})
        for symbol in (*SYMBOLS, EXTERNAL):
            Instrument.objects.get_or_create(symbol=symbol)
        self.exchange = Exchange(folder, names).start()
        self.exchange.clock_skew(clock_.offset)
        self.quotes()
        settings.REAL_TRADING = True
        self.patience(PATIENT)
        sweeper.panel_load = lambda: self.panel
        # The budget of calls is one for all processes and real minutes; thousands of accounts a minute are no load it is made for.
        budget.take = lambda method, urgent=False: 0.0
        budget.exhaust = lambda method: None
        wire.PAUSE = PAUSE

    def quotes(self) -> None:
        for symbol in (*SYMBOLS, EXTERNAL):
            self.exchange.quote(symbol, bid=PRICE, ask=PRICE, last=PRICE)
        for identifier, paid in OPTIONS.items():
            self.exchange.quote(identifier, bid=paid, ask=paid, last=paid)

    def patience(self, seconds: float) -> None:
        told = self.exchange.config()
        settings.TIGER = TigerSettings(
            account=told["account"], tiger_id=told["tiger_id"], private_key=told["private_key"], license=told["license"],
            server_url=told["server_url"], public_key=told["tiger_public_key"], timeout=seconds,
        )  # fmt: skip

    def broker(self) -> Broker:
        return TigerBroker(self.panel)

    def close(self) -> None:
        self.exchange.stop()
        connections.close_all()

    # --- accounts and processes

    def account(self, name: str, number: str, **limits) -> Account:
        owner, second = people()
        fields = LIMITS | limits
        account = account_create(id=name, owner=owner, broker="tiger", mode="REAL", broker_account=number, **fields)
        AccountMember.objects.create(account=account, user=second, role=AccountMember.Role.TRADE)
        return account

    def starts(self, account: Account) -> None:
        """A process that sends starts, compares, and a person arms the account."""
        boot_register("sweeper")
        self.round(account)
        self.arms(account)

    @staticmethod
    def arms(account: Account) -> None:
        boot = SenderBoot.objects.latest("pk")
        Arming.objects.get_or_create(open_key=account.pk, defaults={"account": account, "boot": boot, "armed_by": account.owner})

    def round(self, account: Account) -> str:
        """One round as the sweeper makes it. What the broker or another sweeper is to blame for is answered in words, and so is
        a database that went away where that is to be `survived`: then the next round has another connection."""
        try:
            return sweeper._sweep_account(Account.objects.get(pk=account.pk))
        except QuantError as error:
            return f"{FAILED} {error.code}: {error.message}"
        except DatabaseError as error:
            if not self.survives:
                raise
            connections.close_all()
            return f"{FAILED} {type(error).__name__}: {error}"

    @staticmethod
    def day() -> date:
        return last_completed_session(clock.now())


@contextlib.contextmanager
def forked():
    """Yields 0 in a child, which ends here, and the child's id in the parent. Neither keeps the other's connections."""
    connections.close_all()
    child = os.fork()
    if child:
        yield child
        return
    code = 1
    try:
        yield 0
        code = 0
    finally:
        os._exit(code)
