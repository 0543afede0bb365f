"""Admin of the ground floor, and the bases of every other admin page.

Records (what the system wrote about what happened) can be searched and read, never changed. Staff see the rows of
their own accounts; superusers see all. Whatever can be changed is changed by a service that leaves an audit entry.
"""

from collections import defaultdict
from functools import cache

from django import forms
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RangeDateFilter, RangeDateTimeFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from quant_site.core import tokens
from quant_site.core.fields import PriceField, QuantityField
from quant_site.core.models import Account, ApiLogin, AuditLog, Confirmation, IdempotencyKey, LoopRun, LoopStage, OutboxEvent
from quant_site.core.ratelimit import client_address
from quant_site.core.selectors import accounts_for

# Colours of statuses, the same in every table. What is not named is grey.
COLOURS = defaultdict(
    str,
    {
        **dict.fromkeys(("DONE", "COMPLETED", "EXECUTED", "FILLED", "ACTIVE", "REVIEWED", "LONG", "BUY", "BEST"), "success"),
        **dict.fromkeys(
            ("RUNNING", "PENDING", "VALIDATED", "EXECUTING", "ACKED", "PARTIAL", "SENDING", "READY", "INTENT", "WORKING"), "info"
        ),
        **dict.fromkeys(("UNKNOWN", "EXPIRED", "ABSTAINED", "SKIPPED", "REDUCING", "DRAFT", "DENIED"), "warning"),
        **dict.fromkeys(("FAILED", "REJECTED", "HALTED", "SHORT", "SELL", "WORST", "REAL"), "danger"),
    },
)
ACCOUNT = ("account", AutocompleteSelectFilter)


def badge(field: str, description):
    """A column that shows a choice field's label in the colour of its value."""

    @display(description=description, ordering=field, label=COLOURS)
    def column(self, row):
        return getattr(row, field), getattr(row, f"get_{field}_display")()

    return column


def short_json(field: str, description, length: int = 160):
    """A column that shows the names and values of a JSON object in one line."""

    @display(description=description)
    def column(self, row):
        value = getattr(row, field)
        text = ", ".join(f"{name}: {item}" for name, item in value.items()) if isinstance(value, dict) else str(value)
        return text if len(text) <= length else f"{text[: length - 1]}…"

    return column


@cache
def number_column(field: PriceField):
    """A column that shows a price or a quantity without the zeros its six decimals drag along."""
    least = 0 if isinstance(field, QuantityField) else 2

    @display(description=field.verbose_name, ordering=field.name)
    def column(row):
        value = getattr(row, field.name)
        if value is None:
            return None
        places = max(least, -value.normalize().as_tuple().exponent)
        return number_format(value, places, use_l10n=True)

    return column


