"""Admin of what a person intends: plans and alerts are made, changed and removed through their services; firings are read-only."""

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpResponseRedirect
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from quant_site.core.admin import ACCOUNT, RecordAdmin, RecordInline, ScopedAdmin, badge
from quant_site.core.errors import NotAllowed, QuantError
from quant_site.core.models import Account
from quant_site.core.ratelimit import client_address
from quant_site.core.selectors import accounts_tradable, may_trade
from trading import models
from trading.intents import alerts, plans

STATUS = ("status", ChoicesDropdownFilter)


class IntentForm(forms.ModelForm):
    """What its service would refuse is told beside the form; `terms` and `check` are that service's."""

    terms: tuple[str, ...] = ()
    check = None

    def clean(self):
        values = super().clean()
        if not self.errors:
            try:
                type(self).check({name: values.get(name, getattr(self.instance, name)) for name in self.terms})
            except QuantError as error:
                raise ValidationError(error.message, code=error.code) from error
        return values


class IntentAdmin(ScopedAdmin):
    """Rows that are hidden when they are deleted. Only those who may trade on an account change what it intends."""

    list_select_related = ("account",)
    autocomplete_fields = ("account",)

    def get_queryset(self, request):
        return super().get_queryset(request).filter(is_deleted=False)

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.related_model is Account:
            field.queryset = accounts_tradable(request.user).filter(is_replay=False)
        return field

    def has_change_permission(self, request, obj=None):
        return super().has_change_permission(request, obj) and (obj is None or may_trade(user=request.user, account=obj.account))

    def has_delete_permission(self, request, obj=None):
        return super().has_delete_permission(request, obj) and (obj is None or may_trade(user=request.user, account=obj.account))

    def get_readonly_fields(self, request, obj=None):
        return (*self.readonly_fields, "account") if obj else self.readonly_fields

    def get_deleted_objects(self, objs, request):
        """Deleting hides a row: whatever refers to it stays, and stands in the way of nothing."""
        shown = [str(obj) for obj in objs]
        return shown, {self.opts.verbose_name_plural: len(shown)}, set(), []

    def delete_queryset(self, request, queryset):
        for obj in queryset.order_by("pk"):
            self.each(request, obj, self.delete_model)

    def each(self, request, obj, act) -> None:
        """Do `act` to one of several rows: what refuses is told and does not stop the others."""
        try:
            if not may_trade(user=request.user, account=obj.account):
                raise NotAllowed("read_only", f"You may look at account {obj.account_id}, not trade on it.")
            act(request, obj)
        except QuantError as error:
            self.message_user(request, f"{obj}: {error.message}", messages.ERROR)

    def changeform_view(self, request, object_id=None, form_url="", extra_context=None):
        return self._told(request, super().changeform_view, object_id, form_url, extra_context)

    def delete_view(self, request, object_id, extra_context=None):
        return self._told(request, super().delete_view, object_id, extra_context)

    def _told(self, request, view, *args):
        """What moved on between the form and the writing is told on the page."""
        try:
            return view(request, *args)
        except QuantError as error:
            self.message_user(request, error.message, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())


def _who(request) -> dict:
    return {"actor": request.user, "ip_address": client_address(request)}


class PlanForm(IntentForm):
    terms = plans.TERMS
    check = staticmethod(plans.terms_clean)


