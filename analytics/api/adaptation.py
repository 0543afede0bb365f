"""Endpoints for the adaptation: what the optimiser decided, what stands against what is in force, what was tried, and what is pinned."""

from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from analytics.adapting.steering import LONGEST_REASON, adaptation_revert, challenger_veto, pin_remove, pin_set
from analytics.models import Adaptation, Challenger, Pin, ShadowDay, Trial
from quant_site.core.idempotency import idempotent
from quant_site.core.ratelimit import client_address
from quant_site.core.selectors import account_get
from quant_site.core.views import AccountRowsView, row_get
from strategies.selectors import strategy_by_key

CHALLENGERS = Challenger.objects.select_related("account", "strategy", "decided_by")
ADAPTATIONS = Adaptation.objects.select_related("account", "strategy", "version")


class ReasonSerializer(serializers.Serializer):
    reason = serializers.CharField(max_length=LONGEST_REASON, help_text="Kept with what is decided.")


def who_and_why(request, reason: str) -> dict:
    return {"actor": request.user, "ip_address": client_address(request), "reason": reason}


def given_reason(data) -> str:
    body = ReasonSerializer(data=data)
    body.is_valid(raise_exception=True)
    return body.validated_data["reason"]


class StrategyFilter(filters.FilterSet):
    strategy = filters.CharFilter(field_name="strategy__key", help_text="Its key.")


# --- decisions


class AdaptationSerializer(serializers.ModelSerializer):
    account = serializers.CharField(source="account_id")
    strategy = serializers.CharField(source="strategy.key", help_text="Its key.")
    version = serializers.IntegerField(source="version_id", allow_null=True, help_text="What it made; null where nothing changed.")
    challenger = serializers.IntegerField(source="challenger_id", allow_null=True, help_text="What it is about, in the lane of parameters.")
    evidence = serializers.DictField()

    class Meta:
        model = Adaptation
        fields = (
            "id",
            "account",
            "strategy",
            "session",
            "lane",
            "weight_before",
            "weight_after",
            "version",
            "challenger",
            "evidence",
            "reason",
            "created_at",
        )
        read_only_fields = fields


class AdaptationFilter(StrategyFilter):
    class Meta:
        model = Adaptation
        fields = ("lane",)


@extend_schema(tags=["adaptation"])
class AdaptationsView(AccountRowsView):
    """What the optimiser decided, taken or not, newest first."""

    permission_classes = (IsAuthenticated,)
    serializer_class = AdaptationSerializer
    filterset_class = AdaptationFilter
    queryset = Adaptation.objects.order_by("-session", "-id")


class AdaptationRevertView(APIView):
    """Put back what was in force before a decision. Only the last move of a weight, or a change of parameters that is still in
    force, can be taken back; else the answer is a conflict that says what to do."""

    permission_classes = (IsAuthenticated,)

    @idempotent
    @extend_schema(request=ReasonSerializer, responses=AdaptationSerializer, tags=["adaptation"])
    def post(self, request, pk: int):
        decision = row_get(ADAPTATIONS, user=request.user, pk=pk, trade=True)
        adaptation_revert(adaptation=decision, **who_and_why(request, given_reason(request.data)))
        return Response(AdaptationSerializer(decision).data)


# --- challengers


class ChallengerSerializer(serializers.ModelSerializer):
    account = serializers.CharField(source="account_id")
    strategy = serializers.CharField(source="strategy.key", help_text="Its key.")
    status = serializers.CharField(help_text=f"One of {', '.join(Challenger.Status.values)}.")
    change = serializers.DictField(help_text="{name: [before, after]}")
    gate = serializers.DictField(help_text="What let it in; a number that could not be computed is null.")
    evidence = serializers.FloatField(help_text="In shadow for the challenger, on probation for the parameters before.")
    version = serializers.IntegerField(source="version_id", allow_null=True, help_text="What its promotion made.")
    decided_by = serializers.CharField(source="decided_by.username", allow_null=True)

    class Meta:
        model = Challenger
        fields = (
            "id",
            "account",
            "strategy",
            "status",
            "change",
            "gate",
            "started",
            "sessions",
            "evidence",
            "threshold",
            "promoted",
            "ended",
            "reason",
            "version",
            "decided_by",
            "created_at",
        )
        read_only_fields = fields


class ShadowDaySerializer(serializers.ModelSerializer):
    class Meta:
        model = ShadowDay
        fields = ("session", "champion_return", "challenger_return", "evidence")
        read_only_fields = fields


class ChallengerDetailSerializer(ChallengerSerializer):
    champion = serializers.DictField(help_text="The parameters it stands against.")
    days = ShadowDaySerializer(many=True, help_text="Session by session, oldest first.")

    class Meta(ChallengerSerializer.Meta):
        fields = (*ChallengerSerializer.Meta.fields, "champion", "days")
        read_only_fields = fields


