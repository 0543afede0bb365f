"""Admin of the strategy library. Parameters are edited through their schema; every change is a version with a reason."""

from datetime import date

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q
from django.http import HttpResponseRedirect
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RangeDateFilter, RangeDateTimeFilter
from unfold.decorators import display

from quant_site.core.admin import ACCOUNT, RecordAdmin, RecordInline, ScopedAdmin, badge
from quant_site.core.errors import InvalidInput, QuantError
from quant_site.core.selectors import accounts_for
from strategies.forms import parameter_names, strategy_form
from strategies.models import AccountStrategy, ParameterVersion, Strategy, StrategyRun, SweepResult, SweepRun
from strategies.parameters import effective_params
from strategies.permissions import may_manage_strategies
from strategies.previews import preview, result_context
from strategies.registry import REGISTRY
from strategies.services import strategy_toggle, version_activate, version_create

ABOUT = ("name_shown", "category", "description_shown", "reason_shown", "sources_shown", "run_schedule")
STATISTICS = ("win_rate", "sharpe_ratio", "total_signals", "last_run_at")


class VersionInline(RecordInline):
    model = ParameterVersion
    fields = ("number", "diff_line", "source", "reason", "created_by", "created_at")
    readonly_fields = ("diff_line",)
    ordering = ("-created_at",)
    per_page = 10
    show_change_link = True

    @display(description=_("changes"))
    def diff_line(self, version):
        return changes_line(version)

    def get_queryset(self, request):
        """Those of the scope the page shows: the house's, or an account's."""
        scope = request.GET.get("account", "")
        return super().get_queryset(request).select_related("account", "created_by").filter(visible_versions(request.user), scope=scope)


def changes_line(version: ParameterVersion) -> str:
    return ", ".join(f"{name}: {before} → {after}" for name, (before, after) in sorted(version.diff.items())) or "-"


def visible_versions(user) -> Q:
    """Versions of the house, and of accounts `user` may see."""
    return Q() if user.is_superuser else Q(account=None) | Q(account__in=accounts_for(user).values("pk"))