@admin.register(models.TradingPlan)
class TradingPlanAdmin(IntentAdmin):
    form = PlanForm
    list_display = (
        "symbol",
        "account",
        "direction",
        "plan_type",
        "status_badge",
        "entry_price",
        "stop_loss",
        "take_profit",
        "quantity",
        "risk_reward",
        "auto_execute",
        "created_at",
    )
    list_filter = (ACCOUNT, STATUS, ("direction", ChoicesDropdownFilter), "auto_execute")
    search_fields = ("symbol", "reasoning")
    date_hierarchy = "created_at"
    exclude = ("is_deleted", "status")
    readonly_fields = ("status_badge", "status_reason", "risk_reward", "created_source", "executed_at", "created_at", "updated_at")
    actions = ("execute", "cancel")
    status_badge = badge("status", _("status"))

    @display(description=_("R:R"))
    def risk_reward(self, plan):
        found = plans.plan_risk_reward(plan) if plan.pk else None
        return None if found is None or found.value is None else f"{found.value:.2f}"

    def has_change_permission(self, request, obj=None):
        return super().has_change_permission(request, obj) and (obj is None or obj.status == models.TradingPlan.Status.ACTIVE)

    def save_model(self, request, obj, form, change):
        if change:
            changes = {name: form.cleaned_data[name] for name in form.changed_data}
            plans.plan_update(plan=obj, changes=changes, **_who(request))
            return
        wanted = {name: form.cleaned_data[name] for name in ("account", *plans.TERMS)}
        obj.pk = plans.plan_create(**wanted, **_who(request)).pk

    def delete_model(self, request, obj):
        plans.plan_delete(plan=obj, **_who(request))

    @admin.action(description=_("Execute"), permissions=["change"])
    def execute(self, request, queryset):
        for obj in queryset.order_by("pk"):
            self.each(request, obj, self._execute)

    def _execute(self, request, obj) -> None:
        order = plans.plan_execute(plan=obj, **_who(request))
        obj.refresh_from_db()
        done = obj.status == models.TradingPlan.Status.EXECUTED
        self.message_user(
            request, f"{obj}: {order}" if done else f"{obj}: {obj.status_reason}", messages.SUCCESS if done else messages.WARNING
        )

    @admin.action(description=_("Cancel"), permissions=["change"])
    def cancel(self, request, queryset):
        for obj in queryset.order_by("pk"):
            self.each(request, obj, lambda request, plan: plans.plan_cancel(plan=plan, **_who(request)))


class AlertForm(IntentForm):
    terms = alerts.TERMS
    check = staticmethod(alerts.terms_clean)


class FiringInline(RecordInline):
    model = models.AlertFiring
    fields = ("crossing", "price", "at", "outcome", "detail", "plan", "order")


@admin.register(models.PriceAlert)
class PriceAlertAdmin(IntentAdmin):
    form = AlertForm
    list_display = ("symbol", "account", "alert_type", "threshold_value", "action_type", "is_active", "trigger_count", "triggered_at")
    list_filter = (ACCOUNT, ("alert_type", ChoicesDropdownFilter), ("action_type", ChoicesDropdownFilter), "is_active")
    search_fields = ("symbol",)
    exclude = ("is_deleted",)
    inlines = (FiringInline,)
    readonly_fields = ("is_beyond", "watched_since", "triggered_at", "trigger_count", "created_at")

    def save_model(self, request, obj, form, change):
        if change:
            changes = {name: form.cleaned_data[name] for name in form.changed_data}
            alerts.alert_update(alert=obj, changes=changes, **_who(request))
            return
        wanted = {name: form.cleaned_data[name] for name in ("account", *alerts.TERMS)}
        obj.pk = alerts.alert_create(**wanted, **_who(request)).pk

    def delete_model(self, request, obj):
        alerts.alert_delete(alert=obj, **_who(request))


@admin.register(models.AlertFiring)
class AlertFiringAdmin(RecordAdmin):
    account_field = "alert__account"
    list_display = ("at", "alert", "crossing", "price", "outcome_badge", "detail", "plan", "order")
    list_filter = (
        ("alert__account", AutocompleteSelectFilter),
        ("outcome", ChoicesDropdownFilter),
        ("at", RangeDateTimeFilter),
    )
    list_select_related = ("alert", "plan", "order")
    search_fields = ("alert__symbol", "detail")
    date_hierarchy = "at"
    outcome_badge = badge("outcome", _("outcome"))


@admin.register(models.WatchedBar)
class WatchedBarAdmin(RecordAdmin):
    account_field = ""
    list_display = ("symbol", "session", "close")
    search_fields = ("symbol",)
