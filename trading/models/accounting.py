"""Positions, cash, equity and the journal: what follows from fills, to the cent."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from quant_site.core import clock
from quant_site.core.fields import MoneyField, PriceField, QuantityField, RatioField, choices
from quant_site.core.models import Account
from quant_site.core.types import Direction
from signals_app.models import DIRECTION_LABELS, TradingSignal
from strategies.models import Strategy


class IndexField(models.DecimalField):
    """A chained index: ten decimals, so that compounding it a day at a time for years does not drift."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **(kwargs | {"max_digits": 20, "decimal_places": 10}))


class Position(models.Model):
    """One leg of one trade of one strategy, from its first fill until it is flat.

    The quantity is in shares or contracts, prices are per share or per unit of an option's underlying, amounts in dollars.
    `cost` is what the open quantity cost, commissions included: positive for a long, negative (proceeds) for a short.
    Market value − cost is the unrealised P&L; realised P&L is net of commissions. At a broker the positions of all
    strategies in a symbol net to one; their signs never differ.
    """

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.CASCADE, db_index=False, related_name="positions", verbose_name=_("account"))
    strategy = models.ForeignKey(Strategy, models.PROTECT, null=True, blank=True, related_name="positions", verbose_name=_("strategy"))
    signal = models.ForeignKey(
        TradingSignal, models.PROTECT, null=True, blank=True, related_name="positions", verbose_name=_("first signal")
    )
    group = models.CharField(_("trade"), max_length=32)
    symbol = models.CharField(_("symbol"), max_length=32)
    direction = models.CharField(_("direction"), max_length=8, choices=choices(Direction, DIRECTION_LABELS))
    open_key = models.CharField(max_length=160, unique=True, null=True, editable=False)
    quantity = QuantityField(_("quantity"), help_text=_("Signed: negative when short."))
    cost = MoneyField(_("cost"))
    realized_pnl = MoneyField(_("realised P&L"), default=0)
    dividends = MoneyField(_("dividends"), default=0, help_text=_("Less what borrowing the shares of a short position cost."))
    commission = MoneyField(_("commission"), default=0)

    units = models.PositiveSmallIntegerField(_("units"), default=1)
    entry_session = models.DateField(_("opened"))
    entry_price = PriceField(_("first entry price"))
    last_entry_price = PriceField(_("last entry price"))
    entry_quantity = QuantityField(_("quantity of all entries"), default=0, help_text=_("Unsigned, in shares as they are after splits."))
    peak_quantity = QuantityField(_("largest quantity"), help_text=_("Unsigned."))
    entry_cost = MoneyField(_("cost of all entries"), help_text=_("Signed like the cost, commissions included."))
    initial_risk = MoneyField(_("loss at the first stop"), null=True, blank=True, help_text=_("Of the first unit; empty without a stop."))
    initial_stop = PriceField(_("first stop"), null=True, blank=True)
    stop_price = PriceField(_("stop"), null=True, blank=True)
    target_price = PriceField(_("target"), null=True, blank=True)
    mark_price = PriceField(_("mark"), null=True, blank=True)
    mark_session = models.DateField(_("marked"), null=True, blank=True)
    market_value = MoneyField(_("market value"), default=0)
    unrealized_pnl = MoneyField(_("unrealised P&L"), default=0)
    best_pnl = MoneyField(
        _("best P&L while open"), default=0, help_text=_("At closes and at its own exit; dividends and realised parts included.")
    )
    worst_pnl = MoneyField(_("worst P&L while open"), default=0)
    exit_session = models.DateField(_("closed"), null=True, blank=True)
    exit_price = PriceField(_("average exit price"), null=True, blank=True)
    exit_reason = models.CharField(_("exit"), max_length=16, blank=True)
    adjustments = models.JSONField(
        _("changes without an order"),
        default=list,
        blank=True,
        help_text=_("Splits: [{session, ratio, before, after, cash}]; settlements of options: kind and per_unit instead of ratio."),
    )
    metadata = models.JSONField(_("metadata"), default=dict, blank=True)
    created_at = models.DateTimeField(_("created"), default=clock.now)
    updated_at = models.DateTimeField(_("updated"), default=clock.now)

    class Meta:
        db_table = "positions"
        ordering = ["-entry_session", "symbol", "id"]
        indexes = [
            # With the symbol, so that open positions in the order of their symbols are read without their closed history.
            models.Index(fields=["account", "exit_session", "symbol"], name="idx_position_account_exit"),
            models.Index(fields=["account", "symbol"], name="idx_position_account_symbol"),
        ]
        verbose_name, verbose_name_plural = _("position"), _("positions")

    def __str__(self):
        return f"{self.symbol} {self.quantity.normalize():f}"


class CashEntry(models.Model):
    """One movement of cash. The balance is the sum; `key` makes writing it twice impossible."""

    class Kind(models.TextChoices):
        DEPOSIT = "DEPOSIT", _("Deposit")
        WITHDRAWAL = "WITHDRAWAL", _("Withdrawal")
        TRADE = "TRADE", _("Trade")
        COMMISSION = "COMMISSION", _("Commission")
        DIVIDEND = "DIVIDEND", _("Dividend")
        CASH_IN_LIEU = "CASH_IN_LIEU", _("Cash in lieu")
        BORROW = "BORROW", _("Borrowing of shares")
        EXPIRY = "EXPIRY", _("Expiry of options")
        ASSIGNMENT = "ASSIGNMENT", _("Assignment of options")

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.CASCADE, db_index=False, related_name="cash_entries", verbose_name=_("account"))
    key = models.CharField(max_length=120)
    session = models.DateField(_("session"))
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices)
    amount = MoneyField(_("amount"))
    symbol = models.CharField(_("symbol"), max_length=32, blank=True)
    memo = models.CharField(_("memo"), max_length=255, blank=True)
    created_at = models.DateTimeField(_("created"), default=clock.now)

    class Meta:
        db_table = "cash_entries"
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["account", "key"], name="uk_cash_account_key")]
        indexes = [models.Index(fields=["account", "session"], name="idx_cash_account_session")]
        verbose_name, verbose_name_plural = _("cash entry"), _("cash entries")

    def __str__(self):
        return f"{self.session} {self.kind} {self.amount}"


