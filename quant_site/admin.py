"""Admin of what belongs to the whole site: accounts (`quant_site.admin_accounts`), people, and the timetable."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.utils.translation import gettext_lazy as _
from django_celery_beat import admin as beat
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from quant_site import admin_accounts  # noqa: F401 (registers itself)
from quant_site.core.ratelimit import client_address
from quant_site.core.services import audit_record
from quant_site.core.tokens import logins_revoke

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
