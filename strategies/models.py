"""The strategy library as rows: strategies, their parameter versions, and their runs."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from quant_site.core import clock
from quant_site.core.fields import MoneyField, ScoreField
from quant_site.core.models import Account


class Strategy(models.Model):
    """One of the library's strategies. `key` names its implementation in the registry."""

    class Category(models.TextChoices):
        MEAN_REVERSION = "MEAN_REVERSION", _("Mean reversion")
        TREND_FOLLOWING = "TREND_FOLLOWING", _("Trend following")
        MULTI_FACTOR = "MULTI_FACTOR", _("Multi-factor")
        DEFENSIVE = "DEFENSIVE", _("Defensive")
        VOLATILITY = "VOLATILITY", _("Volatility")
        MACRO_HEDGE = "MACRO_HEDGE", _("Macro hedge")

    key = models.SlugField(_("key"), max_length=64, unique=True)
    name = models.CharField(_("name"), max_length=128, unique=True)
    category = models.CharField(_("category"), max_length=32, choices=Category.choices)
    description = models.TextField(_("description"), blank=True)
    enabled = models.BooleanField(_("enabled"), default=True)
    disabled_reason = models.CharField(_("why it is disabled"), max_length=255, blank=True)
    is_builtin = models.BooleanField(_("built in"), default=True)

    default_params = models.JSONField(_("default parameters"), default=dict)
    current_params = models.JSONField(
        _("current parameters"), null=True, blank=True, help_text=_("What the active version sets apart from the defaults.")
    )
    active_version = models.ForeignKey(
        "ParameterVersion", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("active version")
    )
    signal_sources = models.JSONField(_("signal sources"), default=list, blank=True)
    risk_profile = models.JSONField(_("risk profile"), default=dict, blank=True)
    run_schedule = models.CharField(_("schedule"), max_length=64, blank=True, help_text=_("A cron expression, New York time."))
    auto_execute = models.BooleanField(_("execute signals by itself"), default=False)

    win_rate = ScoreField(_("win rate"), null=True, blank=True)
    sharpe_ratio = ScoreField(_("Sharpe ratio"), null=True, blank=True)
    total_signals = models.PositiveIntegerField(_("signals"), default=0)
    last_run_at = models.DateTimeField(_("last run"), null=True, blank=True)

    created_at = models.DateTimeField(_("created"), default=clock.now)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        db_table = "strategies"
        ordering = ["id"]
        indexes = [
            models.Index(fields=["category"], name="idx_category"),
            models.Index(fields=["enabled"], name="idx_enabled"),
        ]
        verbose_name, verbose_name_plural = _("strategy"), _("strategies")

    def __str__(self):
        return self.name


