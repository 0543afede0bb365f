"""The endpoint of the report: the tear sheet of an account, or of one strategy on it, as data."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from analytics.api.performance import ACCOUNT, account_of
from analytics.pages.records import strategy_get
from analytics.reports.report_json import sheet_json
from analytics.reports.tearsheet import tear_sheet

STRATEGY = OpenApiParameter("strategy", str, description="A strategy's key; without it the report is the whole account's.")
FROM, TO = OpenApiParameter("from", OpenApiTypes.DATE), OpenApiParameter("to", OpenApiTypes.DATE)
MONEY = {"max_digits": 20, "decimal_places": 2}


class MetricSerializer(serializers.Serializer):
    """A value, or the reason why there is none."""

    value = serializers.FloatField(allow_null=True)
    reason = serializers.CharField(allow_null=True)
    n = serializers.IntegerField(help_text="Observations.")
    low = serializers.FloatField(required=False, help_text="95 per cent interval, where the value is an estimate.")
    high = serializers.FloatField(required=False)


class CurvesSerializer(serializers.Serializer):
    """Arrays of the same length, one element a session. What is undefined is null."""

    sessions = serializers.ListField(child=serializers.DateField())
    growth = serializers.ListField(child=serializers.FloatField(allow_null=True), help_text="Of 100, time-weighted.")
    benchmark = serializers.ListField(child=serializers.FloatField(allow_null=True), help_text="Growth of 100 of the benchmark.")
    drawdown = serializers.ListField(child=serializers.FloatField(allow_null=True), help_text="A share, zero or less.")
    rolling_sharpe = serializers.ListField(child=serializers.FloatField(allow_null=True), help_text="A year, over 126 sessions.")
    cumulative_pnl = serializers.ListField(child=serializers.DecimalField(**MONEY), help_text="From 0 where the span begins.")


class YearSerializer(serializers.Serializer):
    year = serializers.IntegerField()
    months = serializers.ListField(child=serializers.FloatField(allow_null=True), help_text="January to December.")
    total = serializers.FloatField(allow_null=True, help_text="The months, compounded.")


class HistogramSerializer(serializers.Serializer):
    edges = serializers.ListField(child=serializers.FloatField())
    counts = serializers.ListField(child=serializers.IntegerField(), help_text="Of values from each edge up to the next.")
    below = serializers.IntegerField(help_text="How many of the first count lie below the first edge.")
    above = serializers.IntegerField(help_text="How many of the last count lie at the last edge or above.")


class TradeSerializer(serializers.Serializer):
    symbol = serializers.CharField()
    strategy = serializers.CharField(allow_null=True)
    opened = serializers.DateField()
    closed = serializers.DateField()
    sessions = serializers.IntegerField()
    result = serializers.DecimalField(**MONEY)
    r_multiple = serializers.DecimalField(14, 6, allow_null=True)
    exit_reason = serializers.CharField(allow_blank=True)


class ExitSerializer(serializers.Serializer):
    reason = serializers.CharField(allow_blank=True)
    trades = serializers.IntegerField()
    won = serializers.IntegerField()
    pnl = serializers.DecimalField(**MONEY)


class OutcomesSerializer(serializers.Serializer):
    trades = serializers.IntegerField()
    results = HistogramSerializer(allow_null=True, help_text="Of results in dollars.")
    with_risk = serializers.IntegerField(help_text="Trades whose stop said what was at risk.")
    r_multiples = HistogramSerializer(allow_null=True)
    best = TradeSerializer(many=True)
    worst = TradeSerializer(many=True)
    exits = ExitSerializer(many=True)
    symbols = serializers.DictField(child=serializers.DecimalField(**MONEY), help_text="P&L of closed trades.")


class AttributionSerializer(serializers.Serializer):
    first_session = serializers.DateField()
    last_session = serializers.DateField()
    sessions = serializers.IntegerField()
    total = serializers.DecimalField(**MONEY)
    dimensions = serializers.DictField(
        child=serializers.DictField(child=serializers.DecimalField(**MONEY)), help_text="Each dimension adds up to the total."
    )


class ReportFindingSerializer(serializers.Serializer):
    session = serializers.DateField()
    scope = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()
    suggestion = serializers.CharField(allow_blank=True)
    effect = serializers.FloatField(allow_null=True)
    weeks = serializers.IntegerField(help_text="Weekly evaluations of the span that noticed it.")


class WeightPathSerializer(serializers.Serializer):
    strategy = serializers.CharField()
    decisions = serializers.IntegerField()
    points = serializers.ListField(child=serializers.DictField(), help_text="[{session, weight}], where the weight moved.")


class AdaptationChangeSerializer(serializers.Serializer):
    session = serializers.DateField()
    strategy = serializers.CharField()
    lane = serializers.CharField()
    weight_before = serializers.DecimalField(10, 6)
    weight_after = serializers.DecimalField(10, 6)
    version = serializers.IntegerField(allow_null=True)
    change = serializers.DictField(help_text="{name: [before, after]} of the version's parameters.")
    reason = serializers.CharField()
    evidence = serializers.DictField()


class ReportChallengerSerializer(serializers.Serializer):
    strategy = serializers.CharField()
    status = serializers.CharField()
    change = serializers.DictField()
    started = serializers.DateField()
    sessions = serializers.IntegerField()
    evidence = serializers.FloatField()
    threshold = serializers.FloatField()
    promoted = serializers.DateField(allow_null=True)
    ended = serializers.DateField(allow_null=True)
    reason = serializers.CharField(allow_blank=True)


class AdaptedSerializer(serializers.Serializer):
    decisions = serializers.IntegerField()
    changed = serializers.IntegerField()
    weights = WeightPathSerializer(many=True)
    changes = AdaptationChangeSerializer(many=True, help_text="The newest.")
    challengers = ReportChallengerSerializer(many=True, help_text="The newest.")


class ReportSerializer(serializers.Serializer):
    """A strategy's returns are what it added on the account's equity; its equity curve is its cumulative P&L."""

    account = serializers.CharField()
    strategy = serializers.CharField(allow_null=True)
    first_session = serializers.DateField(allow_null=True)
    last_session = serializers.DateField(allow_null=True)
    benchmark_symbol = serializers.CharField(allow_blank=True)
    pnl = serializers.DecimalField(**MONEY)
    gaps = serializers.IntegerField(help_text="Sessions without a return.")
    curves = CurvesSerializer()
    years = YearSerializer(many=True)
    metrics = serializers.DictField(child=MetricSerializer())
    benchmark_metrics = serializers.DictField(child=MetricSerializer())
    outcomes = OutcomesSerializer()
    contributions = serializers.DictField(child=serializers.DecimalField(**MONEY), help_text="P&L by strategy; empty for one strategy.")
    attribution = AttributionSerializer(allow_null=True)
    findings = ReportFindingSerializer(many=True)
    adaptation = AdaptedSerializer()


class ReportSpanSerializer(serializers.Serializer):
    def get_fields(self):
        return {"from": serializers.DateField(required=False), "to": serializers.DateField(required=False)}


class ReportView(APIView):
    """The tear sheet of an account, or of one strategy on it, over all its sessions or those of a span."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=ReportSerializer, parameters=[ACCOUNT, STRATEGY, FROM, TO], tags=["report"])
    def get(self, request):
        account, span = account_of(request), ReportSpanSerializer(data=request.query_params)
        span.is_valid(raise_exception=True)
        key = request.query_params.get("strategy")
        sheet = tear_sheet(account, strategy_get(key) if key else None, span.validated_data.get("from"), span.validated_data.get("to"))
        return Response(sheet_json(sheet))
