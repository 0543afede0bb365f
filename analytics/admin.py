"""Admin of judgements: read-only. What they led to is a parameter version, and that can be taken back."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RangeDateFilter

from analytics.models import Adaptation, DailyPerformance, ExtremeSignal, Finding
from quant_site.core.admin import ACCOUNT, RecordAdmin, badge

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
