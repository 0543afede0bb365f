"""Endpoints for what an account is exposed to: its trades assessed, its options, and the chains they come from."""

from datetime import date

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from quant_site.core.models import Account
from quant_site.core.selectors import account_get
from quant_site.market.panel import Panel
from quant_site.market.selectors import panel_load
from strategies.risk.greeks import GREEKS
from trading.exposure.assessment import positions_assess
from trading.exposure.assessment_rules import Verdict
from trading.exposure.chain_table import chain_table
from trading.exposure.option_exposure import option_exposure
from trading.models import EquitySnapshot

ACCOUNT = OpenApiParameter("account", str, required=True, description="An account of yours.")


def account_of(request) -> Account:
    """The account that `?account=` names; raises where it is missing or not the user's."""
    account_id = request.query_params.get("account")
    if not account_id:
        raise ValidationError({"account": ["Name the account: ?account=…"]})
    return account_get(user=request.user, account_id=account_id)


def last_close(account: Account, panel: Panel) -> date:
    """The session at whose close the account's positions stand: that of its last snapshot, else the last of the stored bars."""
    last = EquitySnapshot.objects.filter(account=account).order_by("-snapshot_date").values_list("snapshot_date", flat=True).first()
    return panel.sessions[-1].item() if last is None else last


def amount(**options) -> serializers.DecimalField:
    return serializers.DecimalField(20, 2, allow_null=True, **options)


def level(**options) -> serializers.DecimalField:
    return serializers.DecimalField(20, 6, allow_null=True, **options)


# --- Assessment


class LegStateSerializer(serializers.Serializer):
    position = serializers.IntegerField()
    symbol = serializers.CharField()
    quantity = level()
    entry_price = level()
    price = level()
    market_value = amount()
    pnl = amount()


class SurroundingsSerializer(serializers.Serializer):
    """Of the trade's first symbol, of an option its underlying."""

    symbol = serializers.CharField()
    trend_20 = serializers.FloatField(allow_null=True, help_text="Return of 20 sessions.")
    trend_in_deviations = serializers.FloatField(allow_null=True, help_text="The same over the standard deviation of 20 sessions.")
    above_mean_20 = serializers.FloatField(allow_null=True, help_text="Close over its 20-session mean, less 1.")
    adx_14 = serializers.FloatField(allow_null=True)
    atr_14 = serializers.FloatField(allow_null=True)
    volatility_20 = serializers.FloatField(allow_null=True, help_text="A year.")
    volatility_60 = serializers.FloatField(allow_null=True, help_text="A year.")


class KnownEventSerializer(serializers.Serializer):
    kind = serializers.CharField(help_text="EXPIRY or EX_DIVIDEND.")
    symbol = serializers.CharField()
    date = serializers.DateField(allow_null=True)
    days = serializers.IntegerField(allow_null=True, help_text="Calendar days.")
    note = serializers.CharField(allow_blank=True, help_text="Why the date is not known.")


class ReasonSerializer(serializers.Serializer):
    code = serializers.CharField()
    verdict = serializers.ChoiceField([each.value for each in Verdict])
    message = serializers.CharField()
    value = serializers.FloatField(allow_null=True)
    limit = serializers.FloatField(allow_null=True)


class AssessmentSerializer(serializers.Serializer):
    strategy = serializers.CharField(allow_null=True)
    group = serializers.CharField()
    direction = serializers.CharField()
    legs = LegStateSerializer(many=True)
    entry_session = serializers.DateField()
    sessions_held = serializers.IntegerField()
    pnl = amount()
    r_multiple = serializers.DecimalField(10, 4, allow_null=True, help_text="P&L over the initial risk.")
    price = level()
    stop = level()
    target = level()
    stop_distance_pct = level(help_text="Share of the price left to the stop; negative beyond it.")
    stop_distance_atr = level(help_text="In average true ranges.")
    target_distance_pct = level()
    target_distance_atr = level()
    surroundings = SurroundingsSerializer()
    benchmark = serializers.CharField(allow_blank=True)
    beta = serializers.FloatField(allow_null=True, help_text="To the benchmark, shrunk towards 1.")
    beta_dollars = amount()
    weight = level(help_text="Share of equity.")
    events = KnownEventSerializer(many=True)
    verdict = serializers.ChoiceField([each.value for each in Verdict])
    reasons = ReasonSerializer(many=True, help_text="The strongest first.")
    undefined = serializers.DictField(child=serializers.CharField(), help_text="Why a value is null.")


class AssessmentsSerializer(serializers.Serializer):
    account = serializers.CharField()
    session = serializers.DateField()
    trades = AssessmentSerializer(many=True)


