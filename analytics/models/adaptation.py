"""What the optimiser tried, proposed, changed and took back. Nothing here is ever edited away: a decision is a row."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from quant_site.core import clock
from quant_site.core.fields import RatioField
from quant_site.core.models import Account
from strategies.models import ParameterVersion, Strategy


class Adaptation(models.Model):
    """A change the optimiser made, or decided not to make, with its evidence."""

    class Lane(models.TextChoices):
        """Less risk and weights within a band move by themselves; parameters by challengers; more risk by a person."""

        DERISK = "DERISK", _("Less risk")
        WEIGHTS = "WEIGHTS", _("Weights")
        PARAMETERS = "PARAMETERS", _("Parameters")

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.CASCADE, db_index=False, related_name="adaptations", verbose_name=_("account"))
    strategy = models.ForeignKey(Strategy, models.PROTECT, related_name="adaptations", verbose_name=_("strategy"))
    session = models.DateField(_("session"))
    lane = models.CharField(_("lane"), max_length=16, choices=Lane.choices, default=Lane.WEIGHTS)
    weight_before = RatioField(_("weight before"))
    weight_after = RatioField(_("weight after"))
    version = models.ForeignKey(ParameterVersion, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("version"))
    challenger = models.ForeignKey(
        "Challenger", models.PROTECT, null=True, blank=True, related_name="adaptations", verbose_name=_("challenger")
    )
    evidence = models.JSONField(_("evidence"), default=dict)
    reason = models.CharField(_("reason"), max_length=255)
    created_at = models.DateTimeField(_("created"), default=clock.now)

    class Meta:
        db_table = "adaptations"
        ordering = ["-session", "strategy"]
        constraints = [models.UniqueConstraint(fields=["account", "strategy", "session", "lane"], name="uk_adaptation")]
        verbose_name, verbose_name_plural = _("adaptation"), _("adaptations")

    def __str__(self):
        return f"{self.session} {self.lane} {self.weight_before} → {self.weight_after}"


class Trial(models.Model):
    """One parameter set that was evaluated. Kept for ever, because what was tried decides what the best of it is worth.

    `returns` are the daily ones, little-endian float32 compressed with zlib; the Sharpe ratio is per session.
    """

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.CASCADE, db_index=False, related_name="trials", verbose_name=_("account"))
    strategy = models.ForeignKey(Strategy, models.PROTECT, related_name="trials", verbose_name=_("strategy"))
    session = models.DateField(_("session"))
    params = models.JSONField(_("parameters"))
    params_hash = models.CharField(max_length=32, editable=False)
    role = models.CharField(_("role"), max_length=16, help_text=_("CHAMPION, CANDIDATE or NEIGHBOUR."))
    data_digest = models.CharField(_("digest of the data"), max_length=64)
    code_version = models.CharField(_("code version"), max_length=16)
    seed = models.PositiveIntegerField(_("seed"), default=0)
    first_session = models.DateField(_("first session"))
    last_session = models.DateField(_("last session"))
    n = models.PositiveIntegerField(_("sessions"))
    sharpe = models.FloatField(_("Sharpe ratio per session"), null=True, blank=True)
    returns = models.BinaryField(editable=False)
    created_at = models.DateTimeField(_("created"), default=clock.now)

    class Meta:
        db_table = "parameter_trials"
        ordering = ["-session", "strategy", "id"]
        constraints = [models.UniqueConstraint(fields=["account", "strategy", "session", "params_hash"], name="uk_trial")]
        indexes = [models.Index(fields=["strategy", "params_hash"], name="idx_trial_params")]
        verbose_name, verbose_name_plural = _("trial"), _("trials")

    def __str__(self):
        return f"{self.session} {self.strategy_id} {self.params}"


class HoldoutUse(models.Model):
    """A stretch of sessions that was looked at once to confirm a candidate, and is spent."""

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.CASCADE, db_index=False, related_name="holdout_uses", verbose_name=_("account"))
    strategy = models.ForeignKey(Strategy, models.PROTECT, related_name="+", verbose_name=_("strategy"))
    session = models.DateField(_("session"))
    first_session = models.DateField(_("first session"))
    last_session = models.DateField(_("last session"))
    passed = models.BooleanField(_("passed"))
    evidence = models.JSONField(_("evidence"), default=dict)
    created_at = models.DateTimeField(_("created"), default=clock.now)

    class Meta:
        db_table = "holdout_uses"
        ordering = ["-session", "strategy"]
        constraints = [models.UniqueConstraint(fields=["account", "strategy", "first_session"], name="uk_holdout_use")]
        verbose_name, verbose_name_plural = _("use of a holdout"), _("uses of holdouts")

    def __str__(self):
        return f"{self.strategy_id} {self.first_session} – {self.last_session}"


class Challenger(models.Model):
    """A parameter set that stands against the one in force: in shadow, then in force on probation, then confirmed or taken back.

    `change` is {name: [before, after]}, one parameter. `gate` is the evidence that let it in, `state` what its tests carry from
    session to session.
    """

    class Status(models.TextChoices):
        SHADOW = "SHADOW", _("In shadow")
        PROBATION = "PROBATION", _("In force, on probation")
        CONFIRMED = "CONFIRMED", _("Confirmed")
        ROLLED_BACK = "ROLLED_BACK", _("Taken back")
        DROPPED = "DROPPED", _("Dropped")
        VETOED = "VETOED", _("Vetoed")

    LIVE = (Status.SHADOW, Status.PROBATION)

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.CASCADE, db_index=False, related_name="challengers", verbose_name=_("account"))
    strategy = models.ForeignKey(Strategy, models.PROTECT, related_name="challengers", verbose_name=_("strategy"))
    status = models.CharField(_("status"), max_length=16, choices=Status.choices, default=Status.SHADOW)
    change = models.JSONField(_("change"), help_text=_("{name: [before, after]}"))
    champion = models.JSONField(_("parameters in force"))
    gate = models.JSONField(_("evidence of the gate"), default=dict)
    state = models.JSONField(default=dict, blank=True, editable=False)
    started = models.DateField(_("in shadow since"))
    sessions = models.PositiveIntegerField(_("sessions in shadow"), default=0)
    evidence = models.FloatField(_("evidence"), default=1.0, help_text=_("The value of the e-process; promotion needs the threshold."))
    threshold = models.FloatField(_("threshold"))
    promoted = models.DateField(_("promoted"), null=True, blank=True)
    ended = models.DateField(_("ended"), null=True, blank=True)
    reason = models.CharField(_("why"), max_length=255, blank=True)
    previous_version = models.ForeignKey(
        ParameterVersion, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("version before")
    )
    version = models.ForeignKey(ParameterVersion, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("version"))
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by"))
    created_at = models.DateTimeField(_("created"), default=clock.now)

    class Meta:
        db_table = "challengers"
        ordering = ["-started", "strategy", "id"]
        indexes = [models.Index(fields=["account", "status"], name="idx_challenger_status")]
        verbose_name, verbose_name_plural = _("challenger"), _("challengers")

    def __str__(self):
        return f"{self.strategy_id} {self.change}"


class ShadowDay(models.Model):
    """One session of a challenger beside the parameters it stands against, both with modelled costs."""

    id = models.BigAutoField(primary_key=True)
    challenger = models.ForeignKey(Challenger, models.CASCADE, db_index=False, related_name="days", verbose_name=_("challenger"))
    session = models.DateField(_("session"))
    champion_return = models.FloatField(_("return in force"))
    challenger_return = models.FloatField(_("return of the challenger"))
    evidence = models.FloatField(_("evidence"))

    class Meta:
        db_table = "shadow_days"
        ordering = ["challenger", "session"]
        constraints = [models.UniqueConstraint(fields=["challenger", "session"], name="uk_shadow_day")]
        verbose_name, verbose_name_plural = _("shadow session"), _("shadow sessions")

    def __str__(self):
        return f"{self.session} {self.evidence:.3g}"


class Pin(models.Model):
    """A person's word that the optimiser leaves a strategy's weight, or its parameters, as they are."""

    class What(models.TextChoices):
        WEIGHT = "WEIGHT", _("Weight")
        PARAMETERS = "PARAMETERS", _("Parameters")

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.CASCADE, db_index=False, related_name="pins", verbose_name=_("account"))
    strategy = models.ForeignKey(Strategy, models.PROTECT, related_name="pins", verbose_name=_("strategy"))
    what = models.CharField(_("what"), max_length=16, choices=What.choices)
    reason = models.CharField(_("why"), max_length=255)
    pinned_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("by"))
    pinned_at = models.DateTimeField(_("pinned"), default=clock.now)

    class Meta:
        db_table = "pins"
        ordering = ["strategy", "what"]
        constraints = [models.UniqueConstraint(fields=["account", "strategy", "what"], name="uk_pin")]
        verbose_name, verbose_name_plural = _("pin"), _("pins")

    def __str__(self):
        return f"{self.account_id} {self.strategy_id} {self.what}"
