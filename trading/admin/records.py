"""Admin of trading: facts are read-only; a person completes the journal."""

from django import forms
from django.contrib import admin, messages
from django.http import HttpResponseRedirect
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RangeDateFilter, RangeDateTimeFilter

from quant_site.core.admin import ACCOUNT, RecordAdmin, RecordInline, ScopedAdmin, WordsField, badge, short_json
from quant_site.core.errors import QuantError
from trading import models
from trading.books.journal import WRITTEN_BY_PEOPLE, journal_complete, journal_review

SESSION, STATUS = ("session", RangeDateFilter), ("status", ChoicesDropdownFilter)
STRATEGY = ("strategy", AutocompleteSelectFilter)


def legs_column():
    """A column that shows the legs of an order in one line, and nothing for an order of one symbol."""

    @admin.display(description=_("legs"))
    def column(self, row):
        return ", ".join(f"{leg['side']} {leg['ratio']} {leg['symbol']}" for leg in row.legs)

    return column


class OrderEventInline(RecordInline):
    model = models.OrderEvent
    fields = ("sequence", "from_status", "to_status", "reason", "evidence_line", "at")
    readonly_fields = ("evidence_line",)
    evidence_line = short_json("evidence", _("evidence"))


class FillInline(RecordInline):
    model = models.Fill
    fields = ("fill_id", "session", "symbol", "side", "quantity", "price", "amount", "commission", "slippage", "filled_at")


@admin.register(models.Order)
class OrderAdmin(RecordAdmin):
    list_display = (
        "id",
        "session",
        "account",
        "symbol",
        "side_badge",
        "legs_line",
        "purpose",
        "order_type",
        "quantity",
        "status_badge",
        "filled_quantity",
        "average_fill_price",
        "commission",
    )
    list_display_links = ("id", "symbol")
    list_filter = (ACCOUNT, STATUS, ("purpose", ChoicesDropdownFilter), ("side", ChoicesDropdownFilter), "mode", SESSION)
    list_select_related = ("account",)
    search_fields = ("symbol", "client_order_id", "broker_order_id", "status_reason")
    date_hierarchy = "session"
    inlines = (OrderEventInline, FillInline)
    side_badge = badge("side", _("side"))
    status_badge = badge("status", _("status"))
    legs_line = legs_column()


@admin.register(models.OrderEvent)
class OrderEventAdmin(RecordAdmin):
    account_field = "order__account"
    list_display = ("at", "order", "sequence", "from_status", "to_status", "reason")
    list_filter = (("order__account", AutocompleteSelectFilter), "to_status", ("at", RangeDateTimeFilter))
    list_select_related = ("order",)
    search_fields = ("order__symbol", "order__client_order_id", "reason")
    date_hierarchy = "at"


@admin.register(models.Fill)
class FillAdmin(RecordAdmin):
    list_display = ("session", "account", "symbol", "side_badge", "quantity", "price", "amount", "commission", "slippage", "order")
    list_filter = (ACCOUNT, ("side", ChoicesDropdownFilter), SESSION)
    list_select_related = ("account", "order")
    search_fields = ("symbol", "fill_id")
    date_hierarchy = "session"
    side_badge = badge("side", _("side"))


@admin.register(models.Position)
class PositionAdmin(RecordAdmin):
    list_display = (
        "symbol",
        "account",
        "strategy",
        "direction_badge",
        "quantity",
        "cost",
        "market_value",
        "unrealized_pnl",
        "realized_pnl",
        "entry_session",
        "exit_session",
        "exit_reason",
    )
    list_filter = (ACCOUNT, STRATEGY, ("direction", ChoicesDropdownFilter), "exit_reason", ("entry_session", RangeDateFilter))
    list_select_related = ("account", "strategy")
    search_fields = ("symbol", "group", "strategy__name")
    date_hierarchy = "entry_session"
    direction_badge = badge("direction", _("direction"))


@admin.register(models.CashEntry)
class CashEntryAdmin(RecordAdmin):
    list_display = ("session", "account", "kind", "amount", "symbol", "memo")
    list_filter = (ACCOUNT, ("kind", ChoicesDropdownFilter), SESSION)
    list_select_related = ("account",)
    search_fields = ("symbol", "memo", "key")
    date_hierarchy = "session"


@admin.register(models.EquitySnapshot)
class EquitySnapshotAdmin(RecordAdmin):
    list_display = (
        "snapshot_date",
        "account",
        "total_equity",
        "cash",
        "market_value",
        "daily_return",
        "cumulative_return",
        "drawdown_pct",
        "benchmark_return",
        "open_positions",
    )
    list_filter = (ACCOUNT, ("snapshot_date", RangeDateFilter))
    list_select_related = ("account",)
    search_fields = ("account__id",)
    date_hierarchy = "snapshot_date"


