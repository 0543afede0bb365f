"""Who may change the library for everybody: its parameters, and which strategies run."""

from django.conf import settings
from rest_framework.permissions import BasePermission


def may_manage_strategies(user) -> bool:
    """Users named in STRATEGY_MANAGE_USERS, and staff with the right to change strategies."""
    if not user.is_authenticated or not user.is_active:
        return False
    return user.get_username() in settings.STRATEGY_MANAGE_USERS or (user.is_staff and user.has_perm("strategies.change_strategy"))


class ManagesStrategies(BasePermission):
    message = "Only users named in STRATEGY_MANAGE_USERS, or staff who may change strategies, do this."

    def has_permission(self, request, view) -> bool:
        return may_manage_strategies(request.user)
