"""Automatic hedges: what an account wants hedged, and what each hedge did."""

from decimal import Decimal

from django.db import models
from django.utils.translation import gettext_lazy as _

from quant_site.core import clock
from quant_site.core.fields import MoneyField, QuantityField, RatioField
from quant_site.core.models import Account


class HedgePolicy(models.Model):
    """What is hedged automatically, and within which band it is left alone."""

    class Kind(models.TextChoices):
        BETA = "BETA", _("Beta of the whole account")
        DELTA = "DELTA", _("Delta of the options on one underlying")

    class State(models.TextChoices):
        OFF = "OFF", _("Off")
        ON = "ON", _("On")
        STOPPED = "STOPPED", _("Stopped: it did not work")

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.CASCADE, related_name="hedge_policies", verbose_name=_("account"))
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    symbol = models.CharField(_("hedged with"), max_length=32, help_text=_("For a delta hedge also the underlying."))
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.OFF)
    state_reason = models.CharField(_("why"), max_length=255, blank=True)
    target = RatioField(_("target"), default=Decimal("0"), help_text=_("Of equity: 0 is neutral."))
    band = RatioField(_("band"), default=Decimal("0.05"), help_text=_("Of equity, for a beta hedge."))
    risk_aversion = RatioField(_("risk aversion"), default=Decimal("1"), help_text=_("For the band of a delta hedge."))
    review_sessions = models.PositiveIntegerField(_("judged over, in sessions"), default=63)
    since = models.DateField(
        _("hedges since"),
        null=True,
        blank=True,
        help_text=_("The session of its first look since it was switched on: what it is judged from."),
    )
    created_at = models.DateTimeField(_("created"), default=clock.now)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        db_table = "hedge_policies"
        ordering = ["account", "kind", "symbol"]
        constraints = [models.UniqueConstraint(fields=["account", "kind", "symbol"], name="uk_hedge_policy")]
        verbose_name, verbose_name_plural = _("hedge policy"), _("hedge policies")

    def __str__(self):
        return f"{self.account_id} {self.kind} {self.symbol}"


class HedgeRecord(models.Model):
    """One look of the hedge engine at the close of a session: what was exposed, what it did, and what hedging has cost."""

    id = models.BigAutoField(primary_key=True)
    policy = models.ForeignKey(HedgePolicy, models.CASCADE, related_name="records", verbose_name=_("policy"))
    session = models.DateField(_("session"))
    exposure = MoneyField(
        _("exposure before"), null=True, blank=True, help_text=_("Dollars of beta or delta, the hedge included; empty where undefined.")
    )
    wanted = MoneyField(_("exposure wanted"), null=True, blank=True)
    band = MoneyField(_("band"), null=True, blank=True, help_text=_("Dollars on either side of what is wanted."))
    quantity = QuantityField(_("hedge traded"), default=0, help_text=_("Signed shares; 0 within the band."))
    order = models.ForeignKey("trading.Order", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("order"))
    hedge_pnl = MoneyField(_("P&L of the hedge that day"), default=0)
    total_pnl = MoneyField(_("P&L of the hedge so far"), default=0, help_text=_("Commissions and borrowing included."))
    hedge_cost = MoneyField(_("cost of the hedge that day"), default=0)
    account_pnl = MoneyField(_("P&L of the account that day"), default=0)
    variance_removed = RatioField(_("variance removed"), null=True, blank=True, help_text=_("Over the review; negative where it added."))
    detail = models.CharField(_("detail"), max_length=255, blank=True)
    created_at = models.DateTimeField(_("created"), default=clock.now)

    class Meta:
        db_table = "hedge_records"
        ordering = ["-session", "-id"]
        constraints = [models.UniqueConstraint(fields=["policy", "session"], name="uk_hedge_session")]
        verbose_name, verbose_name_plural = _("hedge record"), _("hedge records")

    def __str__(self):
        return f"{self.policy_id} {self.session}"
