"""Who may send what: the processes that send, armed accounts, halted symbols, and what reconciling found."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from quant_site.core import clock
from quant_site.core.models import Account


class SenderBoot(models.Model):
    """A process that may send orders, from its start on. A later boot disarms what an earlier one was armed for."""

    id = models.BigAutoField(primary_key=True)
    host = models.CharField(_("host"), max_length=128)
    pid = models.PositiveIntegerField(_("process"))
    role = models.CharField(_("role"), max_length=16)
    code_version = models.CharField(_("code"), max_length=12)
    config_hash = models.CharField(_("configuration"), max_length=12)
    started_at = models.DateTimeField(_("started"), default=clock.now)
    beat_at = models.DateTimeField(_("last sign of life"), default=clock.now)

    class Meta:
        db_table = "sender_boots"
        ordering = ["-id"]
        verbose_name, verbose_name_plural = _("sender"), _("senders")

    def __str__(self):
        return f"{self.host}:{self.pid}"


class Arming(models.Model):
    """One time that an account was armed for real orders, from a person's confirmation to the disarming."""

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.CASCADE, related_name="armings", verbose_name=_("account"))
    open_key = models.CharField(max_length=64, unique=True, null=True, editable=False)
    boot = models.ForeignKey(SenderBoot, models.PROTECT, related_name="+", verbose_name=_("latest sender then"))
    armed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("armed by"))
    armed_at = models.DateTimeField(_("armed"), default=clock.now)
    disarmed_at = models.DateTimeField(_("disarmed"), null=True, blank=True)
    disarmed_why = models.CharField(_("why it was disarmed"), max_length=255, blank=True)

    class Meta:
        db_table = "armings"
        ordering = ["-id"]
        verbose_name, verbose_name_plural = _("arming"), _("armings")

    def __str__(self):
        return f"{self.account_id} {self.armed_at:%Y-%m-%d %H:%M}"


class SymbolHalt(models.Model):
    """A symbol in which an account sends nothing that opens, until somebody has looked at it."""

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.CASCADE, related_name="symbol_halts", verbose_name=_("account"))
    symbol = models.CharField(_("symbol"), max_length=32)
    open_key = models.CharField(max_length=128, unique=True, null=True, editable=False)
    code = models.CharField(_("code"), max_length=32)
    reason = models.CharField(_("reason"), max_length=255)
    since = models.DateTimeField(_("since"), default=clock.now)
    cleared_at = models.DateTimeField(_("cleared"), null=True, blank=True)
    cleared_by = models.CharField(_("cleared by"), max_length=150, blank=True)

    class Meta:
        db_table = "symbol_halts"
        ordering = ["-id"]
        indexes = [models.Index(fields=["account", "symbol"], name="idx_symbol_halt")]
        verbose_name, verbose_name_plural = _("halted symbol"), _("halted symbols")

    def __str__(self):
        return f"{self.account_id} {self.symbol}"


class Reconciliation(models.Model):
    """One comparison of our orders, fills, positions and cash with the broker's. `differences`: [{what, symbol, ours, broker}]."""

    class Kind(models.TextChoices):
        BOOT = "BOOT", _("At the start")
        PERIODIC = "PERIODIC", _("Periodic")
        MANUAL = "MANUAL", _("By hand")

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.CASCADE, related_name="reconciliations", verbose_name=_("account"))
    boot = models.ForeignKey(SenderBoot, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("latest sender then"))
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    agrees = models.BooleanField(_("agrees"))
    differences = models.JSONField(_("differences"), default=list, blank=True)
    adopted = models.JSONField(_("adopted"), default=list, blank=True)
    at = models.DateTimeField(_("at"), default=clock.now)

    class Meta:
        db_table = "reconciliations"
        ordering = ["-id"]
        indexes = [models.Index(fields=["account", "at"], name="idx_reconciliation_account")]
        verbose_name, verbose_name_plural = _("reconciliation"), _("reconciliations")

    def __str__(self):
        return f"{self.account_id} {self.at:%Y-%m-%d %H:%M}"
