"""Acts on orders: ordering by hand, previewing, confirming, cancelling, changing. None of them calls a broker: the sweeper
does, through the gate."""

import uuid
from decimal import Decimal

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from quant_site.core.endpoints_control import CONFIRMATION_HEADER, confirmation_of
from quant_site.core.fields import choices
from quant_site.core.idempotency import HEADER, idempotent
from quant_site.core.ratelimit import client_address
from quant_site.core.selectors import account_get
from quant_site.core.types import OrderType, Side
from quant_site.core.views import row_get
from trading.api.records import OrderDetailSerializer, OrdersView
from trading.models import Order, Position
from trading.models.orders import SIDE_LABELS
from trading.order_path.changes import order_change_request
from trading.order_path.orders import order_cancel_request
from trading.order_path.previews import ticket_preview
from trading.order_path.settling import order_settle
from trading.order_path.tickets import Ticket, order_confirm, order_payload, ticket_place
from trading.vocabulary import Origin, Purpose, TimeInForce

PRICE = {"max_digits": 20, "decimal_places": 6}


class LegRequestSerializer(serializers.Serializer):
    symbol = serializers.CharField(max_length=32)
    side = serializers.ChoiceField(choices=choices(Side, SIDE_LABELS))
    ratio = serializers.IntegerField(min_value=1, max_value=99)


class TicketSerializer(serializers.Serializer):
    account = serializers.CharField(max_length=64)
    symbol = serializers.CharField(max_length=32, help_text="Of an order of several legs: the name of the trade.")
    side = serializers.ChoiceField(choices=choices(Side, SIDE_LABELS))
    quantity = serializers.DecimalField(min_value=Decimal(1), **PRICE)
    order_type = serializers.ChoiceField(choices=choices(OrderType), default=OrderType.MARKET.value)
    limit_price = serializers.DecimalField(required=False, allow_null=True, **PRICE)
    stop_price = serializers.DecimalField(required=False, allow_null=True, **PRICE)
    time_in_force = serializers.ChoiceField(choices=choices(TimeInForce), default=TimeInForce.DAY.value)
    stop_loss = serializers.DecimalField(required=False, allow_null=True, help_text="Protects what the order opens.", **PRICE)
    take_profit = serializers.DecimalField(required=False, allow_null=True, **PRICE)
    position = serializers.IntegerField(required=False, allow_null=True, help_text="The position to close or reduce.")
    legs = LegRequestSerializer(many=True, required=False)


class PreviewSerializer(serializers.Serializer):
    cost = serializers.DecimalField(max_digits=20, decimal_places=2, allow_null=True)
    commission = serializers.DecimalField(max_digits=20, decimal_places=2, allow_null=True)
    margin = serializers.DecimalField(max_digits=20, decimal_places=2, allow_null=True)
    maximum_loss = serializers.DecimalField(max_digits=20, decimal_places=2, allow_null=True)
    reward_risk = serializers.DecimalField(max_digits=20, decimal_places=6, allow_null=True)
    verdicts = serializers.ListField(child=serializers.DictField(), help_text="Each would deny the order: {code, message, limit, value}.")
    waits = serializers.CharField(allow_blank=True, help_text="Why it would be sent later only.")
    confirmation = serializers.CharField(allow_blank=True, help_text="Why it needs a second confirmation.")
    payload = serializers.DictField(help_text="What that confirmation is bound to.")
    exposure_before = serializers.DictField(allow_null=True)
    exposure_after = serializers.DictField(allow_null=True)
    undefined = serializers.DictField(help_text="Why a figure is null, by its name.")


class OrderAnswerSerializer(OrderDetailSerializer):
    confirm = serializers.SerializerMethodField(help_text="What a confirmation of this order is bound to; null where it needs none.")

    class Meta(OrderDetailSerializer.Meta):
        fields = (*OrderDetailSerializer.Meta.fields, "awaits", "confirm")
        read_only_fields = fields

    def get_confirm(self, order) -> dict | None:
        return order_payload(order) if order.awaits and order.confirmed_by_id is None else None


class ChangeSerializer(serializers.Serializer):
    quantity = serializers.DecimalField(required=False, min_value=Decimal(1), **PRICE)
    limit_price = serializers.DecimalField(required=False, **PRICE)
    stop_price = serializers.DecimalField(required=False, **PRICE)


