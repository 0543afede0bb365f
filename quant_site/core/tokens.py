"""Logins through the API: tokens that are issued together, rotate, and die together.

A JWT cannot be taken back, so each carries the id of its login, and every request asks whether that login still
stands. Logout, a password change, disabling the user and the reuse of a spent refresh token take effect at once.
"""

from django.db import transaction
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import InvalidToken, TokenError
from rest_framework_simplejwt.tokens import RefreshToken

from quant_site.core import clock
from quant_site.core.models import ApiLogin
from quant_site.core.services import audit_record

LOGIN_CLAIM = "login"


class LoginAuthentication(JWTAuthentication):
    """`Authorization: Bearer <access token>` of a login that still stands."""

    def get_user(self, validated_token):
        user = super().get_user(validated_token)
        if not ApiLogin.objects.filter(pk=validated_token.get(LOGIN_CLAIM), user=user, revoked_at=None).exists():
            raise AuthenticationFailed("This login has ended; log in again.", code="login_revoked")
        return user


def user_for_access_token(raw_token: str):
    """The user behind an access token; raises `InvalidToken` or `AuthenticationFailed`. For sockets, which have no request."""
    authentication = LoginAuthentication()
    return authentication.get_user(authentication.get_validated_token(raw_token.encode()))


@transaction.atomic
def login_create(*, user, ip_address: str = "", user_agent: str = "") -> dict[str, str]:
    """A new login of `user`: {"access", "refresh"}."""
    refresh = RefreshToken.for_user(user)
    login = ApiLogin.objects.create(user=user, refresh_jti=refresh["jti"], ip_address=ip_address, user_agent=user_agent[:255])
    refresh[LOGIN_CLAIM] = str(login.pk)
    audit_record(action="LOGIN", actor=user, resource=login, ip_address=ip_address, user_agent=user_agent)
    return _pair(refresh)


def login_refresh(*, refresh_token: str, ip_address: str = "") -> dict[str, str]:
    """A new pair for a refresh token, which is spent by this. A spent one that comes back ends the whole login.

    Raises `InvalidToken` or `AuthenticationFailed`.
    """
    token = refresh_token_parse(refresh_token)
    user = LoginAuthentication().get_user(token)
    spent = token["jti"]
    token.set_jti()
    token.set_exp()
    token.set_iat()
    login = ApiLogin.objects.filter(pk=token[LOGIN_CLAIM], user=user, revoked_at=None)
    if login.filter(refresh_jti=spent).update(refresh_jti=token["jti"], refreshed_at=clock.now()) != 1:
        login_revoke(login_id=token[LOGIN_CLAIM], reason="REUSED_TOKEN", actor=user, ip_address=ip_address)
        raise AuthenticationFailed("This refresh token was used before; its login is ended. Log in again.", code="token_reused")
    return _pair(token)


@transaction.atomic
def login_revoke(*, login_id: str, reason: str, actor, ip_address: str = "") -> bool:
    """End one login; False where it had ended before."""
    login = ApiLogin.objects.filter(pk=login_id).first()
    if login is None or not ApiLogin.objects.filter(pk=login_id, revoked_at=None).update(revoked_at=clock.now(), revoked_reason=reason):
        return False
    audit_record(action="LOGOUT", actor=actor, resource=login, details={"reason": reason}, ip_address=ip_address)
    return True


@transaction.atomic
def logins_revoke(*, user, reason: str, actor, ip_address: str = "") -> int:
    """End every login of `user`; answers how many stood."""
    ended = ApiLogin.objects.filter(user=user, revoked_at=None).update(revoked_at=clock.now(), revoked_reason=reason)
    if ended:
        audit_record(action="LOGOUT", actor=actor, resource=user, details={"reason": reason, "logins": ended}, ip_address=ip_address)
    return ended


def refresh_token_parse(raw_token: str) -> RefreshToken:
    """A refresh token of ours that has not expired; raises `InvalidToken` for anything else."""
    try:
        return RefreshToken(raw_token)
    except TokenError as error:
        raise InvalidToken(str(error)) from error


def _pair(refresh: RefreshToken) -> dict[str, str]:
    return {"access": str(refresh.access_token), "refresh": str(refresh)}