class EquitySnapshot(models.Model):
    """The account at the close of a session."""

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.CASCADE, db_index=False, related_name="equity_snapshots", verbose_name=_("account"))
    snapshot_date = models.DateField(_("session"))
    total_equity = MoneyField(_("equity"))
    cash = MoneyField(_("cash"), default=0)
    market_value = MoneyField(_("market value"), default=0)
    gross_exposure = MoneyField(_("gross exposure"), default=0)
    realized_pnl = MoneyField(_("realised P&L"), default=0, help_text=_("Since the start, dividends included."))
    unrealized_pnl = MoneyField(_("unrealised P&L"), default=0)
    closed_pnl = MoneyField(_("P&L of closed trades"), default=0, help_text=_("Since the start, dividends included."))
    net_flow = MoneyField(_("deposits less withdrawals"), default=0)
    daily_return = RatioField(_("daily return"), null=True, blank=True)
    cumulative_return = RatioField(_("time-weighted return"), null=True, blank=True)
    unit_value = IndexField(
        _("value of one unit"), null=True, blank=True, help_text=_("1 at the first deposit, compounded by the daily returns.")
    )
    peak_unit_value = IndexField(_("highest value of one unit"), null=True, blank=True)
    drawdown_pct = RatioField(_("drawdown"), null=True, blank=True)
    max_drawdown_pct = RatioField(_("deepest drawdown"), null=True, blank=True)
    benchmark_return = RatioField(_("benchmark's daily return"), null=True, blank=True)
    benchmark_symbol = models.CharField(_("benchmark"), max_length=32, blank=True)
    open_positions = models.PositiveIntegerField(_("open positions"), default=0)
    created_at = models.DateTimeField(_("created"), default=clock.now)

    class Meta:
        db_table = "equity_snapshots"
        ordering = ["-snapshot_date"]
        constraints = [models.UniqueConstraint(fields=["account", "snapshot_date"], name="uk_account_date")]
        verbose_name, verbose_name_plural = _("equity snapshot"), _("equity snapshots")

    def __str__(self):
        return f"{self.account_id} {self.snapshot_date}"


class TradeJournal(models.Model):
    """One closed trade leg: drafted by the system, completed and reviewed by a person."""

    class Status(models.TextChoices):
        DRAFT = "DRAFT", _("Draft")
        COMPLETED = "COMPLETED", _("Completed")
        REVIEWED = "REVIEWED", _("Reviewed")

    class Emotion(models.TextChoices):
        CALM = "calm", _("Calm")
        ANXIOUS = "anxious", _("Anxious")
        REVENGE = "revenge", _("Revenge")
        FOMO = "fomo", _("Fear of missing out")
        GREEDY = "greedy", _("Greedy")

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.CASCADE, db_index=False, related_name="journal", verbose_name=_("account"))
    position = models.OneToOneField(
        Position, models.PROTECT, null=True, blank=True, related_name="journal_entry", verbose_name=_("position")
    )
    strategy = models.ForeignKey(Strategy, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("strategy"))
    symbol = models.CharField(_("symbol"), max_length=32)
    direction = models.CharField(_("direction"), max_length=8, choices=choices(Direction, DIRECTION_LABELS))
    entry_date = models.DateField(_("opened"), null=True, blank=True)
    exit_date = models.DateField(_("closed"), null=True, blank=True)
    entry_price = PriceField(_("entry"), null=True, blank=True)
    exit_price = PriceField(_("exit"), null=True, blank=True)
    quantity = QuantityField(_("quantity"), null=True, blank=True)
    realized_pnl = MoneyField(_("realised P&L"), null=True, blank=True, help_text=_("Net of commissions, dividends included."))
    exit_reason = models.CharField(_("exit"), max_length=16, blank=True)
    plan_id = models.IntegerField(_("plan"), null=True, blank=True)
    execution_quality = models.PositiveSmallIntegerField(
        _("execution, 1 to 5"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(5)]
    )
    emotion_state = models.CharField(_("emotion"), max_length=16, blank=True, choices=Emotion.choices)
    mistake_tags = models.JSONField(_("mistakes"), default=list, blank=True)
    lesson_learned = models.TextField(_("lesson"), blank=True)
    ai_review = models.TextField(_("AI review"), blank=True)
    journal_status = models.CharField(_("status"), max_length=16, choices=Status.choices, default=Status.DRAFT)
    created_at = models.DateTimeField(_("created"), default=clock.now)
    updated_at = models.DateTimeField(_("updated"), default=clock.now)

    class Meta:
        db_table = "trade_journal"
        ordering = ["-exit_date", "-id"]
        indexes = [models.Index(fields=["account", "entry_date"], name="idx_journal_account_date")]
        verbose_name, verbose_name_plural = _("journal entry"), _("trade journal")

    def __str__(self):
        return f"{self.exit_date} {self.direction} {self.symbol}"
