"""Admin of what belongs to the whole site: accounts, people, and the timetable."""

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django_celery_beat import admin as beat
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from quant_site.core.admin import ScopedAdmin, WordsField, badge
from quant_site.core.models import Account, AccountMember
from quant_site.core.ratelimit import client_address
from quant_site.core.services import account_create, account_update, audit_record
from quant_site.core.tokens import logins_revoke
from quant_site.market.selectors import unknown_symbols

# --- Accounts

IDENTITY = ("id", "name", "owner", "broker", "mode", "base_currency", "initial_cash", "is_replay")
FIXED = ("id", "broker", "mode", "base_currency", "initial_cash", "is_replay")
TRADING = ("state", "state_reason", "benchmark", "universe")
LIMITS = (
    "max_position_pct",
    "max_gross_exposure",
    "max_drawdown_pct",
    "risk_per_trade_pct",
    "max_adv_pct",
    "max_day_trades",
    "allow_short",
)


class AccountForm(forms.ModelForm):
    universe = WordsField(
        label=capfirst(_("symbols")), required=False, help_text=_("Separated by commas. Empty: every tradable instrument.")
    )

    class Meta:
        model = Account
        fields = (*IDENTITY, *TRADING, *LIMITS)

    def clean_universe(self):
        return self._known(sorted(set(self.cleaned_data["universe"])))

    def clean_benchmark(self):
        benchmark = self.cleaned_data["benchmark"].strip()
        return self._known([benchmark])[0] if benchmark else ""

    def _known(self, symbols: list[str]) -> list[str]:
        unknown = unknown_symbols(symbols)
        if unknown:
            raise forms.ValidationError(list(unknown.values()))
        return symbols


class MemberInline(TabularInline):
    model = AccountMember
    extra = 0
    autocomplete_fields = ("user",)


@admin.register(Account)
class AccountAdmin(ScopedAdmin):
    account_field = "pk"
    form = AccountForm
    list_display = ("id", "name", "owner", "broker", "mode_badge", "state_badge", "base_currency", "initial_cash", "is_replay")
    list_filter = (("state", ChoicesDropdownFilter), ("mode", ChoicesDropdownFilter), ("broker", ChoicesDropdownFilter), "is_replay")
    list_select_related = ("owner",)
    search_fields = ("id", "name", "owner__username")
    autocomplete_fields = ("owner",)
    inlines = (MemberInline,)
    warn_unsaved_form = True
    fieldsets = (
        (None, {"fields": IDENTITY}),
        (_("Trading"), {"fields": TRADING}),
        (_("Limits"), {"fields": LIMITS, "description": _("Shares of equity: 0.20 is 20 %.")}),
    )
    mode_badge = badge("mode", _("mode"))
    state_badge = badge("state", _("trading state"))

    def get_readonly_fields(self, request, obj=None):
        return FIXED if obj else ()

    def has_delete_permission(self, request, obj=None):
        return False  # its orders, fills and cash are records

    def save_model(self, request, obj, form, change):
        if change:
            changes = {name: form.cleaned_data[name] for name in form.changed_data}
            account_update(account=obj, actor=request.user, changes=changes, ip_address=client_address(request))
        else:
            account_create(actor=request.user, **form.cleaned_data)

    def save_formset(self, request, form, formset, change):
        super().save_formset(request, form, formset, change)
        for members, action in ((formset.new_objects, "MEMBER_ADD"), (formset.deleted_objects, "MEMBER_REMOVE")):
            for member in members:
                self._audit_member(request, action, member)
        for member, _fields in formset.changed_objects:
            self._audit_member(request, "MEMBER_CHANGE", member)

    def _audit_member(self, request, action: str, member: AccountMember) -> None:
        details = {"user": member.user.get_username(), "role": member.role}
        audit_record(action=action, actor=request.user, account=member.account_id, details=details, ip_address=client_address(request))


# --- People

admin.site.unregister(User)
admin.site.unregister(Group)


class AuditedAdmin(ModelAdmin):
    """Rows without a service of their own: each edit leaves an audit entry that names the fields, never their values."""

    list_fullwidth = True

    def log_addition(self, request, obj, message):
        self._audit(request, "ADMIN_ADD", obj, row=str(obj))
        return super().log_addition(request, obj, message)

    def log_change(self, request, obj, message):
        self._audit(request, "ADMIN_CHANGE", obj, row=str(obj), changed=message if isinstance(message, list) else [str(message)])
        return super().log_change(request, obj, message)

    def log_deletions(self, request, queryset):
        for obj in queryset:
            self._audit(request, "ADMIN_DELETE", obj, row=str(obj))
        return super().log_deletions(request, queryset)

    def _audit(self, request, action: str, obj, **details) -> None:
        audit_record(action=action, actor=request.user, resource=obj, details=details, ip_address=client_address(request))


@admin.register(User)
class UserAdmin(DjangoUserAdmin, AuditedAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "is_active", "is_staff", "is_superuser", "last_login")
    actions = ("log_out",)

    def has_delete_permission(self, request, obj=None):
        return False  # what a user did stays his: disable him instead

    @admin.action(description=_("End the API logins of the selected users"), permissions=["change"])
    def log_out(self, request, queryset):
        who = {"reason": "ADMIN", "actor": request.user, "ip_address": client_address(request)}
        ended = sum(logins_revoke(user=user, **who) for user in queryset.order_by("pk"))
        self.message_user(request, _("%(count)d logins were ended.") % {"count": ended})


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, AuditedAdmin):
    pass


# --- The timetable


class TaskSelect(UnfoldAdminSelectWidget, beat.TaskSelectWidget):
    pass


class PeriodicTaskForm(beat.PeriodicTaskForm):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = TaskSelect()


for model in (PeriodicTask, IntervalSchedule, CrontabSchedule, SolarSchedule, ClockedSchedule):
    admin.site.unregister(model)


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(beat.PeriodicTaskAdmin, AuditedAdmin):
    form = PeriodicTaskForm
    list_display = ("name", "task", "enabled", "scheduler", "last_run_at", "total_run_count")
    date_hierarchy = None

    def crontab_translation(self, task):
        return task.crontab.human_readable if task.crontab else "-"


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(AuditedAdmin):
    search_fields = ("period",)


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(beat.CrontabScheduleAdmin, AuditedAdmin):
    pass


@admin.register(SolarSchedule)
class SolarScheduleAdmin(AuditedAdmin):
    search_fields = ("event",)


@admin.register(ClockedSchedule)
class ClockedScheduleAdmin(beat.ClockedScheduleAdmin, AuditedAdmin):
    pass
