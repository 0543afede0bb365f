"""Endpoints for trading plans: made, changed, executed and taken back by people and programs."""

from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from quant_site.core.fields import choices
from quant_site.core.idempotency import idempotent
from quant_site.core.ratelimit import client_address
from quant_site.core.selectors import account_get
from quant_site.core.types import Direction
from quant_site.core.views import AccountRowsView, row_get
from signals_app.models import DIRECTION_LABELS
from trading.intents.plans import plan_cancel, plan_create, plan_delete, plan_execute, plan_risk_reward, plan_update
from trading.models import Order, TradingPlan

DIRECTION_CHOICES = choices(Direction, DIRECTION_LABELS)
PLANS = TradingPlan.objects.filter(is_deleted=False).order_by("-id")


class PlanSerializer(serializers.ModelSerializer):
    account = serializers.CharField(source="account_id")

    class Meta:
        model = TradingPlan
        fields = (
            "id",
            "account",
            "symbol",
            "direction",
            "plan_type",
            "status",
            "status_reason",
            "entry_price",
            "stop_loss",
            "take_profit",
            "quantity",
            "auto_execute",
            "expired_at",
            "created_source",
            "reasoning",
            "executed_at",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields


class PlanOrderSerializer(serializers.ModelSerializer):
    class Meta:
        model = Order
        fields = ("id", "status", "status_reason", "awaits", "filled_quantity")
        read_only_fields = fields


class RiskRewardSerializer(serializers.Serializer):
    value = serializers.DecimalField(20, 4, allow_null=True, help_text="Gain for one of risk, net of what trading costs.")
    reason = serializers.CharField(help_text="Why there is none.")


class PlanDetailSerializer(PlanSerializer):
    risk_reward = serializers.SerializerMethodField()
    orders = PlanOrderSerializer(many=True)

    class Meta(PlanSerializer.Meta):
        fields = (*PlanSerializer.Meta.fields, "risk_reward", "orders")
        read_only_fields = fields

    @extend_schema_field(RiskRewardSerializer)
    def get_risk_reward(self, plan) -> dict:
        return RiskRewardSerializer(plan_risk_reward(plan)).data


def _price(help_text: str = "") -> serializers.DecimalField:
    return serializers.DecimalField(20, 6, required=False, allow_null=True, help_text=help_text)


class PlanChangeSerializer(serializers.Serializer):
    """What is left out stays as it is."""

    symbol = serializers.CharField(max_length=32, required=False)
    direction = serializers.ChoiceField(DIRECTION_CHOICES, required=False)
    plan_type = serializers.ChoiceField(
        TradingPlan.Kind.choices,
        required=False,
        allow_blank=True,
        help_text="PULLBACK: a limit at the entry. BREAKOUT: once the price passes it. MARKET. Default: PULLBACK where there is an entry.",
    )
    entry_price = _price()
    stop_loss = _price("Below the entry of a LONG, above that of a SHORT.")
    take_profit = _price("Above the entry of a LONG, below that of a SHORT.")
    quantity = _price("Whole; of a CLOSE empty: all that is held.")
    auto_execute = serializers.BooleanField(required=False, help_text="Execute it, once, when the price reaches the entry.")
    expired_at = serializers.DateTimeField(required=False, allow_null=True, help_text="When it stops being a plan.")
    reasoning = serializers.CharField(required=False, allow_blank=True)


class PlanRequestSerializer(PlanChangeSerializer):
    account = serializers.CharField(max_length=64)
    symbol = serializers.CharField(max_length=32)
    direction = serializers.ChoiceField(DIRECTION_CHOICES)


class PlanFilter(filters.FilterSet):
    status = filters.MultipleChoiceFilter(choices=TradingPlan.Status.choices)
    symbol = filters.CharFilter()
    auto_execute = filters.BooleanFilter()

    class Meta:
        model = TradingPlan
        fields = ()


class PlansView(AccountRowsView, GenericAPIView):
    """Plans, the newest first."""

    permission_classes = (IsAuthenticated,)
    serializer_class = PlanSerializer
    filterset_class = PlanFilter
    queryset = PLANS

    @extend_schema(tags=["plans"])
    def get(self, request):
        return self.list(request)

    @idempotent
    @extend_schema(request=PlanRequestSerializer, responses={201: PlanDetailSerializer}, tags=["plans"])
    def post(self, request):
        """Make a plan. Nothing is ordered before it is executed, or before the price reaches the entry where it executes itself."""
        body = PlanRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        wanted = dict(body.validated_data)
        account = account_get(user=request.user, account_id=wanted.pop("account"), trade=True)
        plan = plan_create(account=account, actor=request.user, ip_address=client_address(request), **wanted)
        return Response(PlanDetailSerializer(plan).data, status=status.HTTP_201_CREATED)


class PlanView(APIView):
    """One plan, with its gain against risk and its orders."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=PlanDetailSerializer, tags=["plans"])
    def get(self, request, pk: int):
        return Response(PlanDetailSerializer(plan_get(request, pk)).data)

    @extend_schema(request=PlanChangeSerializer, responses=PlanDetailSerializer, tags=["plans"])
    def patch(self, request, pk: int):
        """Change an active plan."""
        plan = plan_get(request, pk, trade=True)
        body = PlanChangeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        changed = plan_update(plan=plan, actor=request.user, changes=dict(body.validated_data), ip_address=client_address(request))
        return Response(PlanDetailSerializer(changed).data)

    @extend_schema(responses={204: None}, tags=["plans"])
    def delete(self, request, pk: int):
        """Hide a plan; an active one is executed no more. Its orders must be over: cancel it first."""
        plan_delete(plan=plan_get(request, pk, trade=True), actor=request.user, ip_address=client_address(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class PlanExecuteView(APIView):
    """Order what the plan says. Look at `status`: EXECUTED, or ACTIVE still with `status_reason`, where the order was denied or
    waits for a confirmation."""

    permission_classes = (IsAuthenticated,)

    @idempotent
    @extend_schema(request=None, responses=PlanDetailSerializer, tags=["plans"])
    def post(self, request, pk: int):
        plan = plan_get(request, pk, trade=True)
        plan_execute(plan=plan, actor=request.user, ip_address=client_address(request))
        return Response(PlanDetailSerializer(plan_get(request, pk)).data)


class PlanCancelView(APIView):
    """Take a plan back. Its orders that are out are asked to be cancelled; what was filled before that stands."""

    permission_classes = (IsAuthenticated,)

    @idempotent
    @extend_schema(request=None, responses=PlanDetailSerializer, tags=["plans"])
    def post(self, request, pk: int):
        plan = plan_get(request, pk, trade=True)
        return Response(PlanDetailSerializer(plan_cancel(plan=plan, actor=request.user, ip_address=client_address(request))).data)


def plan_get(request, pk: int, *, trade: bool = False) -> TradingPlan:
    return row_get(PLANS.select_related("account").prefetch_related("orders"), user=request.user, pk=pk, trade=trade)
