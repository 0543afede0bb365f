"""Admin of automatic hedges: a person switches policies, the engine's records are read-only."""

from django import forms
from django.contrib import admin, messages
from django.http import HttpResponseRedirect
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RangeDateFilter

from quant_site.core.admin import ACCOUNT, RecordAdmin, ScopedAdmin, badge
from quant_site.core.errors import QuantError
from quant_site.core.services import audit_record
from trading import models
from trading.exposure.hedge_policies import hedge_policy_set

SETTINGS = ("state", "target", "band", "risk_aversion", "review_sessions")
IDENTITY = ("account", "kind", "symbol")
State = models.HedgePolicy.State


class HedgePolicyForm(forms.ModelForm):
    """A person switches a hedge on or off; only the engine stops one."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if "state" in self.fields:
            stopped = self.instance.pk is not None and self.instance.state == State.STOPPED
            self.fields["state"].choices = [choice for choice in State.choices if choice[0] != State.STOPPED or stopped]


@admin.register(models.HedgePolicy)
class HedgePolicyAdmin(ScopedAdmin):
    form = HedgePolicyForm
    list_display = (
        "symbol",
        "account",
        "kind",
        "state_badge",
        "target",
        "band",
        "risk_aversion",
        "review_sessions",
        "since",
        "state_reason",
    )
    list_filter = (ACCOUNT, ("kind", ChoicesDropdownFilter), ("state", ChoicesDropdownFilter))
    list_select_related = ("account",)
    search_fields = ("symbol", "state_reason")
    autocomplete_fields = ("account",)
    fields = (*IDENTITY, *SETTINGS, "state_reason", "since")
    readonly_fields = ("state_reason", "since")
    state_badge = badge("state", _("state"))

    def get_readonly_fields(self, request, obj=None):
        return (*self.readonly_fields, *IDENTITY) if obj else self.readonly_fields

    def save_model(self, request, obj, form, change):
        values = {name: form.cleaned_data[name] for name in SETTINGS if name in form.changed_data or not change}
        policy = hedge_policy_set(account=obj.account, kind=obj.kind, symbol=obj.symbol, actor=request.user, **values)
        obj.pk = policy.pk

    def delete_model(self, request, obj):
        details = {"kind": obj.kind, "symbol": obj.symbol}
        audit_record(action="HEDGE_POLICY_DELETE", actor=request.user, account=obj.account_id, resource=obj, details=details)
        super().delete_model(request, obj)

    def delete_queryset(self, request, queryset):
        for obj in queryset.order_by("pk"):
            self.delete_model(request, obj)

    def changeform_view(self, request, object_id=None, form_url="", extra_context=None):
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except QuantError as error:
            self.message_user(request, error.message, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())


@admin.register(models.HedgeRecord)
class HedgeRecordAdmin(RecordAdmin):
    account_field = "policy__account"
    list_display = (
        "session",
        "policy",
        "exposure",
        "wanted",
        "band",
        "quantity",
        "hedge_pnl",
        "hedge_cost",
        "account_pnl",
        "variance_removed",
        "detail",
    )
    list_filter = (("policy__account", AutocompleteSelectFilter), ("session", RangeDateFilter))
    list_select_related = ("policy",)
    search_fields = ("policy__symbol", "detail")
    date_hierarchy = "session"
