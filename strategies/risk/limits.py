"""`RiskLimits`: what an account may hold, lose and order, as plain numbers."""

from dataclasses import dataclass

# How day trades are held back (`core.limits`, by its values: this package knows no database).
LEGACY_COUNT, INTRADAY_MARGIN, CASH_ACCOUNT, NO_DAY_TRADE_RULE = "LEGACY_COUNT", "INTRADAY_MARGIN", "CASH_ACCOUNT", "OFF"
# What of options is allowed.
NO_OPTIONS, BUYING_ONLY, COVERED_ONLY, ALL_OPTIONS = range(4)

# None where nothing is limited, and of no matter to how an order is sent.
OPTIONAL = (
    "max_sector_pct", "max_group_pct", "max_net_exposure", "max_symbol_notional", "max_order_notional", "max_es_pct", "max_stress_pct",
    "max_delta_pct", "max_gamma_pct", "max_vega_pct", "max_theta_pct", "drawdown_release_pct",
)  # fmt: skip


@dataclass(frozen=True)
class RiskLimits:
    """The columns of an account's limits under their own names. Shares are of equity, notionals dollars, ages seconds; None
    limits nothing.

    `max_day_trades` is a count in five sessions. `restricted` are barred symbols; who bars an underlying bars its options.
    """

    max_position_pct: float
    max_gross_exposure: float
    max_drawdown_pct: float
    risk_per_trade_pct: float
    max_adv_pct: float
    max_day_trades: int
    allow_short: bool
    max_sector_pct: float | None = None
    max_group_pct: float | None = None
    group_correlation: float = 0.80
    max_net_exposure: float | None = None
    max_symbol_notional: float | None = None
    drawdown_release_pct: float | None = None
    max_daily_loss_pct: float | None = None
    max_es_pct: float | None = None
    max_stress_pct: float | None = None
    max_delta_pct: float | None = None
    max_gamma_pct: float | None = None
    max_vega_pct: float | None = None
    max_theta_pct: float | None = None
    max_order_notional: float | None = None
    confirm_above: float | None = None
    price_collar_pct: float | None = None
    quote_max_age: int = 60
    duplicate_window: int = 60
    max_orders_per_minute: int | None = None
    max_rejects_per_minute: int | None = None
    day_trade_rule: str = LEGACY_COUNT
    options_level: int = ALL_OPTIONS
    restricted: tuple[str, ...] = ()

    def __post_init__(self):
        # Rows and stored settings hold a list.
        object.__setattr__(self, "restricted", tuple(sorted(self.restricted)))

    @property
    def plain(self) -> bool:
        """Whether nothing is limited but what every account limits: the compiled backtest knows these limits alone."""
        unlimited = all(getattr(self, name) is None for name in OPTIONAL)
        return unlimited and self.day_trade_rule == LEGACY_COUNT and not self.restricted