@admin.register(Strategy)
class StrategyAdmin(ScopedAdmin):
    account_field = ""
    list_display = ("name_shown", "category", "enabled", "implemented", "active_version", "win_rate", "sharpe_ratio", "total_signals")
    list_filter = (("category", ChoicesDropdownFilter), "enabled")
    list_select_related = ("active_version",)
    search_fields = ("name", "key", "description")
    ordering = ("pk",)
    inlines = (VersionInline,)
    warn_unsaved_form = True

    class Media:
        css = {"all": ("css/backtest.css",)}
        js = ("vendor/lightweight-charts/lightweight-charts.standalone.production.js", "js/backtest.js", "js/backtest_form.js")

    # --- who

    def has_add_permission(self, request):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def has_view_permission(self, request, obj=None):
        return super().has_view_permission(request, obj) or may_manage_strategies(request.user)

    def has_change_permission(self, request, obj=None):
        return may_manage_strategies(request.user) and (obj is None or obj.key in REGISTRY)

    # --- what is shown

    @display(description=_("name"), ordering="name")
    def name_shown(self, strategy):
        return gettext(strategy.name)

    @display(description=_("description"))
    def description_shown(self, strategy):
        return gettext(strategy.description) if strategy.description else "-"

    @display(description=_("why it is disabled"))
    def reason_shown(self, strategy):
        return gettext(strategy.disabled_reason) if strategy.disabled_reason else "-"

    @display(description=_("signal sources"))
    def sources_shown(self, strategy):
        return ", ".join(strategy.signal_sources) or "-"

    @display(description=_("implemented"), boolean=True)
    def implemented(self, strategy):
        return strategy.key in REGISTRY

    @display(description=_("for whom"))
    def scope(self, strategy):
        """Whose parameters the page shows, and links to the others."""
        here = reverse("admin:strategies_strategy_change", args=[strategy.pk])
        links = [(here, gettext("The house"), strategy.form_account is None)]
        links += [(f"{here}?account={account.pk}", account.pk, account == strategy.form_account) for account in strategy.form_accounts]
        row = '<a href="{}" class="mr-4 {}">{}</a>'
        shown = ((url, "font-semibold text-primary-600 dark:text-primary-500" if chosen else "", text) for url, text, chosen in links)
        return format_html("{}", format_html_join("", row, shown))

    def get_readonly_fields(self, request, obj=None):
        fixed = (*ABOUT, *STATISTICS, "scope")
        return fixed if self.has_change_permission(request, obj) else (*fixed, "enabled")

    def get_fieldsets(self, request, obj=None):
        about = (None, {"fields": ("enabled", *ABOUT)})
        statistics = (_("Statistics"), {"fields": STATISTICS, "classes": ("tab",)})
        if not self.has_change_permission(request, obj):
            return (about, statistics)
        parameters = {
            "fields": ("scope", *parameter_names(obj)),
            "description": _("Saving makes a new version, in force from the next run."),
        }
        return (about, (_("Parameters"), parameters), (_("Why"), {"fields": ("reason",)}), statistics)

    # --- the form

    def get_object(self, request, object_id, from_field=None):
        """The strategy, with whose parameters are being edited: those of `?account=`, else the house's."""
        strategy = super().get_object(request, object_id, from_field)
        if strategy is not None:
            strategy.form_accounts = list(accounts_for(request.user).filter(is_replay=False).order_by("pk"))
            chosen = request.GET.get("account")
            strategy.form_account = next((account for account in strategy.form_accounts if account.pk == chosen), None)
        return strategy

    def change_view(self, request, object_id, form_url="", extra_context=None):
        try:
            return super().change_view(request, object_id, form_url, extra_context)
        except QuantError as error:
            self.message_user(request, error.message, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def get_form(self, request, obj=None, change=False, **kwargs):
        if not self.has_change_permission(request, obj):
            return super().get_form(request, obj, change=change, **kwargs)
        kwargs["form"] = strategy_form(obj, obj.form_account)
        return super().get_form(request, obj, change=change, **kwargs)

    # --- trying parameters before they are saved

    def get_urls(self):
        view = self.admin_site.admin_view(self.backtest_view)
        return [path("<int:object_id>/backtest/", view, name="strategies_strategy_backtest"), *super().get_urls()]

    def backtest_view(self, request, object_id: int):
        """A backtest with what the form holds, unsaved, beside one with what is in force; what is wrong with the form else."""
        strategy = self.get_object(request, str(object_id))
        if request.method != "POST" or strategy is None or not self.has_change_permission(request, strategy):
            raise PermissionDenied
        form = strategy_form(strategy, strategy.form_account)(request.POST, instance=strategy)
        wrong = {name: messages for name, messages in form.errors.items() if name != "reason"}
        labels = {name: form.fields[name].label if name in form.fields else "" for name in wrong}
        try:
            tried = None if wrong else self._tried(request, strategy, form)
        except QuantError as error:
            wrong, labels, tried = {"": [error.message]}, {"": ""}, None
        if wrong:
            problems = [(labels[name], message) for name, found in wrong.items() for message in found]
            return render(request, "backtest/refused.html", {"problems": problems})
        return render(request, "backtest/result.html", tried)

    def _tried(self, request, strategy: Strategy, form) -> dict:
        """What the template shows: the backtest of what is in force and, where the form changes anything, of that."""
        code, account = REGISTRY[strategy.key], strategy.form_account
        span = {name: _day(request.POST.get(f"backtest_{name}", "")) for name in ("start", "end")}
        current = preview(code, effective_params(strategy, account), account=account, **span)
        proposed = preview(code, form.params, account=account, **span) if form.changes else None
        return result_context(current, proposed)

    def save_model(self, request, obj, form, change):
        strategy, reason = Strategy.objects.get(pk=obj.pk), form.cleaned_data["reason"]
        strategy_toggle(strategy=strategy, enabled=form.cleaned_data["enabled"], actor=request.user, reason=reason)
        if form.changes:
            version_create(strategy=strategy, params=form.changes, reason=reason, actor=request.user, account=form.account)


def _day(text: str) -> date | None:
    """A date of the form, None where it was left empty."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise InvalidInput("bad_date", gettext("%(text)s is no date: use the form YYYY-MM-DD.") % {"text": text}) from None


@admin.register(ParameterVersion)
class ParameterVersionAdmin(RecordAdmin):
    account_field = ""
    list_display = ("strategy", "scope_shown", "number", "active", "changes", "source", "reason", "created_by", "created_at")
    list_display_links = ("strategy", "number")
    list_filter = (("strategy", AutocompleteSelectFilter), ACCOUNT, ("source", ChoicesDropdownFilter), ("created_at", RangeDateTimeFilter))
    list_select_related = ("strategy", "account", "created_by")
    search_fields = ("strategy__name", "reason", "account__id")
    date_hierarchy = "created_at"
    actions = ("activate",)

    def get_queryset(self, request):
        pointed = Exists(Strategy.objects.filter(active_version=OuterRef("pk")))
        pointed |= Exists(AccountStrategy.objects.filter(active_version=OuterRef("pk")))
        return super().get_queryset(request).filter(visible_versions(request.user)).annotate(is_active=pointed)

    def has_manage_permission(self, request):
        return may_manage_strategies(request.user)

    @display(description=_("for whom"), ordering="scope")
    def scope_shown(self, version):
        return version.account_id or gettext("The house")

    @display(description=_("active"), boolean=True)
    def active(self, version):
        return version.is_active

    @display(description=_("changes"))
    def changes(self, version):
        return changes_line(version)

    @admin.action(description=_("Make this version active again"), permissions=["manage"])
    def activate(self, request, queryset):
        versions = list(queryset.order_by("pk"))
        if len({(version.strategy_id, version.scope) for version in versions}) < len(versions):
            self.message_user(request, _("Choose one version of a strategy."), messages.ERROR)
            return
        done = 0
        for version in versions:
            try:
                version_activate(version=version, actor=request.user)
                done += 1
            except QuantError as error:
                self.message_user(request, error.message, messages.ERROR)
        if done:
            self.message_user(request, ngettext("%(n)d version is active now.", "%(n)d versions are active now.", done) % {"n": done})


@admin.register(AccountStrategy)
class AccountStrategyAdmin(RecordAdmin):
    list_display = ("account", "strategy", "active_version")
    list_filter = (ACCOUNT, ("strategy", AutocompleteSelectFilter))
    list_select_related = ("account", "strategy", "active_version")
    search_fields = ("account__id", "strategy__name")


@admin.register(StrategyRun)
class StrategyRunAdmin(RecordAdmin):
    list_display = ("session", "account", "strategy", "status_badge", "signal_count", "abstain_reason", "error")
    list_display_links = ("session", "strategy")
    list_filter = (
        ACCOUNT,
        ("strategy", AutocompleteSelectFilter),
        ("status", ChoicesDropdownFilter),
        ("session", RangeDateFilter),
    )
    list_select_related = ("account", "strategy")
    search_fields = ("strategy__name", "account__id", "abstain_reason", "error")
    date_hierarchy = "session"
    status_badge = badge("status", _("status"))


@admin.register(SweepRun)
class SweepRunAdmin(RecordAdmin):
    account_field = ""
    list_display = ("started_at", "strategy", "status_badge", "sets", "done", "skipped", "first_session", "last_session", "actor", "error")
    list_display_links = ("started_at", "strategy")
    list_filter = (("strategy", AutocompleteSelectFilter), ("status", ChoicesDropdownFilter), ("started_at", RangeDateTimeFilter))
    list_select_related = ("strategy",)
    search_fields = ("strategy__name", "actor", "code_version")
    date_hierarchy = "started_at"
    status_badge = badge("status", _("status"))


@admin.register(SweepResult)
class SweepResultAdmin(RecordAdmin):
    account_field = ""
    list_display = (
        "run",
        "number",
        "params",
        "trades",
        "total_return",
        "sharpe_ratio",
        "max_drawdown",
        "win_rate",
        "profit_factor",
        "fees",
    )
    list_display_links = ("run", "number")
    list_filter = (("run", AutocompleteSelectFilter),)
    list_select_related = ("run",)
    search_fields = ("params_hash",)
