"""Admin of accounts: what one is, who shares it, its limits, and the kill switch.

A tighter limit is saved as it is; a looser one asks for the password in the same form. The trading state is not edited
here: it is halted by an action of the list, and let go on the page of the trading state.
"""

from django import forms
from django.contrib import admin, messages
from django.http import HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminPasswordWidget

from analytics.words.wording import order_reason, say
from quant_site.core.accounts import LIMITS, account_update
from quant_site.core.admin import ScopedAdmin, WordsField, badge
from quant_site.core.errors import QuantError
from quant_site.core.limits import LIMIT_FIELDS, limits_loosened, limits_payload
from quant_site.core.models import Account, AccountMember
from quant_site.core.ratelimit import client_address
from quant_site.core.selectors import may_trade
from quant_site.core.services import account_create, audit_record
from quant_site.core.stepup import confirmation_give
from quant_site.core.types import Mode
from quant_site.market.selectors import unknown_symbols
from trading.control.armed import armed
from trading.control.trading_state import arming_problems, trading_state_set

IDENTITY = ("id", "name", "owner", "broker", "broker_account", "mode", "base_currency", "initial_cash", "is_replay")
FIXED = ("id", "broker", "mode", "base_currency", "initial_cash", "is_replay")
STATE = ("state_shown", "arming_shown")
TRADING = ("benchmark", "universe")
HELD = (
    "max_position_pct",
    "max_sector_pct",
    "max_group_pct",
    "group_correlation",
    "max_gross_exposure",
    "max_net_exposure",
    "max_symbol_notional",
)
LOST = (
    "max_drawdown_pct",
    "drawdown_release_pct",
    "max_daily_loss_pct",
    "risk_per_trade_pct",
    "max_es_pct",
    "max_stress_pct",
    "max_delta_pct",
    "max_gamma_pct",
    "max_vega_pct",
    "max_theta_pct",
)
ORDERED = (
    "max_order_notional",
    "confirm_above",
    "max_adv_pct",
    "price_collar_pct",
    "quote_max_age",
    "duplicate_window",
    "max_orders_per_minute",
    "max_rejects_per_minute",
)
ALLOWED = ("day_trade_rule", "max_day_trades", "allow_short", "options_level", "close_unprotected", "restricted")
HELP = {
    "mode": _("Real orders need Tiger Brokers, and an account that somebody has armed: the page of the account says what is missing."),
    "max_position_pct": _("Of equity, by market value, long or short."),
    "max_sector_pct": _("Of equity, long and short added up."),
    "max_group_pct": _("Of equity, long and short added up."),
    "max_gross_exposure": _("Long and short added up: 1 is the whole equity, more needs margin."),
    "max_symbol_notional": _("Held and ordered together."),
    "max_drawdown_pct": _("Below the peak. From there on the account only reduces."),
    "risk_per_trade_pct": _("What a trade loses at its stop; its size follows from it."),
    "max_order_notional": _("Quantity times price. Needed to arm the account."),
    "max_adv_pct": _("Of the mean volume of twenty sessions."),
    "max_orders_per_minute": _("Sent within 60 seconds; more halt the account. Needed to arm it."),
    "max_rejects_per_minute": _("Refused within 60 seconds; more halt the account. Needed to arm it."),
    "day_trade_rule": _("How opening and closing within a session is limited."),
    "max_day_trades": _("Where they are counted."),
}


