"""A form from a strategy's parameter schema: a field by type, bounds, help text, the default beside the current value."""

from typing import get_args

from django import forms
from django.utils.html import escape, format_html
from django.utils.safestring import mark_safe
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _
from pydantic.fields import FieldInfo
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from quant_site.core.errors import InvalidInput
from strategies.models import Strategy
from strategies.parameters import effective_params, house_overrides, implementation, parse_params
from strategies.services import active_version

PREFIX = "param_"
# The names of parameters as a person reads them, for the catalogue of translations.
LABELS = (
    gettext_noop("add n"),
    gettext_noop("adx limit"),
    gettext_noop("adx window"),
    gettext_noop("atr window"),
    gettext_noop("entry window"),
    gettext_noop("fast"),
    gettext_noop("fast entry"),
    gettext_noop("fast exit"),
    gettext_noop("formation months"),
    gettext_noop("max holding"),
    gettext_noop("max units"),
    gettext_noop("n window"),
    gettext_noop("open sigma"),
    gettext_noop("pairs"),
    gettext_noop("short"),
    gettext_noop("skip after winner"),
    gettext_noop("slow"),
    gettext_noop("slow entry"),
    gettext_noop("slow exit"),
    gettext_noop("stop atr"),
    gettext_noop("stop n"),
    gettext_noop("trading months"),
    gettext_noop("weight"),
    gettext_noop("width"),
    gettext_noop("window"),
)
OVERRIDDEN = '<strong class="font-semibold text-primary-600 dark:text-primary-500">{}</strong>'


class StrategyForm(forms.ModelForm):
    """Switches a strategy and changes its parameters, in one scope: the house's, or an account's.

    What it would write is in `changes`; writing it is the admin's, through the services.
    """

    account = None

    enabled = forms.BooleanField(label=capfirst(_("enabled")), required=False, widget=UnfoldBooleanSwitchWidget())
    reason = forms.CharField(
        label=capfirst(_("reason")),
        max_length=255,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"size": 80}),
        help_text=_("Required with any change; it is kept with the new version."),
    )

    class Meta:
        model = Strategy
        fields = ("enabled",)

    def clean(self):
        data = super().clean()
        if any(name.startswith(PREFIX) for name in self.errors):
            return data
        self.changes = self._changes(data)
        try:
            parse_params(implementation(self.instance), self._beneath() | self._kept())
        except InvalidInput as error:
            self._place(error)
        if (self.changes or "enabled" in self.changed_data) and not (data.get("reason") or "").strip():
            self.add_error("reason", _("Say why: the reason is kept with the change."))
        return data

    def _changes(self, data) -> dict:
        """{name: value} where the value differs from the one in force; None where it goes back to what lies beneath."""
        current = effective_params(self.instance, self.account).model_dump(mode="json")
        under = implementation(self.instance).Params(**self._beneath()).model_dump(mode="json")
        values = {name.removeprefix(PREFIX): value for name, value in data.items() if name.startswith(PREFIX)}
        return {name: None if value == under[name] else value for name, value in values.items() if value != current[name]}

    def _beneath(self) -> dict:
        return house_overrides(self.instance) if self.account is not None else {}

    def _kept(self) -> dict:
        active = active_version(self.instance, self.account)
        kept = {**(active.params if active else {}), **self.changes}
        return {name: value for name, value in kept.items() if value is not None}

    def _place(self, error: InvalidInput) -> None:
        """Show each problem at its field; what concerns several of them above the form."""
        for name, message in error.details["fields"].items():
            self.add_error(PREFIX + name if PREFIX + name in self.fields else None, message)


def strategy_form(strategy: Strategy, account=None) -> type[StrategyForm]:
    """The form class of one strategy in one scope."""
    code = implementation(strategy)
    values = effective_params(strategy, account).model_dump(mode="json")
    fields = {PREFIX + name: parameter_field(name, info, values[name]) for name, info in code.Params.model_fields.items()}
    return type("StrategyForm", (StrategyForm,), {**fields, "account": account})


def parameter_names(strategy: Strategy) -> list[str]:
    """Names of the form's parameter fields, in the order of the schema."""
    return [PREFIX + name for name in implementation(strategy).Params.model_fields]


def parameter_field(name: str, info: FieldInfo, value) -> forms.Field:
    """One form field: by the parameter's type, within its bounds, marked where it is set apart from the default."""
    low, high = _bound(info, "ge", "gt"), _bound(info, "le", "lt")
    common = {"label": capfirst(gettext(name.replace("_", " "))), "initial": value, "help_text": _help(info, value, low, high)}
    if info.annotation is bool:
        return forms.BooleanField(required=False, widget=UnfoldBooleanSwitchWidget(), **common)
    if info.annotation is int:
        return forms.IntegerField(min_value=low, max_value=high, widget=UnfoldAdminIntegerFieldWidget(), **common)
    if info.annotation is float:
        widget = UnfoldAdminDecimalFieldWidget(attrs={"step": "any"})
        return forms.FloatField(min_value=low, max_value=high, step_size=None, widget=widget, **common)
    options = get_args(info.annotation)  # a Literal
    pairs = [(option, option) for option in options]
    return forms.TypedChoiceField(choices=pairs, coerce=type(info.default), widget=UnfoldAdminSelectWidget(), **common)


def _bound(info: FieldInfo, *names: str):
    return next((getattr(rule, name) for rule in info.metadata for name in names if getattr(rule, name, None) is not None), None)


def _help(info: FieldInfo, value, low, high) -> str:
    parts = [escape(gettext(info.description))] if info.description else []
    parts.append(escape(gettext("Default: %(value)s.") % {"value": _shown(info.default)}))
    if low is not None and high is not None:
        parts.append(escape(gettext("From %(low)s to %(high)s.") % {"low": low, "high": high}))
    if value != info.default:
        parts.append(format_html(OVERRIDDEN, gettext("Set apart from the default.")))
    return mark_safe(" ".join(parts))  # each part is escaped: the page shows a help text as it is


def _shown(value) -> str:
    if isinstance(value, bool):
        return gettext("on") if value else gettext("off")
    return str(value)