class WordsField(forms.CharField):
    """A JSON list of words, written with commas between them."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value):
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value):
        return [word.strip() for word in (value or "").split(",") if word.strip()]

    def has_changed(self, initial, data):
        return (initial or []) != self.to_python(data)


class ScopedAdmin(ModelAdmin):
    """Rows of the accounts one may see. `account_field` is the path to the account, empty where rows belong to nobody."""

    account_field = "account"
    list_filter_submit = True
    list_fullwidth = True
    list_per_page = 50
    show_full_result_count = False

    def get_queryset(self, request):
        rows = super().get_queryset(request)
        if request.user.is_superuser or not self.account_field:
            return rows
        return rows.filter(**{f"{self.account_field}__in": accounts_for(request.user).values("pk")})

    def get_list_display(self, request):
        numbers = {field.name: field for field in self.model._meta.fields if isinstance(field, PriceField)}
        return [number_column(numbers[name]) if name in numbers else name for name in super().get_list_display(request)]

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        if db_field.related_model is Account:
            kwargs["queryset"] = accounts_for(request.user)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class RecordAdmin(ScopedAdmin):
    """Rows that nobody edits: neither adds, changes nor removes one."""

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


class RecordInline(TabularInline):
    """Records shown inside another row."""

    extra = 0
    can_delete = False
    show_change_link = False
    hide_title = True
    per_page = 50

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


@admin.register(AuditLog)
class AuditLogAdmin(RecordAdmin):
    account_field = "account_id"
    list_display = ("created_at", "actor", "action_type", "account_id", "resource_type", "resource_id", "ip_address")
    list_filter = (("created_at", RangeDateTimeFilter), "action_type", "resource_type")
    search_fields = ("actor", "account_id", "action_type", "resource_id", "ip_address")
    date_hierarchy = "created_at"


@admin.register(OutboxEvent)
class OutboxEventAdmin(RecordAdmin):
    account_field = "account_id"
    list_display = ("id", "at", "type", "account_id", "short_payload")
    list_filter = (("at", RangeDateTimeFilter), "type")
    search_fields = ("type", "account_id")
    date_hierarchy = "at"

    short_payload = short_json("payload", _("payload"), 120)


class LoopStageInline(RecordInline):
    model = LoopStage
    fields = ("position", "name", "status", "wall_ms", "attempts", "detail_line", "error")
    readonly_fields = ("detail_line",)
    detail_line = short_json("detail", _("detail"), 400)


@admin.register(LoopRun)
class LoopRunAdmin(RecordAdmin):
    list_display = ("session", "account", "kind", "status_badge", "data_as_of", "data_source", "started_at", "finished_at")
    list_display_links = ("session",)
    list_filter = (ACCOUNT, ("session", RangeDateFilter), ("status", ChoicesDropdownFilter), ("kind", ChoicesDropdownFilter))
    list_select_related = ("account",)
    search_fields = ("account__id", "error")
    date_hierarchy = "session"
    inlines = (LoopStageInline,)
    status_badge = badge("status", _("status"))


@admin.register(LoopStage)
class LoopStageAdmin(RecordAdmin):
    account_field = "run__account"
    list_display = ("run", "position", "name", "status_badge", "wall_ms", "attempts", "finished_at")
    list_filter = (("run__account", AutocompleteSelectFilter), ("status", ChoicesDropdownFilter), "name")
    list_select_related = ("run",)
    search_fields = ("name", "error", "run__account__id")
    date_hierarchy = "finished_at"
    status_badge = badge("status", _("status"))


@admin.register(ApiLogin)
class ApiLoginAdmin(RecordAdmin):
    account_field = ""
    list_display = ("user", "created_at", "refreshed_at", "stands", "revoked_at", "revoked_reason", "ip_address", "user_agent")
    list_filter = (("user", AutocompleteSelectFilter), ("created_at", RangeDateTimeFilter))
    list_select_related = ("user",)
    search_fields = ("user__username", "ip_address")
    date_hierarchy = "created_at"
    actions = ("end_logins",)
    exclude = ("refresh_jti",)

    def has_end_permission(self, request):
        return request.user.has_perm("core.change_apilogin")

    def get_queryset(self, request):
        rows = super().get_queryset(request)
        return rows if self.has_end_permission(request) else rows.filter(user=request.user)

    @display(description=_("stands"), boolean=True)
    def stands(self, login):
        return login.revoked_at is None

    @admin.action(description=_("End the selected logins"), permissions=["end"])
    def end_logins(self, request, queryset):
        who = {"reason": "ADMIN", "actor": request.user, "ip_address": client_address(request)}
        ended = sum(tokens.login_revoke(login_id=pk, **who) for pk in queryset.values_list("pk", flat=True))
        self.message_user(request, _("%(count)d logins were ended.") % {"count": ended})


@admin.register(Confirmation)
class ConfirmationAdmin(RecordAdmin):
    """What was confirmed stands in the audit log, in words."""

    account_field = ""
    list_display = ("created_at", "user", "action", "expires_at", "used_at")
    list_filter = (("user", AutocompleteSelectFilter), ("created_at", RangeDateTimeFilter))
    list_select_related = ("user",)
    search_fields = ("action", "user__username")
    date_hierarchy = "created_at"


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(RecordAdmin):
    account_field = ""
    list_display = ("created_at", "user", "key", "request", "status")
    list_filter = (("user", AutocompleteSelectFilter),)
    list_select_related = ("user",)
    search_fields = ("key", "request", "user__username")
    date_hierarchy = "created_at"


@admin.register(LogEntry)
class LogEntryAdmin(RecordAdmin):
    """What was done in this admin, as Django itself records it."""

    account_field = ""
    list_display = ("action_time", "user", "content_type", "object_repr", "action_flag", "get_change_message")
    list_filter = (("action_time", RangeDateTimeFilter), ("user", AutocompleteSelectFilter))
    list_select_related = ("user", "content_type")
    search_fields = ("object_repr", "user__username")
    date_hierarchy = "action_time"
