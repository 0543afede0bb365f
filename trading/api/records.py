"""Endpoints for what was traded: orders with their events and fills, positions, and the journal."""

from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from quant_site.core.fields import choices
from quant_site.core.types import Side
from quant_site.core.views import AccountRowsView, row_get
from trading.models import Fill, Order, OrderEvent, Position, TradeJournal
from trading.models.orders import SIDE_LABELS, STATUS_LABELS
from trading.order_path.states import OrderStatus
from trading.selectors import orders_in
from trading.vocabulary import Purpose

STATUS_CHOICES = choices(OrderStatus, STATUS_LABELS)

# --- Orders


class OrderLegSerializer(serializers.Serializer):
    symbol = serializers.CharField()
    side = serializers.ChoiceField(choices=choices(Side, SIDE_LABELS))
    ratio = serializers.IntegerField(help_text="Contracts in one unit of the order.")
    decision = serializers.DecimalField(max_digits=20, decimal_places=6, allow_null=True, help_text="The price the decision was made on.")


class OrderSerializer(serializers.ModelSerializer):
    account = serializers.CharField(source="account_id")
    signal = serializers.IntegerField(source="signal_id", allow_null=True)
    position = serializers.IntegerField(source="position_id", allow_null=True)
    plan = serializers.IntegerField(source="plan_id", allow_null=True)
    legs = OrderLegSerializer(many=True, help_text="What trades as one; empty for an order of one symbol.")

    class Meta:
        model = Order
        fields = (
            "id",
            "account",
            "signal",
            "position",
            "plan",
            "origin",
            "client_order_id",
            "broker_order_id",
            "leg",
            "purpose",
            "mode",
            "session",
            "group",
            "symbol",
            "side",
            "order_type",
            "time_in_force",
            "quantity",
            "legs",
            "limit_price",
            "stop_price",
            "status",
            "status_reason",
            "filled_quantity",
            "average_fill_price",
            "commission",
            "cancel_requested",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields


class OrderEventSerializer(serializers.ModelSerializer):
    evidence = serializers.DictField()

    class Meta:
        model = OrderEvent
        fields = ("sequence", "from_status", "to_status", "reason", "evidence", "at")
        read_only_fields = fields


class FillSerializer(serializers.ModelSerializer):
    class Meta:
        model = Fill
        fields = ("fill_id", "session", "symbol", "side", "quantity", "price", "amount", "commission", "slippage", "filled_at")
        read_only_fields = fields


class OrderDetailSerializer(OrderSerializer):
    wanted = serializers.DictField(help_text="The change that the broker is asked for next.")
    events = OrderEventSerializer(many=True)
    fills = FillSerializer(many=True)

    class Meta(OrderSerializer.Meta):
        fields = (*OrderSerializer.Meta.fields, "decision_price", "stop_loss", "take_profit", "oca_group", "wanted", "events", "fills")
        read_only_fields = fields


class OrderFilter(filters.FilterSet):
    status = filters.MultipleChoiceFilter(choices=STATUS_CHOICES)
    purpose = filters.MultipleChoiceFilter(choices=choices(Purpose))
    strategy = filters.CharFilter(field_name="signal__strategy__key")
    signal = filters.NumberFilter()
    symbol = filters.CharFilter(method="in_symbol", help_text="Its own, or that of one of its legs.")
    session = filters.DateFromToRangeFilter()

    class Meta:
        model = Order
        fields = ()

    def in_symbol(self, queryset, name, value):
        return queryset.filter(orders_in(value))


@extend_schema(tags=["orders"])
class OrdersView(AccountRowsView):
    """Orders, newest first."""

    permission_classes = (IsAuthenticated,)
    serializer_class = OrderSerializer
    filterset_class = OrderFilter
    queryset = Order.objects.order_by("-id")


class OrderView(APIView):
    """One order with every move it made, and its fills."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=OrderDetailSerializer, tags=["orders"])
    def get(self, request, pk: int):
        order = row_get(Order.objects.prefetch_related("events", "fills"), user=request.user, pk=pk)
        return Response(OrderDetailSerializer(order).data)


# --- Positions


class PositionSerializer(serializers.ModelSerializer):
    account = serializers.CharField(source="account_id")
    strategy = serializers.CharField(source="strategy.key", allow_null=True)
    signal = serializers.IntegerField(source="signal_id", allow_null=True)

    class Meta:
        model = Position
        fields = (
            "id",
            "account",
            "strategy",
            "signal",
            "group",
            "symbol",
            "direction",
            "quantity",
            "units",
            "cost",
            "entry_session",
            "entry_price",
            "stop_price",
            "target_price",
            "mark_price",
            "mark_session",
            "market_value",
            "unrealized_pnl",
            "realized_pnl",
            "dividends",
            "commission",
            "exit_session",
            "exit_price",
            "exit_reason",
        )
        read_only_fields = fields


class PositionFilter(filters.FilterSet):
    open = filters.BooleanFilter(field_name="exit_session", lookup_expr="isnull")
    strategy = filters.CharFilter(field_name="strategy__key")
    symbol = filters.CharFilter()
    entry_session = filters.DateFromToRangeFilter()
    exit_session = filters.DateFromToRangeFilter()

    class Meta:
        model = Position
        fields = ()


@extend_schema(tags=["positions"])
class PositionsView(AccountRowsView):
    """Positions, open ones with `?open=true`; newest first."""

    permission_classes = (IsAuthenticated,)
    serializer_class = PositionSerializer
    filterset_class = PositionFilter
    queryset = Position.objects.order_by("-entry_session", "symbol", "id")


class PositionView(APIView):
    """One position."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=PositionSerializer, tags=["positions"])
    def get(self, request, pk: int):
        return Response(PositionSerializer(row_get(Position.objects.select_related("strategy"), user=request.user, pk=pk)).data)


# --- Journal


class JournalSerializer(serializers.ModelSerializer):
    account = serializers.CharField(source="account_id")
    strategy = serializers.CharField(source="strategy.key", allow_null=True)
    position = serializers.IntegerField(source="position_id", allow_null=True)
    mistake_tags = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = TradeJournal
        fields = (
            "id",
            "account",
            "strategy",
            "position",
            "symbol",
            "direction",
            "entry_date",
            "exit_date",
            "entry_price",
            "exit_price",
            "quantity",
            "realized_pnl",
            "exit_reason",
            "execution_quality",
            "emotion_state",
            "mistake_tags",
            "lesson_learned",
            "journal_status",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields


class JournalFilter(filters.FilterSet):
    status = filters.MultipleChoiceFilter(field_name="journal_status", choices=TradeJournal.Status.choices)
    strategy = filters.CharFilter(field_name="strategy__key")
    symbol = filters.CharFilter()
    exit_date = filters.DateFromToRangeFilter()

    class Meta:
        model = TradeJournal
        fields = ()


@extend_schema(tags=["journal"])
class JournalView(AccountRowsView):
    """Closed trades, the latest first."""

    permission_classes = (IsAuthenticated,)
    serializer_class = JournalSerializer
    filterset_class = JournalFilter
    queryset = TradeJournal.objects.order_by("-exit_date", "-id")