class SettlementSerializer(serializers.Serializer):
    outcome = serializers.ChoiceField(choices=["NEVER_ARRIVED", "WORKING", "CANCELLED", "EXPIRED"])
    broker_order_id = serializers.CharField(required=False, allow_blank=True, max_length=64)
    evidence = serializers.CharField(max_length=200, help_text="What you saw at the broker, and where.")


def ticket_of(request, data: dict) -> Ticket:
    """The ticket that a request asks for; raises `NotFound` and `NotAllowed` for what is not the user's."""
    account = account_get(user=request.user, account_id=data.pop("account"), trade=True)
    number = data.pop("position", None)
    position = None
    if number is not None:
        position = row_get(Position.objects.filter(account=account, exit_session=None), user=request.user, pk=number, trade=True)
    reduces = position is not None and data["quantity"] < abs(position.quantity)
    purpose = Purpose.ENTRY if position is None else Purpose.REDUCE if reduces else Purpose.EXIT
    key = request.headers.get(HEADER) or uuid.uuid4().hex
    return Ticket(
        account=account,
        purpose=purpose,
        position=position,
        origin=Origin.MANUAL,
        key=f"api:{request.user.pk}:{key}",
        order_type=OrderType(data.pop("order_type")),
        time_in_force=TimeInForce(data.pop("time_in_force")),
        legs=tuple(data.pop("legs", ())),
        **data,
    )


class OrderDeskView(OrdersView):
    """Orders, newest first. POST orders something by hand: the answer is unsent, DENIED, or waits for a confirmation."""

    @idempotent
    @extend_schema(request=TicketSerializer, responses={201: OrderAnswerSerializer}, tags=["orders"])
    def post(self, request):
        body = TicketSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        order = ticket_place(ticket=ticket_of(request, dict(body.validated_data)), actor=request.user)
        return Response(OrderAnswerSerializer(order).data, status=status.HTTP_201_CREATED)


class OrderPreviewView(APIView):
    """What an order would do: cost, margin, the most it can lose, the account after it, and every verdict. Nothing is written."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(request=TicketSerializer, responses=PreviewSerializer, tags=["orders"])
    def post(self, request):
        body = TicketSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        preview = ticket_preview(ticket=ticket_of(request, dict(body.validated_data)))
        return Response(PreviewSerializer(preview.as_json()).data)


class OrderActView(APIView):
    """An act on one order of an account that the user may trade."""

    permission_classes = (IsAuthenticated,)

    def order(self, request, pk: int) -> Order:
        return row_get(Order.objects.select_related("account"), user=request.user, pk=pk, trade=True)

    def who(self, request) -> dict:
        return {"actor": request.user, "ip_address": client_address(request)}

    def answer(self, order: Order) -> Response:
        return Response(OrderAnswerSerializer(Order.objects.get(pk=order.pk)).data)


class OrderConfirmView(OrderActView):
    """Let an order go that waits for a second confirmation; needs one that is bound to its `confirm`."""

    @extend_schema(request=None, responses=OrderAnswerSerializer, parameters=[CONFIRMATION_HEADER], tags=["orders"])
    def post(self, request, pk: int):
        confirmation = confirmation_of(request)
        return self.answer(order_confirm(order=self.order(request, pk), confirmation_id=confirmation, **self.who(request)))


class OrderCancelView(OrderActView):
    """Ask for a cancel. What was never sent is cancelled at once; a fill that comes first wins."""

    @extend_schema(request=None, responses=OrderAnswerSerializer, tags=["orders"])
    def post(self, request, pk: int):
        return self.answer(order_cancel_request(order=self.order(request, pk), reason="BY_HAND", **self.who(request)))


class OrderChangeView(OrderActView):
    """Ask for another quantity or price of a working order. The limits are looked at again before the broker is asked."""

    @extend_schema(request=ChangeSerializer, responses=OrderAnswerSerializer, tags=["orders"])
    def post(self, request, pk: int):
        body = ChangeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        order = order_change_request(order=self.order(request, pk), changes=dict(body.validated_data), **self.who(request))
        return self.answer(order)


class OrderSettleView(OrderActView):
    """What became of an order whose outcome is unknown, by the word of two people: the first proposes, another confirms."""

    @extend_schema(request=SettlementSerializer, responses=OrderAnswerSerializer, parameters=[CONFIRMATION_HEADER], tags=["orders"])
    def post(self, request, pk: int):
        body = SettlementSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        confirmation = confirmation_of(request)
        order = order_settle(order=self.order(request, pk), confirmation_id=confirmation, **body.validated_data, **self.who(request))
        return self.answer(order)
