"""The page of the adaptation: everybody who may look sees what moved and why; who may trade decides, with a reason, by plain forms."""

import re
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from analytics.models import Adaptation, Challenger, Pin
from quant_site.core.models import Account
from strategies.parameters import effective_params
from tests.adaptation_world import (
    AFTER,
    BEFORE,
    NAME,
    SESSION,
    account_make,
    challenger_make,
    everything_make,
    people,
    promotion_make,
    strategy_of,
    trial_make,
    weight_move,
)
from tests.desk_world import signed_in

pytestmark = pytest.mark.django_db
PAGE = reverse("adaptation")
HOUSE = 0.0833


@pytest.fixture
def users():
    return people()


@pytest.fixture
def account(users):
    return account_make(users)


@pytest.fixture
def strategy():
    return strategy_of()


def page_of(user, account, **query) -> str:
    answer = signed_in(user).get(PAGE, {"account": account.pk, **query})
    assert answer.status_code == 200
    return answer.content.decode()


def part(text: str, anchor: str) -> str:
    """The section, article or row with this id."""
    found = re.search(rf'<(section|article|tr)[^>]* id="{anchor}".*?</\1>', text, re.S)
    assert found, anchor
    return found.group()


def plain(text: str) -> str:
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", text).split()))


def rows() -> tuple:
    pins = list(Pin.objects.values_list("strategy", "what", "reason"))
    return pins, list(Challenger.objects.values_list("status", "reason"))


@pytest.fixture
def everything(account, users):
    """One of each kind, and every form that acts on it."""
    everything_make(account, users["owner"])
    challenger = Challenger.objects.get(status="SHADOW")
    last = Adaptation.objects.filter(lane="DERISK").get()
    pin = {"account": account.pk, "strategy": "bollinger_mean_reversion", "what": "PARAMETERS", "reason": "Because."}
    return {
        reverse("challenger-veto", args=[challenger.pk]): {"reason": "Because."},
        reverse("adaptation-revert", args=[last.pk]): {"reason": "Because."},
        reverse("pin-set"): pin,
        reverse("pin-remove"): pin | {"strategy": "golden_cross", "what": "WEIGHT"},
    }


# --- who


def test_who_may_look_sees_everything_and_no_form(account, users, everything):
    for name, forms in (("owner", True), ("trader", True), ("reader", False)):
        text = page_of(users[name], account)
        assert "Evidence for the challenger" in text
        for path in everything:
            assert (f'action="{path}"' in text) is forms, (name, path)


def test_anothers_account_does_not_exist_and_a_stranger_signs_in_first(account, users, everything):
    assert signed_in(users["other"]).get(PAGE, {"account": account.pk}).status_code == 404
    assert Client().get(PAGE).url.startswith(reverse("login"))
    before = rows()
    for path, body in everything.items():
        assert signed_in(users["other"]).post(path, body).status_code == 404
        assert Client().post(path, body).url.startswith(reverse("login"))
    assert rows() == before


def test_who_may_only_look_can_do_nothing(account, users, everything):
    before = rows()
    for path, body in everything.items():
        answer = signed_in(users["reader"]).post(path, body)
        assert answer.status_code == 403, path
        assert "not trade on it" in answer.content.decode()
    assert rows() == before


def test_nobody_decides_on_a_replay(account, users, everything):
    Account.objects.filter(pk=account.pk).update(is_replay=True)
    before = rows()
    assert not any(f'action="{path}"' in page_of(users["owner"], account) for path in everything)
    assert {signed_in(users["owner"]).post(path, body).status_code for path, body in everything.items()} == {403}
    assert rows() == before


def test_a_form_from_elsewhere_is_not_taken_and_a_link_to_one_leads_to_the_page(account, users, everything):
    before = rows()
    client = signed_in(users["owner"], enforce_csrf_checks=True)
    for path, body in everything.items():
        assert client.post(path, body).status_code == 403
        assert client.get(path).url == PAGE
    assert rows() == before


def test_a_site_without_accounts_says_so(users):
    answer = signed_in(users["other"]).get(PAGE)
    assert answer.templates[0].name == "pages/no_account.html"


# --- what it shows


def test_an_account_that_nothing_moved_says_so(account, users, strategy):
    text = plain(page_of(users["owner"], account))
    for said in (
        "No challenger is live",
        "has decided nothing yet",
        "No parameter set was tried yet",
        "No holdout was used yet",
        "never moved",
    ):
        assert said in text
    assert "months to years of evidence" in text


