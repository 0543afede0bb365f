"""Orders, their append-only events, and fills: the truth about what was bought and sold."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from quant_site.core import clock
from quant_site.core.fields import MoneyField, PriceField, QuantityField, choices
from quant_site.core.models import Account
from quant_site.core.types import Mode, Side
from signals_app.models import TradingSignal
from trading.order_path.states import OrderStatus
from trading.vocabulary import OrderType, Origin, Purpose, TimeInForce

STATUS_LABELS = {
    OrderStatus.INTENT: _("Intent"),
    OrderStatus.DENIED: _("Denied"),
    OrderStatus.READY: _("Ready"),
    OrderStatus.SENDING: _("Sending"),
    OrderStatus.ACKED: _("Working"),
    OrderStatus.REJECTED: _("Rejected"),
    OrderStatus.UNKNOWN: _("Unknown"),
    OrderStatus.PARTIAL: _("Partly filled"),
    OrderStatus.FILLED: _("Filled"),
    OrderStatus.CANCELLED: _("Cancelled"),
    OrderStatus.EXPIRED: _("Expired"),
}
PURPOSE_LABELS = {
    Purpose.ENTRY: _("Entry"),
    Purpose.EXIT: _("Exit"),
    Purpose.REDUCE: _("Reduction"),
    Purpose.STOP: _("Stop"),
    Purpose.TARGET: _("Target"),
}
ORIGIN_LABELS = {
    Origin.SIGNAL: _("Signal"),
    Origin.PLAN: _("Plan"),
    Origin.ALERT: _("Alert"),
    Origin.HEDGE: _("Hedge"),
    Origin.MANUAL: _("By hand"),
    Origin.POSITION: _("Position"),
    Origin.EXTERNAL: _("Outside"),
}
SIDE_LABELS = {Side.BUY: _("Buy"), Side.SELL: _("Sell")}


class Order(models.Model):
    """One order to the broker: one leg of a signal, or several legs that trade as one. Its mode and its content never change
    (but a price or a quantity by `order_modify`); its status moves by table.

    `legs` of an order that trades several symbols as one, sorted by symbol: [{symbol, side, ratio, decision}], ratio the
    contracts in one unit, decision its decision price as text. Its side is BUY, for a unit of the legs is bought; its quantity
    is in units, of which all legs are filled; its symbol is the name of the trade, its limit the net price of a unit: positive
    is paid, negative is received. It has no position: each of its fills names its own. Otherwise `legs` is empty.

    What needs a second confirmation waits as an INTENT with `awaits` saying why, until somebody confirms it.
    """

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.CASCADE, db_index=False, related_name="orders", verbose_name=_("account"))
    signal = models.ForeignKey(TradingSignal, models.PROTECT, null=True, blank=True, related_name="orders", verbose_name=_("signal"))
    position = models.ForeignKey(
        "trading.Position", models.PROTECT, null=True, blank=True, related_name="orders", verbose_name=_("position")
    )
    plan = models.ForeignKey("trading.TradingPlan", models.PROTECT, null=True, blank=True, related_name="orders", verbose_name=_("plan"))
    client_order_id = models.CharField(_("our id"), max_length=64, unique=True)
    broker_order_id = models.CharField(_("broker's id"), max_length=64, blank=True)
    reserved_id = models.CharField(
        _("reserved id"), max_length=64, blank=True, help_text=_("The broker gave it before the order was sent, to find it by.")
    )
    origin = models.CharField(_("origin"), max_length=8, choices=choices(Origin, ORIGIN_LABELS), default=Origin.SIGNAL)
    leg = models.PositiveSmallIntegerField(_("leg"), default=0)
    purpose = models.CharField(_("purpose"), max_length=8, choices=choices(Purpose, PURPOSE_LABELS))
    mode = models.CharField(_("mode"), max_length=8, choices=choices(Mode))
    session = models.DateField(_("session"), help_text=_("The session in whose loop the order was made."))
    group = models.CharField(_("trade"), max_length=32, blank=True, help_text=_("Empty: its signal's, else its symbol."))
    symbol = models.CharField(_("symbol"), max_length=32)
    side = models.CharField(_("side"), max_length=4, choices=choices(Side, SIDE_LABELS))
    order_type = models.CharField(_("type"), max_length=8, choices=choices(OrderType))
    time_in_force = models.CharField(_("time in force"), max_length=4, choices=choices(TimeInForce), default=TimeInForce.DAY)
    quantity = QuantityField(_("quantity"))
    legs = models.JSONField(_("legs"), default=list, blank=True)
    limit_price = PriceField(_("limit"), null=True, blank=True)
    stop_price = PriceField(_("stop"), null=True, blank=True)
    stop_loss = PriceField(
        _("stop of the position"), null=True, blank=True, help_text=_("Of an order without a signal: what protects what it opens.")
    )
    take_profit = PriceField(_("target of the position"), null=True, blank=True)
    decision_price = PriceField(
        _("decision price"), null=True, blank=True, help_text=_("The price the decision was made on, for slippage.")
    )
    oca_group = models.CharField(_("one cancels all"), max_length=64, blank=True)
    split_ratio = QuantityField(
        _("splits since"), default=1, help_text=_("New shares for one old since the order was made; its signal's prices are in old shares.")
    )

    status = models.CharField(_("status"), max_length=10, choices=choices(OrderStatus, STATUS_LABELS), default=OrderStatus.INTENT)
    status_reason = models.CharField(_("reason"), max_length=255, blank=True)
    filled_quantity = QuantityField(_("filled"), default=0)
    average_fill_price = PriceField(_("average price"), null=True, blank=True)
    commission = MoneyField(_("commission"), default=0)
    cancel_requested = models.BooleanField(_("cancel requested"), default=False)
    wanted = models.JSONField(
        _("change requested"), default=dict, blank=True, help_text=_("{quantity, limit_price, stop_price} that the broker is asked for.")
    )
    awaits = models.CharField(_("waits for a confirmation"), max_length=255, blank=True, help_text=_("Why; empty where it needs none."))
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("confirmed by")
    )

    sent_at = models.DateTimeField(_("last sent"), null=True, blank=True)
    lease_owner = models.CharField(_("sender"), max_length=64, blank=True)
    lease_until = models.DateTimeField(_("lease until"), null=True, blank=True)
    fence = models.PositiveIntegerField(_("fence"), default=0, help_text=_("How many times the order was claimed for sending."))
    version = models.PositiveIntegerField(
        _("version"), default=0, help_text=_("How many events the order has: a move expects the one it read.")
    )
    created_at = models.DateTimeField(_("created"), default=clock.now)
    updated_at = models.DateTimeField(_("updated"), default=clock.now)

    class Meta:
        db_table = "orders"
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["account", "status"], name="idx_order_account_status"),
            models.Index(fields=["account", "session"], name="idx_order_account_session"),
            models.Index(fields=["status", "lease_until"], name="idx_order_status_lease"),
            models.Index(fields=["account", "broker_order_id"], name="idx_order_account_broker"),
            models.Index(fields=["account", "sent_at"], name="idx_order_account_sent"),
        ]
        verbose_name, verbose_name_plural = _("order"), _("orders")

    def __str__(self):
        return f"{self.side} {self.quantity.normalize():f} {self.symbol} {self.order_type}"


class OrderEvent(models.Model):
    """One move of an order. Replaying the events gives the row's status."""

    id = models.BigAutoField(primary_key=True)
    order = models.ForeignKey(Order, models.CASCADE, related_name="events")
    sequence = models.PositiveIntegerField(_("sequence"))
    from_status = models.CharField(_("from"), max_length=10, blank=True)
    to_status = models.CharField(_("to"), max_length=10)
    reason = models.CharField(_("reason"), max_length=255, blank=True)
    evidence = models.JSONField(_("evidence"), default=dict, blank=True)
    at = models.DateTimeField(_("at"), default=clock.now)

    class Meta:
        db_table = "order_events"
        ordering = ["order", "sequence"]
        constraints = [models.UniqueConstraint(fields=["order", "sequence"], name="uk_order_event_sequence")]
        verbose_name, verbose_name_plural = _("order event"), _("order events")

    def __str__(self):
        return f"{self.from_status} → {self.to_status}"