class ChallengerFilter(StrategyFilter):
    status = filters.MultipleChoiceFilter(choices=Challenger.Status.choices)

    class Meta:
        model = Challenger
        fields = ()


@extend_schema(tags=["adaptation"])
class ChallengersView(AccountRowsView):
    """Parameter sets that stand, or stood, against those in force; newest first."""

    permission_classes = (IsAuthenticated,)
    serializer_class = ChallengerSerializer
    filterset_class = ChallengerFilter
    queryset = Challenger.objects.order_by("-started", "-id")


class ChallengerView(APIView):
    """One challenger with its path of evidence."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=ChallengerDetailSerializer, tags=["adaptation"])
    def get(self, request, pk: int):
        return Response(ChallengerDetailSerializer(row_get(CHALLENGERS.prefetch_related("days"), user=request.user, pk=pk)).data)


class ChallengerVetoView(APIView):
    """End a challenger; one on probation is taken back."""

    permission_classes = (IsAuthenticated,)

    @idempotent
    @extend_schema(request=ReasonSerializer, responses=ChallengerSerializer, tags=["adaptation"])
    def post(self, request, pk: int):
        challenger = row_get(CHALLENGERS, user=request.user, pk=pk, trade=True)
        vetoed = challenger_veto(challenger=challenger, **who_and_why(request, given_reason(request.data)))
        return Response(ChallengerSerializer(vetoed).data)


# --- trials


class TrialSerializer(serializers.ModelSerializer):
    account = serializers.CharField(source="account_id")
    strategy = serializers.CharField(source="strategy.key", help_text="Its key.")
    params = serializers.DictField()

    class Meta:
        model = Trial
        fields = (
            "id",
            "account",
            "strategy",
            "session",
            "params",
            "role",
            "data_digest",
            "code_version",
            "seed",
            "first_session",
            "last_session",
            "n",
            "sharpe",
            "created_at",
        )
        read_only_fields = fields


class TrialFilter(StrategyFilter):
    class Meta:
        model = Trial
        fields = ("role",)


@extend_schema(tags=["adaptation"])
class TrialsView(AccountRowsView):
    """Every parameter set that was ever evaluated, newest first. The Sharpe ratio is per session."""

    permission_classes = (IsAuthenticated,)
    serializer_class = TrialSerializer
    filterset_class = TrialFilter
    queryset = Trial.objects.order_by("-session", "-id")


# --- pins


class PinSerializer(serializers.ModelSerializer):
    account = serializers.CharField(source="account_id")
    strategy = serializers.CharField(source="strategy.key", help_text="Its key.")
    pinned_by = serializers.CharField(source="pinned_by.username", allow_null=True)

    class Meta:
        model = Pin
        fields = ("id", "account", "strategy", "what", "reason", "pinned_by", "pinned_at")
        read_only_fields = fields


class PinRequestSerializer(ReasonSerializer):
    account = serializers.CharField(max_length=64)
    strategy = serializers.CharField(max_length=64, help_text="Its key.")
    what = serializers.ChoiceField(Pin.What.choices)


class PinsView(AccountRowsView, GenericAPIView):
    """What the optimiser leaves as it is."""

    permission_classes = (IsAuthenticated,)
    serializer_class = PinSerializer
    filterset_class = StrategyFilter
    queryset = Pin.objects.order_by("account", "strategy", "what")

    @extend_schema(tags=["adaptation"])
    def get(self, request):
        return self.list(request)

    @idempotent
    @extend_schema(request=PinRequestSerializer, responses=PinSerializer, tags=["adaptation"])
    def post(self, request):
        """Pin a weight or parameters. Pinned already, it has the new reason."""
        body = PinRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        wanted = body.validated_data
        account = account_get(user=request.user, account_id=wanted["account"], trade=True)
        strategy = strategy_by_key(key=wanted["strategy"])
        pin = pin_set(account=account, strategy=strategy, what=wanted["what"], **who_and_why(request, wanted["reason"]))
        return Response(PinSerializer(pin).data)


class PinView(APIView):
    """One pin."""

    permission_classes = (IsAuthenticated,)

    @idempotent
    @extend_schema(parameters=[OpenApiParameter("reason", str, required=True)], responses={204: None}, tags=["adaptation"])
    def delete(self, request, pk: int):
        """Let the optimiser move it again."""
        pin = row_get(Pin.objects.select_related("account", "strategy"), user=request.user, pk=pk, trade=True)
        why = who_and_why(request, given_reason(request.query_params))
        pin_remove(account=pin.account, strategy=pin.strategy, what=pin.what, **why)
        return Response(status=status.HTTP_204_NO_CONTENT)
