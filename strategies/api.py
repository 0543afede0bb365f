"""Endpoints for the strategy library: what there is, its parameters and their versions, what runs."""

from decimal import Decimal

from django.utils.translation import gettext
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from quant_site.core.idempotency import idempotent
from quant_site.core.selectors import account_get
from quant_site.core.views import RowsView
from quant_site.market.selectors import benchmark_default
from strategies import selectors
from strategies.backtest import BacktestResult, BacktestSettings, backtest
from strategies.backtest.stored import stored_panel
from strategies.engine import StrategyEngine
from strategies.models import ParameterVersion, Strategy
from strategies.parameters import account_overrides, effective_params, house_overrides, implementation
from strategies.permissions import ManagesStrategies
from strategies.registry import REGISTRY
from strategies.schema import parameter_rows

ACCOUNT = OpenApiParameter("account", str, description="As this account of yours has it; by default the house's.")
STATISTICS = ("win_rate", "sharpe_ratio", "total_signals", "last_run_at")


class StrategySerializer(serializers.ModelSerializer):
    active_version = serializers.IntegerField(source="active_version.number", allow_null=True, help_text="Its number.")

    class Meta:
        model = Strategy
        fields = ("id", "key", "name", "category", "enabled", "disabled_reason", "is_builtin", "active_version", *STATISTICS)
        read_only_fields = fields


