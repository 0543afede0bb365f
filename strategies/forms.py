"""A form from a strategy's parameter schema: a field by type, bounds, help text, the default beside the current value."""

from django import forms
from django.utils.html import escape, format_html
from django.utils.safestring import mark_safe
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from quant_site.core.errors import InvalidInput
from strategies.labels import parameter_label, unit_label
from strategies.models import Strategy
from strategies.parameters import effective_params, house_overrides, implementation
from strategies.schema import ParameterRow, parameter_rows, parse_params
from strategies.services import active_version

PREFIX = "param_"
OVERRIDDEN = '<strong class="font-semibold text-primary-600 dark:text-primary-500">{}</strong>'


class StrategyForm(forms.ModelForm):
    """Switches a strategy and changes its parameters, in one scope: the house's, or an account's.

    What it would write is in `changes`, and the parameters that would hold then in `params`; writing it is the admin's,
    through the services.
    """

    account = None
    sets_parameters = True

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
            self.params = parse_params(implementation(self.instance), self._beneath() | self._kept())
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
    fields = {PREFIX + row.name: parameter_field(row, values[row.name]) for row in parameter_rows(code)}
    return type("StrategyForm", (StrategyForm,), {**fields, "account": account})


def parameter_names(strategy: Strategy) -> list[str]:
    """Names of the form's parameter fields, in the order of the schema."""
    return [PREFIX + name for name in implementation(strategy).Params.model_fields]


def parameter_field(row: ParameterRow, value) -> forms.Field:
    """One form field: by the parameter's type, within its bounds, marked where it is set apart from the default."""
    common = {"label": capfirst(parameter_label(row.name)), "initial": value, "help_text": _help(row, value)}
    if row.choices:
        pairs = [(option, gettext(str(option))) for option in row.choices]
        return forms.TypedChoiceField(choices=pairs, coerce=type(row.default), widget=UnfoldAdminSelectWidget(), **common)
    if row.kind == "boolean":
        return forms.BooleanField(required=False, widget=UnfoldBooleanSwitchWidget(), **common)
    limits = {"min_value": row.minimum, "max_value": row.maximum}
    # The step moves the field's arrows; any value within the bounds may be typed.
    if row.kind == "integer":
        return forms.IntegerField(**limits, widget=UnfoldAdminIntegerFieldWidget(attrs={"data-step": row.step or 1}), **common)
    widget = UnfoldAdminDecimalFieldWidget(attrs={"step": "any", "data-step": row.step or ""})
    return forms.FloatField(**limits, widget=widget, **common)


def _help(row: ParameterRow, value) -> str:
    parts = [escape(gettext(row.description))] if row.description else []
    if row.unit:
        parts.append(escape(gettext("Unit: %(unit)s.") % {"unit": unit_label(row.unit)}))
    parts.append(escape(gettext("Default: %(value)s.") % {"value": _shown(row.default)}))
    if row.minimum is not None and row.maximum is not None:
        parts.append(escape(gettext("From %(low)s to %(high)s.") % {"low": f"{row.minimum:g}", "high": f"{row.maximum:g}"}))
    if value != row.default:
        parts.append(format_html(OVERRIDDEN, gettext("Set apart from the default.")))
    return mark_safe(" ".join(parts))  # each part is escaped: the page shows a help text as it is


def _shown(value) -> str:
    if isinstance(value, bool):
        return gettext("on") if value else gettext("off")
    return str(value)
