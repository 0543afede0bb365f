"""Forms whose last word has a service: what it refuses stands beside the field that it is about, in the reader's language."""

from decimal import Decimal

from django import forms

from analytics.words import wording
from quant_site.core.errors import QuantError

NUMBER = {"max_digits": 20, "decimal_places": 6}


class ServiceForm(forms.Form):
    """`BLAMED` says by an error's code which field it is about, where its details do not (`field`, `fields`)."""

    BLAMED: dict[str, str] = {}

    def refuse(self, error: QuantError) -> None:
        """Show what a service refused."""
        told = error.details.get("fields")
        if isinstance(told, dict):
            for name, messages in told.items():
                self.add_error(self._field(name), messages)
            return
        name = error.details.get("field") or self.BLAMED.get(error.code)
        self.add_error(self._field(name), wording.say(error.message))

    def _field(self, name: str | None) -> str | None:
        return name if name in self.fields else None


def number_field(label, *, required: bool = False, **options) -> forms.DecimalField:
    """A price or a quantity, with the keyboard of numbers."""
    widget = forms.NumberInput(attrs={"step": "any", "inputmode": "decimal", "autocomplete": "off"})
    return forms.DecimalField(label=label, required=required, widget=widget, **NUMBER, **options)


def choice_field(label, labels: dict, *, required: bool = True, empty=None, **options) -> forms.ChoiceField:
    """One of `labels` by its key; with `empty`, or none of them."""
    choices = [(str(key), label_) for key, label_ in labels.items()]
    return forms.ChoiceField(label=label, required=required, choices=[("", empty), *choices] if empty is not None else choices, **options)


def symbol_field(label) -> forms.CharField:
    attrs = {"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}
    return forms.CharField(label=label, max_length=32, widget=forms.TextInput(attrs=attrs))


def shown(value) -> object:
    """A stored number as a person types it."""
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value
