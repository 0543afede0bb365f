"""Endpoints of the ground floor: logins, accounts, and what the loop did."""

from django.contrib.auth import authenticate
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from quant_site.core import tokens
from quant_site.core.models import Account, LoopRun, LoopStage
from quant_site.core.ratelimit import client_address, login_check
from quant_site.core.selectors import account_get, accounts_for, may_trade
from quant_site.core.views import AccountRowsView, RowsView, row_get

# --- Logins


class CredentialsSerializer(serializers.Serializer):
    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=1024, trim_whitespace=False, style={"input_type": "password"})


class RefreshSerializer(serializers.Serializer):
    refresh = serializers.CharField(max_length=4096)


class TokenPairSerializer(serializers.Serializer):
    access = serializers.CharField()
    refresh = serializers.CharField()


class LogoutSerializer(serializers.Serializer):
    everywhere = serializers.BooleanField(default=False, help_text="End all logins of the user, not only this one.")


class LogoutAnswerSerializer(serializers.Serializer):
    ended = serializers.IntegerField(help_text="Logins that were ended.")


class DoorView(APIView):
    """Where one comes without a token. What is refused here is a 401, as everywhere."""

    authentication_classes = ()

    def get_authenticate_header(self, request):
        return tokens.LoginAuthentication().authenticate_header(request)


class TokenView(DoorView):
    """Log in with name and password."""

    permission_classes = (AllowAny,)

    @extend_schema(request=CredentialsSerializer, responses=TokenPairSerializer, tags=["auth"])
    def post(self, request):
        body = CredentialsSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        login_check(request=request, username=body.validated_data["username"])
        user = authenticate(request, **body.validated_data)
        if user is None:
            raise AuthenticationFailed("Name and password do not match an active user.", code="wrong_credentials")
        agent = request.headers.get("User-Agent", "")
        return Response(tokens.login_create(user=user, ip_address=client_address(request), user_agent=agent))


class RefreshView(DoorView):
    """Change a refresh token for a new pair. Each can be used once; using one twice ends its login."""

    permission_classes = (AllowAny,)

    @extend_schema(request=RefreshSerializer, responses=TokenPairSerializer, tags=["auth"])
    def post(self, request):
        body = RefreshSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        return Response(tokens.login_refresh(refresh_token=body.validated_data["refresh"], ip_address=client_address(request)))


class LogoutView(APIView):
    """End this login, or all of the user's: their tokens are refused from the next request on."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(request=LogoutSerializer, responses=LogoutAnswerSerializer, tags=["auth"])
    def post(self, request):
        body = LogoutSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        who = {"reason": "LOGOUT", "actor": request.user, "ip_address": client_address(request)}
        if body.validated_data["everywhere"] or request.auth is None:
            return Response({"ended": tokens.logins_revoke(user=request.user, **who)})
        return Response({"ended": int(tokens.login_revoke(login_id=request.auth[tokens.LOGIN_CLAIM], **who))})


# --- Accounts


class AccountSerializer(serializers.ModelSerializer):
    class Meta:
        model = Account
        fields = ("id", "name", "broker", "mode", "state", "state_reason", "base_currency", "benchmark", "initial_cash", "is_replay")
        read_only_fields = fields


class AccountDetailSerializer(AccountSerializer):
    may_trade = serializers.SerializerMethodField()

    class Meta(AccountSerializer.Meta):
        fields = (
            *AccountSerializer.Meta.fields,
            "universe",
            "max_position_pct",
            "max_gross_exposure",
            "max_drawdown_pct",
            "risk_per_trade_pct",
            "max_adv_pct",
            "max_day_trades",
            "allow_short",
            "created_at",
            "may_trade",
        )
        read_only_fields = fields

    def get_may_trade(self, account) -> bool:
        return may_trade(user=self.context["request"].user, account=account)


@extend_schema(tags=["accounts"])
class AccountsView(RowsView):
    """Accounts you own or share."""

    permission_classes = (IsAuthenticated,)
    serializer_class = AccountSerializer
    queryset = Account.objects.order_by("pk")

    def get_queryset(self):
        return self.queryset.filter(pk__in=accounts_for(self.request.user).values("pk"))


class AccountView(APIView):
    """One account with its limits."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=AccountDetailSerializer, tags=["accounts"])
    def get(self, request, account_id: str):
        account = account_get(user=request.user, account_id=account_id)
        return Response(AccountDetailSerializer(account, context={"request": request}).data)


# --- What the loop did


class LoopRunSerializer(serializers.ModelSerializer):
    account = serializers.CharField(source="account_id")

    class Meta:
        model = LoopRun
        fields = ("id", "account", "session", "kind", "status", "data_as_of", "data_source", "error", "started_at", "finished_at")
        read_only_fields = fields


class LoopStageSerializer(serializers.ModelSerializer):
    detail = serializers.DictField(help_text="What the stage reports.")

    class Meta:
        model = LoopStage
        fields = ("position", "name", "status", "detail", "error", "attempts", "wall_ms", "finished_at")
        read_only_fields = fields


class LoopRunDetailSerializer(LoopRunSerializer):
    stages = LoopStageSerializer(many=True)

    class Meta(LoopRunSerializer.Meta):
        fields = (*LoopRunSerializer.Meta.fields, "stages")
        read_only_fields = fields


class LoopRunFilter(filters.FilterSet):
    status = filters.ChoiceFilter(choices=LoopRun.Status.choices)
    session = filters.DateFromToRangeFilter()

    class Meta:
        model = LoopRun
        fields = ()


@extend_schema(tags=["loop"])
class LoopRunsView(AccountRowsView):
    """Passes of the loop, newest session first."""

    permission_classes = (IsAuthenticated,)
    serializer_class = LoopRunSerializer
    filterset_class = LoopRunFilter
    queryset = LoopRun.objects.order_by("-session", "account_id")


class LoopRunView(APIView):
    """One pass of the loop, stage by stage."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=LoopRunDetailSerializer, tags=["loop"])
    def get(self, request, pk: int):
        run = row_get(LoopRun.objects.prefetch_related("stages"), user=request.user, pk=pk)
        return Response(LoopRunDetailSerializer(run).data)
