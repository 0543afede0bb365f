"""The peers of `benchmarks.evaluation`: pandas and empyrical over every row, and cross-validation one split after the other."""

from itertools import combinations, islice

import empyrical
import numpy as np
import pandas as pd
from django.db import connection

from analytics.models import Attribution, DailyPerformance

TABLES = {
    "positions": "id, strategy_id, symbol, entry_session, exit_session, realized_pnl, dividends, unrealized_pnl, market_value, exit_reason",
    "fills": "order_id, session, symbol, side, quantity, price, amount, commission, slippage",
    "orders": "id, position_id, purpose, decision_price",
    "equity_snapshots": "snapshot_date, total_equity, net_flow, gross_exposure, daily_return, benchmark_return",
    "cash_entries": "session, kind, amount",
    "trading_signals": "id, strategy_id, session, signal_status",
    "missed_outcomes": "signal_id, session, entry_session, result",
}


def table(name: str) -> pd.DataFrame:
    columns = [column.strip() for column in TABLES[name].split(",")]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(columns)} FROM {name}")
        frame = pd.DataFrame(cursor.fetchall(), columns=columns)
    days = [column for column in columns if column.endswith(("session", "date"))]
    return frame.assign(**{column: frame[column].astype(str).where(frame[column].notna(), None) for column in days})


def figures(history) -> dict:
    """By strategy's id what a judgement says, and where the last session's profit came from."""
    read = {name: table(name) for name in TABLES}
    positions, equity = read["positions"], read["equity_snapshots"].sort_values("snapshot_date")
    fills = read["fills"].merge(read["orders"], left_on="order_id", right_on="id", suffixes=("", "_order"))
    fills = fills.merge(positions[["id", "strategy_id"]], left_on="position_id", right_on="id", suffixes=("", "_position"))
    daily, by_symbol = made(history, fills)
    worth = equity["total_equity"].to_numpy()
    returns = daily.iloc[1:].div(worth[:-1], axis=0)
    account = {"sharpe": empyrical.sharpe_ratio(equity["daily_return"]), "drawdown": empyrical.max_drawdown(equity["daily_return"])}
    return {
        "account": account | {"exposure": (equity["gross_exposure"] / worth).mean(), "made": daily.iloc[-1].sum()},
        "strategies": {key: judgement(positions[positions["strategy_id"] == key], returns[key]) for key in daily},
        "symbols": by_symbol,
        "stages": stages(history, read, fills),
        "findings": looks(read, returns, fills),
    }


