"""One call over the wire: within the budget, timed, and with every failure classified.

The SDK signs, sends and checks; its parsers of answers are left out, for they crash on what is null, lose the status that
an order really has, and put infinity where nothing is known. What comes back here is the `data` of the answer as JSON has
it; numbers become Decimals by `values`.
"""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from tigeropen.common.model import BaseParams
from tigeropen.common.request import OpenApiRequest

from quant_site.market.tiger import budget
from quant_site.market.tiger.config import Clients, clients
from quant_site.market.tiger.errors import TigerError, TigerNotSent, TigerUnclear, reply_error, transport_error

# Queries wait this long for the budget, and are asked once more after an answer that is none.
PATIENCE = 5.0
PAUSE = 0.2
PAGES = 40
QUOTES = frozenset({"kline", "quote_real_time", "market_state", "trading_calendar", "get_quote_permission"})
ORDERS = frozenset({"place_order", "modify_order", "cancel_order"})


class Wire:
    """Calls of one account. Raises `TigerError` and its kinds, whose texts hold no secret."""

    def __init__(self, given: Clients | None = None):
        self._clients = given or clients()
        self._server: tuple[datetime, float] | None = None

    @property
    def account(self) -> str:
        """The account that the environment names."""
        return self._clients.account

    def query(self, method: str, params: BaseParams | None, *, patience: float = PATIENCE) -> Any:
        """What a pure query answers; None where it answers nothing. It may be sent twice."""
        if method in ORDERS:
            raise ValueError(f"{method} is no query.")
        self._take(method, patience=patience)
        try:
            return self._send(method, params)
        except TigerUnclear as error:
            if error.limited:
                raise
        time.sleep(PAUSE)
        self._take(method, patience=patience)
        return self._send(method, params)

    def order(self, method: str, params: BaseParams, *, urgent: bool = False) -> dict:
        """What an order, a change or a cancel answers. It is sent at most once and waits for nothing."""
        self._take(method, patience=0.0, urgent=urgent)
        data = self._send(method, params)
        if not isinstance(data, dict):
            raise TigerUnclear("NO_ANSWER", f"Tiger's answer to {method} holds nothing.")
        if str(data.get("code") or 0) != "0":
            raise reply_error(data["code"], data.get("message"), ordering=True)
        return data

    def pages(self, method: str, params: BaseParams) -> Iterator[dict]:
        """The items of every page. Raises `TigerUnclear` where there is no end: a part is never taken for the whole."""
        for _ in range(PAGES):
            data = self.query(method, params)
            yield from items_of(data, method)
            params.page_token = data.get("nextPageToken") if isinstance(data, dict) else None
            if not params.page_token:
                return
        raise TigerUnclear("TOO_MANY_PAGES", f"{method} has more than {PAGES} pages.")

    @property
    def server_time(self) -> tuple[datetime, float] | None:
        """Tiger's clock as the last answer told it, and the seconds since."""
        return None if self._server is None else (self._server[0], time.monotonic() - self._server[1])

    def _take(self, method: str, *, patience: float, urgent: bool = False) -> None:
        until = time.monotonic() + patience
        while wait := budget.take(method, urgent=urgent):
            if time.monotonic() + wait > until:
                raise TigerNotSent(
                    "RATE_LIMITED", f"{method} was called as often as Tiger allows: try again in {wait:.0f} s. Nothing was sent.", wait=wait
                )
            time.sleep(wait)

    def _send(self, method: str, params: BaseParams | None) -> Any:
        try:
            json.dumps(params.to_openapi_dict() if params else {}, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise TigerNotSent("NOT_SENT", f"{method} cannot be written as JSON ({type(error).__name__}). Nothing was sent.") from None
        client = self._clients.quote if method in QUOTES or method.startswith("option_") else self._clients.trade
        reply, failure = None, None
        try:
            reply = client.execute(OpenApiRequest(method, biz_model=params))
        except Exception as error:  # noqa: BLE001 (the SDK's exceptions share no base, and their texts hold secrets)
            failure = transport_error(error, host=self._clients.host, port=self._clients.port)
        # Raised out here, so that the SDK's exception does not hang on it.
        if failure is None:
            data, failure = self._data(reply, method)
        if failure is not None:
            if isinstance(failure, TigerUnclear) and failure.limited:
                budget.exhaust(method)
            raise failure
        return data

    def _data(self, reply: Any, method: str) -> tuple[Any, TigerError | None]:
        """The answer's data, or what is wrong with it."""
        if not isinstance(reply, dict) or not isinstance(reply.get("code"), int):
            return None, TigerUnclear("NO_ANSWER", f"Tiger's answer to {method} is none.")
        self._note_time(reply.get("timestamp"))
        if reply["code"] != 0:
            return None, reply_error(reply["code"], reply.get("message"), ordering=method in ORDERS)
        data = reply.get("data")
        if not isinstance(data, str):
            return data, None
        try:
            return json.loads(data) if data else None, None
        except ValueError:
            return None, TigerUnclear("NO_ANSWER", f"The data of Tiger's answer to {method} cannot be read.")

    def _note_time(self, timestamp: Any) -> None:
        if isinstance(timestamp, int) and timestamp > 0:
            self._server = datetime.fromtimestamp(timestamp / 1000, UTC), time.monotonic()


def items_of(data: Any, method: str) -> list[dict]:
    """The items of a list that was asked for: the value of `items`, or a list itself; nothing where nothing came."""
    found = data.get("items") if isinstance(data, dict) else data
    if found is None:
        return []
    if not isinstance(found, list):
        raise TigerUnclear("NO_ANSWER", f"Tiger's answer to {method} is no list.")
    return [item for item in found if isinstance(item, dict)]
