"""Drafts as JSON, as `StrategyRun.output` holds them. Writing and reading back gives an equal draft."""

import json

from quant_site.core.errors import InvalidInput
from quant_site.core.types import Direction
from strategies.base import Draft, Leg

# How a draft is sized; most have none of these.
SIZES = ("weight", "unit_risk", "risk_share")


def draft_to_json(draft: Draft) -> dict:
    """`draft` as a dict of plain values; raises `InvalidInput` where a number is not finite or a value not JSON's."""
    written = {
        "group": draft.group,
        "direction": draft.direction.value,
        "legs": [_leg(leg) for leg in draft.legs],
        "score": draft.score,
        "reason": draft.reason,
        "entry_price": draft.entry_price,
        "stop_loss": draft.stop_loss,
        "take_profit": draft.take_profit,
        "add": draft.add,
        **{name: getattr(draft, name) for name in SIZES if getattr(draft, name) is not None},
        "portion": draft.portion,
        "metadata": draft.metadata,
    }
    try:
        return json.loads(json.dumps(written, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InvalidInput("bad_draft", f"The draft for {draft.group} holds a value that cannot be stored: {error}.") from error


def draft_from_json(stored: dict) -> Draft:
    """The draft that `draft_to_json` wrote."""
    legs = tuple(Leg(leg["symbol"], Direction(leg["direction"]), leg["ratio"], leg.get("units", 0)) for leg in stored["legs"])
    return Draft(**(stored | {"direction": Direction(stored["direction"]), "legs": legs}))


def _leg(leg: Leg) -> dict:
    plain = {"symbol": leg.symbol, "direction": leg.direction.value, "ratio": leg.ratio}
    return plain | {"units": leg.units} if leg.units else plain
