"""The admin shows every table; what the system recorded can be read and found there, and changed nowhere."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from quant_site.admin_site import NAVIGATION
from quant_site.core.admin import RecordAdmin
from quant_site.core.models import Account
from quant_site.core.services import account_create
from signals_app.models import TradingSignal
from tests.api_world import build_world, make_signal
from trading.models import Order

pytestmark = pytest.mark.django_db

OURS = ("core", "market", "strategies", "signals_app", "trading", "advisor", "analytics")
INLINE_ONLY = {"core.accountmember"}
TABLES = [model for label in OURS for model in apps.get_app_config(label).get_models() if model._meta.label_lower not in INLINE_ONLY]
REGISTERED = list(admin.site._registry)
RECORDS = [model for model, page in admin.site._registry.items() if isinstance(page, RecordAdmin)]
EDITABLE = {
    "core.account",
    "strategies.strategy",
    "trading.tradejournal",
    "trading.tradingplan",
    "trading.pricealert",
    "trading.hedgepolicy",
}


def name_of(model) -> str:
    return model._meta.label_lower


def page(model, view: str, *args) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{view}", args=args)


@pytest.fixture
def world():
    return build_world()


@pytest.fixture
def root(world):
    client = Client()
    client.force_login(world.users["root"])
    return client


@pytest.mark.parametrize("model", TABLES, ids=name_of)
def test_every_table_has_a_page(model):
    assert model in admin.site._registry


def test_only_what_a_person_decides_can_be_edited():
    assert {name_of(model) for model in TABLES} - {name_of(model) for model in RECORDS} == EDITABLE


@pytest.mark.parametrize("model", REGISTERED, ids=name_of)
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_a_table_opens_and_can_be_searched_in_both_languages(root, model, language):
    headers = {"Accept-Language": language}
    assert root.get(page(model, "changelist"), headers=headers).status_code == 200
    if admin.site._registry[model].search_fields:
        assert root.get(page(model, "changelist"), {"q": "AAPL"}, headers=headers).status_code == 200


@pytest.mark.parametrize("model", REGISTERED, ids=name_of)
def test_a_row_opens(root, model):
    row = model._default_manager.first()
    if row is not None:
        assert root.get(page(model, "change", row.pk)).status_code == 200


@pytest.mark.parametrize("model", RECORDS, ids=name_of)
def test_a_record_can_be_neither_added_nor_changed_nor_removed(root, model):
    assert root.get(page(model, "add")).status_code == 403
    row = model._default_manager.first()
    if row is not None:
        assert root.post(page(model, "change", row.pk), {}).status_code == 403
        assert root.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403
        assert model._default_manager.filter(pk=row.pk).exists()


def test_removing_records_in_bulk_is_not_offered(root, world):
    body = {"action": "delete_selected", "_selected_action": [world.order.pk], "post": "yes"}
    root.post(page(Order, "changelist"), body)
    assert Order.objects.filter(pk=world.order.pk).exists()


@pytest.fixture
def clerk(world):
    """Staff who may look at every table, and owns one account of his own."""
    user = User.objects.create_user("clerk", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    own = account_create(id="CLERK-1", owner=user)
    make_signal(own, world.strategy, symbol="IBM")
    client = Client()
    client.force_login(user)
    return client


def test_staff_see_the_rows_of_their_own_accounts_only(clerk, world):
    shown = clerk.get(page(TradingSignal, "changelist")).context["cl"].result_list
    assert [signal.account_id for signal in shown] == ["CLERK-1"]
    assert [account.pk for account in clerk.get(page(Account, "changelist")).context["cl"].result_list] == ["CLERK-1"]
    assert clerk.get(page(TradingSignal, "change", world.signal.pk)).status_code == 302  # as if it were not there


def test_staff_cannot_find_other_accounts_by_completing_names(clerk):
    answer = clerk.get(reverse("admin:autocomplete"), {"app_label": "signals_app", "model_name": "tradingsignal", "field_name": "account"})
    assert {item["id"] for item in answer.json()["results"]} <= {"CLERK-1"}


def test_who_is_not_staff_sees_nothing(world):
    client = Client()
    client.force_login(world.users["owner"])
    assert client.get(page(Order, "changelist")).status_code == 302


def links(groups):
    return [str(item["link"]) for group in groups for item in group["items"]]


def test_the_sidebar_leads_to_every_table_once():
    wanted = sorted(page(model, "changelist") for model in REGISTERED)
    assert sorted(link for link in links(NAVIGATION) if link.startswith("/admin/")) == wanted


def test_the_sidebar_shows_only_what_one_may_open(world):
    user = User.objects.create_user("half", password="x", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_order"))
    client = Client()
    client.force_login(user)
    shown = links(client.get(reverse("admin:index")).context["sidebar_navigation"])
    assert page(Order, "changelist") in shown
    assert page(Account, "changelist") not in shown


def test_a_page_of_signals_takes_no_more_queries_for_more_signals(root, world, django_assert_max_num_queries):
    for number in range(30):
        make_signal(world.account, world.strategy, symbol=f"S{number}")
    with django_assert_max_num_queries(12):
        root.get(page(TradingSignal, "changelist"))
