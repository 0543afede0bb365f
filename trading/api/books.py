"""Endpoints for how our books stand beside the broker's: comparisons, and the symbols that wait for a person."""

from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from quant_site.core.endpoints_control import CONFIRMATION_HEADER, confirmation_of
from quant_site.core.ratelimit import client_address
from quant_site.core.views import AccountRowsView, row_get
from trading.control.symbol_halts import symbol_halt_clear
from trading.models import Reconciliation, SymbolHalt


class ReconciliationSerializer(serializers.ModelSerializer):
    account = serializers.CharField(source="account_id")
    differences = serializers.ListField(child=serializers.DictField(), help_text="[{what, symbol, ours, broker}]")
    adopted = serializers.ListField(child=serializers.DictField())

    class Meta:
        model = Reconciliation
        fields = ("id", "account", "kind", "agrees", "differences", "adopted", "at")
        read_only_fields = fields


class ReconciliationFilter(filters.FilterSet):
    class Meta:
        model = Reconciliation
        fields = ("agrees", "kind")


@extend_schema(tags=["control"])
class ReconciliationsView(AccountRowsView):
    """Comparisons with the broker, newest first."""

    permission_classes = (IsAuthenticated,)
    serializer_class = ReconciliationSerializer
    filterset_class = ReconciliationFilter
    queryset = Reconciliation.objects.order_by("-id")


class SymbolHaltSerializer(serializers.ModelSerializer):
    account = serializers.CharField(source="account_id")

    class Meta:
        model = SymbolHalt
        fields = ("id", "account", "symbol", "code", "reason", "since", "cleared_at", "cleared_by")
        read_only_fields = fields


class SymbolHaltFilter(filters.FilterSet):
    open = filters.BooleanFilter(field_name="cleared_at", lookup_expr="isnull")

    class Meta:
        model = SymbolHalt
        fields = ("symbol", "code")


@extend_schema(tags=["control"])
class SymbolHaltsView(AccountRowsView):
    """Symbols in which nothing new is opened, those that still wait with `?open=true`; newest first."""

    permission_classes = (IsAuthenticated,)
    serializer_class = SymbolHaltSerializer
    filterset_class = SymbolHaltFilter
    queryset = SymbolHalt.objects.order_by("-id")


class SymbolHaltClearView(APIView):
    """Let a symbol trade again after somebody looked; needs a confirmation."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(request=None, responses=SymbolHaltSerializer, parameters=[CONFIRMATION_HEADER], tags=["control"])
    def post(self, request, pk: int):
        halt = row_get(SymbolHalt.objects.select_related("account"), user=request.user, pk=pk, trade=True)
        who = {"actor": request.user, "ip_address": client_address(request)}
        return Response(SymbolHaltSerializer(symbol_halt_clear(halt=halt, confirmation_id=confirmation_of(request), **who)).data)
