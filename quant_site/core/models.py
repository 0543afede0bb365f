"""Accounts, the audit log, the outbox of events, and the record of the loop's runs."""

import uuid
from decimal import Decimal

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from quant_site.core import clock
from quant_site.core.fields import MoneyField, choices
from quant_site.core.limits import AccountLimits
from quant_site.core.types import Mode

account_id_validator = RegexValidator(
    r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", _("Use letters, digits, dot, dash and underscore; at most 64 characters.")
)
EVERY_ACCOUNT = "all"  # where an account can be named, this word names each of them


class Account(AccountLimits):
    """A pot of money with an owner, a broker, a mode and its own risk limits."""

    class Broker(models.TextChoices):
        PAPER = "paper", _("Paper broker")
        TIGER = "tiger", _("Tiger Brokers")

    class State(models.TextChoices):
        ACTIVE = "ACTIVE", _("Active")
        REDUCING = "REDUCING", _("Reducing only")
        HALTED = "HALTED", _("Halted")

    id = models.CharField(_("account"), max_length=64, primary_key=True, validators=[account_id_validator])
    name = models.CharField(_("name"), max_length=128, blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="owned_accounts", null=True, blank=True, verbose_name=_("owner")
    )
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="AccountMember", related_name="shared_accounts", verbose_name=_("members")
    )
    broker = models.CharField(_("broker"), max_length=16, choices=Broker.choices, default=Broker.PAPER)
    broker_account = models.CharField(
        _("number at the broker"), max_length=64, blank=True, help_text=_("Empty: the one that the environment names.")
    )
    mode = models.CharField(_("mode"), max_length=8, choices=choices(Mode), default=Mode.DRY_RUN)
    state = models.CharField(_("trading state"), max_length=10, choices=State.choices, default=State.ACTIVE)
    state_reason = models.CharField(_("reason for the state"), max_length=255, blank=True)
    base_currency = models.CharField(_("base currency"), max_length=3, default="USD")
    benchmark = models.CharField(
        _("benchmark"), max_length=32, blank=True, help_text=_("Empty: SPY where it is stored, else the S&P 500 index.")
    )
    universe = models.JSONField(_("symbols"), default=list, blank=True, help_text=_("Empty: every tradable instrument."))
    initial_cash = MoneyField(_("initial cash"), default=Decimal("100000.00"))
    is_replay = models.BooleanField(_("belongs to a replay"), default=False, help_text=_("A replay account never runs on the live clock."))

    created_at = models.DateTimeField(_("created"), default=clock.now, editable=False)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        db_table = "accounts"
        ordering = ["id"]
        verbose_name, verbose_name_plural = _("account"), _("accounts")

    def __str__(self):
        return self.id

    def clean(self):
        if self.mode == Mode.REAL and (self.broker != self.Broker.TIGER or self.is_replay):
            raise ValidationError(_("Only an account at Tiger Brokers that belongs to no replay can be real."))
        if self.id.casefold() == EVERY_ACCOUNT:
            raise ValidationError(_("This name stands for every account; choose another."))


class AccountMember(models.Model):
    class Role(models.TextChoices):
        READ = "READ", _("may look")
        TRADE = "TRADE", _("may trade")

    account = models.ForeignKey(Account, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="account_memberships")
    role = models.CharField(_("role"), max_length=8, choices=Role.choices, default=Role.READ)

    class Meta:
        db_table = "account_members"
        constraints = [models.UniqueConstraint(fields=["account", "user"], name="uk_account_user")]
        verbose_name, verbose_name_plural = _("account member"), _("account members")

    def __str__(self):
        return f"{self.user_id} {self.account_id}"


