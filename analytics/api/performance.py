"""Endpoints for judgements: the equity curve, and how a strategy does."""

from datetime import date

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from analytics.models import DailyPerformance
from analytics.reports.figures import growth_of_100
from quant_site.core.models import Account
from quant_site.core.selectors import account_get
from strategies.engine import StrategyEngine
from trading.models import EquitySnapshot

ACCOUNT = OpenApiParameter("account", str, required=True, description="An account of yours.")
AFTER, BEFORE = OpenApiParameter("session_after", date), OpenApiParameter("session_before", date)


def account_of(request) -> Account:
    """The account that `?account=` names; raises where it is missing or not the user's."""
    account_id = request.query_params.get("account")
    if not account_id:
        raise ValidationError({"account": ["Name the account: ?account=…"]})
    return account_get(user=request.user, account_id=account_id)


class SpanSerializer(serializers.Serializer):
    session_after = serializers.DateField(required=False)
    session_before = serializers.DateField(required=False)


class CurveSerializer(serializers.Serializer):
    """Arrays of the same length, one element a session."""

    account = serializers.CharField()
    benchmark_symbol = serializers.CharField(allow_blank=True)
    sessions = serializers.ListField(child=serializers.DateField())
    equity = serializers.ListField(child=serializers.DecimalField(20, 2))
    daily_return = serializers.ListField(child=serializers.DecimalField(10, 6, allow_null=True))
    growth = serializers.ListField(child=serializers.FloatField(allow_null=True), help_text="Of 100, time-weighted.")
    benchmark_growth = serializers.ListField(child=serializers.FloatField(allow_null=True), help_text="Of 100.")
    drawdown = serializers.ListField(child=serializers.DecimalField(10, 6, allow_null=True))


class EquityCurveView(APIView):
    """Equity against the benchmark, with drawdown, by session. What is undefined is null."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=CurveSerializer, parameters=[ACCOUNT, AFTER, BEFORE], tags=["equity"])
    def get(self, request):
        account, span = account_of(request), SpanSerializer(data=request.query_params)
        span.is_valid(raise_exception=True)
        snapshots = EquitySnapshot.objects.filter(account=account).order_by("snapshot_date")
        if "session_after" in span.validated_data:
            snapshots = snapshots.filter(snapshot_date__gte=span.validated_data["session_after"])
        if "session_before" in span.validated_data:
            snapshots = snapshots.filter(snapshot_date__lte=span.validated_data["session_before"])
        columns = ("snapshot_date", "total_equity", "daily_return", "benchmark_return", "drawdown_pct", "benchmark_symbol")
        rows = list(snapshots.values_list(*columns))
        sessions, equity, returns, benchmark, drawdown, symbols = zip(*rows, strict=True) if rows else ((),) * 6
        curve = {
            "account": account.pk,
            "benchmark_symbol": symbols[-1] if symbols else "",
            "sessions": sessions,
            "equity": equity,
            "daily_return": returns,
            "growth": growth_of_100(returns),
            "benchmark_growth": growth_of_100(benchmark),
            "drawdown": drawdown,
        }
        return Response(curve)


class JudgementSerializer(serializers.ModelSerializer):
    undefined = serializers.DictField(child=serializers.CharField(), help_text="Why a number is null.")

    class Meta:
        model = DailyPerformance
        fields = (
            "session",
            "pnl",
            "cumulative_pnl",
            "closed_trades",
            "win_rate",
            "win_rate_low",
            "win_rate_high",
            "profit_factor",
            "average_holding",
            "sharpe_ratio",
            "max_drawdown_pct",
            "exposure",
            "undefined",
        )
        read_only_fields = fields


class StrategyPerformanceSerializer(serializers.Serializer):
    strategy = serializers.CharField()
    account = serializers.CharField()
    runs = serializers.DictField(child=serializers.IntegerField(), help_text="Runs by how they ended.")
    drafts = serializers.IntegerField()
    last_session = serializers.DateField(allow_null=True)
    judgement = JudgementSerializer(allow_null=True, help_text="The latest; null before the first evaluation.")


class StrategyPerformanceView(APIView):
    """How one strategy did for one account."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=StrategyPerformanceSerializer, parameters=[ACCOUNT], tags=["strategies"])
    def get(self, request, pk: int):
        account = account_of(request)
        totals = StrategyEngine().get_strategy_performance(pk, account)
        judgement = DailyPerformance.objects.filter(account=account, strategy=pk).order_by("-session").first()
        return Response(StrategyPerformanceSerializer({**totals, "account": account.pk, "judgement": judgement}).data)
