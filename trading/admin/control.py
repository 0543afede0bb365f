"""Admin of who may send what: processes that send, armings, halted symbols, and comparisons with the broker."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from quant_site.core.admin import ACCOUNT, RecordAdmin
from trading import models


@admin.register(models.SenderBoot)
class SenderBootAdmin(RecordAdmin):
    account_field = ""
    list_display = ("started_at", "role", "host", "pid", "code_version", "config_hash", "beat_at")
    list_filter = ("role", ("started_at", RangeDateTimeFilter))
    search_fields = ("host", "code_version", "config_hash")
    date_hierarchy = "started_at"


@admin.register(models.Arming)
class ArmingAdmin(RecordAdmin):
    list_display = ("armed_at", "account", "armed_by", "stands", "boot", "disarmed_at", "disarmed_why")
    list_filter = (ACCOUNT, ("armed_at", RangeDateTimeFilter))
    list_select_related = ("account", "armed_by", "boot")
    search_fields = ("account__id", "armed_by__username", "disarmed_why")
    date_hierarchy = "armed_at"

    @display(description=_("stands"), boolean=True)
    def stands(self, arming):
        return arming.disarmed_at is None


@admin.register(models.SymbolHalt)
class SymbolHaltAdmin(RecordAdmin):
    list_display = ("since", "account", "symbol", "code", "reason", "cleared_at", "cleared_by")
    list_display_links = ("since", "symbol")
    list_filter = (ACCOUNT, "code", ("since", RangeDateTimeFilter))
    list_select_related = ("account",)
    search_fields = ("symbol", "code", "reason")
    date_hierarchy = "since"


@admin.register(models.Reconciliation)
class ReconciliationAdmin(RecordAdmin):
    list_display = ("at", "account", "kind", "agrees", "found", "boot")
    list_filter = (ACCOUNT, ("kind", ChoicesDropdownFilter), "agrees", ("at", RangeDateTimeFilter))
    list_select_related = ("account", "boot")
    search_fields = ("account__id",)
    date_hierarchy = "at"

    @display(description=_("differences"))
    def found(self, reconciliation):
        return len(reconciliation.differences)
