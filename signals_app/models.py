"""Trading signals: sized, scored, checked drafts, and how they turned out."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from quant_site.core import clock
from quant_site.core.fields import PriceField, QuantityField, RatioField, ScoreField, choices
from quant_site.core.models import Account
from quant_site.core.types import Direction
from signals_app.states import SignalStatus
from strategies.models import Strategy, StrategyRun

STATUS_LABELS = {
    SignalStatus.PENDING: _("Pending"),
    SignalStatus.VALIDATED: _("Validated"),
    SignalStatus.REJECTED: _("Rejected"),
    SignalStatus.EXECUTING: _("Executing"),
    SignalStatus.EXECUTED: _("Executed"),
    SignalStatus.FAILED: _("Failed"),
    SignalStatus.EXPIRED: _("Expired"),
    SignalStatus.CANCELLED: _("Cancelled"),
}
DIRECTION_LABELS = {Direction.LONG: _("Long"), Direction.SHORT: _("Short"), Direction.CLOSE: _("Close out")}


class TradingSignal(models.Model):
    """One proposal of a strategy on its way to orders. `symbol` is the trade's group: a symbol, or "A/B" for a pair.

    The legs of an option structure also have `units`, their contracts in one unit of it; `signal_metadata` keeps under
    `sizing` what a draft says about its size, under `portion` how much of a trade a CLOSE closes where that is not all.
    """

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.CASCADE, db_index=False, related_name="signals", verbose_name=_("account"))
    strategy = models.ForeignKey(Strategy, models.PROTECT, related_name="signals", verbose_name=_("strategy"))
    strategy_run = models.ForeignKey(StrategyRun, models.CASCADE, null=True, blank=True, related_name="signals", verbose_name=_("run"))
    session = models.DateField(_("session"), help_text=_("The session at whose close it was decided."))
    symbol = models.CharField(_("symbol"), max_length=32)
    direction = models.CharField(_("direction"), max_length=8, choices=choices(Direction, DIRECTION_LABELS))
    legs = models.JSONField(_("legs"), default=list, help_text=_("[{symbol, direction, ratio, quantity}]"))
    reason = models.CharField(_("reason"), max_length=255, blank=True)
    score = models.FloatField(_("score"), null=True, blank=True, help_text=_("The strategy's own measure; the strength is its percentile."))
    signal_strength = ScoreField(_("strength"), null=True, blank=True)
    weight = RatioField(_("weight"), null=True, blank=True)
    risk_score = ScoreField(_("risk score"), null=True, blank=True)
    entry_price = PriceField(_("entry"), null=True, blank=True)
    stop_loss = PriceField(_("stop"), null=True, blank=True)
    take_profit = PriceField(_("target"), null=True, blank=True)
    position_size = QuantityField(_("size"), null=True, blank=True)
    signal_metadata = models.JSONField(_("metadata"), default=dict, blank=True)
    signal_status = models.CharField(_("status"), max_length=16, choices=choices(SignalStatus, STATUS_LABELS), default=SignalStatus.PENDING)
    validation_errors = models.JSONField(_("why it was rejected"), default=list, help_text=_("[{code, message, limit, value}]"))
    execution_plan_id = models.IntegerField(_("plan"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), default=clock.now)
    updated_at = models.DateTimeField(_("updated"), default=clock.now)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    executed_at = models.DateTimeField(_("executed"), null=True, blank=True)

    class Meta:
        db_table = "trading_signals"
        ordering = ["-session", "-id"]
        constraints = [models.UniqueConstraint(fields=["strategy_run", "symbol", "direction"], name="uk_signal_run_symbol_direction")]
        indexes = [
            models.Index(fields=["account", "signal_status", "session"], name="idx_signal_account_status"),
            models.Index(fields=["strategy", "created_at"], name="idx_signal_strategy"),
            models.Index(fields=["account", "session"], name="idx_signal_account_session"),
            models.Index(fields=["account", "strategy", "session"], name="idx_signal_account_strategy"),
        ]
        verbose_name, verbose_name_plural = _("trading signal"), _("trading signals")

    def __str__(self):
        return f"{self.session} {self.direction} {self.symbol}"


class SignalOutcome(models.Model):
    """How an executed signal turned out, once its trade is closed."""

    signal = models.OneToOneField(TradingSignal, models.CASCADE, primary_key=True, related_name="outcome")
    closed_session = models.DateField(_("closed"))
    holding_sessions = models.PositiveIntegerField(_("sessions held"))
    realized_pnl = models.DecimalField(_("realised P&L"), max_digits=20, decimal_places=2)
    return_pct = RatioField(_("return on cost"), null=True, blank=True)
    r_multiple = ScoreField(
        _("R multiple"), null=True, blank=True, help_text=_("P&L over the loss at the first stop; empty without a stop.")
    )

    class Meta:
        db_table = "signal_outcomes"
        verbose_name, verbose_name_plural = _("signal outcome"), _("signal outcomes")

    def __str__(self):
        return f"{self.closed_session} {self.realized_pnl}"
