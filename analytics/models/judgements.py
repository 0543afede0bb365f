"""Judgements: how a day went, what it suggests. Undefined numbers are null and say why in `undefined`."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from quant_site.core import clock
from quant_site.core.fields import MoneyField, QuantityField, RatioField, ScoreField
from quant_site.core.models import Account
from signals_app.models import TradingSignal
from strategies.models import Strategy


class DailyPerformance(models.Model):
    """The state of one strategy, or of the whole account (no strategy), judged at the close of a session."""

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.CASCADE, db_index=False, related_name="daily_performance", verbose_name=_("account"))
    strategy = models.ForeignKey(
        Strategy, models.PROTECT, null=True, blank=True, related_name="daily_performance", verbose_name=_("strategy")
    )
    scope = models.CharField(
        max_length=64, editable=False, help_text=_("The strategy's key, 'ALL', or 'UNASSIGNED' for trades of no strategy.")
    )
    session = models.DateField(_("session"))
    pnl = MoneyField(_("P&L of the day"))
    cumulative_pnl = MoneyField(_("P&L since the start"))
    daily_return = RatioField(_("return on the account's equity"), null=True, blank=True)
    closed_trades = models.PositiveIntegerField(_("closed trades"), default=0, help_text=_("Since the start."))
    win_rate = ScoreField(_("win rate"), null=True, blank=True)
    win_rate_low = ScoreField(_("win rate, lower bound"), null=True, blank=True)
    win_rate_high = ScoreField(_("win rate, upper bound"), null=True, blank=True)
    profit_factor = ScoreField(_("profit factor"), null=True, blank=True)
    average_holding = ScoreField(_("average sessions held"), null=True, blank=True)
    sharpe_ratio = ScoreField(_("Sharpe ratio"), null=True, blank=True)
    max_drawdown_pct = RatioField(_("deepest drawdown"), null=True, blank=True)
    exposure = RatioField(_("exposure"), null=True, blank=True)
    signals = models.PositiveIntegerField(_("signals of the day"), default=0)
    rejected = models.PositiveIntegerField(_("rejected of the day"), default=0)
    undefined = models.JSONField(_("why a number is missing"), default=dict, blank=True)
    state = models.JSONField(default=dict, blank=True, editable=False, help_text=_("Running totals from which the next session goes on."))
    created_at = models.DateTimeField(_("created"), default=clock.now)

    class Meta:
        db_table = "daily_performance"
        ordering = ["-session", "scope"]
        constraints = [models.UniqueConstraint(fields=["account", "session", "scope"], name="uk_performance")]
        indexes = [models.Index(fields=["account", "scope", "session"], name="idx_performance_scope")]
        verbose_name, verbose_name_plural = _("daily performance"), _("daily performance")

    def __str__(self):
        return f"{self.account_id} {self.scope} {self.session}"


class ExtremeSignal(models.Model):
    """A signal among the best or the worst so far, with what it made. The rows of one session are the whole list as it
    stood then; a session on which it did not change has none."""

    class Kind(models.TextChoices):
        BEST = "BEST", _("Best")
        WORST = "WORST", _("Worst")

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.CASCADE, related_name="extreme_signals")
    signal = models.ForeignKey(TradingSignal, models.CASCADE, related_name="+", verbose_name=_("signal"))
    session = models.DateField(_("session"))
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    realized_pnl = MoneyField(_("realised P&L"))
    r_multiple = ScoreField(_("R multiple"), null=True, blank=True)

    class Meta:
        db_table = "extreme_signals"
        ordering = ["-session", "kind"]
        constraints = [models.UniqueConstraint(fields=["signal", "session", "kind"], name="uk_extreme_signal")]
        verbose_name, verbose_name_plural = _("extreme signal"), _("extreme signals")

    def __str__(self):
        return f"{self.session} {self.kind} {self.realized_pnl}"


class Finding(models.Model):
    """Something the evaluation noticed: what, on what evidence, how large, and what could be done."""

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.CASCADE, db_index=False, related_name="findings", verbose_name=_("account"))
    strategy = models.ForeignKey(Strategy, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("strategy"))
    scope = models.CharField(max_length=64, editable=False)
    session = models.DateField(_("session"))
    code = models.CharField(_("code"), max_length=32)
    message = models.CharField(_("finding"), max_length=255)
    evidence = models.JSONField(_("evidence"), default=dict)
    effect = ScoreField(_("size of the effect"), null=True, blank=True)
    effect_low = ScoreField(_("lower bound"), null=True, blank=True)
    effect_high = ScoreField(_("upper bound"), null=True, blank=True)
    suggestion = models.CharField(_("suggestion"), max_length=255, blank=True)
    created_at = models.DateTimeField(_("created"), default=clock.now)

    class Meta:
        db_table = "findings"
        ordering = ["-session", "scope", "code"]
        constraints = [models.UniqueConstraint(fields=["account", "scope", "session", "code"], name="uk_finding")]
        verbose_name, verbose_name_plural = _("finding"), _("findings")

    def __str__(self):
        return f"{self.session} {self.scope} {self.code}"


class Attribution(models.Model):
    """Where the profit of one session came from. Each dimension of `buckets` adds up to `total`, to the cent.

    `buckets`: {dimension: {key: cents as text}}, dimensions STRATEGY, SYMBOL, SECTOR and STAGE.
    """

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.CASCADE, db_index=False, related_name="attributions", verbose_name=_("account"))
    session = models.DateField(_("session"))
    total = MoneyField(_("P&L of the day"))
    buckets = models.JSONField(_("where it came from"), default=dict)
    state = models.JSONField(default=dict, blank=True, editable=False, help_text=_("Running totals from which the next session goes on."))
    created_at = models.DateTimeField(_("created"), default=clock.now)

    class Meta:
        db_table = "attributions"
        ordering = ["-session"]
        constraints = [models.UniqueConstraint(fields=["account", "session"], name="uk_attribution")]
        verbose_name, verbose_name_plural = _("attribution"), _("attributions")

    def __str__(self):
        return f"{self.account_id} {self.session} {self.total}"


class MissedOutcome(models.Model):
    """How a signal that was rejected, or never filled, would have gone: at the next open, with its own stop and target and
    modelled costs."""

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.CASCADE, db_index=False, related_name="missed_outcomes", verbose_name=_("account"))
    signal = models.OneToOneField(TradingSignal, models.CASCADE, related_name="missed_outcome", verbose_name=_("signal"))
    session = models.DateField(_("session in which it was known"))
    entry_session = models.DateField(_("would have been opened"))
    exit_session = models.DateField(_("would have been closed"))
    exit_reason = models.CharField(_("exit"), max_length=16)
    quantity = QuantityField(_("quantity"))
    result = MoneyField(_("would have made"))
    r_multiple = ScoreField(_("R multiple"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), default=clock.now)

    class Meta:
        db_table = "missed_outcomes"
        ordering = ["-session", "-id"]
        indexes = [models.Index(fields=["account", "session"], name="idx_missed_account_session")]
        verbose_name, verbose_name_plural = _("missed outcome"), _("missed outcomes")

    def __str__(self):
        return f"{self.session} {self.result}"


class BehaviourScore(models.Model):
    """A trader's habits over the sessions up to `session`. A score that is undefined is null, and `details` says why."""

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.CASCADE, db_index=False, related_name="behaviour_scores", verbose_name=_("account"))
    session = models.DateField(_("session"))
    sell_fly_score = ScoreField(_("sell-fly score"), null=True, blank=True)
    discipline_score = ScoreField(_("discipline score"), null=True, blank=True)
    overall_score = ScoreField(_("overall score"), null=True, blank=True)
    details = models.JSONField(_("details"), default=dict)
    created_at = models.DateTimeField(_("created"), default=clock.now)

    class Meta:
        db_table = "behaviour_scores"
        ordering = ["-session"]
        constraints = [models.UniqueConstraint(fields=["account", "session"], name="uk_behaviour_score")]
        verbose_name, verbose_name_plural = _("behaviour score"), _("behaviour scores")

    def __str__(self):
        return f"{self.account_id} {self.session}"
