"""Endpoints for behaviour and the journal: the latest scores, completing and reviewing an entry, and CSV out and in."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from analytics.api.performance import ACCOUNT, account_of
from analytics.behaviour.card import behaviour_latest
from analytics.models import BehaviourScore
from analytics.reports.journal_file import csv_response
from quant_site.core.errors import NotFound
from quant_site.core.idempotency import idempotent
from quant_site.core.ratelimit import client_address
from quant_site.core.selectors import account_get
from quant_site.core.views import row_get
from trading.api.records import JournalSerializer
from trading.books.journal import journal_complete, journal_review
from trading.books.journal_csv import COLUMNS, NEEDED, journal_import
from trading.models import TradeJournal


class BehaviourSerializer(serializers.ModelSerializer):
    account = serializers.CharField(source="account_id")
    details = serializers.DictField(help_text="all, manual and strategies: the scores of each part; habits: of what a person traded.")

    class Meta:
        model = BehaviourScore
        fields = ("account", "session", "sell_fly_score", "discipline_score", "overall_score", "details", "created_at")
        read_only_fields = fields


class BehaviourView(APIView):
    """The scores of the last week that ended, with habits and details. A score that is null says why in the details."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=BehaviourSerializer, parameters=[ACCOUNT], tags=["journal"])
    def get(self, request):
        account = account_of(request)
        row = behaviour_latest(account)
        if row is None:
            raise NotFound("no_behaviour", f"No week of account {account.pk} has been judged yet: the loop does it at a week's end.")
        return Response(BehaviourSerializer(row).data)


class JournalWordsSerializer(serializers.Serializer):
    """What is left out stays as it is."""

    execution_quality = serializers.IntegerField(min_value=1, max_value=5, required=False, allow_null=True)
    emotion_state = serializers.ChoiceField(TradeJournal.Emotion.choices, required=False, allow_blank=True)
    mistake_tags = serializers.ListField(child=serializers.CharField(max_length=32), max_length=20, required=False)
    lesson_learned = serializers.CharField(required=False, allow_blank=True, max_length=5000)


class _JournalWriteView(APIView):
    permission_classes = (IsAuthenticated,)

    def write(self, request, pk: int, service) -> Response:
        entry = row_get(TradeJournal.objects.select_related("strategy"), user=request.user, pk=pk, trade=True)
        body = JournalWordsSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        return Response(JournalSerializer(service(entry=entry, actor=request.user, **body.validated_data)).data)


class JournalCompleteView(_JournalWriteView):
    """Complete a draft, or write a completed entry anew."""

    @idempotent
    @extend_schema(request=JournalWordsSerializer, responses=JournalSerializer, tags=["journal"])
    def post(self, request, pk: int):
        return self.write(request, pk, journal_complete)


class JournalReviewView(_JournalWriteView):
    """Review a completed entry; after that it stands."""

    @idempotent
    @extend_schema(request=JournalWordsSerializer, responses=JournalSerializer, tags=["journal"])
    def post(self, request, pk: int):
        return self.write(request, pk, journal_review)


class JournalExportView(APIView):
    """The whole journal as CSV."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR}, parameters=[ACCOUNT], tags=["journal"])
    def get(self, request):
        return csv_response(account_of(request))


class JournalFileSerializer(serializers.Serializer):
    account = serializers.CharField(max_length=64)
    file = serializers.FileField(help_text=f"CSV in UTF-8; columns {', '.join(COLUMNS)}, of which {' and '.join(NEEDED)} are needed.")
    dry_run = serializers.BooleanField(default=True, help_text="Only say what would be written, and what is wrong.")


class LineErrorSerializer(serializers.Serializer):
    line = serializers.IntegerField(help_text="The header is 1.")
    column = serializers.CharField(help_text="Empty: the whole line.")
    message = serializers.CharField()


class ImportedSerializer(serializers.Serializer):
    dry_run = serializers.BooleanField()
    lines = serializers.IntegerField()
    new = serializers.IntegerField(help_text="Entries written, or that would be.")
    known = serializers.IntegerField(help_text="Lines that are in the journal already.")
    errors = LineErrorSerializer(many=True)


class JournalImportView(APIView):
    """Trades made elsewhere, from a CSV file. Nothing is written where any line is wrong, nor on a dry run, which is the default;
    importing the same line again adds nothing."""

    permission_classes = (IsAuthenticated,)
    parser_classes = (MultiPartParser,)

    @extend_schema(
        request={"multipart/form-data": JournalFileSerializer},
        responses={200: ImportedSerializer, 400: OpenApiResponse(ImportedSerializer, description="Lines are wrong: see `errors`.")},
        tags=["journal"],
    )
    def post(self, request):
        body = JournalFileSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        account = account_get(user=request.user, account_id=body.validated_data["account"], trade=True)
        done = journal_import(
            account=account,
            content=body.validated_data["file"].read(),
            actor=request.user,
            dry_run=body.validated_data["dry_run"],
            ip_address=client_address(request),
        )
        return Response(ImportedSerializer(done).data, status=400 if done.errors and not done.dry_run else 200)