class ParameterVersion(models.Model):
    """A set of overrides over the defaults, never edited: a change is a new version, reverting moves the pointer.

    Without an account it holds for the house; with one it holds for that account, over the house's version.
    """

    class Source(models.TextChoices):
        PERSON = "PERSON", _("Person")
        OPTIMIZER = "OPTIMIZER", _("Optimiser")
        SEED = "SEED", _("Seed")

    id = models.BigAutoField(primary_key=True)
    strategy = models.ForeignKey(Strategy, models.CASCADE, related_name="versions", verbose_name=_("strategy"))
    account = models.ForeignKey(
        Account, models.CASCADE, null=True, blank=True, related_name="parameter_versions", verbose_name=_("account")
    )
    number = models.PositiveIntegerField(_("number"))
    scope = models.CharField(max_length=64, blank=True, editable=False, help_text=_("The account, or empty for the house."))
    params = models.JSONField(_("overrides"), default=dict)
    diff = models.JSONField(_("changes"), default=dict, help_text=_("{name: [before, after]} against the version it replaced."))
    source = models.CharField(_("source"), max_length=16, choices=Source.choices, default=Source.PERSON)
    reason = models.CharField(_("reason"), max_length=255)
    evidence = models.JSONField(_("evidence"), default=dict, blank=True)
    session = models.DateField(_("session"), null=True, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by"))
    created_at = models.DateTimeField(_("created"), default=clock.now)

    class Meta:
        db_table = "strategy_parameter_versions"
        ordering = ["strategy", "scope", "-number"]
        constraints = [models.UniqueConstraint(fields=["strategy", "scope", "number"], name="uk_version_number")]
        verbose_name, verbose_name_plural = _("parameter version"), _("parameter versions")

    def __str__(self):
        return f"v{self.number}"


class AccountStrategy(models.Model):
    """The pointer to the version that is active for one account, where it differs from the house's."""

    strategy = models.ForeignKey(Strategy, models.CASCADE, related_name="account_pointers")
    account = models.ForeignKey(Account, models.CASCADE, related_name="strategy_pointers")
    active_version = models.ForeignKey(ParameterVersion, models.PROTECT, related_name="+", verbose_name=_("active version"))

    class Meta:
        db_table = "account_strategies"
        constraints = [models.UniqueConstraint(fields=["strategy", "account"], name="uk_account_strategy")]
        verbose_name, verbose_name_plural = _("account's parameter version"), _("accounts' parameter versions")

    def __str__(self):
        return f"{self.account_id} {self.strategy_id}"


class StrategyRun(models.Model):
    """One evaluation of one strategy for one account and session; `output` holds its drafts."""

    class Status(models.TextChoices):
        RUNNING = "RUNNING", _("Running")
        COMPLETED = "COMPLETED", _("Completed")
        ABSTAINED = "ABSTAINED", _("Abstained")
        FAILED = "FAILED", _("Failed")

    id = models.BigAutoField(primary_key=True)
    strategy = models.ForeignKey(Strategy, models.CASCADE, related_name="runs", verbose_name=_("strategy"))
    account = models.ForeignKey(Account, models.CASCADE, db_index=False, related_name="strategy_runs", verbose_name=_("account"))
    session = models.DateField(_("session"))
    status = models.CharField(_("status"), max_length=16, choices=Status.choices, default=Status.RUNNING)
    params = models.JSONField(_("parameters used"), default=dict)
    held = models.JSONField(_("open trades it knew of"), default=list, blank=True)
    output = models.JSONField(_("drafts"), default=list)
    signal_count = models.PositiveIntegerField(_("drafts"), default=0)
    abstain_reason = models.CharField(_("why it abstained"), max_length=255, blank=True)
    error = models.TextField(_("error"), blank=True)
    started_at = models.DateTimeField(_("started"), default=clock.now)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        db_table = "strategy_runs"
        ordering = ["-session", "strategy"]
        constraints = [models.UniqueConstraint(fields=["account", "strategy", "session"], name="uk_run_account_strategy_session")]
        verbose_name, verbose_name_plural = _("strategy run"), _("strategy runs")

    def __str__(self):
        return f"{self.strategy_id} {self.account_id} {self.session}"


class SweepRun(models.Model):
    """A sweep: which parameter sets of a strategy were backtested, on which data, by which code.

    Sets that are no valid ones are counted in `skipped`; `identity` is the digest of all that decides the results.
    """

    class Status(models.TextChoices):
        RUNNING = "RUNNING", _("Running")
        COMPLETED = "COMPLETED", _("Completed")
        FAILED = "FAILED", _("Failed")

    id = models.BigAutoField(primary_key=True)
    strategy = models.ForeignKey(Strategy, models.CASCADE, related_name="sweeps", verbose_name=_("strategy"))
    identity = models.CharField(max_length=64, unique=True, editable=False)
    grid = models.JSONField(_("grid"), help_text=_("[parameter, values] each; the last one runs fastest."))
    sample = models.PositiveIntegerField(_("sample"), null=True, blank=True, help_text=_("How many sets were drawn of the grid."))
    seed = models.PositiveIntegerField(_("seed"), default=0)
    symbols = models.JSONField(_("symbols"))
    first_session = models.DateField(_("first session"))
    last_session = models.DateField(_("last session"))
    settings = models.JSONField(_("account and costs"))
    data_digest = models.CharField(_("digest of the data"), max_length=64)
    code_version = models.CharField(_("code version"), max_length=16)
    status = models.CharField(_("status"), max_length=16, choices=Status.choices, default=Status.RUNNING)
    sets = models.PositiveIntegerField(_("sets"))
    skipped = models.PositiveIntegerField(_("skipped sets"), default=0)
    done = models.PositiveIntegerField(_("finished sets"), default=0)
    error = models.TextField(_("error"), blank=True)
    actor = models.CharField(_("by"), max_length=150, default="system")
    started_at = models.DateTimeField(_("started"), default=clock.now)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        db_table = "sweep_runs"
        ordering = ["-id"]
        verbose_name, verbose_name_plural = _("sweep"), _("sweeps")

    def __str__(self):
        return f"{self.strategy_id} #{self.pk}"

    @property
    def axes(self) -> dict[str, tuple]:
        """Values by parameter. They are stored as a list because a database may put the keys of an object in another order."""
        return {name: tuple(values) for name, values in self.grid}


class SweepResult(models.Model):
    """What one parameter set came to. A number that is undefined is null; `number` is its place in the grid."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(SweepRun, models.CASCADE, db_index=False, related_name="results", verbose_name=_("sweep"))
    number = models.PositiveIntegerField(_("number"))
    params_hash = models.CharField(max_length=32, editable=False)
    params = models.JSONField(_("parameters"))
    trades = models.PositiveIntegerField(_("closed trades"))
    total_return = models.FloatField(_("total return"), null=True, blank=True)
    sharpe_ratio = models.FloatField(_("Sharpe ratio"), null=True, blank=True)
    max_drawdown = models.FloatField(_("deepest drawdown"), null=True, blank=True)
    win_rate = models.FloatField(_("win rate"), null=True, blank=True)
    profit_factor = models.FloatField(_("profit factor"), null=True, blank=True)
    fees = MoneyField(_("commissions"))
    exposure = models.FloatField(_("exposure"), null=True, blank=True)

    class Meta:
        db_table = "sweep_results"
        ordering = ["run", "number"]
        constraints = [
            models.UniqueConstraint(fields=["run", "params_hash"], name="uk_sweep_result_params"),
            models.UniqueConstraint(fields=["run", "number"], name="uk_sweep_result_number"),
        ]
        verbose_name, verbose_name_plural = _("result of a sweep"), _("results of sweeps")

    def __str__(self):
        return f"{self.run_id} {self.number}"
