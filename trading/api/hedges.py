"""Endpoints for automatic hedges: what an account wants hedged, and what each look at it came to."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from quant_site.core.idempotency import idempotent
from quant_site.core.selectors import account_get
from quant_site.core.views import AccountRowsView, RowsView, row_get
from trading.exposure.hedge_policies import hedge_policy_set
from trading.models import HedgePolicy, HedgeRecord

SWITCH_CHOICES = [(each.value, each.label) for each in (HedgePolicy.State.ON, HedgePolicy.State.OFF)]


class HedgeSerializer(serializers.ModelSerializer):
    account = serializers.CharField(source="account_id")

    class Meta:
        model = HedgePolicy
        fields = (
            "id",
            "account",
            "kind",
            "symbol",
            "state",
            "state_reason",
            "target",
            "band",
            "risk_aversion",
            "review_sessions",
            "since",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields


class HedgeChangeSerializer(serializers.Serializer):
    """What is left out stays as it is, of a new policy as a policy begins."""

    state = serializers.ChoiceField(SWITCH_CHOICES, required=False)
    target = serializers.DecimalField(10, 6, required=False, help_text="Of equity: 0 is neutral.")
    band = serializers.DecimalField(10, 6, required=False, help_text="Of equity, for a beta hedge.")
    risk_aversion = serializers.DecimalField(10, 6, required=False, help_text="For the band of a delta hedge.")
    review_sessions = serializers.IntegerField(required=False, min_value=1, max_value=10_000)


class HedgeRequestSerializer(HedgeChangeSerializer):
    account = serializers.CharField(max_length=64)
    kind = serializers.ChoiceField(HedgePolicy.Kind.choices)
    symbol = serializers.CharField(max_length=32, help_text="What it is hedged with; for a delta hedge also the underlying.")


class HedgeRecordSerializer(serializers.ModelSerializer):
    order = serializers.IntegerField(source="order_id", allow_null=True)

    class Meta:
        model = HedgeRecord
        fields = (
            "session",
            "exposure",
            "wanted",
            "band",
            "quantity",
            "order",
            "hedge_pnl",
            "total_pnl",
            "hedge_cost",
            "account_pnl",
            "variance_removed",
            "detail",
            "created_at",
        )
        read_only_fields = fields


class HedgesView(AccountRowsView, GenericAPIView):
    """Hedge policies."""

    permission_classes = (IsAuthenticated,)
    serializer_class = HedgeSerializer
    queryset = HedgePolicy.objects.order_by("account", "kind", "symbol")

    @extend_schema(tags=["hedges"])
    def get(self, request):
        return self.list(request)

    @idempotent
    @extend_schema(request=HedgeRequestSerializer, responses={200: HedgeSerializer, 201: HedgeSerializer}, tags=["hedges"])
    def post(self, request):
        """Make a policy, or change the one there is of that kind and symbol (200). One that is ON trades by itself."""
        body = HedgeRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        wanted = dict(body.validated_data)
        account = account_get(user=request.user, account_id=wanted.pop("account"), trade=True)
        before = set(HedgePolicy.objects.filter(account=account).values_list("pk", flat=True))
        policy = hedge_policy_set(account=account, actor=request.user, **wanted)
        made = status.HTTP_200_OK if policy.pk in before else status.HTTP_201_CREATED
        return Response(HedgeSerializer(policy).data, status=made)


class HedgeView(APIView):
    """One policy: switched on or off, or with other numbers."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=HedgeSerializer, tags=["hedges"])
    def get(self, request, pk: int):
        return Response(HedgeSerializer(row_get(HedgePolicy.objects, user=request.user, pk=pk)).data)

    @extend_schema(request=HedgeChangeSerializer, responses=HedgeSerializer, tags=["hedges"])
    def patch(self, request, pk: int):
        policy = row_get(HedgePolicy.objects.select_related("account"), user=request.user, pk=pk, trade=True)
        body = HedgeChangeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        changed = hedge_policy_set(
            account=policy.account, kind=policy.kind, symbol=policy.symbol, actor=request.user, **body.validated_data
        )
        return Response(HedgeSerializer(changed).data)


@extend_schema(tags=["hedges"], parameters=[OpenApiParameter("id", int, OpenApiParameter.PATH)])
class HedgeRecordsView(RowsView):
    """What each look of one policy came to, the latest first."""

    permission_classes = (IsAuthenticated,)
    serializer_class = HedgeRecordSerializer
    queryset = HedgeRecord.objects.order_by("-session")

    def get_queryset(self):
        if getattr(self, "swagger_fake_view", False):
            return self.queryset.none()
        policy = row_get(HedgePolicy.objects, user=self.request.user, pk=self.kwargs["pk"])
        return self.queryset.filter(policy=policy)
