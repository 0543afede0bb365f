"""Endpoints for signals: lists, and one signal with how it turned out. Taking one back is an act of trading."""

from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from quant_site.core.fields import choices
from quant_site.core.types import Direction
from quant_site.core.views import AccountRowsView, row_get
from signals_app.models import DIRECTION_LABELS, STATUS_LABELS, SignalOutcome, TradingSignal
from signals_app.states import SignalStatus

DIRECTION_CHOICES = choices(Direction, DIRECTION_LABELS)
STATUS_CHOICES = choices(SignalStatus, STATUS_LABELS)


class LegSerializer(serializers.Serializer):
    symbol = serializers.CharField()
    direction = serializers.ChoiceField(choices=DIRECTION_CHOICES)
    ratio = serializers.FloatField()
    quantity = serializers.IntegerField(allow_null=True)


class RejectionSerializer(serializers.Serializer):
    code = serializers.CharField()
    message = serializers.CharField()
    limit = serializers.FloatField(allow_null=True)
    value = serializers.FloatField(allow_null=True)


class SignalSerializer(serializers.ModelSerializer):
    account = serializers.CharField(source="account_id")
    strategy = serializers.CharField(source="strategy.key")
    status = serializers.ChoiceField(choices=STATUS_CHOICES, source="signal_status")
    legs = LegSerializer(many=True)
    validation_errors = RejectionSerializer(many=True)

    class Meta:
        model = TradingSignal
        fields = (
            "id",
            "account",
            "strategy",
            "session",
            "symbol",
            "direction",
            "legs",
            "reason",
            "signal_strength",
            "risk_score",
            "weight",
            "entry_price",
            "stop_loss",
            "take_profit",
            "position_size",
            "status",
            "validation_errors",
            "created_at",
            "expires_at",
            "executed_at",
        )
        read_only_fields = fields


class OutcomeSerializer(serializers.ModelSerializer):
    class Meta:
        model = SignalOutcome
        fields = ("closed_session", "holding_sessions", "realized_pnl", "return_pct", "r_multiple")
        read_only_fields = fields


class SignalDetailSerializer(SignalSerializer):
    outcome = OutcomeSerializer(allow_null=True, help_text="Null while the trade is open or was never made.")
    signal_metadata = serializers.DictField()

    class Meta(SignalSerializer.Meta):
        fields = (*SignalSerializer.Meta.fields, "score", "strategy_run", "updated_at", "signal_metadata", "outcome")
        read_only_fields = fields


class SignalFilter(filters.FilterSet):
    status = filters.MultipleChoiceFilter(field_name="signal_status", choices=STATUS_CHOICES)
    strategy = filters.CharFilter(field_name="strategy__key")
    symbol = filters.CharFilter()
    session = filters.DateFromToRangeFilter()

    class Meta:
        model = TradingSignal
        fields = ()


@extend_schema(tags=["signals"])
class SignalsView(AccountRowsView):
    """Signals, newest session first."""

    permission_classes = (IsAuthenticated,)
    serializer_class = SignalSerializer
    filterset_class = SignalFilter
    queryset = TradingSignal.objects.order_by("-session", "-id")


class SignalView(APIView):
    """One signal: why it was made, why it was refused, how it turned out."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=SignalDetailSerializer, tags=["signals"])
    def get(self, request, pk: int):
        signal = row_get(TradingSignal.objects.select_related("strategy", "outcome"), user=request.user, pk=pk)
        return Response(SignalDetailSerializer(signal).data)


@extend_schema(tags=["strategies"])
class StrategySignalsView(SignalsView):
    """Signals of one strategy, newest session first."""

    def get_queryset(self):
        return super().get_queryset().filter(strategy=self.kwargs["pk"])