def test_what_is_in_force_has_its_weight_its_factor_and_since_when(account, users, strategy):
    weight_move(account, strategy, 0.1, HOUSE, session=SESSION.replace(day=21))
    weight_move(account, strategy, 0.05, 0.1, lane="DERISK")
    row = plain(part(page_of(users["owner"], account), f"pin-{strategy.key}"))
    assert "5.00%" in row
    assert "× 0.50" in row
    assert "2019-06-28 v2 · Optimiser" in row
    assert "as the house" in plain(part(page_of(users["owner"], account), "pin-golden_cross"))


def test_a_challenger_stands_beside_its_threshold_with_what_let_it_in(account, users, strategy):
    challenger = challenger_make(account, strategy, days=94)  # 1.02**94 is about the root of 40
    article = part(page_of(users["owner"], account), f"challenger-{challenger.pk}")
    text = plain(article)
    assert f"{NAME} 2 → 2.2" in text
    assert "Evidence for the challenger 6.43 threshold 40.0" in text
    assert 'width="50.5"' in article
    assert "SPA p-value 0.012 ✓ below 0.05" in text
    assert "Deflated Sharpe ratio — above 0.95" in text
    assert "Probability of overfitting 0.090 ✓ below 0.2" in text
    assert "93% ✓ at least 80%" in text
    assert "0.42 bp ✓ above 0" in text
    assert len(re.search(r'<polyline points="([^"]+)"', article)[1].split()) == 94


@pytest.mark.parametrize(
    ("name", "value", "said"), [("spa_p", 0.05, "✗ below 0.05"), ("pbo", 0.2, "✗ below 0.2"), ("plateau", 0.79, "✗ at least 80%")]
)
def test_a_number_that_is_not_what_it_must_be_is_marked(account, users, strategy, name, value, said):
    challenger = challenger_make(account, strategy, gate={name: value})
    assert said in plain(part(page_of(users["owner"], account), f"challenger-{challenger.pk}"))


def test_on_probation_the_evidence_is_that_against_the_change_and_begins_anew(account, users, strategy):
    challenger = challenger_make(account, strategy, "PROBATION", days=10, promoted=SESSION, threshold=20.0)
    before = SESSION.replace(day=20)
    challenger.days.create(session=before, champion_return=0, challenger_return=0, evidence=45.0)
    article = part(page_of(users["owner"], account), f"challenger-{challenger.pk}")
    assert "Evidence for the parameters before" in plain(article)
    assert "Veto and take back" in plain(article)
    assert len(re.search(r'<polyline points="([^"]+)"', article)[1].split()) == 10


def test_decisions_are_found_by_lane_and_strategy(account, users, everything):
    history = plain(part(page_of(users["owner"], account, lane="DERISK"), "history"))
    assert "Decisions 1" in history
    assert "8.33% → 4.16%" in history
    both = plain(part(page_of(users["owner"], account, lane="PARAMETERS", strategy="breakout_momentum"), "history"))
    assert "Promoted, on probation n_window 20 → 22" in both
    assert signed_in(users["owner"]).get(PAGE, {"account": account.pk, "lane": "NONE"}).status_code == 404


def test_what_the_gate_refused_is_said_in_words(account, users, strategy):
    challenger = challenger_make(account, strategy, "DROPPED")
    decision = promotion_make(account, strategy, challenger, "REFUSED")
    Adaptation.objects.update(
        evidence=decision.evidence | {"refusals": ["OVERFIT", "NO_PLATEAU"]}, reason="No challenger: OVERFIT, NO_PLATEAU."
    )
    row = plain(part(page_of(users["owner"], account), f"decision-{decision.pk}"))
    assert "Refused by the gate width 2 → 2.2 The choice would not have held in the other half. It stands alone" in row


def test_a_factor_is_shown_only_for_the_weight_it_was_decided_for(account, users, strategy):
    moved = weight_move(account, strategy, 0.05, HOUSE, lane="DERISK")
    assert "× 0.50" in plain(part(page_of(users["owner"], account), f"pin-{strategy.key}"))
    signed_in(users["owner"]).post(reverse("adaptation-revert", args=[moved.pk]), {"reason": "Luck."})
    assert "× 0.50" not in plain(part(page_of(users["owner"], account), f"pin-{strategy.key}"))


def test_staff_are_led_to_the_trials_of_the_account_and_nobody_else_is(account, users, strategy):
    trial_make(account, strategy, "a")
    trial_make(account_make(users, "SECOND"), strategy, "b")
    assert "/admin/" not in part(page_of(users["owner"], account), "trials")
    root = User.objects.create_superuser("root", password="x")
    [link] = re.findall(r'href="(/admin/[^"]+)"', part(page_of(root, account), "trials"))
    assert [trial.account_id for trial in signed_in(root).get(link).context["cl"].result_list] == [account.pk]


