"""Limits: tighter ones are taken as they are, a looser one needs the password, on exactly what changes."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from hypothesis import assume, given
from hypothesis import strategies as st

from quant_site.core.accounts import LIMITS, account_update
from quant_site.core.errors import InvalidInput, NotAllowed
from quant_site.core.limits import LIMIT_FIELDS, LOOSER, limits_loosened, limits_payload, loosened
from quant_site.core.models import Account, AccountLimits, AccountMember, Confirmation
from quant_site.core.ratelimit import FAILED_LOGINS_PER_NAME
from tests.control_world import PASSWORD, account_make, audited, client_of, confirm, confirmation_for, confirmed, people

D = Decimal
START = {
    "max_position_pct": D("0.20"),
    "max_sector_pct": D("0.40"),
    "max_order_notional": D("5000"),
    "max_orders_per_minute": 10,
    "duplicate_window": 60,
    "allow_short": False,
    "options_level": 1,
    "day_trade_rule": "LEGACY_COUNT",
    "restricted": ["GME"],
}
# (limit, tighter, looser): each as a trader would say it.
WAYS = [
    ("max_position_pct", "0.10", "0.30"),
    ("max_sector_pct", "0.30", None),
    ("max_daily_loss_pct", "0.02", "none"),
    ("max_order_notional", "4999.99", "5000.01"),
    ("max_orders_per_minute", 9, 11),
    ("duplicate_window", 61, 59),
    ("allow_short", "none", True),
    ("options_level", 0, 2),
    ("day_trade_rule", "CASH_ACCOUNT", "OFF"),
    ("restricted", ["AMC", "GME"], []),
]


@pytest.fixture
def users(db):
    return people()


@pytest.fixture
def account(users):
    return account_make(users, **START)


def patch(client, account, changes, headers=None):
    return client.patch(f"/api/v1/accounts/{account.pk}/limits", changes, format="json", headers=headers)


def value(account, name):
    return getattr(Account.objects.get(pk=account.pk), name)


# --- the rule itself


def test_every_limit_of_the_model_has_a_direction():
    assert set(LIMIT_FIELDS) == {field.name for field in AccountLimits._meta.get_fields()}


@given(st.sampled_from(sorted(LOOSER)), st.none() | st.integers(0, 50), st.none() | st.integers(0, 50))
def test_a_numeric_limit_is_loosened_when_something_passes_that_did_not(name, before, after):
    """Independent of the rule: count what passes of sixty values."""
    lower_is_looser = name in {"duplicate_window", "close_unprotected"}
    assume(not lower_is_looser or None not in (before, after))  # both always have a value

    def passes(limit):
        return {x for x in range(60) if limit is None or (x >= limit if lower_is_looser else x <= limit)}

    assert loosened(name, before, after) == (not passes(after) <= passes(before))


# --- through the API


@pytest.mark.parametrize(("name", "tighter", "looser"), WAYS, ids=[way[0] for way in WAYS])
def test_tighter_passes_and_looser_asks(users, account, name, tighter, looser):
    client = client_of(users["trader"])
    if looser != "none":
        before = value(account, name)
        refused = patch(client, account, {name: looser})
        assert (refused.status_code, refused.json()["code"]) == (403, "confirmation_required")
        assert refused.json()["details"]["loosened"] == [name]
        assert name in refused.json()["message"]
        assert value(account, name) == before
        assert patch(client, account, {name: looser}, headers=confirmed(client, refused.json())).status_code == 200
        assert value(account, name) != before
    if tighter != "none":
        Account.objects.filter(pk=account.pk).update(**START)
        assert patch(client, account, {name: tighter}).status_code == 200


def test_a_confirmation_is_for_the_values_it_names_and_no_others(users, account):
    client = client_of(users["owner"])
    header = confirmed(client, patch(client, account, {"max_position_pct": "0.25"}).json())
    for changes in ({"max_position_pct": "0.26"}, {"max_position_pct": "0.25", "max_sector_pct": "0.50"}, {"max_sector_pct": "0.50"}):
        assert patch(client, account, changes, headers=header).json()["code"] == "confirmation_mismatch"
    assert patch(client, account, {"max_position_pct": "0.250"}, headers=header).status_code == 200
    assert patch(client, account, {"max_position_pct": "0.20"}).status_code == 200
    assert patch(client, account, {"max_position_pct": "0.25"}, headers=header).json()["code"] == "confirmation_used"


def test_a_confirmation_is_for_the_change_from_where_the_limit_stood(users, account):
    client = client_of(users["owner"])
    header = confirmed(client, patch(client, account, {"max_position_pct": "0.25"}).json())
    patch(client_of(users["trader"]), account, {"max_position_pct": "0.01"})
    assert patch(client, account, {"max_position_pct": "0.25"}, headers=header).json()["code"] == "confirmation_mismatch"
    assert value(account, "max_position_pct") == D("0.01")


def test_a_tightening_that_comes_with_a_loosening_waits_for_its_confirmation(users, account):
    client = client_of(users["owner"])
    refused = patch(client, account, {"max_position_pct": "0.1", "max_order_notional": "9000"})
    assert refused.json()["details"]["loosened"] == ["max_order_notional"]
    assert set(refused.json()["details"]["payload"]["changes"]) == {"max_order_notional", "max_position_pct"}
    assert value(account, "max_position_pct") == D("0.2")


def test_changes_are_audited_with_before_after_and_confirmation(users, account):
    client = client_of(users["trader"])
    patch(client, account, {"max_sector_pct": "0.3"})
    refused = patch(client, account, {"max_sector_pct": None})
    header = confirmed(client, refused.json())
    patch(client, account, {"max_sector_pct": None}, headers=header)
    tight, loose = audited("ACCOUNT_UPDATE")
    assert (tight.actor, tight.ip_address, tight.details) == ("trader", "127.0.0.1", {"max_sector_pct": ["0.400000", "0.300000"]})
    assert loose.details == {"max_sector_pct": ["0.300000", "None"], "confirmation": header["X-Confirmation"]}


def test_sending_the_same_again_changes_nothing_and_asks_for_nothing(users, account):
    client = client_of(users["owner"])
    same = client.get(f"/api/v1/accounts/{account.pk}/limits").json()
    assert set(same) == set(LIMIT_FIELDS)
    assert patch(client, account, same).status_code == 200
    assert not audited("ACCOUNT_UPDATE")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"max_order_notinal": "1"}, "unknown_limit"),
        ({"state": "ACTIVE"}, "unknown_limit"),
        ({"mode": "REAL"}, "unknown_limit"),
        ({"max_position_pct": "NaN"}, "invalid_input"),
        ({"max_position_pct": "-0.1"}, "invalid_input"),
        ({"max_position_pct": "1.5"}, "invalid_input"),
        ({"max_position_pct": None}, "invalid_input"),
        ({"max_orders_per_minute": -1}, "invalid_input"),
        ({"day_trade_rule": "NONE"}, "invalid_input"),
        ({"restricted": "GME"}, "invalid_input"),
        (["max_position_pct"], "invalid_input"),
    ],
)
def test_what_is_no_limit_is_refused(users, account, changes, code):
    refused = patch(client_of(users["owner"]), account, changes)
    assert (refused.status_code, refused.json()["code"]) == (400, code)
    assert not Confirmation.objects.exists()


def test_a_reader_sees_them_and_a_stranger_does_not(users, account):
    url = f"/api/v1/accounts/{account.pk}/limits"
    assert client_of(users["reader"]).get(url).status_code == 200
    assert client_of(users["other"]).get(url).status_code == 404


# --- the service


def test_the_service_keeps_what_an_account_is_and_its_state_out_of_reach(users, account):
    for changes in ({"mode": "REAL"}, {"broker": "tiger"}, {"state": "ACTIVE"}, {"state_reason": ""}):
        with pytest.raises(InvalidInput):
            account_update(account=account, actor=users["owner"], changes=changes)


def test_the_system_can_tighten_but_never_loosen(account):
    account_update(account=account, actor="guard", changes={"max_position_pct": D("0.1")})
    with pytest.raises(NotAllowed, match="Only a person"):
        account_update(account=account, actor="guard", changes={"max_position_pct": D("0.2")})


def test_the_service_itself_refuses_who_may_not_trade(users, account):
    with pytest.raises(NotAllowed, match="not trade"):
        account_update(account=account, actor=users["reader"], changes={"max_position_pct": D("0.1")})


def test_a_real_account_is_at_tiger_and_in_no_replay(users):
    for fields in ({"broker": "paper"}, {"broker": "tiger", "is_replay": True}):
        with pytest.raises(InvalidInput) as refusal:
            account_make(users, "R", mode="REAL", **fields)
        assert (refusal.value.code, set(refusal.value.details["fields"])) == ("invalid_account", {"__all__"})
    assert account_make(users, "R", mode="REAL", broker="tiger").mode == "REAL"


# --- the admin's form


@pytest.fixture
def root(users):
    client = Client()
    client.force_login(User.objects.create_superuser("root", password=PASSWORD))
    return client


def form_of(client, account) -> dict:
    """What the page would send unchanged."""
    form = client.get(url_of(account)).context["adminform"].form
    values = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    values = {name: ", ".join(item) if isinstance(item, list) else getattr(item, "pk", item) for name, item in values.items()}
    sent = {name: "on" if item is True else item for name, item in values.items() if item not in (None, False)}
    return sent | {"memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0}


def url_of(account) -> str:
    return reverse("admin:core_account_change", args=[account.pk])


def save(client, account, **changes):
    return client.post(url_of(account), form_of(client, account) | changes)


def errors(response) -> dict:
    return response.context["adminform"].form.errors


def test_the_form_shows_every_limit_with_an_explanation(root, account):
    page = root.get(url_of(account))
    form = page.context["adminform"].form
    assert set(LIMIT_FIELDS) <= set(form.fields)
    shown = {
        name for fieldset in page.context["adminform"] for line in fieldset for name in (f.field.name for f in line if not f.is_readonly)
    }
    assert set(LIMIT_FIELDS) <= shown
    explained = {name for name in LIMIT_FIELDS if form.fields[name].help_text}
    assert {"allow_short", "options_level"} >= set(LIMIT_FIELDS) - explained


def test_the_form_saves_a_tighter_limit_without_a_password(root, account):
    assert save(root, account, max_position_pct="0.1", restricted="GME, AMC").status_code == 302
    assert value(account, "restricted") == ["AMC", "GME"]
    assert not Confirmation.objects.exists()


def test_the_form_names_what_is_loosened_and_asks_for_the_password(root, account):
    refused = save(root, account, max_position_pct="0.3", max_order_notional="")
    assert set(errors(refused)) == {"password"}
    said = str(errors(refused)["password"])
    form = refused.context["adminform"].form
    assert str(form.fields["max_position_pct"].label) in said
    assert str(form.fields["max_order_notional"].label) in said
    assert str(form.fields["max_sector_pct"].label) not in said
    assert value(account, "max_position_pct") == D("0.2")


def test_the_form_takes_the_right_password_only(root, account):
    assert set(errors(save(root, account, max_position_pct="0.3", password="wrong"))) == {"password"}
    assert value(account, "max_position_pct") == D("0.2")
    assert save(root, account, max_position_pct="0.3", password=PASSWORD).status_code == 302
    assert value(account, "max_position_pct") == D("0.3")
    [entry] = audited("ACCOUNT_UPDATE")
    assert entry.details["max_position_pct"] == ["0.200000", "0.3"]
    assert Confirmation.objects.get(used_at__isnull=False).pk.hex == entry.details["confirmation"].replace("-", "")


def test_guessing_in_the_form_is_locked_out(root, account):
    for _ in range(FAILED_LOGINS_PER_NAME.amount):
        save(root, account, max_position_pct="0.3", password="wrong")
    assert set(errors(save(root, account, max_position_pct="0.3", password=PASSWORD))) == {"password"}
    assert value(account, "max_position_pct") == D("0.2")


def test_the_form_never_shows_the_password_again(root, account):
    refused = save(root, account, max_position_pct="0.3", password="wrong-horse-1")
    assert "wrong-horse-1" not in refused.content.decode()


def test_staff_who_may_only_look_at_an_account_cannot_change_its_limits(users, account):
    clerk = User.objects.create_user("clerk", password=PASSWORD, is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["view_account", "change_account"]))
    membership = AccountMember.objects.create(account=account, user=clerk, role="READ")
    client = Client()
    client.force_login(clerk)
    assert client.post(url_of(account), {"max_position_pct": "0.1"}).status_code == 403
    membership.role = "TRADE"
    membership.save()
    assert save(client, account, max_position_pct="0.1").status_code == 302


def test_the_state_cannot_be_edited_in_the_form(root, account):
    Account.objects.filter(pk=account.pk).update(state="HALTED", state_reason="x")
    assert save(root, account, state="ACTIVE", state_reason="").status_code == 302
    assert value(account, "state") == "HALTED"


def test_the_list_halts_the_selected_accounts(root, account):
    body = {"action": "halt", "_selected_action": [account.pk]}
    root.post(reverse("admin:core_account_changelist"), body)
    assert value(account, "state") == "HALTED"
    assert audited("TRADING_STATE")[0].actor == "root"


def test_the_list_lets_accounts_only_reduce_and_never_loosens(root, account, users):
    second = account_make(users, "DESK-2")
    Account.objects.filter(pk=second.pk).update(state="HALTED")
    root.post(reverse("admin:core_account_changelist"), {"action": "reduce", "_selected_action": [account.pk, second.pk]})
    assert (value(account, "state"), value(second, "state")) == ("REDUCING", "HALTED")


def test_staff_halt_from_the_list_what_they_may_trade(account):
    clerk = User.objects.create_user("clerk", password=PASSWORD, is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename="view_account"))
    membership = AccountMember.objects.create(account=account, user=clerk, role="READ")
    client = Client()
    client.force_login(clerk)
    body = {"action": "halt", "_selected_action": [account.pk]}
    client.post(reverse("admin:core_account_changelist"), body)
    assert value(account, "state") == "ACTIVE"
    membership.role = "TRADE"
    membership.save()
    client.post(reverse("admin:core_account_changelist"), body)
    assert value(account, "state") == "HALTED"


def test_the_form_of_a_new_account_refuses_a_real_one_without_tiger(root, users):
    url = reverse("admin:core_account_add")
    form = root.get(url).context["adminform"].form
    body = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    body = {name: "on" if item is True else item for name, item in body.items() if item not in (None, False, [])}
    body |= {"id": "R-1", "mode": "REAL", "memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0}
    assert "Tiger" in str(errors(root.post(url, body, headers={"Accept-Language": "en"})))
    assert root.post(url, body | {"broker": "tiger"}).status_code == 302
    assert Account.objects.get(pk="R-1").mode == "REAL"


def test_a_payload_does_not_depend_on_zeros_or_order():
    one = limits_payload("A", {"max_sector_pct": D("0.300000"), "restricted": ["B", "A"]}, {"max_sector_pct": None, "restricted": []})
    other = limits_payload("A", {"restricted": ["A", "B"], "max_sector_pct": D("0.3")}, {"restricted": [], "max_sector_pct": None})
    assert one == other
    assert limits_loosened({"max_sector_pct": D("0.3")}, {"max_sector_pct": D("0.30")}) == []


def test_a_confirmation_of_limits_does_not_resume(users, account):
    payload = {"account": account.pk, "state": "ACTIVE"}
    given = confirmation_for(users["owner"], LIMITS, payload)
    Account.objects.filter(pk=account.pk).update(state="HALTED")
    client = client_of(users["owner"])
    body = {"account": account.pk, "state": "ACTIVE"}
    refused = client.post("/api/v1/trading-state/", body, format="json", headers={"X-Confirmation": str(given)})
    assert refused.json()["code"] == "confirmation_mismatch"
    assert confirm(client, "RESUME", payload).status_code == 200
