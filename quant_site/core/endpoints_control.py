"""Endpoints for what needs a fresh password: giving one, and the limits of an account."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from quant_site.core.accounts import account_update
from quant_site.core.errors import InvalidInput
from quant_site.core.limits import LIMIT_FIELDS
from quant_site.core.models import Account
from quant_site.core.ratelimit import client_address
from quant_site.core.selectors import account_get
from quant_site.core.stepup import GOOD_FOR, HEADER, confirmation_give

CONFIRMATION_HEADER = OpenApiParameter(
    HEADER, str, OpenApiParameter.HEADER, description="A confirmation from auth/confirm, where the act needs one."
)


def confirmation_of(request) -> str | None:
    """The confirmation that came with a request."""
    return request.headers.get(HEADER)


class ConfirmSerializer(serializers.Serializer):
    password = serializers.CharField(max_length=1024, trim_whitespace=False, style={"input_type": "password"})
    action = serializers.CharField(max_length=32, help_text="As the refusal's details name it.")
    payload = serializers.DictField(help_text="As the refusal's details hold it.")


class ConfirmationSerializer(serializers.Serializer):
    confirmation = serializers.UUIDField(help_text=f"For the header {HEADER}; good for one act.")
    expires_at = serializers.DateTimeField()


class ConfirmView(APIView):
    """Confirm one dangerous act with your password.

    Ask for the act without a confirmation first: the refusal's details hold the action and the payload to confirm.
    """

    permission_classes = (IsAuthenticated,)

    @extend_schema(
        request=ConfirmSerializer,
        responses=ConfirmationSerializer,
        tags=["auth"],
        description=f"Good for {GOOD_FOR.seconds // 60} minutes, for exactly this action and payload, once.",
    )
    def post(self, request):
        body = ConfirmSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        given = confirmation_give(user=request.user, request=request, **body.validated_data)
        return Response(ConfirmationSerializer({"confirmation": given.pk, "expires_at": given.expires_at}).data)


class AccountLimitsSerializer(serializers.ModelSerializer):
    restricted = serializers.ListField(child=serializers.CharField(max_length=32), max_length=1000, required=False)

    class Meta:
        model = Account
        fields = LIMIT_FIELDS


class AccountLimitsView(APIView):
    """The risk limits of one account. Shares are of equity, amounts in dollars; null limits nothing."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=AccountLimitsSerializer, tags=["accounts"])
    def get(self, request, account_id: str):
        return Response(AccountLimitsSerializer(account_get(user=request.user, account_id=account_id)).data)

    @extend_schema(
        request=AccountLimitsSerializer(partial=True),
        responses=AccountLimitsSerializer,
        parameters=[CONFIRMATION_HEADER],
        tags=["accounts"],
        description="Set some limits. Tighter ones are taken as they are; a looser one needs a confirmation of all that changes.",
    )
    def patch(self, request, account_id: str):
        account = account_get(user=request.user, account_id=account_id, trade=True)
        body = AccountLimitsSerializer(account, data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        unknown = sorted(set(request.data) - set(LIMIT_FIELDS))
        if unknown:
            raise InvalidInput("unknown_limit", f"There is no limit {', '.join(unknown)}.", known=list(LIMIT_FIELDS))
        account = account_update(
            account=account,
            actor=request.user,
            changes=dict(body.validated_data),
            ip_address=client_address(request),
            confirmation_id=confirmation_of(request),
        )
        return Response(AccountLimitsSerializer(account).data)
