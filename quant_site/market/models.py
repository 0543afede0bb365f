"""What is stored about the market in rows: instruments, and a record of each import.

Bars live in the bar store, and what is known beside them in the reference store.
"""

from decimal import Decimal

from django.db import models
from django.utils.translation import gettext_lazy as _

from quant_site.core import clock
from quant_site.core.fields import PriceField


class Instrument(models.Model):
    """Something with a price history. An index has one too but cannot be traded."""

    class Kind(models.TextChoices):
        STOCK = "STOCK", _("Stock")
        ETF = "ETF", _("Exchange-traded fund")
        INDEX = "INDEX", _("Index")
        FUTURE = "FUTURE", _("Future")

    symbol = models.CharField(_("symbol"), max_length=32, primary_key=True)
    name = models.CharField(_("name"), max_length=128, blank=True)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices, default=Kind.STOCK)
    tradable = models.BooleanField(_("tradable"), default=True)
    currency = models.CharField(_("currency"), max_length=3, default="USD")
    tick_size = PriceField(_("tick size"), default=Decimal("0.01"))
    source = models.CharField(_("source"), max_length=128, blank=True)
    synthetic = models.BooleanField(_("not from a market"), default=False)
    first_session = models.DateField(_("first session"), null=True, blank=True)
    last_session = models.DateField(_("last session"), null=True, blank=True)
    bars = models.PositiveIntegerField(_("bars"), default=0)
    content_digest = models.CharField(_("content digest"), max_length=64, blank=True)
    updated_at = models.DateTimeField(_("updated"), default=clock.now)

    class Meta:
        db_table = "instruments"
        ordering = ["symbol"]
        verbose_name, verbose_name_plural = _("instrument"), _("instruments")

    def __str__(self):
        return self.symbol


class BarImport(models.Model):
    """One import: what was taken, and every rejected row with its reason. One of bars is of one symbol; others are of a whole table.

    `replaced` says, to who imports and not in the table, which history went: empty where there was none or nothing changed.
    """

    class Kind(models.TextChoices):
        BARS = "BARS", _("Bars")
        FACTORS = "FACTORS", _("Factors and rates")
        IMPLIED_VOL = "IMPLIED_VOL", _("Implied volatilities")
        FUNDAMENTALS = "FUNDAMENTALS", _("Fundamentals")
        SECTORS = "SECTORS", _("Sectors")

    replaced = ""

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices, default=Kind.BARS)
    symbol = models.CharField(_("symbol"), max_length=32, blank=True)
    source = models.CharField(_("source"), max_length=255)
    accepted = models.PositiveIntegerField(_("accepted rows"), default=0)
    rejected = models.PositiveIntegerField(_("rejected rows"), default=0)
    repaired = models.PositiveIntegerField(
        _("repaired rows"),
        default=0,
        help_text=_("Bars whose range was widened by rounding; numbers of reports that could not be and count as unknown."),
    )
    rejections = models.JSONField(_("rejections"), default=list, help_text=_("Every rejected row: {row, date, reason, detail}."))
    changed = models.BooleanField(_("changed the store"), default=False)
    content_digest = models.CharField(_("content digest"), max_length=64, blank=True)
    created_at = models.DateTimeField(_("at"), default=clock.now)

    class Meta:
        db_table = "bar_imports"
        ordering = ["-id"]
        verbose_name, verbose_name_plural = _("data import"), _("data imports")

    def __str__(self):
        return f"{self.symbol or self.get_kind_display()} {self.created_at:%Y-%m-%d %H:%M}"


class CallSlot(models.Model):
    """One of the calls a minute that a vendor allows on one of its gates. Whoever calls takes a slot that was not used within
    the last minute; so all processes together keep to the limit, and never burst across two minutes."""

    gate = models.CharField(_("gate"), max_length=32)
    slot = models.PositiveSmallIntegerField(_("number"))
    used_at = models.DateTimeField(_("last used"), null=True, blank=True)

    class Meta:
        db_table = "call_slots"
        ordering = ["gate", "slot"]
        constraints = [models.UniqueConstraint(fields=["gate", "slot"], name="uk_call_slot")]
        indexes = [models.Index(fields=["gate", "used_at"], name="idx_call_slot_used")]
        verbose_name, verbose_name_plural = _("call slot"), _("call slots")

    def __str__(self):
        return f"{self.gate} {self.slot}"
