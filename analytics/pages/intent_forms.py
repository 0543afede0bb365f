"""Forms of plans and alerts. What may stand in them is for their services to say."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext_lazy as _

from analytics.pages.page_forms import ServiceForm, choice_field, number_field, shown, symbol_field
from analytics.words.desk_words import ORDER_TYPES
from signals_app.models import DIRECTION_LABELS
from trading.intents.plans import TERMS
from trading.models import PriceAlert, TradingPlan
from trading.vocabulary import OrderType

NEW_YORK = ZoneInfo("America/New_York")
MINUTES = "%Y-%m-%dT%H:%M"
KINDS = dict(TradingPlan.Kind.choices)


class NewYorkTime(forms.DateTimeField):
    """A minute on the exchange's clock, whatever the clock of the reader."""

    def __init__(self, **options):
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=MINUTES)
        super().__init__(widget=widget, input_formats=[MINUTES], **options)

    def prepare_value(self, value):
        return value.astimezone(NEW_YORK).strftime(MINUTES) if isinstance(value, datetime) else value

    def to_python(self, value):
        found = super().to_python(value)
        return None if found is None else found.replace(tzinfo=NEW_YORK)


class PlanForm(ServiceForm):
    BLAMED = {
        "unknown_symbol": "symbol",
        "invalid_symbol": "symbol",
        "not_tradable": "symbol",
        "entry_missing": "entry_price",
        "already_expired": "expired_at",
        "levels_out_of_order": "entry_price",
        "close_has_no_levels": "stop_loss",
        "bad_quantity": "quantity",
    }
    PRICES = {"entry": "entry_price", "stop": "stop_loss", "target": "take_profit"}

    symbol = symbol_field(_("Symbol"))
    direction = choice_field(_("Direction"), DIRECTION_LABELS)
    plan_type = choice_field(
        _("Type"), KINDS, required=False, empty=_("by its entry"), help_text=_("Pullback: a limit at the entry. Breakout: once passed.")
    )
    quantity = number_field(_("Quantity"), help_text=_("To close: empty is all of it."))
    entry_price = number_field(_("Entry"))
    stop_loss = number_field(_("Stop"))
    take_profit = number_field(_("Target"))
    expired_at = NewYorkTime(label=_("Expires (New York)"), required=False)
    auto_execute = forms.BooleanField(label=_("Execute by itself when the price reaches the entry"), required=False)
    reasoning = forms.CharField(label=_("Why"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, *args, plan: TradingPlan | None = None, **kwargs):
        stored = {name: shown(getattr(plan, name)) for name in TERMS} if plan is not None else {}
        super().__init__(*args, initial=stored, auto_id="plan_%s", **kwargs)
        self.plan = plan

    def _field(self, name):
        return super()._field(self.PRICES.get(name, name))

    def changes(self) -> dict:
        """The terms that a valid form changes of its plan."""
        return {name: self.cleaned_data[name] for name in self.changed_data}


class AlertForm(ServiceForm):
    """An alert, and what it plans or trades when it fires. A parameter that was left empty is none."""

    BLAMED = {
        "unknown_symbol": "symbol",
        "invalid_symbol": "symbol",
        "not_tradable": "symbol",
        "bad_threshold": "threshold_value",
        "bad_reference": "reference_price",
        "bad_quantity": "quantity",
        "levels_out_of_order": "stop_loss",
        "close_has_no_levels": "stop_loss",
        "bad_action_params": "action_type",
    }
    PRICES = PlanForm.PRICES
    NUMBERS = ("quantity", "stop_loss", "take_profit", "limit_price", "entry_price")
    WORDS = ("direction", "order_type", "plan_type")
    # In the order in which the page shows them.
    FOR_BOTH = ("direction", "quantity", "stop_loss", "take_profit")
    FOR_TRADES = ("order_type", "limit_price")
    FOR_PLANS = ("plan_type", "entry_price", "valid_days", "auto_execute")

    symbol = symbol_field(_("Symbol"))
    alert_type = choice_field(_("Type"), dict(PriceAlert.Kind.choices))
    threshold_value = number_field(_("Threshold"), required=True, help_text=_("A price; of a change in per cent 5 or -5."))
    reference_price = number_field(_("Reference"), help_text=_("Of a change in per cent; empty: the last close."))
    action_type = choice_field(_("When it fires"), dict(PriceAlert.Action.choices))
    once = forms.BooleanField(label=_("Once only"), required=False, help_text=_("What plans or trades always ends with its first firing."))
    direction = choice_field(_("Direction"), DIRECTION_LABELS, required=False, empty="—")
    quantity = number_field(_("Quantity"))
    stop_loss = number_field(_("Stop"))
    take_profit = number_field(_("Target"))
    order_type = choice_field(_("Type of order"), {OrderType.LIMIT: ORDER_TYPES["LMT"]}, required=False, empty=ORDER_TYPES["MKT"])
    limit_price = number_field(_("Limit"))
    plan_type = choice_field(
        _("Type of plan"), {kind: KINDS[kind] for kind in ("BREAKOUT", "MARKET")}, required=False, empty=KINDS["PULLBACK"]
    )
    entry_price = number_field(_("Entry"), help_text=_("Empty: the price at which it fires."))
    valid_days = forms.IntegerField(label=_("Valid for days"), required=False, min_value=1, max_value=365)
    auto_execute = forms.BooleanField(label=_("Execute the plan by itself"), required=False)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, auto_id="alert_%s", **kwargs)

    def _field(self, name):
        return super()._field(self.PRICES.get(name, name))

    def _of(self, names) -> list:
        return [self[name] for name in names]

    @property
    def for_both(self) -> list:
        return self._of(self.FOR_BOTH)

    @property
    def for_trades(self) -> list:
        return self._of(self.FOR_TRADES)

    @property
    def for_plans(self) -> list:
        return self._of(self.FOR_PLANS)

    @property
    def acts(self) -> bool:
        """Whether anything about what it does was filled in: then it is shown."""
        return self.is_bound and self.data.get("action_type") != PriceAlert.Action.NOTIFY_ONLY

    def terms(self) -> dict:
        """What `alert_create` takes, of a valid form. Amounts are kept as text, as parameters are."""
        values = self.cleaned_data
        params = {name: f"{values[name]:f}" for name in self.NUMBERS if values[name] is not None}
        params |= {name: values[name] for name in self.WORDS if values[name]}
        params |= {"valid_days": values["valid_days"]} if values["valid_days"] is not None else {}
        params |= {name: True for name in ("once", "auto_execute") if values[name]}
        names = ("symbol", "alert_type", "threshold_value", "reference_price", "action_type")
        return {**{name: values[name] for name in names}, "action_params": params}
