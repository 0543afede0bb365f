"""The terms a plan had when it was ordered: written once, under a hash, so that what was done can be held against them.

They are frozen with the order, in its transaction, before anything is sent; a plan whose order came to nothing before it was
sent is free again. From then on they never change, and whoever reads them learns whether they still are what was frozen.
"""

import hashlib
import json
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from quant_site.core import clock
from quant_site.core.errors import Conflict, LedgerMismatch, NotFound
from trading.models import TradingPlan

VERSION = 1


class FrozenTerms(NamedTuple):
    """Prices per share, `quantity` in shares (None: all that was held); times aware, UTC."""

    symbol: str
    direction: str
    plan_type: str
    entry_price: Decimal | None
    stop_loss: Decimal | None
    take_profit: Decimal | None
    quantity: Decimal | None
    planned_at: datetime
    expired_at: datetime | None


def plan_freeze(plan: TradingPlan) -> None:
    """Freeze the terms of `plan` as they stand, on the row: whoever calls saves it. Raises `Conflict` where they are frozen."""
    if plan.frozen_hash:
        raise Conflict("plan_frozen", f"The terms of plan {plan.pk} are frozen since it was ordered: make another plan.", id=plan.pk)
    numbers = {name: _text(getattr(plan, name)) for name in ("entry_price", "stop_loss", "take_profit", "quantity")}
    plan.frozen_terms = {
        "version": VERSION,
        "plan": plan.pk,
        "account": plan.account_id,
        "symbol": plan.symbol,
        "direction": plan.direction,
        "plan_type": plan.plan_type,
        **numbers,
        "planned_at": clock.now().isoformat(),
        "expired_at": plan.expired_at and plan.expired_at.isoformat(),
    }
    plan.frozen_hash = terms_hash(plan.frozen_terms)


def plan_unfreeze(plan: TradingPlan) -> None:
    """Free the terms again, on the row: its order came to nothing before it was sent."""
    plan.frozen_terms, plan.frozen_hash = None, ""


def terms_hash(terms: dict) -> str:
    """SHA-256 of the canonical JSON of `terms`: keys sorted, no spaces."""
    return hashlib.sha256(json.dumps(terms, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def frozen_terms(plan: TradingPlan) -> FrozenTerms:
    """The terms of an ordered plan. Raises `NotFound` where none were frozen, `LedgerMismatch` where they are not those of the
    hash: somebody changed the row."""
    return frozen_terms_of(plan.pk, plan.frozen_terms, plan.frozen_hash)


def frozen_terms_of(pk: int, terms: dict | None, digest: str) -> FrozenTerms:
    """The same from the columns of plan `pk`."""
    if not terms and not digest:
        raise NotFound("not_frozen", f"Plan {pk} has no frozen terms: it was not ordered.")
    if not terms or terms_hash(terms) != digest or terms.get("plan") != pk:
        raise LedgerMismatch("plan_tampered", f"The frozen terms of plan {pk} are not those of their hash: the row was changed.", id=pk)
    values = {name: terms[name] for name in FrozenTerms._fields}
    for name in ("entry_price", "stop_loss", "take_profit", "quantity"):
        values[name] = None if values[name] is None else Decimal(values[name])
    for name in ("planned_at", "expired_at"):
        values[name] = values[name] and datetime.fromisoformat(values[name])
    return FrozenTerms(**values)


def _text(number: Decimal | None) -> str | None:
    return None if number is None else f"{number.normalize():f}"
