"""What the tests of the compiled account share: markets in which everything happens to a rule strategy, and its oracle."""

from decimal import Decimal

import numpy as np

from quant_site.market.execution import CostModel
from quant_site.market.panel import Panel
from quant_site.market.sessions import session_array
from strategies.backtest import BacktestResult, BacktestSettings, simulate
from strategies.backtest.engine import columns_of
from strategies.backtest.kernel import run_rules
from strategies.library.mean_reversion import BollingerMeanReversion
from strategies.library.trend_following import BreakoutMomentum, GoldenCross
from strategies.risk import RiskLimits

RULE_STRATEGIES = (BollingerMeanReversion(), BreakoutMomentum(), GoldenCross())
RATIOS = (2, 3, 1.5, 0.1, 0.25, 1 / 3, 7)


def wild_panel(seed: int, symbols: int, sessions: int) -> Panel:
    """Random walks from pennies to thousands, in prices of any precision: gaps, missing bars, late listings, splits into more
    or fewer shares, dividends. The symbols are in no order."""
    rng = np.random.default_rng(seed)
    shape, decimals = (symbols, sessions), int(rng.choice([0, 2, 2, 2, 4, 6, 9]))
    spread = rng.choice([0.005, 0.02, 0.06], size=(symbols, 1))
    moves = rng.normal(0, 1, shape) * spread + rng.normal(0, 0.004, (1, sessions))
    close = 10 ** rng.uniform(-0.5, 3, size=(symbols, 1)) * np.exp(np.cumsum(moves, axis=1))
    opened = close * np.exp(rng.normal(0, 1, shape) * spread * rng.choice([0.0, 0.3, 2.0]))
    near = close[:, :-1] * np.exp(rng.normal(0, 0.2, (symbols, sessions - 1)) * spread)
    opened[:, 1:] = np.where(rng.random((symbols, sessions - 1)) < 0.5, near, opened[:, 1:])
    high = np.maximum(opened, close) * (1 + np.abs(rng.normal(0, 0.5, shape)) * spread)
    low = np.minimum(opened, close) / (1 + np.abs(rng.normal(0, 0.5, shape)) * spread)
    factor = _factor(rng, shape)
    raw = [np.maximum(values / factor, 10.0 ** -min(decimals, 6)) for values in (opened, high, low, close)]
    opened, high, low, close = (np.round(values, decimals) if decimals < 9 else values for values in raw)
    high, low = np.maximum(high, np.maximum(opened, close)), np.minimum(low, np.minimum(opened, close))
    missing = rng.random(shape) < rng.choice([0, 0.02, 0.15])
    missing[-1, : sessions // 3] |= symbols > 1 and rng.random() < 0.5
    volume = 10 ** rng.uniform(3, 7, size=(symbols, 1)) * np.exp(rng.normal(0, 0.3, shape))
    arrays = (opened, high, low, close, volume, np.round(close * factor, 6) / close)
    names = [f"S{i}" for i in range(symbols)]
    rng.shuffle(names)
    days = session_array("2010-01-04", "2014-12-31")[:sessions].copy()
    return Panel(tuple(names), days, *(np.where(missing, np.nan, values) for values in arrays))


def _factor(rng, shape: tuple[int, int]) -> np.ndarray:
    """Up to three splits or dividends a symbol."""
    factor = np.ones(shape)
    for row in factor:
        for _ in range(rng.integers(0, 4)):
            before = row[: int(rng.integers(1, shape[1]))]
            before /= rng.choice(RATIOS) if rng.random() < 0.5 else 1 / (1 - rng.uniform(0.002, 0.05))
    return factor


def quick_params(strategy, seed: int):
    """Parameters with which something happens within a few dozen sessions."""
    rng = np.random.default_rng(seed)
    drawn = {
        "golden_cross": {"fast": rng.integers(5, 12), "slow": rng.integers(20, 40), "entry_window": rng.integers(1, 6)},
        "breakout_momentum": {
            "fast_entry": rng.integers(5, 9),
            "slow_entry": rng.integers(10, 20),
            "fast_exit": rng.integers(2, 5),
            "slow_exit": rng.integers(2, 9),
            "n_window": rng.integers(5, 15),
            "stop_n": rng.choice([0.5, 1, 2, 3.3]),
            "add_n": rng.choice([0.25, 0.5, 1]),
            "max_units": rng.integers(1, 6),
            "skip_after_winner": rng.random() < 0.5,
            "short": rng.random() < 0.7,
        },
        "bollinger_mean_reversion": {
            "window": rng.integers(5, 15),
            "width": rng.choice([0.5, 1, 1.5]),
            "adx_window": 5,
            "adx_limit": rng.choice([40, 100]),
            "atr_window": rng.integers(5, 9),
            "stop_atr": rng.choice([0.5, 1, 2.5]),
            "max_holding": rng.integers(1, 12),
            "short": rng.random() < 0.7,
        },
    }[strategy.key]
    return strategy.Params(**{name: value.item() if isinstance(value, np.generic) else value for name, value in drawn.items()})


def wild_settings(seed: int) -> BacktestSettings:
    """Accounts in which each limit binds now and then, at costs of any kind."""
    rng = np.random.default_rng(seed)
    limits = RiskLimits(
        max_position_pct=float(rng.choice([0.05, 0.2, 0.5, 1, 2])),
        max_gross_exposure=float(rng.choice([0.3, 1, 2, 3])),
        max_drawdown_pct=float(rng.choice([0.04, 0.1, 0.2, 0.9])),
        risk_per_trade_pct=float(rng.choice([0.002, 0.01, 0.05, 0.3])),
        max_adv_pct=float(rng.choice([0.01, 0.1, 1])),
        max_day_trades=int(rng.choice([1, 3, 99])),
        allow_short=bool(rng.random() < 0.8),
    )
    capital = Decimal(str(rng.choice(["1000", "12345.67", "100000", "5000000"])))
    share = rng.choice([1.0, 0.5, 0.0833, None])
    return BacktestSettings(capital, limits, CostModel() if rng.random() < 0.5 else _costs(rng), share)


def _costs(rng) -> CostModel:
    drawn = {
        "commission_per_share": ["0", "0.01", "0.0035"],
        "commission_minimum": ["0", "0.35", "2.5"],
        "commission_cap": ["0.005", "0.01", "0.05"],
        "half_spread_bps": ["0", "1.5", "10"],
        "slippage_bps": ["0", "2.25", "20"],
        "borrow_rate": ["0", "0.003", "0.25"],
    }
    return CostModel(**{name: Decimal(str(rng.choice(values))) for name, values in drawn.items()})


def both(strategy, params, panel: Panel, settings: BacktestSettings, start=None, end=None) -> tuple[BacktestResult, BacktestResult]:
    """The compiled backtest and the general simulation."""
    compiled = run_rules(strategy, params, panel, *columns_of(strategy, panel, start, end), settings)
    return compiled, simulate(strategy, params, panel=panel, start=start, end=end, settings=settings)


def assert_equal(compiled: BacktestResult, simulated: BacktestResult) -> None:
    """All that a backtest says, to the cent and in the same order."""
    for name in ("fills", "trades", "equity", "cash", "gross", "sessions"):
        np.testing.assert_array_equal(getattr(compiled, name), getattr(simulated, name), err_msg=name)
    for name in ("strategy", "params", "symbols", "groups", "drafts", "abstained", "assumptions", "capital"):
        assert getattr(compiled, name) == getattr(simulated, name), name
    assert compiled.metrics == simulated.metrics
    assert refusals(compiled) == refusals(simulated)


def refusals(result: BacktestResult) -> dict[str, int]:
    """Refused entries by code. A strategy that has the whole account is limited by its share and by the account at the same
    amount: which of the two is named hangs on the last bit of a sum, so here they are one."""
    counts = dict(result.rejected)
    counts["GROSS_EXPOSURE"] = counts.get("GROSS_EXPOSURE", 0) + counts.pop("STRATEGY_SHARE", 0)
    return counts
