"""The admin shows challengers with their path, and leads to the page where a veto is given with its reason."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from analytics.models import Challenger
from tests.adaptation_world import account_make, challenger_make, people, strategy_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def challenger():
    return challenger_make(account_make(people()), strategy_of(), days=3)


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_a_challenger_shows_its_sessions(challenger):
    root = signed_in(User.objects.create_superuser("root", password="x"))
    text = root.get(reverse("admin:analytics_challenger_change", args=[challenger.pk])).content.decode()
    assert "1.0612" in text  # 1.02 cubed


def test_a_veto_leads_to_the_form_that_asks_for_its_reason_and_does_nothing_itself(challenger):
    root = signed_in(User.objects.create_superuser("root", password="x"))
    answer = root.get(reverse("admin:analytics_challenger_veto", args=[challenger.pk]))
    assert answer.url == f"{reverse('adaptation')}?account=DESK#challenger-{challenger.pk}"
    assert f'id="challenger-{challenger.pk}"' in root.get(answer.url).content.decode()
    assert Challenger.objects.get().status == "SHADOW"


def test_a_challenger_of_another_account_leads_nowhere(challenger):
    clerk = User.objects.create_user("clerk", password="x", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_challenger"))
    answer = signed_in(clerk).get(reverse("admin:analytics_challenger_veto", args=[challenger.pk]))
    assert answer.url == reverse("admin:analytics_challenger_changelist")


def test_staff_without_the_right_to_look_are_refused(challenger):
    clerk = User.objects.create_user("clerk", password="x", is_staff=True)
    assert signed_in(clerk).get(reverse("admin:analytics_challenger_veto", args=[challenger.pk])).status_code == 403