class StrategyDetailSerializer(StrategySerializer):
    default_params = serializers.DictField()
    current_params = serializers.DictField(allow_null=True, help_text="What the house sets apart from the defaults.")
    signal_sources = serializers.ListField(child=serializers.CharField())
    implemented = serializers.SerializerMethodField()

    class Meta(StrategySerializer.Meta):
        fields = (
            *StrategySerializer.Meta.fields,
            "description",
            "implemented",
            "default_params",
            "current_params",
            "signal_sources",
            "run_schedule",
            "auto_execute",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields

    def get_implemented(self, strategy) -> bool:
        return strategy.key in REGISTRY


@extend_schema(tags=["strategies"], parameters=[OpenApiParameter("category", str, enum=Strategy.Category.values)])
class StrategiesView(RowsView):
    """The library, in its order. Statistics are null until they are defined."""

    permission_classes = (IsAuthenticated,)
    serializer_class = StrategySerializer
    queryset = Strategy.objects.order_by("pk")

    def get_queryset(self):
        category = self.request.query_params.get("category")
        return self.queryset.filter(pk__in=[row.pk for row in selectors.strategies_list(category=category)])


class StrategyView(APIView):
    """One strategy."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=StrategyDetailSerializer, tags=["strategies"])
    def get(self, request, pk: int):
        return Response(StrategyDetailSerializer(selectors.strategy_get(strategy_id=pk)).data)


# --- Parameters


class ParameterSerializer(serializers.Serializer):
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    type = serializers.CharField(help_text="JSON schema's word: integer, number, boolean or string.")
    unit = serializers.CharField(allow_blank=True)
    minimum = serializers.FloatField(allow_null=True)
    maximum = serializers.FloatField(allow_null=True)
    step = serializers.FloatField(allow_null=True, help_text="What a form or a search moves it by.")
    choices = serializers.ListField(child=serializers.JSONField(), allow_null=True)
    default = serializers.JSONField()
    value = serializers.JSONField(help_text="In force.")
    set_by = serializers.ChoiceField(choices=("default", "house", "account"))


class ParametersSerializer(serializers.Serializer):
    strategy = serializers.CharField()
    account = serializers.CharField(allow_null=True)
    version = serializers.IntegerField(allow_null=True, help_text="The house's active version.")
    parameters = ParameterSerializer(many=True)


class ParametersChangeSerializer(serializers.Serializer):
    params = serializers.DictField(help_text="What changes; null takes a parameter back. The others stay as they are.")
    reason = serializers.CharField(max_length=255)
    account = serializers.CharField(max_length=64, required=False, allow_null=True, help_text="Only for this account.")


class VersionSerializer(serializers.ModelSerializer):
    account = serializers.CharField(source="account_id", allow_null=True)
    created_by = serializers.CharField(source="created_by.username", allow_null=True)
    params = serializers.DictField()
    diff = serializers.DictField(help_text="{name: [before, after]}")
    evidence = serializers.DictField()

    class Meta:
        model = ParameterVersion
        fields = ("id", "account", "number", "params", "diff", "source", "reason", "evidence", "session", "created_by", "created_at")
        read_only_fields = fields


class StrategyParamsView(APIView):
    """The parameters in force, each with its range and default. A change makes a new version; old ones stay."""

    def get_permissions(self):
        return [IsAuthenticated()] if self.request.method == "GET" else [ManagesStrategies()]

    @extend_schema(responses=ParametersSerializer, parameters=[ACCOUNT], tags=["strategies"])
    def get(self, request, pk: int):
        account_id = request.query_params.get("account")
        account = account_get(user=request.user, account_id=account_id) if account_id else None
        row = selectors.strategy_get(strategy_id=pk)
        version = row.active_version.number if row.active_version else None
        answer = {"strategy": row.key, "account": account_id, "version": version, "parameters": parameters_of(row, account)}
        return Response(ParametersSerializer(answer).data)

    @idempotent
    @extend_schema(request=ParametersChangeSerializer, responses=VersionSerializer, tags=["strategies"])
    def put(self, request, pk: int):
        body = ParametersChangeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        account_id = body.validated_data.get("account")
        account = account_get(user=request.user, account_id=account_id, trade=True) if account_id else None
        version = StrategyEngine().update_strategy_params(
            pk, body.validated_data["params"], reason=body.validated_data["reason"], actor=request.user, account=account
        )
        return Response(VersionSerializer(version).data)


def parameters_of(row: Strategy, account=None) -> list[dict]:
    """Each parameter of `row` with its range, its default, the value in force for `account`, and who set it."""
    values = effective_params(row, account).model_dump(mode="json")
    own = account_overrides([row], account).get(row.pk, {}) if account is not None else {}
    house = house_overrides(row)
    return [
        {
            "name": each.name,
            "description": each.description,
            "type": each.kind,
            "unit": each.unit,
            "minimum": each.minimum,
            "maximum": each.maximum,
            "step": each.step,
            "choices": list(each.choices) or None,
            "default": each.default,
            "value": values[each.name],
            "set_by": "account" if each.name in own else "house" if each.name in house else "default",
        }
        for each in parameter_rows(implementation(row))
    ]


@extend_schema(tags=["strategies"], parameters=[ACCOUNT])
class StrategyVersionsView(RowsView):
    """Parameter versions of the house, or of an account of yours; the newest first."""

    permission_classes = (IsAuthenticated,)
    serializer_class = VersionSerializer
    queryset = ParameterVersion.objects.order_by("-number")

    def get_queryset(self):
        row = selectors.strategy_get(strategy_id=self.kwargs["pk"])
        account_id = self.request.query_params.get("account")
        scope = account_get(user=self.request.user, account_id=account_id).pk if account_id else ""
        return self.queryset.filter(strategy=row, scope=scope)


# --- On and off


class ToggleSerializer(serializers.Serializer):
    enabled = serializers.BooleanField(required=False, help_text="Default: the other of what it is.")
    reason = serializers.CharField(max_length=255, required=False, default="")


class StrategyToggleView(APIView):
    """Switch a strategy on or off for everybody. Off, it opens nothing and still closes what it holds."""

    permission_classes = (ManagesStrategies,)

    @idempotent
    @extend_schema(request=ToggleSerializer, responses=StrategyDetailSerializer, tags=["strategies"])
    def post(self, request, pk: int):
        body = ToggleSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        enabled, reason = body.validated_data.get("enabled"), body.validated_data["reason"]
        row = StrategyEngine().toggle_strategy(pk, enabled=enabled, actor=request.user, reason=reason)
        return Response(StrategyDetailSerializer(row).data)


# --- Backtests


class BacktestRequestSerializer(serializers.Serializer):
    params = serializers.DictField(required=False, default=dict, help_text="What differs from what is in force; null: the default.")
    start = serializers.DateField(required=False, allow_null=True, default=None, help_text="Default: the first stored session.")
    end = serializers.DateField(required=False, allow_null=True, default=None, help_text="Default: the last one.")
    symbols = serializers.ListField(child=serializers.CharField(max_length=32), required=False, min_length=1, help_text="Default: all.")
    capital = serializers.DecimalField(20, 2, required=False, default=Decimal("100000.00"), min_value=1, help_text="Dollars to begin with.")


class BacktestMetricSerializer(serializers.Serializer):
    value = serializers.FloatField(allow_null=True)
    reason = serializers.CharField(allow_null=True, help_text="Why there is no value.")
    n = serializers.IntegerField(help_text="Observations.")
    low = serializers.FloatField(required=False)
    high = serializers.FloatField(required=False)


class BacktestTradeSerializer(serializers.Serializer):
    group = serializers.CharField(help_text="The trade that the leg belongs to.")
    symbol = serializers.CharField()
    direction = serializers.ChoiceField(choices=("LONG", "SHORT"))
    entry_session = serializers.DateField()
    exit_session = serializers.DateField(allow_null=True)
    quantity = serializers.IntegerField()
    entry_price = serializers.FloatField()
    exit_price = serializers.FloatField(allow_null=True)
    pnl = serializers.FloatField(help_text="Net of commissions; of an open trade with its mark.")
    fees = serializers.FloatField()
    r_multiple = serializers.FloatField(allow_null=True)
    best = serializers.FloatField()
    worst = serializers.FloatField()
    exit = serializers.CharField(allow_null=True, help_text="Why it ended.")
    sessions_held = serializers.IntegerField()


class BacktestSerializer(serializers.Serializer):
    """`sessions`, `equity` and `benchmark` are arrays of the same length, one element a session."""

    strategy = serializers.CharField()
    params = serializers.DictField()
    symbols = serializers.ListField(child=serializers.CharField())
    capital = serializers.FloatField()
    metrics = serializers.DictField(child=BacktestMetricSerializer())
    sessions = serializers.ListField(child=serializers.DateField())
    equity = serializers.ListField(child=serializers.FloatField())
    benchmark = serializers.ListField(child=serializers.FloatField(allow_null=True), allow_null=True, help_text="Daily returns.")
    benchmark_symbol = serializers.CharField(allow_blank=True)
    trades = BacktestTradeSerializer(many=True)
    fills = serializers.IntegerField()
    drafts = serializers.IntegerField()
    rejected = serializers.DictField(child=serializers.IntegerField(), help_text="Entries that came to nothing, by code.")
    abstained = serializers.DictField(child=serializers.IntegerField(), help_text="Sessions without a decision, by reason.")
    assumptions = serializers.ListField(child=serializers.CharField())


class StrategyBacktestView(APIView):
    """What a strategy would have traded over the stored bars, alone on an account of its own. Nothing is recorded."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(request=BacktestRequestSerializer, responses=BacktestSerializer, tags=["strategies"])
    def post(self, request, pk: int):
        body = BacktestRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        asked, row = body.validated_data, selectors.strategy_get(strategy_id=pk)
        symbol = benchmark_default() or ""
        result = backtest(
            implementation(row),
            {name: value for name, value in (house_overrides(row) | asked["params"]).items() if value is not None},
            panel=stored_panel(asked.get("symbols")),
            start=asked["start"],
            end=asked["end"],
            settings=BacktestSettings(capital=asked["capital"], benchmark=symbol),
        )
        return Response(backtest_answer(result, symbol))


def backtest_answer(result: BacktestResult, benchmark_symbol: str) -> dict:
    """The result without its fills; texts in the reader's language."""
    plain = result.as_json()
    return {
        **{name: plain[name] for name in BacktestSerializer().fields if name in plain},
        "benchmark_symbol": benchmark_symbol if result.benchmark is not None else "",
        "fills": len(result.fills),
        "assumptions": [gettext(text) for text in result.assumptions],
    }
