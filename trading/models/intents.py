"""What a person or the advisor intends: plans, and alerts on a price."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from quant_site.core import clock
from quant_site.core.fields import PriceField, QuantityField, choices
from quant_site.core.models import Account
from quant_site.core.types import Direction
from signals_app.models import DIRECTION_LABELS


class TradingPlan(models.Model):
    class Status(models.TextChoices):
        ACTIVE = "ACTIVE", _("Active")
        EXECUTED = "EXECUTED", _("Executed")
        EXPIRED = "EXPIRED", _("Expired")
        CANCELLED = "CANCELLED", _("Cancelled")

    class Kind(models.TextChoices):
        """How the price has to come to the entry. PULLBACK: to it or to a better one; BREAKOUT: through it, with the direction
        of the order; MARKET: as it is."""

        PULLBACK = "PULLBACK", _("Pullback")
        BREAKOUT = "BREAKOUT", _("Breakout")
        MARKET = "MARKET", _("Market")

    account = models.ForeignKey(Account, models.CASCADE, related_name="plans", verbose_name=_("account"))
    symbol = models.CharField(_("symbol"), max_length=32)
    direction = models.CharField(_("direction"), max_length=8, choices=choices(Direction, DIRECTION_LABELS))
    status = models.CharField(_("status"), max_length=16, choices=Status.choices, default=Status.ACTIVE)
    entry_price = PriceField(_("entry"), null=True, blank=True)
    stop_loss = PriceField(_("stop"), null=True, blank=True)
    take_profit = PriceField(_("target"), null=True, blank=True)
    quantity = QuantityField(_("quantity"), null=True, blank=True)
    plan_type = models.CharField(
        _("type"),
        max_length=16,
        choices=Kind.choices,
        blank=True,
        help_text=_("Pullback: a limit at the entry. Breakout: once the price passes it. Empty: a pullback where there is an entry."),
    )
    created_source = models.CharField(_("source"), max_length=32, blank=True)
    reasoning = models.TextField(_("reasoning"), blank=True)
    auto_execute = models.BooleanField(_("execute by itself"), default=False)
    expired_at = models.DateTimeField(_("expires"), null=True, blank=True)
    status_reason = models.CharField(_("why"), max_length=255, blank=True)
    executed_at = models.DateTimeField(_("executed"), null=True, blank=True)
    frozen_terms = models.JSONField(
        _("frozen terms"), null=True, blank=True, editable=False, help_text=_("As they stood when it was ordered; never changed after.")
    )
    frozen_hash = models.CharField(_("hash of the frozen terms"), max_length=64, blank=True, default="", editable=False)
    is_deleted = models.BooleanField(_("deleted"), default=False)
    created_at = models.DateTimeField(_("created"), default=clock.now)
    updated_at = models.DateTimeField(_("updated"), default=clock.now)

    class Meta:
        db_table = "trading_plans"
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["account", "status"], name="idx_plan_account_status"),
            models.Index(fields=["status", "expired_at"], name="idx_plan_status_expiry"),
        ]
        verbose_name, verbose_name_plural = _("trading plan"), _("trading plans")

    def __str__(self):
        return f"{self.direction} {self.symbol}"


class PriceAlert(models.Model):
    class Kind(models.TextChoices):
        PRICE_ABOVE = "PRICE_ABOVE", _("Price above")
        PRICE_BELOW = "PRICE_BELOW", _("Price below")
        PERCENT_CHANGE = "PERCENT_CHANGE", _("Change in per cent")

    class Action(models.TextChoices):
        NOTIFY_ONLY = "NOTIFY_ONLY", _("Notify")
        CREATE_PLAN = "CREATE_PLAN", _("Create a plan")
        AUTO_TRADE = "AUTO_TRADE", _("Trade")

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.CASCADE, related_name="alerts", verbose_name=_("account"))
    symbol = models.CharField(_("symbol"), max_length=32)
    alert_type = models.CharField(_("type"), max_length=16, choices=Kind.choices)
    threshold_value = PriceField(_("threshold"), help_text=_("A price; of a change in per cent: 5 for a rise, -5 for a fall."))
    is_active = models.BooleanField(_("active"), default=True)
    reference_price = PriceField(
        _("reference"), null=True, blank=True, help_text=_("What a change in per cent is measured from; empty: the last close.")
    )
    triggered_at = models.DateTimeField(_("triggered"), null=True, blank=True)
    trigger_count = models.PositiveIntegerField(_("times triggered"), default=0)
    action_type = models.CharField(_("action"), max_length=16, choices=Action.choices, default=Action.NOTIFY_ONLY)
    action_params = models.JSONField(_("action's parameters"), default=dict, blank=True)
    is_beyond = models.BooleanField(
        _("price beyond"),
        null=True,
        editable=False,
        help_text=_("The side of the threshold last recorded; it fires on coming from the other."),
    )
    watched_since = models.DateTimeField(
        _("watched since"), default=clock.now, help_text=_("Earlier prices do not fire it: it was made, changed or switched on then.")
    )
    is_deleted = models.BooleanField(_("deleted"), default=False)
    created_at = models.DateTimeField(_("created"), default=clock.now)

    class Meta:
        db_table = "price_alerts"
        ordering = ["-id"]
        indexes = [models.Index(fields=["symbol", "is_active"], name="idx_symbol_active")]
        verbose_name, verbose_name_plural = _("price alert"), _("price alerts")

    def __str__(self):
        return f"{self.symbol} {self.alert_type} {self.threshold_value.normalize():f}"


class AlertFiring(models.Model):
    """One time that a price crossed the threshold of an alert. `crossing` counts them, so none is recorded twice."""

    class Outcome(models.TextChoices):
        PENDING = "PENDING", _("To be acted on")
        NOTIFIED = "NOTIFIED", _("Told")
        PLANNED = "PLANNED", _("Planned")
        ORDERED = "ORDERED", _("Ordered")
        REFUSED = "REFUSED", _("Refused")

    id = models.BigAutoField(primary_key=True)
    alert = models.ForeignKey(PriceAlert, models.CASCADE, related_name="firings", verbose_name=_("alert"))
    crossing = models.PositiveIntegerField(_("crossing"))
    price = PriceField(_("price"))
    at = models.DateTimeField(_("at"))
    outcome = models.CharField(_("outcome"), max_length=8, choices=Outcome.choices, default=Outcome.PENDING)
    detail = models.CharField(_("detail"), max_length=255, blank=True)
    plan = models.ForeignKey(TradingPlan, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("plan"))
    order = models.ForeignKey("trading.Order", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("order"))

    class Meta:
        db_table = "alert_firings"
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["alert", "crossing"], name="uk_alert_crossing")]
        indexes = [models.Index(fields=["outcome"], name="idx_firing_outcome")]
        verbose_name, verbose_name_plural = _("alert firing"), _("alert firings")

    def __str__(self):
        return f"{self.alert_id} #{self.crossing}"


class WatchedBar(models.Model):
    """The last bar of a symbol that became ticks for plans and alerts. `close` is raw; a change in per cent counts from it."""

    symbol = models.CharField(_("symbol"), max_length=32, primary_key=True)
    session = models.DateField(_("session"))
    close = PriceField(_("close"))

    class Meta:
        db_table = "watched_bars"
        ordering = ["symbol"]
        verbose_name, verbose_name_plural = _("watched bar"), _("watched bars")

    def __str__(self):
        return f"{self.symbol} {self.session}"