class Fill(models.Model):
    """A part of an order that was executed, as the broker reports it. Never changed."""

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.CASCADE, db_index=False, related_name="fills", verbose_name=_("account"))
    order = models.ForeignKey(Order, models.PROTECT, related_name="fills", verbose_name=_("order"))
    position = models.ForeignKey(
        "trading.Position",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="leg_fills",
        verbose_name=_("position"),
        help_text=_("Of an order of several legs; else its order's."),
    )
    fill_id = models.CharField(_("fill id"), max_length=80)
    session = models.DateField(_("session"))
    symbol = models.CharField(_("symbol"), max_length=32)
    side = models.CharField(_("side"), max_length=4, choices=choices(Side, SIDE_LABELS))
    quantity = QuantityField(_("quantity"))
    price = PriceField(_("price"))
    amount = MoneyField(_("amount"), help_text=_("Quantity times price (of an option times 100), in cents, before commission."))
    commission = MoneyField(_("commission"), default=0)
    slippage = MoneyField(_("slippage"), null=True, blank=True, help_text=_("Against the decision price; positive is a cost."))
    filled_at = models.DateTimeField(_("filled"))

    class Meta:
        db_table = "fills"
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["account", "fill_id"], name="uk_fill_account_fill")]
        indexes = [models.Index(fields=["account", "session"], name="idx_fill_account_session")]
        verbose_name, verbose_name_plural = _("fill"), _("fills")

    def __str__(self):
        return f"{self.session} {self.side} {self.quantity.normalize():f} {self.symbol}"