def test_decisions_come_in_pages(account, users, strategy):
    for day in range(1, 29):
        for month in (1, 2):
            weight_move(account, strategy, HOUSE, session=SESSION.replace(month=month, day=day))
    assert "kept stands under all" in part(page_of(users["owner"], account), "history")
    first, second = (part(page_of(users["owner"], account, page=number, lane="ALL"), "history") for number in (1, 2))
    assert 'aria-current="page">1<' in first
    assert "2019-01-01" not in first
    assert "2019-01-01" in second


def test_only_the_last_move_of_a_weight_offers_to_be_taken_back(account, users, strategy):
    first = weight_move(account, strategy, 0.1, HOUSE, session=SESSION.replace(day=21))
    last = weight_move(account, strategy, 0.12, 0.1)
    text = page_of(users["owner"], account)
    assert reverse("adaptation-revert", args=[last.pk]) in text
    assert reverse("adaptation-revert", args=[first.pk]) not in text
    assert "A newer decision moved this weight" in part(text, f"decision-{first.pk}")


def test_what_was_tried_counts_a_set_once_and_an_evaluation_each_time(account, users, strategy):
    for digest, session in (("a", SESSION), ("b", SESSION), ("a", SESSION.replace(day=21))):
        trial_make(account, strategy, digest, session=session)
    assert re.search(r"2019-06-21 – 2019-06-28 2 3 ", plain(part(page_of(users["owner"], account), "trials")))


def test_anothers_trials_and_decisions_are_not_counted(account, users, strategy):
    other = account_make(users, "SECOND")
    trial_make(other, strategy, "a")
    challenger_make(other, strategy)
    weight_move(other, strategy, 0.1, HOUSE)
    text = plain(page_of(users["owner"], account))
    assert "No parameter set was tried yet" in text
    assert "has decided nothing yet" in text


def test_more_decisions_take_no_more_queries(account, users, everything, django_assert_max_num_queries):
    client = signed_in(users["owner"])
    client.get(PAGE, {"account": account.pk})
    with django_assert_max_num_queries(33):
        client.get(PAGE, {"account": account.pk})


# --- what it does


def test_a_veto_is_said_on_the_page_and_done(account, users, strategy):
    challenger = challenger_make(account, strategy, "PROBATION")
    answer = signed_in(users["trader"]).post(reverse("challenger-veto", args=[challenger.pk]), {"reason": "Luck."}, follow=True)
    assert "is vetoed" in answer.content.decode()
    assert effective_params(strategy, account).model_dump()[NAME] == BEFORE
    assert Challenger.objects.get().decided_by == users["trader"]


def test_what_is_refused_is_said_at_its_form(account, users, strategy):
    challenger = challenger_make(account, strategy, "PROBATION")
    answer = signed_in(users["owner"]).post(reverse("challenger-veto", args=[challenger.pk]), {"reason": " "})
    assert answer.status_code == 400
    assert "Say why" in plain(part(answer.content.decode(), f"challenger-{challenger.pk}"))
    assert effective_params(strategy, account).model_dump()[NAME] == AFTER


def test_what_is_over_by_now_is_said_above(account, users, strategy):
    challenger = challenger_make(account, strategy, "DROPPED")
    answer = signed_in(users["owner"]).post(reverse("challenger-veto", args=[challenger.pk]), {"reason": "Luck."})
    assert answer.status_code == 409
    assert '<p class="alert" role="alert">This challenger is over' in answer.content.decode()


def test_a_promotion_is_taken_back_from_the_list(account, users, strategy):
    decision = promotion_make(account, strategy, challenger_make(account, strategy, "PROBATION"))
    answer = signed_in(users["owner"]).post(reverse("adaptation-revert", args=[decision.pk]), {"reason": "Luck."}, follow=True)
    assert "is in force again" in answer.content.decode()
    assert effective_params(strategy, account).model_dump()[NAME] == BEFORE


def test_a_pin_comes_and_goes(account, users, strategy):
    client = signed_in(users["owner"])
    body = {"account": account.pk, "strategy": strategy.key, "what": "WEIGHT", "reason": "Audit."}
    shown = part(client.post(reverse("pin-set"), body, follow=True).content.decode(), f"pin-{strategy.key}")
    assert "Unpin weight" in plain(shown)
    assert 'title="Audit. (owner' in shown
    shown = part(client.post(reverse("pin-remove"), body, follow=True).content.decode(), f"pin-{strategy.key}")
    assert "Pin weight" in plain(shown)
    assert not Pin.objects.exists()