# --- What a person writes


class JournalForm(forms.ModelForm):
    mistake_tags = WordsField(label=capfirst(_("mistakes")), required=False, help_text=_("Separated by commas."))


@admin.register(models.TradeJournal)
class TradeJournalAdmin(ScopedAdmin):
    """The system drafts a row for each closed trade; a person fills in how it felt and what it taught."""

    form = JournalForm
    list_display = ("exit_date", "account", "symbol", "strategy", "direction_badge", "realized_pnl", "exit_reason", "status_badge")
    list_display_links = ("exit_date", "symbol")
    list_filter = (ACCOUNT, STRATEGY, ("journal_status", ChoicesDropdownFilter), ("exit_date", RangeDateFilter))
    list_select_related = ("account", "strategy")
    search_fields = ("symbol", "lesson_learned")
    date_hierarchy = "exit_date"
    actions = ("review",)
    direction_badge = badge("direction", _("direction"))
    status_badge = badge("journal_status", _("status"))

    def has_add_permission(self, request):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        reviewed = obj is not None and obj.journal_status == models.TradeJournal.Status.REVIEWED
        return super().has_change_permission(request, obj) and not reviewed

    def get_readonly_fields(self, request, obj=None):
        return [field.name for field in self.model._meta.fields if field.name not in WRITTEN_BY_PEOPLE]

    def get_fieldsets(self, request, obj=None):
        drafted = [field.name for field in self.model._meta.fields if field.name not in (*WRITTEN_BY_PEOPLE, "id", "ai_review")]
        return (
            (_("What you made of it"), {"fields": WRITTEN_BY_PEOPLE}),
            (_("The trade"), {"fields": drafted}),
            (_("AI review"), {"fields": ("ai_review",)}),
        )

    def save_model(self, request, obj, form, change):
        entry = models.TradeJournal.objects.get(pk=obj.pk)
        journal_complete(entry=entry, actor=request.user, **{name: form.cleaned_data[name] for name in WRITTEN_BY_PEOPLE})

    def change_view(self, request, object_id, form_url="", extra_context=None):
        try:
            return super().change_view(request, object_id, form_url, extra_context)
        except QuantError as error:
            self.message_user(request, error.message, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    @admin.action(description=_("Mark as reviewed"), permissions=["change"])
    def review(self, request, queryset):
        for entry in queryset.order_by("pk"):
            try:
                journal_review(entry=entry, actor=request.user)
            except QuantError as error:
                self.message_user(request, f"{entry.symbol} {entry.exit_date}: {error.message}", messages.ERROR)


# --- The paper broker's own book


class PaperAdmin(RecordAdmin):
    account_field = "account_id"


@admin.register(models.PaperAccount)
class PaperAccountAdmin(PaperAdmin):
    list_display = ("account_id", "cash", "session", "phase")
    search_fields = ("account_id",)


@admin.register(models.PaperHolding)
class PaperHoldingAdmin(PaperAdmin):
    list_display = ("account_id", "symbol", "quantity")
    search_fields = ("account_id", "symbol")


@admin.register(models.PaperOrder)
class PaperOrderAdmin(PaperAdmin):
    list_display = (
        "account_id",
        "symbol",
        "side",
        "legs_line",
        "order_type",
        "quantity",
        "status_badge",
        "average_fill_price",
        "reason",
        "session",
    )
    list_display_links = ("symbol",)
    list_filter = (STATUS, ("side", ChoicesDropdownFilter), SESSION)
    search_fields = ("account_id", "symbol", "client_order_id")
    date_hierarchy = "session"
    status_badge = badge("status", _("status"))
    legs_line = legs_column()


@admin.register(models.PaperFill)
class PaperFillAdmin(PaperAdmin):
    list_display = ("session", "account_id", "order", "symbol", "side", "quantity", "price", "commission", "filled_at")
    list_filter = (SESSION,)
    list_select_related = ("order",)
    search_fields = ("account_id", "fill_id", "order__symbol")
    date_hierarchy = "session"


@admin.register(models.PaperActivity)
class PaperActivityAdmin(PaperAdmin):
    list_display = ("session", "account_id", "kind", "symbol", "quantity", "per_share", "amount")
    list_filter = (("kind", ChoicesDropdownFilter), SESSION)
    search_fields = ("account_id", "symbol")
    date_hierarchy = "session"


@admin.register(models.PaperFence)
class PaperFenceAdmin(PaperAdmin):
    list_display = ("account_id", "client_order_id", "fence")
    search_fields = ("account_id", "client_order_id")
