"""Every page shows only accounts the user may see; another's account does not exist."""

import pytest
from django.urls import reverse

from quant_site.core.models import Account, AccountMember, LoopRun
from tests.pages_world import account_make, user_make

PAGES = ["/", "/strategies/", "/strategies/golden_cross/", "/loop/", "/trades/", "/cards/orders/"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return user_make("owner")


@pytest.fixture
def account(owner):
    return account_make(owner)


@pytest.mark.parametrize("path", PAGES)
def test_a_stranger_is_sent_to_the_login(client, account, path):
    response = client.get(path)
    assert response.status_code == 302
    assert response.url.startswith(reverse("login"))


@pytest.mark.parametrize("path", PAGES)
def test_the_owner_sees_the_page(client, owner, account, path):
    client.force_login(owner)
    assert client.get(path, {"account": account.pk}).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_anothers_account_is_not_found(client, account, path):
    client.force_login(user_make("other"))
    assert client.get(path, {"account": account.pk}).status_code == 404


def test_anothers_run_is_not_found(client, account, owner):
    path = reverse("loop-run", args=[LoopRun.objects.get().pk])
    client.force_login(user_make("other"))
    assert client.get(path).status_code == 404
    client.force_login(owner)
    assert client.get(path).status_code == 200


def test_a_member_may_look(client, account):
    member = user_make("member")
    AccountMember.objects.create(account=account, user=member)
    client.force_login(member)
    assert client.get("/", {"account": account.pk}).status_code == 200


def test_the_switcher_offers_only_ones_own_accounts(client, account):
    other = user_make("other")
    Account.objects.create(id="MINE", owner=other)
    client.force_login(other)
    assert [row.pk for row in client.get("/").context["accounts"]] == ["MINE"]


def test_the_account_looked_at_last_is_remembered_until_it_is_out_of_sight(client, owner, account):
    Account.objects.create(id="A-FIRST", owner=owner)
    client.force_login(owner)
    assert client.get("/").context["account"].pk == "A-FIRST"
    client.get("/", {"account": account.pk})
    assert client.get("/trades/").context["account"].pk == account.pk
    Account.objects.filter(pk=account.pk).update(owner=user_make("heir"))
    assert client.get("/trades/").context["account"].pk == "A-FIRST"


def test_a_user_without_accounts_is_told_what_to_do(client):
    client.force_login(user_make("new"))
    for path in ("/", "/loop/", "/trades/"):
        assert b"pages/no_account.html" in client.get(path).templates[0].name.encode()
    assert client.get("/strategies/").status_code == 200


@pytest.mark.parametrize("path", ["/strategies/golden_bough/", "/cards/secrets/", "/trades/?tab=secrets", "/loop/999999/", "/nowhere/"])
def test_what_is_not_there_is_not_found(client, owner, account, path):
    client.force_login(owner)
    assert client.get(path).status_code == 404


def test_pages_refuse_to_be_posted_to(client, owner, account):
    client.force_login(owner)
    assert client.post("/").status_code == 405
