"""Admin of the advisor's words: read-only, the ledger above all."""

from django.contrib import admin
from unfold.contrib.filters.admin import RangeDateTimeFilter

from advisor.models import AdviceLedgerEntry, AiEvaluation
from quant_site.core.admin import ACCOUNT, RecordAdmin


@admin.register(AiEvaluation)
class AiEvaluationAdmin(RecordAdmin):
    list_display = ("symbol", "account", "direction", "action", "confidence", "risk_level", "updated_at")
    list_filter = (ACCOUNT, "action", "direction")
    list_select_related = ("account",)
    search_fields = ("symbol", "reasoning")
    date_hierarchy = "updated_at"


@admin.register(AdviceLedgerEntry)
class AdviceLedgerEntryAdmin(RecordAdmin):
    list_display = ("created_at", "symbol", "account", "direction", "action", "confidence", "provider", "model", "abstain_reason")
    list_filter = (ACCOUNT, ("created_at", RangeDateTimeFilter), "provider", "action")
    list_select_related = ("account",)
    search_fields = ("symbol", "reasoning", "model")
    date_hierarchy = "created_at"
