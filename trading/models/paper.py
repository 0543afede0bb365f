"""The paper broker's own book. Nothing but `trading.brokers.paper` reads or writes these tables."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from quant_site.core import clock
from quant_site.core.fields import MoneyField, PriceField, QuantityField, choices
from quant_site.core.types import Side
from trading.vocabulary import OrderType, TimeInForce


class PaperAccount(models.Model):
    """Cash at the paper broker, and how far its simulation of the market has come."""

    class Phase(models.IntegerChoices):
        CLOSED = 0
        OPENED = 1
        TRADED = 2

    account_id = models.CharField(max_length=64, primary_key=True)
    cash = MoneyField()
    session = models.DateField(null=True)
    phase = models.PositiveSmallIntegerField(choices=Phase.choices, default=Phase.CLOSED)

    class Meta:
        db_table = "paper_accounts"
        verbose_name, verbose_name_plural = _("paper account"), _("paper accounts")

    def __str__(self):
        return self.account_id


class PaperHolding(models.Model):
    id = models.BigAutoField(primary_key=True)
    account_id = models.CharField(max_length=64)
    symbol = models.CharField(max_length=32)
    quantity = QuantityField()

    class Meta:
        db_table = "paper_holdings"
        constraints = [models.UniqueConstraint(fields=["account_id", "symbol"], name="uk_paper_holding")]
        verbose_name, verbose_name_plural = _("paper holding"), _("paper holdings")

    def __str__(self):
        return f"{self.account_id} {self.symbol}"


class PaperOrder(models.Model):
    class Status(models.TextChoices):
        WORKING = "WORKING", _("Working")
        FILLED = "FILLED", _("Filled")
        CANCELLED = "CANCELLED", _("Cancelled")
        EXPIRED = "EXPIRED", _("Expired")
        REJECTED = "REJECTED", _("Rejected")

    id = models.BigAutoField(primary_key=True)
    account_id = models.CharField(max_length=64)
    client_order_id = models.CharField(max_length=64, unique=True)
    symbol = models.CharField(max_length=32)
    side = models.CharField(max_length=4, choices=choices(Side))
    order_type = models.CharField(max_length=8, choices=choices(OrderType))
    time_in_force = models.CharField(max_length=4, choices=choices(TimeInForce))
    quantity = QuantityField()
    legs = models.JSONField(default=list, blank=True, help_text="[{symbol, side, ratio}] of an order whose legs trade as one.")
    filled_quantity = QuantityField(default=0)
    average_fill_price = PriceField(null=True)
    commission = MoneyField(default=0)
    limit_price = PriceField(null=True)
    stop_price = PriceField(null=True)
    oca_group = models.CharField(max_length=64, blank=True)
    reducing = models.BooleanField(default=False)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.WORKING)
    reason = models.CharField(max_length=255, blank=True)
    split_ratio = QuantityField(default=1, help_text="New shares for one old since the order arrived.")
    session = models.DateField(help_text="It trades in sessions after this day: those whose prices were not known when it arrived.")
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "paper_orders"
        ordering = ["client_order_id"]
        indexes = [models.Index(fields=["account_id", "status"], name="idx_paper_account_status")]
        verbose_name, verbose_name_plural = _("paper order"), _("paper orders")

    def __str__(self):
        return f"{self.side} {self.quantity.normalize():f} {self.symbol} {self.order_type}"


class PaperFence(models.Model):
    """The paper broker's word that an order never arrived: a placement with this fence or a smaller one is refused for good."""

    client_order_id = models.CharField(max_length=64, primary_key=True)
    account_id = models.CharField(max_length=64)
    fence = models.PositiveIntegerField()

    class Meta:
        db_table = "paper_fences"
        verbose_name, verbose_name_plural = _("paper fence"), _("paper fences")

    def __str__(self):
        return self.client_order_id


class PaperFill(models.Model):
    id = models.BigAutoField(primary_key=True)
    account_id = models.CharField(max_length=64)
    fill_id = models.CharField(max_length=80, unique=True)
    order = models.ForeignKey(PaperOrder, models.CASCADE, related_name="fills")
    symbol = models.CharField(max_length=32, blank=True, help_text="The leg that was filled; empty: the order's own.")
    side = models.CharField(max_length=4, choices=choices(Side), blank=True)
    session = models.DateField()
    quantity = QuantityField()
    price = PriceField()
    commission = MoneyField()
    filled_at = models.DateTimeField()

    class Meta:
        db_table = "paper_fills"
        ordering = ["id"]
        indexes = [models.Index(fields=["account_id", "session"], name="idx_paper_fill_session")]
        verbose_name, verbose_name_plural = _("paper fill"), _("paper fills")

    def __str__(self):
        return self.fill_id


class PaperActivity(models.Model):
    """What the paper broker booked on a holding without an order."""

    class Kind(models.TextChoices):
        DIVIDEND = "DIVIDEND", _("Dividend")
        SPLIT = "SPLIT", _("Split")
        BORROW = "BORROW", _("Borrowing of shares")
        EXPIRY = "EXPIRY", _("Expiry of options")
        ASSIGNMENT = "ASSIGNMENT", _("Assignment of options")

    id = models.BigAutoField(primary_key=True)
    account_id = models.CharField(max_length=64)
    activity_id = models.CharField(max_length=80)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    session = models.DateField()
    symbol = models.CharField(max_length=32)
    quantity = QuantityField(help_text="The holding it applied to, before a split.")
    per_share = PriceField(help_text="Cash per share or unit of an option's underlying, or new shares for one old.")
    amount = MoneyField(default=0, help_text="What it paid; negative when owed.")

    class Meta:
        db_table = "paper_activities"
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["account_id", "activity_id"], name="uk_paper_activity")]
        indexes = [models.Index(fields=["account_id", "session"], name="idx_paper_activity_session")]
        verbose_name, verbose_name_plural = _("paper activity"), _("paper activities")

    def __str__(self):
        return f"{self.session} {self.kind} {self.symbol}"
