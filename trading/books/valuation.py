"""What open positions are worth within a session."""

from collections.abc import Mapping
from decimal import Decimal

from quant_site.core.models import Account
from quant_site.core.rows import rows_read, rows_update
from quant_site.core.types import money
from quant_site.market.options.contracts import multiplier_of
from trading.models import Position


def positions_value(*, account: Account, prices: Mapping[str, Decimal], marked: bool = True) -> None:
    """Value open positions within a session, so that limits count what was bought today; the close marks them for good.
    Without `marked` only those that were bought or sold since they were valued."""
    names = ("id", "symbol", "quantity", "cost", "market_value", "mark_price", "entry_price")
    rows = []
    for pk, symbol, held, cost, value, mark, entry in rows_read(Position, names, "account_id = %s AND exit_session IS NULL", account.pk):
        price = prices.get(symbol) if marked or mark is None else mark
        worth = money(held * (price or mark or entry) * multiplier_of(symbol))
        if worth != value:
            rows.append((worth, worth - cost, pk))
    rows_update(Position, ("market_value", "unrealized_pnl"), rows)