class Confirmation(models.Model):
    """A person's fresh word for one dangerous act: bound to exactly what is done, good for minutes, used once."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("user"))
    action = models.CharField(_("action"), max_length=32)
    payload_hash = models.CharField(_("hash of what is done"), max_length=64)
    created_at = models.DateTimeField(_("given"), default=clock.now)
    expires_at = models.DateTimeField(_("expires"))
    used_at = models.DateTimeField(_("used"), null=True, blank=True)

    class Meta:
        db_table = "confirmations"
        ordering = ["-created_at"]
        verbose_name, verbose_name_plural = _("confirmation"), _("confirmations")

    def __str__(self):
        return f"{self.action} {self.user_id}"


class AuditLog(models.Model):
    """Who did what to which resource. Append-only."""

    id = models.BigAutoField(primary_key=True)
    account_id = models.CharField(_("account"), max_length=64, blank=True)
    actor = models.CharField(_("actor"), max_length=150, default="system", help_text=_("User name, or the part of the system."))
    action_type = models.CharField(_("action"), max_length=32)
    resource_type = models.CharField(_("resource"), max_length=32, blank=True)
    resource_id = models.CharField(_("resource id"), max_length=64, blank=True)
    details = models.JSONField(_("details"), default=dict, blank=True)
    ip_address = models.CharField(_("address"), max_length=45, blank=True)
    user_agent = models.TextField(_("user agent"), blank=True)
    created_at = models.DateTimeField(_("at"), default=clock.now)

    class Meta:
        db_table = "audit_logs"
        ordering = ["-id"]
        indexes = [models.Index(fields=["account_id", "created_at"], name="idx_audit_account_time")]
        verbose_name, verbose_name_plural = _("audit entry"), _("audit log")

    def __str__(self):
        return f"{self.action_type} {self.resource_type} {self.resource_id}".strip()


class OutboxEvent(models.Model):
    """An event written in the transaction that made it true; web processes tail this table and push it."""

    id = models.BigAutoField(primary_key=True)
    type = models.CharField(_("type"), max_length=48)
    account_id = models.CharField(_("account"), max_length=64, blank=True, help_text=_("Empty: for everybody."))
    payload = models.JSONField(_("payload"), default=dict)
    at = models.DateTimeField(_("at"), default=clock.now)

    class Meta:
        db_table = "outbox_events"
        ordering = ["id"]
        indexes = [models.Index(fields=["account_id", "id"], name="idx_outbox_account")]
        verbose_name, verbose_name_plural = _("event"), _("events")

    def __str__(self):
        return f"{self.type} {self.pk}"


class LoopRun(models.Model):
    """One pass of the loop over one session of one account."""

    class Kind(models.TextChoices):
        REPLAY = "REPLAY", _("Replay")
        LIVE = "LIVE", _("Live")

    class Status(models.TextChoices):
        RUNNING = "RUNNING", _("Running")
        DONE = "DONE", _("Done")
        FAILED = "FAILED", _("Failed")

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.CASCADE, db_index=False, related_name="loop_runs", verbose_name=_("account"))
    session = models.DateField(_("session"))
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    status = models.CharField(_("status"), max_length=8, choices=Status.choices, default=Status.RUNNING)
    data_as_of = models.DateField(_("data as of"), null=True, blank=True)
    data_source = models.CharField(_("data source"), max_length=128, blank=True)
    error = models.TextField(_("error"), blank=True)
    started_at = models.DateTimeField(_("started"))
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        db_table = "loop_runs"
        ordering = ["-session", "-id"]
        constraints = [models.UniqueConstraint(fields=["account", "session"], name="uk_loop_account_session")]
        verbose_name, verbose_name_plural = _("loop run"), _("loop runs")

    def __str__(self):
        return f"{self.account_id} {self.session}"


class LoopStage(models.Model):
    """What one stage of a run did. `detail` is what it reports; `wall_ms` is how long it took."""

    class Status(models.TextChoices):
        DONE = "DONE", _("Done")
        SKIPPED = "SKIPPED", _("Skipped")
        FAILED = "FAILED", _("Failed")

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(LoopRun, models.CASCADE, related_name="stages")
    position = models.PositiveSmallIntegerField(_("number"))
    name = models.CharField(_("stage"), max_length=32)
    status = models.CharField(_("status"), max_length=8, choices=Status.choices)
    detail = models.JSONField(_("detail"), default=dict)
    error = models.TextField(_("error"), blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=1)
    wall_ms = models.PositiveIntegerField(_("milliseconds"), default=0)
    finished_at = models.DateTimeField(_("finished"))

    class Meta:
        db_table = "loop_stages"
        ordering = ["run", "position"]
        constraints = [models.UniqueConstraint(fields=["run", "name"], name="uk_stage_run_name")]
        verbose_name, verbose_name_plural = _("loop stage"), _("loop stages")

    def __str__(self):
        return self.name


class ApiLogin(models.Model):
    """One login through the API. Its access and refresh tokens carry its id, and are worth nothing once it is revoked.

    `refresh_jti` names the one refresh token that is still good; an older one that comes back was stolen or copied.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_logins", verbose_name=_("user"))
    refresh_jti = models.CharField(max_length=32, editable=False)
    ip_address = models.CharField(_("address"), max_length=45, blank=True)
    user_agent = models.CharField(_("user agent"), max_length=255, blank=True)
    created_at = models.DateTimeField(_("logged in"), default=clock.now)
    refreshed_at = models.DateTimeField(_("last refreshed"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    revoked_reason = models.CharField(_("why it was revoked"), max_length=32, blank=True)

    class Meta:
        db_table = "api_logins"
        ordering = ["-created_at"]
        verbose_name, verbose_name_plural = _("API login"), _("API logins")

    def __str__(self):
        return str(self.pk)


class IdempotencyKey(models.Model):
    """The answer to an unsafe request that came with a key, so that sending it again does not do it again."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("user"))
    key = models.CharField(_("key"), max_length=128)
    request = models.CharField(_("request"), max_length=255, help_text=_("Method and path."))
    body_hash = models.CharField(_("body hash"), max_length=64)
    status = models.PositiveSmallIntegerField(_("status"), default=0)
    response = models.JSONField(_("response"), null=True, encoder=DjangoJSONEncoder)
    created_at = models.DateTimeField(_("at"), default=clock.now)

    class Meta:
        db_table = "idempotency_keys"
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="uk_idempotency_user_key")]
        indexes = [models.Index(fields=["created_at"], name="idx_idempotency_created")]
        verbose_name, verbose_name_plural = _("idempotency key"), _("idempotency keys")

    def __str__(self):
        return self.key
