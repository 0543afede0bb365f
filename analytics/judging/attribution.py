"""Attribution of each session's profit by strategy, symbol, sector and stage (`attribution_buckets` defines the stages).

A session costs the positions that are open and those closed since the last attribution, however long the history is: each row
carries what its open positions had made. Should a closed position have changed after all (a late dividend), the sum does not
tie and everything is read once. The first attribution of an account covers all that was before it.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from analytics.judging.attribution_buckets import UNKNOWN, ZERO, Dimension, Owner, changes, grouped, stages, tied
from analytics.judging.attribution_stages import Span, entries_of, executed, made_smaller, missed_total, moved_without_order
from analytics.judging.evaluation import UNASSIGNED, Held, positions_since, snapshots_between
from analytics.models import Attribution
from analytics.services import rows_sync
from quant_site.core.errors import Conflict
from quant_site.core.models import Account
from quant_site.core.rows import objects_read, rows_read
from quant_site.market.options.contracts import parse_contract, price_sources
from quant_site.market.panel import Panel
from strategies.models import Strategy
from trading.models import CashEntry

Shares = dict[str, dict[str, Decimal]]
OWNERS = {Dimension.STRATEGY: 0, Dimension.SYMBOL: 1}


def attribution_record(account: Account, session: date, panel: Panel) -> Attribution:
    """Write where the profit of `session` came from, after its snapshot and its missed outcomes (`missed_record`).

    Running it again changes nothing; a session that later ones have followed keeps its row. Raises `DataMissing` without a
    snapshot, `Conflict` for a passed session that never got a row, `LedgerMismatch` when a dimension does not add up.
    """
    since, carried = _before(account, session)
    try:
        total = _made(account, since, session)
    except Conflict:
        kept = objects_read(Attribution, "account_id = %s AND session = %s", account.pk, session)
        if not kept:
            raise
        return kept[0]
    keys = dict(rows_read(Strategy, ("id", "key"), "1 = 1"))
    positions = positions_since(account, since)
    buckets = _by_owner_change(account, session, _results(positions, keys), carried, total, keys)
    buckets[Dimension.SECTOR] = by_sector(buckets[Dimension.SYMBOL], panel)
    buckets[Dimension.STAGE] = _stages(Span(account, since, session), panel, total, positions)
    open_ = _results((held for held in positions if held.exit_session is None), keys)
    row = Attribution(account=account, session=session, total=total, buckets=tied(buckets, total), state=_dump(open_))
    rows_sync(Attribution, [row], ("session",), account=account, session=session)
    return row


def sector_of(panel: Panel, symbol: str) -> str:
    """The sector of `symbol`, of an option that of its underlying; UNKNOWN where the reference data have none."""
    contract = parse_contract(symbol)
    for name in (symbol,) if contract is None else (contract.underlying, *price_sources(contract.underlying)):
        held = panel.holding(name)
        sectors = held[0].reference.sectors if held else ()
        if sectors and sectors[held[1]]:
            return sectors[held[1]]
    return UNKNOWN


def by_sector(symbols: dict[str, Decimal], panel: Panel) -> dict[str, Decimal]:
    return grouped(symbols, lambda symbol: sector_of(panel, symbol))


# --- by owner


def _made(account: Account, since: date | None, session: date) -> Decimal:
    """Equity change less flows since the last attribution."""
    opening, snapshots = snapshots_between(account, since, session)
    flows = sum((snapshot.net_flow for snapshot in snapshots), ZERO)
    return snapshots[-1].total_equity - (opening.total_equity if opening else ZERO) - flows


def _results(positions: Iterable[Held], keys: dict[int, str]) -> dict[Owner, Decimal]:
    """Realised + dividends + unrealised by strategy and symbol."""
    sums: dict[Owner, Decimal] = defaultdict(lambda: ZERO)
    for held in positions:
        sums[keys.get(held.strategy_id, UNASSIGNED), held.symbol] += held.result + held.unrealized_pnl
    return sums


def _by_owner_change(
    account: Account, session: date, now: dict[Owner, Decimal], before: dict[Owner, Decimal], total: Decimal, keys: dict[int, str]
) -> Shares:
    """The change by strategy and by symbol: of what moved since, or, where that is not all, of everything."""
    changed = changes(now, before)
    shares = {dimension: grouped(changed, lambda owner, part=part: owner[part]) for dimension, part in OWNERS.items()}
    return shares if sum(changed.values(), ZERO) == total else _anew(account, session, keys)


def _anew(account: Account, session: date, keys: dict[int, str]) -> Shares:
    """Everything the positions ever made, less what earlier sessions were attributed."""
    made = _results(positions_since(account, None), keys)
    shares = {dimension: grouped(made, lambda owner, part=part: owner[part]) for dimension, part in OWNERS.items()}
    for (buckets,) in rows_read(Attribution, ("buckets",), "account_id = %s AND session < %s", account.pk, session):
        for dimension in OWNERS:
            for key, amount in buckets[dimension].items():
                shares[dimension][key] = shares[dimension].get(key, ZERO) - Decimal(amount)
    return {dimension: grouped(amounts, str) for dimension, amounts in shares.items()}


def _before(account: Account, session: date) -> tuple[date | None, dict[Owner, Decimal]]:
    """The last attributed session before `session`, and what its open positions had made."""
    where = "account_id = %s AND session < %s ORDER BY session DESC LIMIT 1"
    rows = rows_read(Attribution, ("session", "state"), where, account.pk, session)
    if not rows:
        return None, {}
    [(since, state)] = rows
    return since, {(key, symbol): Decimal(made) for key, symbols in state["open"].items() for symbol, made in symbols.items()}


def _dump(made: dict[Owner, Decimal]) -> dict:
    state: dict[str, dict[str, str]] = {}
    for (key, symbol), amount in sorted(made.items()):
        state.setdefault(key, {})[symbol] = str(amount)
    return {"open": state}


# --- by stage


def _stages(span: Span, panel: Panel, total: Decimal, positions: list[Held]) -> dict[str, Decimal]:
    entries = entries_of(span)
    fees = sum((entry.amount for entry in entries if entry.kind == CashEntry.Kind.COMMISSION), ZERO)
    data = moved_without_order(span, entries, panel)
    smaller = made_smaller([held for held in positions if held.exit_session is not None])
    return stages(total, executed(span, entries, panel), fees=fees, data=data, missed=missed_total(span), smaller=smaller)
