"""Admin of signals: read-only. A signal moves by its table, through the loop or the API, never by an edit."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.admin import StackedInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RangeDateFilter
from unfold.decorators import display

from quant_site.core.admin import ACCOUNT, RecordAdmin, RecordInline, badge
from signals_app.models import SignalOutcome, TradingSignal


class OutcomeInline(RecordInline, StackedInline):
    model = SignalOutcome
    ordering = ("signal",)


@admin.register(TradingSignal)
class TradingSignalAdmin(RecordAdmin):
    list_display = (
        "session",
        "account",
        "strategy",
        "symbol",
        "direction_badge",
        "status_badge",
        "signal_strength",
        "entry_price",
        "position_size",
        "rejections",
    )
    list_display_links = ("session", "symbol")
    list_filter = (
        ACCOUNT,
        ("strategy", AutocompleteSelectFilter),
        ("signal_status", ChoicesDropdownFilter),
        ("direction", ChoicesDropdownFilter),
        ("session", RangeDateFilter),
    )
    list_select_related = ("account", "strategy")
    search_fields = ("symbol", "reason", "strategy__name", "account__id")
    date_hierarchy = "session"
    inlines = (OutcomeInline,)
    direction_badge = badge("direction", _("direction"))
    status_badge = badge("signal_status", _("status"))

    @display(description=_("why it was rejected"))
    def rejections(self, signal):
        return ", ".join(dict.fromkeys(error["code"] for error in signal.validation_errors))


@admin.register(SignalOutcome)
class SignalOutcomeAdmin(RecordAdmin):
    account_field = "signal__account"
    list_display = ("signal", "closed_session", "holding_sessions", "realized_pnl", "return_pct", "r_multiple")
    list_filter = (("signal__account", AutocompleteSelectFilter), ("signal__strategy", AutocompleteSelectFilter))
    list_select_related = ("signal",)
    search_fields = ("signal__symbol",)
    date_hierarchy = "closed_session"