class AccountForm(forms.ModelForm):
    universe = WordsField(
        label=capfirst(_("symbols")), required=False, help_text=_("Separated by commas. Empty: every tradable instrument.")
    )
    restricted = WordsField(
        label=capfirst(_("barred symbols")), required=False, help_text=_("Separated by commas. Nothing in them is opened.")
    )
    password = forms.CharField(
        label=_("Your password"),
        required=False,
        strip=False,
        max_length=1024,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
        help_text=_("Only where a limit is loosened: more room than before."),
    )

    request = None  # set by the admin
    confirmation_id = None

    class Meta:
        model = Account
        fields = (*IDENTITY, *TRADING, *HELD, *LOST, *ORDERED, *ALLOWED)
        help_texts = HELP

    def clean_universe(self):
        return self._known(sorted(set(self.cleaned_data["universe"])))

    def clean_restricted(self):
        return sorted(set(self.cleaned_data["restricted"]))

    def clean_benchmark(self):
        benchmark = self.cleaned_data["benchmark"].strip()
        return self._known([benchmark])[0] if benchmark else ""

    def _known(self, symbols: list[str]) -> list[str]:
        unknown = unknown_symbols(symbols)
        if unknown:
            raise forms.ValidationError(list(unknown.values()))
        return symbols

    def _post_clean(self):
        """The password is the last thing that is looked at: once every value is known to be one."""
        before = {name: getattr(self.instance, name) for name in LIMIT_FIELDS}
        super()._post_clean()
        if self.instance._state.adding or self.errors:
            return
        after = {name: self.cleaned_data[name] for name in LIMIT_FIELDS if name in self.changed_data}
        looser = limits_loosened(before, after)
        if looser:
            self._confirm(looser, limits_payload(self.instance.pk, before, after))

    def _confirm(self, looser: list[str], payload: dict) -> None:
        """Take the password for what is loosened, or say what that is."""
        password = self.cleaned_data["password"]
        if not password:
            names = ", ".join(str(self.fields[name].label) for name in looser)
            self.add_error("password", gettext("Give your password to loosen: %(limits)s.") % {"limits": names})
            return
        try:
            given = confirmation_give(user=self.request.user, password=password, action=LIMITS, payload=payload, request=self.request)
        except QuantError as error:
            self.add_error("password", say(error.message))
        else:
            self.confirmation_id = given.pk


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
    actions = ("halt", "reduce")
    warn_unsaved_form = True
    mode_badge = badge("mode", _("mode"))
    state_badge = badge("state", _("trading state"))

    def get_readonly_fields(self, request, obj=None):
        return (*FIXED, *STATE) if obj else ()

    def get_fieldsets(self, request, obj=None):
        shares = _("Shares of equity: 0.20 is 20 %. Empty: not limited by it.")
        limits = (
            (_("Limits: what is held"), {"fields": HELD, "description": shares}),
            (_("Limits: what it can lose"), {"fields": LOST, "description": shares}),
            (_("Limits: what is ordered"), {"fields": ORDERED, "description": _("Amounts are dollars. Empty: not limited by it.")}),
            (_("Limits: what is allowed"), {"fields": ALLOWED}),
        )
        if obj is None:
            return ((None, {"fields": IDENTITY}), (_("Trading"), {"fields": TRADING}), *limits)
        confirm = (_("To loosen a limit"), {"fields": ("password",)}) if self.has_change_permission(request, obj) else None
        return (
            (None, {"fields": IDENTITY}),
            (_("Trading"), {"fields": (*STATE, *TRADING)}),
            *limits,
            *([confirm] if confirm else []),
        )

    def get_form(self, request, obj=None, **kwargs):
        return type("AccountForm", (super().get_form(request, obj, **kwargs),), {"request": request})

    def has_change_permission(self, request, obj=None):
        return super().has_change_permission(request, obj) and (obj is None or may_trade(user=request.user, account=obj))

    def has_delete_permission(self, request, obj=None):
        return False  # its orders, fills and cash are records

    # --- what is shown

    @display(description=_("trading state"))
    def state_shown(self, account):
        url = reverse("trading-state", query={"account": account.pk})
        link = format_html('<a href="{}" class="text-primary-600 dark:text-primary-500">{}</a>', url, gettext("change"))
        return format_html("{} {} {}", account.get_state_display(), order_reason(account.state_reason), link)

    @display(description=_("real orders"))
    def arming_shown(self, account):
        """Since when it is armed, or what arming needs."""
        if account.mode != Mode.REAL:
            return gettext("None: the account only simulates.")
        arming = armed(account.pk)
        if arming is not None:
            by = {"user": arming.armed_by.get_username(), "at": f"{arming.armed_at:%Y-%m-%d %H:%M} UTC"}
            return gettext("Armed by %(user)s since %(at)s.") % by
        problems = format_html_join("", "<li>{}</li>", ((say(each.message),) for each in arming_problems(account)))
        if not problems:
            return gettext("Not armed; everything is ready for it.")
        return format_html("{}<ul>{}</ul>", gettext("Not armed. Still to do:"), problems)

    # --- what is done

    def changeform_view(self, request, *args, **kwargs):
        try:
            return super().changeform_view(request, *args, **kwargs)
        except QuantError as error:
            self.message_user(request, say(error.message), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def save_model(self, request, obj, form, change):
        values = {name: value for name, value in form.cleaned_data.items() if name != "password"}
        if change:
            changes = {name: values[name] for name in form.changed_data if name in values}
            who = {"actor": request.user, "ip_address": client_address(request)}
            account_update(account=obj, changes=changes, confirmation_id=form.confirmation_id, **who)
        else:
            account_create(actor=request.user, **values)

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

    @admin.action(description=_("Halt the selected accounts"), permissions=["view"])
    def halt(self, request, queryset):
        self._tighten(request, queryset, Account.State.HALTED)

    @admin.action(description=_("Let the selected accounts only reduce"), permissions=["view"])
    def reduce(self, request, queryset):
        self._tighten(request, queryset.filter(state=Account.State.ACTIVE), Account.State.REDUCING)

    def _tighten(self, request, queryset, state: str) -> None:
        """Whoever may trade an account may stop it: editing accounts is another right."""
        done = []
        for account in queryset.order_by("pk"):
            if not may_trade(user=request.user, account=account):
                self.message_user(request, gettext("You may look at %(account)s, not trade on it.") % {"account": account}, messages.ERROR)
                continue
            who = {"actor": request.user, "ip_address": client_address(request)}
            trading_state_set(account=account, state=state, reason="", **who)
            done.append(account.pk)
        if done:
            said = {"accounts": ", ".join(done), "state": Account.State(state).label}
            self.message_user(request, gettext("%(accounts)s: %(state)s") % said, messages.SUCCESS)
