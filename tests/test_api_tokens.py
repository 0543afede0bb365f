"""Tokens: what they open, and that each can be taken back at once."""

import base64
import json
from datetime import timedelta

import jwt
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from quant_site.core.models import ApiLogin, AuditLog
from quant_site.core.ratelimit import FAILED_LOGINS_PER_NAME

pytestmark = pytest.mark.django_db
PASSWORD = "correct-horse-7"


@pytest.fixture
def user():
    return User.objects.create_user("ada", password=PASSWORD)


def log_in(name="ada", password=PASSWORD):
    return APIClient().post("/api/v1/auth/token", {"username": name, "password": password}, format="json")


def status_with(token: str) -> int:
    return ask(token).status_code


def ask(token: str):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client.get("/api/v1/accounts/")


def refresh(token: str):
    return APIClient().post("/api/v1/auth/refresh", {"refresh": token}, format="json")


def test_name_and_password_give_a_pair_that_opens_the_api(user):
    pair = log_in().json()
    assert set(pair) == {"access", "refresh"}
    assert status_with(pair["access"]) == 200


def test_an_access_token_is_signed_with_hs256_and_lasts_seven_days(user):
    access = log_in().json()["access"]
    assert jwt.get_unverified_header(access)["alg"] == "HS256"
    claims = jwt.decode(access, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == timedelta(days=7).total_seconds()
    assert "password" not in "".join(claims).replace("hash_password", "")


@pytest.mark.parametrize(("name", "password"), [("ada", "wrong"), ("nobody", PASSWORD), ("ada", "")])
def test_wrong_credentials_open_nothing(user, name, password):
    assert log_in(name, password).status_code in (400, 401)
    assert not ApiLogin.objects.exists()


def test_a_disabled_user_gets_no_token_and_keeps_none(user):
    access = log_in().json()["access"]
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert status_with(access) == 401
    assert log_in().status_code == 401


def test_a_changed_password_ends_access_and_refresh_tokens_at_the_next_request(user):
    pair = log_in().json()
    user.set_password("another-horse-8")
    user.save()
    assert status_with(pair["access"]) == 401
    assert refresh(pair["refresh"]).status_code == 401


def test_logout_ends_this_login_at_the_next_request_and_no_other(user):
    first, second = log_in().json(), log_in().json()
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {first['access']}")
    assert client.post("/api/v1/auth/logout", {}, format="json").json() == {"ended": 1}
    assert status_with(first["access"]) == 401
    assert refresh(first["refresh"]).status_code == 401
    assert status_with(second["access"]) == 200


def test_logout_everywhere_ends_every_login_of_the_user_only(user):
    User.objects.create_user("bob", password=PASSWORD)
    mine, also_mine, others = log_in().json(), log_in().json(), log_in("bob").json()
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {mine['access']}")
    assert client.post("/api/v1/auth/logout", {"everywhere": True}, format="json").json() == {"ended": 2}
    assert [status_with(pair["access"]) for pair in (mine, also_mine, others)] == [401, 401, 200]


def test_refresh_rotates_and_the_new_pair_works(user):
    old = log_in().json()
    new = refresh(old["refresh"]).json()
    assert new["refresh"] != old["refresh"]
    assert status_with(new["access"]) == 200
    assert refresh(new["refresh"]).status_code == 200


def test_using_a_refresh_token_twice_ends_the_whole_login(user):
    old = log_in().json()
    new = refresh(old["refresh"]).json()
    stolen = refresh(old["refresh"])
    assert (stolen.status_code, stolen.json()["code"]) == (401, "token_reused")
    assert status_with(new["access"]) == 401
    assert refresh(new["refresh"]).status_code == 401
    assert AuditLog.objects.filter(action_type="LOGOUT", details__reason="REUSED_TOKEN").count() == 1


def test_a_refresh_token_is_no_access_token_and_the_other_way_round(user):
    pair = log_in().json()
    assert status_with(pair["refresh"]) == 401
    assert refresh(pair["access"]).status_code == 401


def forged(claims: dict, *, algorithm="HS256", key=None) -> str:
    return jwt.encode(claims, key if key is not None else settings.SIMPLE_JWT["SIGNING_KEY"], algorithm=algorithm)


@pytest.fixture
def claims(user):
    return jwt.decode(log_in().json()["access"], options={"verify_signature": False})


def test_a_token_with_another_algorithm_is_refused(claims):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    assert status_with(forged(claims)) == 200
    assert status_with(forged(claims, algorithm="HS512")) == 401
    assert status_with(f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}.") == 401


def test_a_token_signed_with_another_key_is_refused(claims):
    assert status_with(forged(claims, key="k" * 64)) == 401
    assert status_with(forged(claims, key=settings.SECRET_KEY)) == 401


def test_an_expired_token_is_refused_in_the_envelope(claims):
    past = int((timezone.now() - timedelta(seconds=1)).timestamp())
    response = ask(forged({**claims, "exp": past}))
    assert response.status_code == 401
    assert response.json()["code"] == "token_not_valid"
    assert set(response.json()) == {"code", "message", "details"}
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_a_token_that_belongs_to_no_login_is_refused(user):
    assert status_with(str(AccessToken.for_user(user))) == 401


def test_a_token_of_one_user_does_not_stand_on_the_login_of_another(claims):
    bob = User.objects.create_user("bob", password=PASSWORD)
    own = jwt.decode(str(AccessToken.for_user(bob)), options={"verify_signature": False})
    assert status_with(forged({**own, "login": claims["login"]})) == 401


@pytest.mark.parametrize("header", ["Bearer", "Bearer a b", "Bearer x.y.z", "Bearer ", "Basic YWRhOmFkYQ=="])
def test_a_malformed_header_is_a_401(user, header):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=header)
    assert client.get("/api/v1/accounts/").status_code == 401


def test_guessing_a_password_is_locked_out_and_the_right_one_does_not_help(user):
    for _ in range(FAILED_LOGINS_PER_NAME.amount):
        assert log_in(password="wrong").status_code == 401
    answer = log_in()
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
    assert int(answer["Retry-After"]) > 60


def test_guessing_at_the_admin_counts_the_same(user, client):
    user.is_staff = True
    user.save()
    for _ in range(FAILED_LOGINS_PER_NAME.amount):
        client.post("/admin/login/", {"username": "ada", "password": "wrong"})
    client.post("/admin/login/", {"username": "ada", "password": PASSWORD})
    assert "_auth_user_id" not in client.session
    assert log_in().status_code == 429


def test_successful_logins_are_not_counted_as_guesses(user):
    for _ in range(FAILED_LOGINS_PER_NAME.amount + 2):
        assert log_in().status_code == 200


def test_logins_and_logouts_leave_audit_entries(user):
    access = log_in().json()["access"]
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    client.post("/api/v1/auth/logout", {}, format="json")
    assert list(AuditLog.objects.order_by("id").values_list("actor", "action_type")) == [("ada", "LOGIN"), ("ada", "LOGOUT")]


def test_a_session_may_use_the_api_but_only_with_its_csrf_token(user):
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(user)
    assert client.get("/api/v1/accounts/").status_code == 200
    refused = client.post("/api/v1/auth/logout", {}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
