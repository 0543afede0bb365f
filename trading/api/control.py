"""Endpoints of the kill switch and of arming."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from quant_site.core.endpoints_control import CONFIRMATION_HEADER, confirmation_of
from quant_site.core.models import EVERY_ACCOUNT, Account
from quant_site.core.ratelimit import client_address
from quant_site.core.selectors import account_get
from trading.control.selectors import account_states, senders_shown
from trading.control.trading_state import account_arm, account_disarm, arming_problems, trading_state_set, trading_state_set_all


class ArmedSerializer(serializers.Serializer):
    by = serializers.CharField(source="armed_by.username")
    at = serializers.DateTimeField(source="armed_at")


class TradingStateSerializer(serializers.Serializer):
    account = serializers.CharField()
    mode = serializers.CharField()
    state = serializers.ChoiceField(choices=Account.State.choices)
    reason = serializers.CharField(allow_blank=True)
    may_trade = serializers.BooleanField()
    armed = ArmedSerializer(allow_null=True, help_text="Null: no real order is sent.")


class SenderSerializer(serializers.Serializer):
    role = serializers.CharField()
    code_version = serializers.CharField()
    config_hash = serializers.CharField()
    started_at = serializers.DateTimeField()
    beat_at = serializers.DateTimeField(help_text="Its last sign of life.")


class TradingStatesSerializer(serializers.Serializer):
    accounts = TradingStateSerializer(many=True)
    boots = SenderSerializer(many=True, help_text="Living processes that send orders; all must run the same to arm an account.")


class TradingStateRequestSerializer(serializers.Serializer):
    account = serializers.CharField(max_length=64, help_text=f'An account, or "{EVERY_ACCOUNT}": each that you may trade.')
    state = serializers.ChoiceField(choices=Account.State.choices)
    reason = serializers.CharField(max_length=255, allow_blank=True, default="")


class TradingStateView(APIView):
    """The kill switch."""

    permission_classes = (IsAuthenticated,)

    def get_throttles(self):
        """Stopping is never refused for too many requests."""
        return [] if self.request.method == "POST" else super().get_throttles()

    @extend_schema(responses=TradingStatesSerializer, tags=["control"], description="Every account that you may see, and who sends.")
    def get(self, request):
        return Response(TradingStatesSerializer({"accounts": account_states(request.user), "boots": senders_shown()}).data)

    @extend_schema(
        request=TradingStateRequestSerializer,
        responses=TradingStateSerializer(many=True),
        parameters=[CONFIRMATION_HEADER],
        tags=["control"],
        description=(
            "HALTED sends nothing, REDUCING nothing that opens a position. Tightening takes effect at once; loosening one "
            "account needs a confirmation. Repeating a request does nothing more. Answers the accounts it was about."
        ),
    )
    def post(self, request):
        body = TradingStateRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        name, wish = body.validated_data["account"], {key: body.validated_data[key] for key in ("state", "reason")}
        who = {"actor": request.user, "ip_address": client_address(request)}
        if name == EVERY_ACCOUNT:
            accounts = trading_state_set_all(**wish, **who)
        else:
            account = account_get(user=request.user, account_id=name, trade=True)
            accounts = [trading_state_set(account=account, **wish, **who, confirmation_id=confirmation_of(request))]
        return Response(TradingStateSerializer(account_states(request.user, accounts), many=True).data)


class ArmingProblemSerializer(serializers.Serializer):
    code = serializers.CharField()
    message = serializers.CharField()


class ArmingSerializer(serializers.Serializer):
    account = serializers.CharField()
    armed = ArmedSerializer(allow_null=True)
    problems = ArmingProblemSerializer(many=True, help_text="What keeps the account from being armed now.")


class DisarmSerializer(serializers.Serializer):
    reason = serializers.CharField(max_length=255, allow_blank=True, default="")


def _arming(request, account: Account) -> Response:
    [row] = account_states(request.user, [account])
    return Response(ArmingSerializer({**row, "problems": [] if row["armed"] else arming_problems(account)}).data)


class AccountArmView(APIView):
    """Whether real orders of an account are sent."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=ArmingSerializer, tags=["control"])
    def get(self, request, account_id: str):
        return _arming(request, account_get(user=request.user, account_id=account_id, trade=True))

    @extend_schema(
        request=None,
        responses=ArmingSerializer,
        parameters=[CONFIRMATION_HEADER],
        tags=["control"],
        description="Arm an account of mode REAL, with a confirmation, until it is disarmed or a process that sends is started.",
    )
    def post(self, request, account_id: str):
        account = account_get(user=request.user, account_id=account_id, trade=True)
        account_arm(account=account, actor=request.user, confirmation_id=confirmation_of(request), ip_address=client_address(request))
        return _arming(request, account)


class AccountDisarmView(APIView):
    """Stop sending real orders of an account."""

    permission_classes = (IsAuthenticated,)
    throttle_classes = ()  # stopping is never refused for too many requests

    @extend_schema(request=DisarmSerializer, responses=ArmingSerializer, tags=["control"])
    def post(self, request, account_id: str):
        body = DisarmSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        account = account_get(user=request.user, account_id=account_id, trade=True)
        account_disarm(account=account, actor=request.user, ip_address=client_address(request), **body.validated_data)
        return _arming(request, account)
