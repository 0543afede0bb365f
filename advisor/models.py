"""The advisor's latest word per symbol (the user's table) and the ledger that is never overwritten."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from quant_site.core import clock
from quant_site.core.fields import PriceField, ScoreField
from quant_site.core.models import Account


class Advice(models.Model):
    """What both tables say about one evaluation."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="+", verbose_name=_("account"))
    symbol = models.CharField(_("symbol"), max_length=32)
    current_price = PriceField(_("price"), null=True, blank=True)
    direction = models.CharField(_("direction"), max_length=16, blank=True)
    confidence = models.IntegerField(_("confidence"), null=True, blank=True)
    action = models.CharField(_("action"), max_length=16, blank=True)
    entry_price = PriceField(_("entry"), null=True, blank=True)
    stop_loss = PriceField(_("stop"), null=True, blank=True)
    take_profit = PriceField(_("target"), null=True, blank=True)
    position_pct = ScoreField(_("share of equity"), null=True, blank=True)
    risk_level = models.CharField(_("risk"), max_length=16, blank=True)
    reasoning = models.TextField(_("reasoning"), blank=True)
    key_factors = models.JSONField(_("key factors"), default=list, blank=True)
    risk_reward_ratio = models.CharField(_("risk to reward"), max_length=16, blank=True)
    scenarios = models.JSONField(_("scenarios"), default=list, blank=True)
    catalysts = models.JSONField(_("catalysts"), default=list, blank=True)
    holding_period = models.CharField(_("holding period"), max_length=64, blank=True)
    dimensions = models.JSONField(_("dimensions"), default=dict, blank=True)
    created_at = models.DateTimeField(_("created"), default=clock.now)

    class Meta:
        abstract = True


class AiEvaluation(Advice):
    """The newest evaluation of a symbol for an account."""

    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        db_table = "ai_evaluation_history"
        ordering = ["-updated_at"]
        constraints = [models.UniqueConstraint(fields=["account", "symbol"], name="uk_account_symbol")]
        indexes = [
            models.Index(fields=["symbol"], name="idx_eval_symbol"),
            models.Index(fields=["created_at"], name="idx_eval_created"),
        ]
        verbose_name, verbose_name_plural = _("AI evaluation"), _("AI evaluations")

    def __str__(self):
        return f"{self.symbol} {self.direction}"


class AdviceLedgerEntry(Advice):
    """Every evaluation ever made, append-only: advice that is overwritten cannot be scored."""

    id = models.BigAutoField(primary_key=True)
    provider = models.CharField(_("provider"), max_length=16)
    model = models.CharField(_("model"), max_length=64, blank=True)
    prompt_hash = models.CharField(_("prompt hash"), max_length=64, blank=True)
    raw_reply = models.TextField(_("raw reply"), blank=True)
    data_as_of = models.DateField(_("data as of"), null=True, blank=True)
    abstain_reason = models.CharField(_("why it abstained"), max_length=255, blank=True)

    class Meta:
        db_table = "advice_ledger"
        ordering = ["-id"]
        indexes = [models.Index(fields=["account", "symbol"], name="idx_ledger_account_symbol")]
        verbose_name, verbose_name_plural = _("advice"), _("advice ledger")

    def __str__(self):
        return f"{self.symbol} {self.direction} {self.created_at:%Y-%m-%d}"
