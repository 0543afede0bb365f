"""Admin of judgements: read-only. What they led to is a parameter version, and that can be taken back."""

from django.contrib import admin
from django.http import HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RangeDateFilter
from unfold.decorators import action

from analytics.models import (
    Adaptation,
    Attribution,
    BehaviourScore,
    Challenger,
    DailyPerformance,
    ExtremeSignal,
    Finding,
    HoldoutUse,
    MissedOutcome,
    Pin,
    ShadowDay,
    Trial,
)
from quant_site.core.admin import ACCOUNT, RecordAdmin, RecordInline, badge, short_json

STRATEGY, SESSION = ("strategy", AutocompleteSelectFilter), ("session", RangeDateFilter)


@admin.register(DailyPerformance)
class DailyPerformanceAdmin(RecordAdmin):
    list_display = (
        "session",
        "account",
        "scope",
        "pnl",
        "cumulative_pnl",
        "daily_return",
        "closed_trades",
        "win_rate",
        "profit_factor",
        "sharpe_ratio",
        "max_drawdown_pct",
        "exposure",
    )
    list_filter = (ACCOUNT, STRATEGY, SESSION)
    list_select_related = ("account",)
    search_fields = ("scope", "account__id")
    date_hierarchy = "session"


@admin.register(ExtremeSignal)
class ExtremeSignalAdmin(RecordAdmin):
    list_display = ("session", "account", "signal", "kind_badge", "realized_pnl", "r_multiple")
    list_filter = (ACCOUNT, ("kind", ChoicesDropdownFilter), SESSION)
    list_select_related = ("account", "signal")
    search_fields = ("signal__symbol", "account__id")
    date_hierarchy = "session"
    kind_badge = badge("kind", _("kind"))


@admin.register(Finding)
class FindingAdmin(RecordAdmin):
    list_display = ("session", "account", "scope", "code", "message", "effect", "effect_low", "effect_high")
    list_filter = (ACCOUNT, STRATEGY, "code", SESSION)
    list_select_related = ("account",)
    search_fields = ("code", "message", "scope", "account__id")
    date_hierarchy = "session"


@admin.register(Adaptation)
class AdaptationAdmin(RecordAdmin):
    list_display = ("session", "account", "strategy", "lane", "weight_before", "weight_after", "version", "reason")
    list_filter = (ACCOUNT, STRATEGY, "lane", SESSION)
    list_select_related = ("account", "strategy", "version")
    search_fields = ("reason", "strategy__name", "account__id")
    date_hierarchy = "session"


@admin.register(Attribution)
class AttributionAdmin(RecordAdmin):
    list_display = ("session", "account", "total", "buckets_line")
    list_filter = (ACCOUNT, SESSION)
    list_select_related = ("account",)
    search_fields = ("account__id",)
    date_hierarchy = "session"
    buckets_line = short_json("buckets", _("where it came from"), 400)


@admin.register(MissedOutcome)
class MissedOutcomeAdmin(RecordAdmin):
    list_display = ("session", "account", "signal", "entry_session", "exit_session", "exit_reason", "quantity", "result", "r_multiple")
    list_filter = (ACCOUNT, "exit_reason", SESSION)
    list_select_related = ("account", "signal")
    search_fields = ("signal__symbol", "account__id")
    date_hierarchy = "session"


@admin.register(BehaviourScore)
class BehaviourScoreAdmin(RecordAdmin):
    list_display = ("session", "account", "sell_fly_score", "discipline_score", "overall_score")
    list_filter = (ACCOUNT, SESSION)
    list_select_related = ("account",)
    search_fields = ("account__id",)
    date_hierarchy = "session"


@admin.register(Trial)
class TrialAdmin(RecordAdmin):
    list_display = ("session", "account", "strategy", "role", "params_line", "n", "sharpe", "first_session", "last_session", "code_version")
    list_filter = (ACCOUNT, STRATEGY, "role", SESSION)
    list_select_related = ("account", "strategy")
    search_fields = ("strategy__name", "params_hash", "account__id")
    date_hierarchy = "session"
    params_line = short_json("params", _("parameters"))

    def get_queryset(self, request):
        return super().get_queryset(request).defer("returns")


@admin.register(HoldoutUse)
class HoldoutUseAdmin(RecordAdmin):
    list_display = ("session", "account", "strategy", "first_session", "last_session", "passed")
    list_filter = (ACCOUNT, STRATEGY, "passed", SESSION)
    list_select_related = ("account", "strategy")
    search_fields = ("strategy__name", "account__id")
    date_hierarchy = "session"


class ShadowDayInline(RecordInline):
    model = ShadowDay
    fields = ("session", "champion_return", "challenger_return", "evidence")
    ordering = ("-session",)


@admin.register(Challenger)
class ChallengerAdmin(RecordAdmin):
    """A veto needs a reason, which the page of the adaptation asks for."""

    list_display = ("started", "account", "strategy", "status_badge", "change_line", "sessions", "evidence", "threshold", "ended", "reason")
    list_filter = (ACCOUNT, STRATEGY, ("status", ChoicesDropdownFilter), ("started", RangeDateFilter))
    list_select_related = ("account", "strategy")
    search_fields = ("strategy__name", "reason", "account__id")
    date_hierarchy = "started"
    inlines = (ShadowDayInline,)
    actions_row = ("veto",)
    status_badge = badge("status", _("status"))
    change_line = short_json("change", _("change"))

    @action(description=_("Veto"), permissions=["view"], url_path="veto")
    def veto(self, request, object_id: int):
        challenger = self.get_object(request, str(object_id))
        if challenger is None:
            return HttpResponseRedirect(reverse("admin:analytics_challenger_changelist"))
        page = reverse("adaptation", query={"account": challenger.account_id})
        return HttpResponseRedirect(f"{page}#challenger-{challenger.pk}")


@admin.register(ShadowDay)
class ShadowDayAdmin(RecordAdmin):
    account_field = "challenger__account"
    list_display = ("session", "challenger", "champion_return", "challenger_return", "evidence")
    list_filter = (("challenger__account", AutocompleteSelectFilter), ("challenger__strategy", AutocompleteSelectFilter), SESSION)
    list_select_related = ("challenger",)
    search_fields = ("challenger__strategy__name", "challenger__account__id")
    date_hierarchy = "session"


@admin.register(Pin)
class PinAdmin(RecordAdmin):
    """Set and removed on the page of the adaptation, with a reason."""

    list_display = ("account", "strategy", "what", "reason", "pinned_by", "pinned_at")
    list_filter = (ACCOUNT, STRATEGY, ("what", ChoicesDropdownFilter))
    list_select_related = ("account", "strategy", "pinned_by")
    search_fields = ("strategy__name", "reason", "account__id")
    date_hierarchy = "pinned_at"