class PositionsAssessmentView(APIView):
    """Each open trade at the last close: where it stands, what surrounds it, and what the rules say to do about it."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=AssessmentsSerializer, parameters=[ACCOUNT], tags=["positions"])
    def get(self, request):
        account, panel = account_of(request), panel_load()
        session = last_close(account, panel)
        trades = positions_assess(account=account, panel=panel, session=session)
        return Response(AssessmentsSerializer({"account": account.pk, "session": session, "trades": trades}).data)


# --- Options


class StressCellSerializer(serializers.Serializer):
    spot = serializers.FloatField(help_text="By how much of itself every spot moves.")
    volatility = serializers.FloatField(help_text="The same of every implied volatility.")
    gain = serializers.FloatField(help_text="Dollars.")


class GreeksSerializer(serializers.Serializer):
    """Dollars: delta, gamma per 1 %, vega per point of volatility, theta a day. Null where one of a contract is not known."""

    delta, gamma, vega, theta = (amount() for _ in GREEKS)


class SensitivitySerializer(serializers.Serializer):
    greeks = GreeksSerializer()
    stress = StressCellSerializer(many=True, allow_null=True)
    worst = StressCellSerializer(allow_null=True)
    reasons = serializers.ListField(child=serializers.CharField(), help_text="Why something is null.")


class OptionHeldSerializer(serializers.Serializer):
    symbol = serializers.CharField()
    expiry = serializers.DateField()
    days = serializers.IntegerField(help_text="Calendar days to the expiry.")
    right = serializers.CharField()
    strike = level()
    contracts = level()
    price = level()
    market_value = amount()
    iv = serializers.FloatField(allow_null=True)
    intrinsic = level()
    time_value = level()
    greeks = GreeksSerializer()
    source = serializers.CharField(allow_blank=True)
    synthetic = serializers.BooleanField(allow_null=True)
    reason = serializers.CharField(allow_blank=True, help_text="Why it has no price.")


class FlagSerializer(serializers.Serializer):
    code = serializers.CharField(help_text="EXPIRES_SOON, PIN_RISK, ASSIGNMENT_DIVIDEND or ASSIGNMENT_TIME_VALUE.")
    symbol = serializers.CharField()
    message = serializers.CharField()


class UnderlyingExposureSerializer(serializers.Serializer):
    underlying = serializers.CharField()
    spot = level()
    shares = level(help_text="Shares of it that are held.")
    options = SensitivitySerializer()
    with_shares = SensitivitySerializer()
    contracts = OptionHeldSerializer(many=True)


class OptionExposureSerializer(serializers.Serializer):
    account = serializers.CharField()
    session = serializers.DateField()
    equity = amount()
    underlyings = UnderlyingExposureSerializer(many=True)
    total = SensitivitySerializer(help_text="All underlyings, shares of them included, moving at once.")
    flags = FlagSerializer(many=True)
    warnings = serializers.ListField(child=serializers.CharField())


class OptionExposureView(APIView):
    """The account's options at the last close: Greeks, a grid of shocks, and which ends are near."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=OptionExposureSerializer, parameters=[ACCOUNT], tags=["options"])
    def get(self, request):
        account, panel = account_of(request), panel_load()
        found = option_exposure(account=account, panel=panel, session=last_close(account, panel))
        return Response(OptionExposureSerializer(found).data)


class ChainQuerySerializer(serializers.Serializer):
    underlying = serializers.CharField(max_length=32)
    session = serializers.DateField(required=False, help_text="Default: the last of the stored bars.")
    expiration = serializers.DateField(required=False, help_text="Default: the first that is listed.")


class ChainRowSerializer(serializers.Serializer):
    symbol = serializers.CharField()
    right = serializers.CharField()
    strike, bid, ask, mid = (serializers.FloatField() for _ in range(4))
    iv, delta, gamma, vega, theta = (serializers.FloatField(allow_null=True) for _ in range(5))
    reason = serializers.CharField(allow_blank=True, help_text="Why something is null.")


class LeftOutSerializer(serializers.Serializer):
    symbol = serializers.CharField()
    bid, ask = serializers.FloatField(), serializers.FloatField()
    reason = serializers.CharField()


class ChainSerializer(serializers.Serializer):
    underlying = serializers.CharField()
    session = serializers.DateField()
    spot, rate, dividend_yield = (serializers.FloatField() for _ in range(3))
    source = serializers.CharField()
    synthetic = serializers.BooleanField(help_text="A model made these prices; the assumptions say how.")
    assumptions = serializers.ListField(child=serializers.CharField())
    expirations = serializers.ListField(child=serializers.DateField())
    expiration = serializers.DateField()
    forward = serializers.FloatField()
    rows = ChainRowSerializer(many=True)
    quarantined = LeftOutSerializer(many=True, help_text="Quotes that cannot be true beside the others.")


class OptionChainView(APIView):
    """The options on one underlying that expire on one day, at the close of a session."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=ChainSerializer, parameters=[ChainQuerySerializer], tags=["options"])
    def get(self, request):
        query = ChainQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        panel, asked = panel_load(), query.validated_data
        table = chain_table(
            panel=panel,
            underlying=asked["underlying"],
            session=asked.get("session") or panel.sessions[-1].item(),
            expiration=asked.get("expiration"),
        )
        return Response(ChainSerializer(table).data)
