"""What the commands of the kill switch share: whom they act for, and how they ask for a password."""

import getpass
import sys

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError

from quant_site.core.models import Account
from quant_site.core.stepup import confirmation_give


def account_named(name: str) -> Account:
    account = Account.objects.filter(pk=name).first()
    if account is None:
        known = ", ".join(Account.objects.order_by("pk").values_list("pk", flat=True)[:10])
        raise CommandError(f"There is no account {name!r}. Known: {known or 'none'}.")
    return account


def shell_actor() -> str:
    """Who acts through the shell, as the audit log names it."""
    return f"shell:{getpass.getuser()}"


def user_named(name: str):
    user = get_user_model().objects.filter(username=name, is_active=True).first()
    if user is None:
        raise CommandError(f"There is no active user {name!r}.")
    return user


def confirmed(user, *, action: str, payload: dict):
    """The id of a confirmation by `user`, whose password is asked for at the terminal, or read as one line of standard input."""
    asked = f"Password of {user.get_username()}: "
    password = getpass.getpass(asked) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    return confirmation_give(user=user, password=password, action=action, payload=payload).pk
