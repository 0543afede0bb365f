"""The order ticket: a form that becomes a `Ticket`, previewed first and ordered exactly as it was previewed."""

import hashlib
import json
import uuid

from django import forms
from django.utils.translation import gettext_lazy as _

from analytics.pages.desk_exposure import changes
from analytics.pages.page_forms import ServiceForm, choice_field, number_field, shown, symbol_field
from analytics.words.desk_words import ORDER_TYPES, TIMES_IN_FORCE
from quant_site.core.errors import InvalidInput
from quant_site.core.models import Account
from quant_site.core.types import Side
from quant_site.market.store import symbol_clean
from trading.exposure.context import risk_limits
from trading.models import Position
from trading.models.orders import SIDE_LABELS
from trading.order_path.previews import Preview
from trading.order_path.tickets import Ticket
from trading.vocabulary import OrderType, Origin, Purpose, TimeInForce

EQUAL = "DUPLICATE"  # does not deny the order: it waits for a confirmation
LEVELS = ("limit_price", "stop_price", "stop_loss", "take_profit")


class TicketForm(ServiceForm):
    """What is to be ordered. With a `position` it closes or reduces that one: what and which way is not asked.

    `key` comes with each preview, so that what was previewed is ordered once however often it is sent; `previewed` is what the
    preview was of.
    """

    BLAMED = {
        "unknown_symbol": "symbol",
        "invalid_symbol": "symbol",
        "bad_quantity": "quantity",
        "more_than_held": "quantity",
        "bad_limit_price": "limit_price",
        "bad_stop_price": "stop_price",
        "bad_level": "stop_loss",
        "not_a_number": "quantity",
    }

    symbol = symbol_field(_("Symbol"))
    side = choice_field(_("Side"), SIDE_LABELS)
    quantity = number_field(_("Quantity"), required=True, min_value=1)
    order_type = choice_field(_("Type"), ORDER_TYPES, initial=OrderType.MARKET.value)
    limit_price = number_field(_("Limit"), help_text=_("Of a limit order."))
    stop_price = number_field(_("Stop price"), help_text=_("Of a stop order: where it becomes a market order."))
    stop_loss = number_field(_("Protective stop"), help_text=_("Where what it opens is closed with a loss."))
    take_profit = number_field(_("Target"), help_text=_("Where what it opens is closed with a gain."))
    time_in_force = choice_field(_("Time in force"), TIMES_IN_FORCE, initial=TimeInForce.DAY.value)
    key = forms.RegexField(r"^[0-9a-f]{32}$", required=False, widget=forms.HiddenInput)
    previewed = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    def __init__(self, *args, position: Position | None = None, **kwargs):
        super().__init__(*args, auto_id="ticket_%s", **kwargs)
        self.position = position
        if position is not None:
            for name in ("symbol", "side", "stop_loss", "take_profit"):
                del self.fields[name]
            self.fields["quantity"].initial = shown(abs(position.quantity))

    @property
    def closing_side(self) -> Side | None:
        return None if self.position is None else Side.SELL if self.position.quantity > 0 else Side.BUY

    def ticket(self, account: Account, user) -> Ticket:
        """The ticket of a valid form; raises `InvalidInput` for closing more than is held, and for what is no symbol."""
        values = self.cleaned_data
        common = {
            "account": account,
            "quantity": values["quantity"],
            "order_type": OrderType(values["order_type"]),
            "time_in_force": TimeInForce(values["time_in_force"]),
            "limit_price": values["limit_price"],
            "stop_price": values["stop_price"],
            "origin": Origin.MANUAL,
            "key": f"page:{user.pk}:{values['key']}",
        }
        if self.position is not None:
            return Ticket(**common, **self._closing(values["quantity"]))
        levels = {name: values[name] for name in ("stop_loss", "take_profit")}
        return Ticket(**common, symbol=symbol_clean(values["symbol"]), side=Side(values["side"]), **levels)

    def _closing(self, wanted) -> dict:
        position, held = self.position, abs(self.position.quantity)
        if wanted > held:
            message = f"Only {held.normalize():f} {position.symbol} are held, not {wanted.normalize():f}."
            raise InvalidInput("more_than_held", message)
        purpose = Purpose.REDUCE if wanted < held else Purpose.EXIT
        return {"symbol": position.symbol, "side": self.closing_side, "purpose": purpose, "position": position}

    def content(self) -> str:
        """A digest of what a valid form orders."""
        names = ("symbol", "side", "quantity", "order_type", "time_in_force", *LEVELS)
        said = {name: str(shown(self.cleaned_data.get(name))) for name in names if name in self.fields}
        text = json.dumps([said, self.position.pk if self.position else None], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def is_previewed(self) -> bool:
        """Whether a valid form orders exactly what its preview showed."""
        return bool(self.cleaned_data["key"]) and self.cleaned_data["previewed"] == self.content()

    def as_previewed(self) -> "TicketForm":
        """The same form as it stands under its preview: with a key of its own."""
        data = self.data.copy()
        data["key"], data["previewed"] = uuid.uuid4().hex, self.content()
        again = TicketForm(data, position=self.position)
        again.full_clean()
        return again


def preview_shown(preview: Preview, account: Account) -> dict:
    """A preview as the page says it."""
    denying = [each for each in preview.verdicts if each["code"] != EQUAL]
    equal = next((each["message"] for each in preview.verdicts if each["code"] == EQUAL), "")
    figures = [
        (_("Paid") if preview.cost is None or preview.cost >= 0 else _("Received"), "cost", preview.cost and abs(preview.cost)),
        (_("Commission"), "commission", preview.commission),
        (_("Taken out of the free cash"), "margin", preview.margin),
        (_("Maximum loss"), "maximum_loss", preview.maximum_loss),
        (_("Reward to risk"), "reward_risk", preview.reward_risk),
    ]
    before = preview.exposure_before
    return {
        "figures": [(label, name, value, preview.undefined.get(name, "")) for label, name, value in figures],
        "denying": denying,
        "placeable": not denying,
        "waits": preview.waits,
        "confirmation": preview.confirmation or (equal if not denying else ""),
        "changes": changes(before, preview.exposure_after, risk_limits(account)) if before else [],
        "no_exposure": preview.undefined.get("exposure", ""),
        "reduces": before is not None and preview.exposure_after is None,
    }
