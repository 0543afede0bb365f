"""The risk limits of an account, as columns. Empty means that nothing is limited by it.

Shares are of equity (0.20 is 20 %), amounts are dollars. `LOOSER` says which way each limit gives more room: a change that
way is a dangerous act, and needs a confirmation.
"""

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from quant_site.core.fields import MoneyField, RatioField

share = [MinValueValidator(Decimal("0")), MaxValueValidator(Decimal("1"))]
positive = [MinValueValidator(Decimal("0"))]


def optional_share(label, **kwargs) -> RatioField:
    return RatioField(label, null=True, blank=True, validators=positive, **kwargs)


class AccountLimits(models.Model):
    """What the risk checks hold an account to, before a signal is taken and again before an order is sent."""

    class DayTradeRule(models.TextChoices):
        LEGACY_COUNT = "LEGACY_COUNT", _("Count in five sessions")
        INTRADAY_MARGIN = "INTRADAY_MARGIN", _("Intraday margin")
        CASH_ACCOUNT = "CASH_ACCOUNT", _("Settled cash only")
        OFF = "OFF", _("Off")

    class OptionsLevel(models.IntegerChoices):
        NONE = 0, _("No options")
        BUY = 1, _("Buying only")
        SPREADS = 2, _("Covered structures")
        ALL = 3, _("Uncovered too")

    # --- what is held
    max_position_pct = RatioField(_("largest single name"), default=Decimal("0.20"), validators=share)
    max_sector_pct = optional_share(_("largest sector"))
    max_group_pct = optional_share(_("largest group of correlated names"))
    group_correlation = RatioField(
        _("correlation that makes a group"), default=Decimal("0.80"), validators=share, help_text=_("Of daily returns over 252 sessions.")
    )
    max_gross_exposure = RatioField(_("largest gross exposure"), default=Decimal("1.00"), validators=positive)
    max_net_exposure = optional_share(_("largest net exposure"), help_text=_("Long less short, either way."))
    max_symbol_notional = MoneyField(_("largest amount in one symbol"), null=True, blank=True, validators=positive)

    # --- what it can lose
    max_drawdown_pct = RatioField(_("drawdown limit"), default=Decimal("0.20"), validators=share)
    drawdown_release_pct = optional_share(
        _("opens again at a drawdown of"),
        help_text=_("After the drawdown limit was reached nothing new is opened until the account has recovered to this. Empty: at once."),
    )
    max_daily_loss_pct = optional_share(_("daily loss limit"), help_text=_("A deeper loss within a session lets the account only reduce."))
    risk_per_trade_pct = RatioField(_("risk per trade"), default=Decimal("0.01"), validators=share)
    max_es_pct = optional_share(_("largest expected shortfall"), help_text=_("Mean loss of the worst days, one in forty."))
    max_stress_pct = optional_share(_("largest loss under stress"), help_text=_("Spot ±5, 10, 20 %, volatility −25, +50, +100 %."))
    max_delta_pct = optional_share(_("largest delta"), help_text=_("Dollars of delta."))
    max_gamma_pct = optional_share(_("largest gamma"), help_text=_("Dollars of gamma per 1 %."))
    max_vega_pct = optional_share(_("largest vega"), help_text=_("Dollars per point of volatility."))
    max_theta_pct = optional_share(_("largest theta"), help_text=_("Dollars a day."))

    # --- what is ordered
    max_order_notional = MoneyField(_("largest order"), null=True, blank=True, validators=positive)
    confirm_above = MoneyField(
        _("confirm orders above"), null=True, blank=True, validators=positive, help_text=_("A larger one waits for a second confirmation.")
    )
    max_adv_pct = RatioField(_("largest share of average daily volume"), default=Decimal("0.01"), validators=share)
    price_collar_pct = optional_share(_("price collar"), help_text=_("How far a limit may lie from the last quote."))
    quote_max_age = models.PositiveIntegerField(_("oldest quote, in seconds"), default=60, help_text=_("For orders sent on a live market."))
    duplicate_window = models.PositiveIntegerField(
        _("duplicates within, in seconds"), default=60, help_text=_("A second equal order needs a confirmation.")
    )
    max_orders_per_minute = models.PositiveIntegerField(_("orders a minute"), null=True, blank=True)
    max_rejects_per_minute = models.PositiveIntegerField(_("refusals a minute"), null=True, blank=True)

    # --- what is allowed
    day_trade_rule = models.CharField(_("day-trade rule"), max_length=16, choices=DayTradeRule.choices, default=DayTradeRule.LEGACY_COUNT)
    max_day_trades = models.PositiveSmallIntegerField(_("day trades in five sessions"), default=3)
    allow_short = models.BooleanField(_("short selling allowed"), default=True)
    options_level = models.PositiveSmallIntegerField(_("options allowed"), choices=OptionsLevel.choices, default=OptionsLevel.ALL)
    close_unprotected = models.BooleanField(
        _("close what has no stop"),
        default=False,
        help_text=_("A position whose stop does not work is closed, not only told of."),
    )
    restricted = models.JSONField(_("barred symbols"), default=list, blank=True)

    class Meta:
        abstract = True


HIGHER, LOWER = "HIGHER", "LOWER"
# Which way a limit gives more room; what is not named is judged by `loosened` itself.
LOOSER = {
    **dict.fromkeys(
        (
            "max_position_pct", "max_sector_pct", "max_group_pct", "group_correlation", "max_gross_exposure", "max_net_exposure",
            "max_symbol_notional", "max_drawdown_pct", "drawdown_release_pct", "max_daily_loss_pct", "risk_per_trade_pct", "max_es_pct",
            "max_stress_pct", "max_delta_pct", "max_gamma_pct", "max_vega_pct", "max_theta_pct", "max_order_notional", "confirm_above",
            "max_adv_pct", "price_collar_pct", "quote_max_age", "max_orders_per_minute", "max_rejects_per_minute", "max_day_trades",
            "allow_short", "options_level",
        ),
        HIGHER,
    ),
    "duplicate_window": LOWER,
    "close_unprotected": LOWER,
}  # fmt: skip
LIMIT_FIELDS = (*LOOSER, "day_trade_rule", "restricted")
# The strictest first: a later one lets more pass.
DAY_TRADE_RULES = ("CASH_ACCOUNT", "LEGACY_COUNT", "INTRADAY_MARGIN", "OFF")


def loosened(name: str, before, after) -> bool:
    """Whether changing limit `name` from `before` to `after` (None: unlimited) gives the account more room."""
    if name == "restricted":
        return not set(before or ()) <= set(after or ())
    if name == "day_trade_rule":
        return DAY_TRADE_RULES.index(after) > DAY_TRADE_RULES.index(before)
    if before is None or after is None:
        return after is None and before is not None
    return after > before if LOOSER[name] == HIGHER else after < before


def limits_loosened(before: dict, after: dict) -> list[str]:
    """The limits that the change from `before` to `after` ({field: value}; other fields are ignored) loosens, by name."""
    return [name for name in LIMIT_FIELDS if name in after and before[name] != after[name] and loosened(name, before[name], after[name])]


def limits_payload(account_id: str, before: dict, after: dict) -> dict:
    """What a confirmation is bound to: every limit that changes, as [before, after] in texts that do not depend on zeros."""
    moved = [name for name in sorted(LIMIT_FIELDS) if name in after and before[name] != after[name]]
    return {"account": account_id, "changes": {name: [plain(before[name]), plain(after[name])] for name in moved}}


def plain(value):
    """A limit as it stands in a payload: 0.30 and 0.3 are one, and so are lists of the same symbols."""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return sorted(value) if isinstance(value, list) else value
