"""Endpoints for price alerts, and for the record of their firings."""

from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from quant_site.core.idempotency import idempotent
from quant_site.core.ratelimit import client_address
from quant_site.core.selectors import account_get
from quant_site.core.views import AccountRowsView, RowsView, row_get
from trading.intents.alerts import alert_create, alert_delete, alert_update
from trading.models import AlertFiring, PriceAlert

ALERTS = PriceAlert.objects.filter(is_deleted=False).order_by("-id")
PARAMS_HELP = (
    "For CREATE_PLAN and AUTO_TRADE: direction, quantity, stop_loss, take_profit; for AUTO_TRADE order_type (MKT, LMT) and limit_price; for"
    " CREATE_PLAN plan_type, entry_price, auto_execute and valid_days. For all: once (end with the first firing; default true but for"
    " NOTIFY_ONLY)."
)


class AlertSerializer(serializers.ModelSerializer):
    account = serializers.CharField(source="account_id")
    action_params = serializers.DictField(help_text=PARAMS_HELP)

    class Meta:
        model = PriceAlert
        fields = (
            "id",
            "account",
            "symbol",
            "alert_type",
            "threshold_value",
            "reference_price",
            "is_active",
            "is_beyond",
            "triggered_at",
            "trigger_count",
            "action_type",
            "action_params",
            "watched_since",
            "created_at",
        )
        read_only_fields = fields


class AlertChangeSerializer(serializers.Serializer):
    """What is left out stays as it is."""

    symbol = serializers.CharField(max_length=32, required=False)
    alert_type = serializers.ChoiceField(PriceAlert.Kind.choices, required=False)
    threshold_value = serializers.DecimalField(20, 6, required=False, help_text="A price; of a change in per cent 5 or -5.")
    reference_price = serializers.DecimalField(
        20, 6, required=False, allow_null=True, help_text="What a change in per cent is measured from; empty: the last close."
    )
    is_active = serializers.BooleanField(required=False)
    action_type = serializers.ChoiceField(PriceAlert.Action.choices, required=False)
    action_params = serializers.DictField(required=False, help_text=PARAMS_HELP)


class AlertRequestSerializer(AlertChangeSerializer):
    account = serializers.CharField(max_length=64)
    symbol = serializers.CharField(max_length=32)
    alert_type = serializers.ChoiceField(PriceAlert.Kind.choices)
    threshold_value = serializers.DecimalField(20, 6, help_text="A price; of a change in per cent 5 or -5.")


class FiringSerializer(serializers.ModelSerializer):
    plan = serializers.IntegerField(source="plan_id", allow_null=True)
    order = serializers.IntegerField(source="order_id", allow_null=True)

    class Meta:
        model = AlertFiring
        fields = ("crossing", "price", "at", "outcome", "detail", "plan", "order")
        read_only_fields = fields


class AlertFilter(filters.FilterSet):
    symbol = filters.CharFilter()
    active = filters.BooleanFilter(field_name="is_active")
    action = filters.MultipleChoiceFilter(field_name="action_type", choices=PriceAlert.Action.choices)

    class Meta:
        model = PriceAlert
        fields = ()


class AlertsView(AccountRowsView, GenericAPIView):
    """Alerts, the newest first."""

    permission_classes = (IsAuthenticated,)
    serializer_class = AlertSerializer
    filterset_class = AlertFilter
    queryset = ALERTS

    @extend_schema(tags=["alerts"])
    def get(self, request):
        return self.list(request)

    @idempotent
    @extend_schema(request=AlertRequestSerializer, responses={201: AlertSerializer}, tags=["alerts"])
    def post(self, request):
        """Make an alert. It fires when the price comes to the threshold from the other side (`is_beyond` says where it is)."""
        body = AlertRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        wanted = dict(body.validated_data)
        account = account_get(user=request.user, account_id=wanted.pop("account"), trade=True)
        alert = alert_create(account=account, actor=request.user, ip_address=client_address(request), **wanted)
        return Response(AlertSerializer(alert).data, status=status.HTTP_201_CREATED)


class AlertView(APIView):
    """One alert."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=AlertSerializer, tags=["alerts"])
    def get(self, request, pk: int):
        return Response(AlertSerializer(row_get(ALERTS, user=request.user, pk=pk)).data)

    @extend_schema(request=AlertChangeSerializer, responses=AlertSerializer, tags=["alerts"])
    def patch(self, request, pk: int):
        """Change an alert, or switch it on or off. One with another threshold, or switched on, watches anew from now on."""
        alert = row_get(ALERTS, user=request.user, pk=pk, trade=True)
        body = AlertChangeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        changed = alert_update(alert=alert, actor=request.user, changes=dict(body.validated_data), ip_address=client_address(request))
        return Response(AlertSerializer(changed).data)

    @extend_schema(responses={204: None}, tags=["alerts"])
    def delete(self, request, pk: int):
        """Remove an alert; the record of what it did is kept."""
        alert = row_get(ALERTS, user=request.user, pk=pk, trade=True)
        alert_delete(alert=alert, actor=request.user, ip_address=client_address(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema(tags=["alerts"], parameters=[OpenApiParameter("id", int, OpenApiParameter.PATH)])
class AlertFiringsView(RowsView):
    """Each time that an alert fired and what came of it, the latest first."""

    permission_classes = (IsAuthenticated,)
    serializer_class = FiringSerializer
    queryset = AlertFiring.objects.order_by("-crossing")

    def get_queryset(self):
        if getattr(self, "swagger_fake_view", False):
            return self.queryset.none()
        return self.queryset.filter(alert=row_get(ALERTS, user=self.request.user, pk=self.kwargs["pk"]))