def made(history, fills: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """P&L of each session and strategy, and of the last session by symbol, from fills and closes."""
    days = [str(day) for day in history.days]
    closes = pd.DataFrame(history.closes.T / 100, index=days, columns=list(history.symbols))
    signed = fills.assign(signed=np.where(fills["side"] == "BUY", fills["quantity"], -fills["quantity"]))
    flow = signed.assign(flow=-signed["signed"] * signed["price"] - signed["commission"])
    daily, last = {}, 0.0
    for key, own in flow.groupby("strategy_id"):
        held = own.pivot_table(index="session", columns="symbol", values="signed", aggfunc="sum").reindex(days).fillna(0).cumsum()
        paid = own.pivot_table(index="session", columns="symbol", values="flow", aggfunc="sum").reindex(days).fillna(0)
        profit = (held * closes[held.columns]).diff().fillna(0) + paid
        daily[key] = profit.sum(axis=1)
        last = profit.iloc[-1].add(last, fill_value=0)
    return pd.DataFrame(daily), last


def judgement(positions: pd.DataFrame, returns: pd.Series) -> dict:
    closed = positions[positions["exit_session"].notna()]
    result = closed["realized_pnl"] + closed["dividends"]
    entered, left = pd.to_datetime(closed["entry_session"]), pd.to_datetime(closed["exit_session"])
    return {
        "trades": len(closed),
        "win_rate": (result > 0).mean(),
        "profit_factor": result[result > 0].sum() / -result[result < 0].sum(),
        "holding": np.busday_count(entered.to_numpy().astype("datetime64[D]"), left.to_numpy().astype("datetime64[D]")).mean(),
        "sharpe": empyrical.sharpe_ratio(returns),
        "drawdown": empyrical.max_drawdown(returns),
    }


def stages(history, read: dict[str, pd.DataFrame], fills: pd.DataFrame) -> dict:
    day = str(history.session)
    today, cash, missed = (frame[frame["session"] == day] for frame in (fills, read["cash_entries"], read["missed_outcomes"]))
    side = np.where(today["side"] == "BUY", 1, -1)
    opens = today["symbol"].map(dict(zip(history.symbols, history.opens[:, -1] / 100, strict=True)))
    return {
        "TIMING": (side * (today["decision_price"] - opens) * today["quantity"]).sum(),
        "PRICE": (side * (opens - today["price"]) * today["quantity"]).sum(),
        "FEE": cash.loc[cash["kind"] == "COMMISSION", "amount"].sum(),
        "REJECTION": -missed["result"].sum(),
    }


def looks(read: dict[str, pd.DataFrame], returns: pd.DataFrame, fills: pd.DataFrame) -> dict:
    """What the week's findings look at."""
    signals, recent = read["trading_signals"], fills["session"] >= sorted(fills["session"])[-252]
    owned = read["missed_outcomes"].merge(signals, left_on="signal_id", right_on="id", suffixes=("", "_signal"))
    entries = fills[recent & (fills["purpose"] == "ENTRY")]
    return {
        "rejected": signals.groupby("strategy_id")["signal_status"].apply(lambda status: (status == "REJECTED").mean()),
        "slippage": (1e4 * entries["slippage"] / entries["amount"]).groupby(entries["strategy_id"]).agg(["mean", "sem"]),
        "missed": owned.groupby("strategy_id")["result"].agg(["mean", "sem"]),
        "correlations": returns.tail(252).corr(),
    }


def agrees(history, found: dict) -> bool:
    """Whether ours say the same, where both round alike."""
    whole = DailyPerformance.objects.get(account=history.account, session=history.session, scope="ALL")
    same = [abs(float(whole.pnl) - found["account"]["made"]) < 0.005, abs(float(whole.exposure) - found["account"]["exposure"]) < 1e-4]
    for row in DailyPerformance.objects.filter(account=history.account, session=history.session).exclude(strategy=None):
        own = found["strategies"][row.strategy_id]
        same += [row.closed_trades == own["trades"], abs(float(row.win_rate) - own["win_rate"]) < 1e-4]
        same += [abs(float(row.profit_factor) - own["profit_factor"]) < 1e-3]
    buckets = Attribution.objects.get(account=history.account, session=history.session).buckets
    same += [abs(float(amount) - found["symbols"][symbol]) < 0.005 for symbol, amount in buckets["SYMBOL"].items()]
    return all(same + [abs(float(buckets["STAGE"][stage]) - amount) < 0.02 for stage, amount in found["stages"].items()])


# --- cross-validation


def overfitting(returns: np.ndarray, blocks: int, splits: int | None) -> float:
    """PBO (Bailey and others 2017) as its definition reads, over the first `splits` choices (None: all)."""
    cut = np.array_split(returns[:, returns.shape[1] % blocks :], blocks, axis=1)
    below, count = 0.0, 0
    for chosen in islice(combinations(range(blocks), blocks // 2), splits):
        inside = np.concatenate([cut[block] for block in chosen], axis=1)
        outside = np.concatenate([cut[block] for block in range(blocks) if block not in chosen], axis=1)
        best = (inside.mean(axis=1) / inside.std(axis=1, ddof=1)).argmax()
        judged = outside.mean(axis=1) / outside.std(axis=1, ddof=1)
        rank = (judged < judged[best]).sum() + 0.5 * ((judged == judged[best]).sum() - 1)
        below += 1.0 if rank < (len(judged) - 1) / 2 else 0.5 if rank == (len(judged) - 1) / 2 else 0.0
        count += 1
    return below / count
