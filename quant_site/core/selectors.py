"""Reads of the ground floor. What a user may not see does not exist for that user."""

from django.db.models import Q

from quant_site.core.errors import NotAllowed, NotFound
from quant_site.core.models import Account, AccountMember


def accounts_for(user):
    """Accounts that `user` owns or shares; staff superusers see all."""
    if not user.is_authenticated:
        return Account.objects.none()
    if user.is_superuser:
        return Account.objects.all()
    return Account.objects.filter(Q(owner=user) | Q(memberships__user=user)).distinct()


def account_get(*, user, account_id: str, trade: bool = False) -> Account:
    """The account, if `user` may look at it; with `trade`, if `user` may trade on it.

    Raises `NotFound` where the account is not the user's (it does not tell whether it exists).
    """
    account = accounts_for(user).filter(pk=account_id).first()
    if account is None:
        raise NotFound("account_not_found", f"There is no account {account_id!r} of yours.")
    if trade and not may_trade(user=user, account=account):
        raise NotAllowed("read_only", f"You may look at account {account_id}, not trade on it.")
    return account


def may_trade(*, user, account: Account) -> bool:
    """Whether `user` owns the account, shares it with the right to trade, or is a superuser."""
    if user.is_superuser or account.owner_id == user.pk:
        return True
    return account.memberships.filter(user=user, role=AccountMember.Role.TRADE).exists()


def accounts_tradable(user):
    """Accounts that `user` owns or shares with the right to trade; superusers trade on all."""
    if not user.is_authenticated:
        return Account.objects.none()
    if user.is_superuser:
        return Account.objects.all()
    shared = Q(memberships__user=user, memberships__role=AccountMember.Role.TRADE)
    return Account.objects.filter(Q(owner=user) | shared).distinct()
