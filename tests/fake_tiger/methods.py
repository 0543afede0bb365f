"""The trading methods of the API: one function each, from `biz_content` to `data`."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from itertools import islice
from typing import Any

from tests.fake_tiger.book import BookOrder
from tests.fake_tiger.contracts import Contract, Invalid
from tests.fake_tiger.intake import PARAMETERS, Refused, account_of, objection, order_fields, refused
from tests.fake_tiger.venue import Venue
from tests.fake_tiger.wire import assets_wire, contract_wire, fill_wire, holdings_of, order_wire, position_wire, totals

Fields = dict[str, Any]
PAGE, PAGE_MOST = 100, 300
FILLED_DAYS = 90
SERVER_ZONE = timezone(timedelta(hours=8))
ACTIVE = ("Initial", "PendingSubmit", "Submitted", "PendingCancel")
INACTIVE = ("Cancelled", "Inactive", "Invalid")


def accounts(venue: Venue, fields: Fields) -> Fields:
    wanted = fields.get("account")
    rows = [row for name, row in venue.book.accounts.items() if wanted in (None, name)]
    return {"items": [{"account": row.account, "capability": "RegTMargin", "status": "Funded", "accountType": row.kind} for row in rows]}


def order_no(venue: Venue, fields: Fields) -> Fields:
    return {"orderId": venue.number(fields)}


def place_order(venue: Venue, fields: Fields) -> Fields:
    order = venue.place(fields)
    return {
        "id": order.id,
        "order_id": order.order_id,
        "subIds": list(venue.book.children.get(order.id, ())),
        "orders": [order_wire(order, venue.world)],
    }


def modify_order(venue: Venue, fields: Fields) -> Fields:
    return {"id": venue.modify(fields).id}


def cancel_order(venue: Venue, fields: Fields) -> Fields:
    return {"id": venue.cancel(fields).id}


def preview_order(venue: Venue, fields: Fields) -> Fields:
    account = account_of(venue.book, fields)
    order = order_fields(fields)
    problem = objection(order, account, venue.world)
    total = {name: float(value) for name, value in totals(account, venue.world).items()}
    commission = float(venue.commission_of(order))
    margin = total["margin"] + _added_margin(venue, order)
    return {
        "account": account.account,
        "isPass": not problem,
        "message": problem,
        "initMarginBefore": total["margin"],
        "initMargin": margin,
        "maintMarginBefore": total["margin"] / 2,
        "maintMargin": margin / 2,
        "equityWithLoanBefore": total["net"],
        "equityWithLoan": total["net"] - commission,
        "minCommission": commission,
        "maxCommission": commission,
        "commission": commission,
        "commissionCurrency": "USD",
        "marginCurrency": "USD",
        "gst": 0.0,
        "availableEE": total["net"] - margin,
        "excessLiquidity": total["net"] - margin / 2,
        "overnightLiquidation": total["net"] - margin / 2,
    }


def _added_margin(venue: Venue, order: Fields) -> float:
    """Half the value of what is opened; of a combo, of all its legs."""
    contract = Contract.from_record(order["contract"])
    parts = [(Contract.from_record(leg["contract"]), leg["ratio"]) for leg in order["legs"]] or [(contract, 1)]
    value = Decimal(0)
    for part, ratio in parts:
        quote = venue.world.quotes.get(part.key)
        price = quote.last if quote and quote.last is not None else abs(Decimal(order["limit_price"] or 0))
        value += price * ratio * part.multiplier
    return float(value * Decimal(order["quantity"]) / 2)


def orders(venue: Venue, fields: Fields) -> Fields:
    """One order, bare, where `id` or `order_id` is asked for; else a page of them."""
    if fields.get("id") or fields.get("order_id"):
        account = account_of(venue.book, fields)
        venue.asked()
        try:
            order = venue.find(account.account, fields)
        except Refused:
            return {}
        return order_wire(order, venue.world, charges=bool(fields.get("show_charges")))
    return _page(venue, fields, fields.get("states") or None)


def active_orders(venue: Venue, fields: Fields) -> Fields:
    return _page(venue, fields, ACTIVE)


def filled_orders(venue: Venue, fields: Fields) -> Fields:
    start, end = (_millis(fields.get(name)) for name in ("start_date", "end_date"))
    if start is not None and ((end or venue.world.now()) - start) > FILLED_DAYS * 86_400_000:
        raise Refused(PARAMETERS, f"biz param error(the range is limited to {FILLED_DAYS} days)")
    return _page(venue, fields, ("Filled",))


def inactive_orders(venue: Venue, fields: Fields) -> Fields:
    return _page(venue, fields, INACTIVE)


def _page(venue: Venue, fields: Fields, states: Any) -> Fields:
    """Newest first; the token is the last id of the page before, so that new orders do not shift pages."""
    account = account_of(venue.book, fields).account
    venue.asked()
    limit = min(int(fields.get("limit") or PAGE), PAGE_MOST)
    token = int(fields.get("page_token") or 0)
    pool = sorted(venue.book.open.values(), key=lambda order: order.id) if states == ACTIVE else venue.book.orders.values()
    chosen = (order for order in reversed(pool) if (not token or order.id < token) and order.account == account)
    page = list(islice((order for order in chosen if _wanted(order, fields, states)), limit + 1))
    more = len(page) > limit
    page = page[:limit]
    return {"items": [order_wire(order, venue.world) for order in page], "nextPageToken": str(page[-1].id) if more else None}


def _wanted(order: BookOrder, fields: Fields, states: Any) -> bool:
    start, end = _millis(fields.get("start_date")), _millis(fields.get("end_date"))
    at = order.updated_at if fields.get("sort_by") == "LATEST_STATUS_UPDATED" else order.opened_at
    return (
        (states is None or order.status in states)
        and fields.get("sec_type") in (None, "ALL", order.contract.sec_type)
        and fields.get("symbol") in (None, "", order.contract.symbol)
        and fields.get("market") in (None, "ALL", "US")
        and fields.get("parent_id") in (None, 0, order.parent_id)
        and (start is None or at >= start)
        and (end is None or at <= end)
    )


def _millis(value: Any) -> int | None:
    """Milliseconds; text without a zone is taken as UTC+8, as the server does."""
    if value in (None, "", -1):
        return None
    if isinstance(value, (int, float)):
        return int(value)
    try:
        return int(datetime.fromisoformat(str(value)).replace(tzinfo=SERVER_ZONE).timestamp() * 1000)
    except ValueError:
        raise Refused(PARAMETERS, f"biz param error(date {value!r})") from None


def order_transactions(venue: Venue, fields: Fields) -> Fields:
    account = account_of(venue.book, fields)
    if account.kind != "STANDARD":
        raise refused(account, "Only prime accounts are supported")
    start, end, token = _millis(fields.get("start_date")), _millis(fields.get("end_date")), int(fields.get("page_token") or 0)
    limit = min(int(fields.get("limit") or PAGE), PAGE)
    chosen = [
        fill
        for fill in reversed(venue.book.fills)
        if fill.account == account.account
        and fields.get("order_id") in (None, fill.id)
        and fields.get("symbol") in (None, fill.contract.symbol)
        and fields.get("sec_type") in (None, "ALL", fill.contract.sec_type)
        and (start is None or fill.at >= start)
        and (end is None or fill.at <= end)
        and (not token or fill.fill_id < token)
    ]
    more = str(chosen[limit - 1].fill_id) if len(chosen) > limit else None
    return {"items": [fill_wire(fill, venue.world) for fill in chosen[:limit]], "nextPageToken": more}


def positions(venue: Venue, fields: Fields) -> Fields:
    """Stocks, unless another `sec_type` is asked for."""
    account = account_of(venue.book, fields).account
    rows = [position_wire(account, row, venue.world) for row in holdings_of(venue.book, account, fields.get("sec_type") or "STK")]
    wanted = {name: fields[name] for name in ("symbol", "expiry", "right") if fields.get(name)}
    return {"items": [row for row in rows if all(row.get(name) == value for name, value in wanted.items())]}


def prime_assets(venue: Venue, fields: Fields) -> Fields:
    return assets_wire(account_of(venue.book, fields), venue.world)


def contract(venue: Venue, fields: Fields) -> Any:
    try:
        one = Contract.from_request(fields)
    except Invalid as error:
        raise Refused(PARAMETERS, f"biz param error({error})") from None
    facts = venue.world.facts(one)
    return contract_wire(one, facts) if facts else None


def contracts(venue: Venue, fields: Fields) -> Fields:
    found = [contract(venue, fields | {"symbol": symbol}) for symbol in fields.get("symbols") or ()]
    return {"items": [row for row in found if row]}


METHODS: dict[str, Callable[[Venue, Fields], Any]] = {
    function.__name__: function
    for function in (
        accounts, order_no, place_order, modify_order, cancel_order, preview_order, orders, active_orders, filled_orders,
        inactive_orders, order_transactions, positions, prime_assets, contract, contracts,
    )
}  # fmt: skip
