"""Who may send what, for its tests: people around a simulated and a real account, and a client for each."""

from decimal import Decimal

from django.contrib.auth.models import User
from rest_framework.test import APIClient

from quant_site.core.models import Account, AccountMember, AuditLog, OutboxEvent
from quant_site.core.services import account_create
from quant_site.core.stepup import confirmation_give
from quant_site.core.tokens import login_create
from trading.control.senders import boot_register
from trading.models import Reconciliation, SenderBoot

PASSWORD = "correct-horse-7"
HARD_LIMITS = {
    "max_order_notional": Decimal("10000"),
    "max_daily_loss_pct": Decimal("0.03"),
    "price_collar_pct": Decimal("0.05"),
    "max_orders_per_minute": 10,
    "max_rejects_per_minute": 5,
}


def user_make(name: str, **fields) -> User:
    return User.objects.create_user(name, password=PASSWORD, **fields)


def people() -> dict[str, User]:
    return {name: user_make(name) for name in ("owner", "trader", "reader", "other")}


def account_make(users: dict[str, User], account_id: str = "DESK", **fields) -> Account:
    """An account of `owner`, on which `trader` may trade and `reader` may look."""
    account = account_create(id=account_id, owner=users["owner"], **fields)
    AccountMember.objects.create(account=account, user=users["trader"], role=AccountMember.Role.TRADE)
    AccountMember.objects.create(account=account, user=users["reader"], role=AccountMember.Role.READ)
    return account


def real_account_make(users: dict[str, User], account_id: str = "REAL-1", **fields) -> Account:
    return account_make(users, account_id, mode="REAL", broker="tiger", **HARD_LIMITS, **fields)


def ready_to_arm(account: Account) -> SenderBoot:
    """A live sender, and a comparison with the broker that agreed since it started."""
    boot = boot_register("sweeper")
    Reconciliation.objects.create(account=account, boot=boot, kind="BOOT", agrees=True)
    return boot


def client_of(user) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {login_create(user=user)['access']}")
    return client


def confirm(client: APIClient, action: str, payload: dict, password: str = PASSWORD):
    return client.post("/api/v1/auth/confirm", {"password": password, "action": action, "payload": payload}, format="json")


def confirmation_for(user, action: str, payload: dict):
    """The id of a confirmation, given without a request."""
    return confirmation_give(user=user, password=PASSWORD, action=action, payload=payload).pk


def confirmed(client: APIClient, refusal: dict, password: str = PASSWORD) -> dict:
    """The header that a refusal asks for, by confirming exactly what its details hold."""
    details = refusal["details"]
    answer = confirm(client, details["action"], details["payload"], password)
    return {"X-Confirmation": answer.json()["confirmation"]}


def state_of(account: Account) -> str:
    return Account.objects.values_list("state", flat=True).get(pk=account.pk)


def events_of(account: Account, prefix: str = "") -> list[tuple[str, dict]]:
    rows = OutboxEvent.objects.filter(account_id=account.pk, type__startswith=prefix).order_by("id")
    return list(rows.values_list("type", "payload"))


def audited(action: str) -> list[AuditLog]:
    return list(AuditLog.objects.filter(action_type=action).order_by("id"))
