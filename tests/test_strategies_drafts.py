"""Drafts survive being stored exactly."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_site.core.errors import InvalidInput
from quant_site.core.types import Direction
from strategies.base import Draft, Leg
from strategies.drafts import draft_from_json, draft_to_json
from strategies.registry import REGISTRY
from tests.support_strategies import ON_BUNDLED, bundled_panel, simulated

numbers = st.floats(allow_nan=False, allow_infinity=False)
prices = st.none() | numbers
directions = st.sampled_from(list(Direction))
plain = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | numbers | st.text()
drafts = st.builds(
    Draft,
    group=st.text(min_size=1),
    direction=directions,
    legs=st.lists(st.builds(Leg, symbol=st.text(), direction=directions, ratio=numbers), min_size=1).map(tuple),
    score=numbers,
    reason=st.text(),
    entry_price=prices,
    stop_loss=prices,
    take_profit=prices,
    add=st.booleans(),
    metadata=st.dictionaries(st.text(), plain | st.lists(plain)),
)


@given(drafts)
def test_a_draft_written_to_json_text_and_read_back_is_equal(draft):
    assert draft_from_json(json.loads(json.dumps(draft_to_json(draft)))) == draft


@pytest.mark.parametrize("key", ON_BUNDLED)
def test_what_the_library_proposes_can_be_stored(key):
    strategy = REGISTRY[key]
    made = [draft for drafts in simulated(strategy, bundled_panel(), strategy.Params(), 260, 1800) for draft in drafts]
    assert made
    for draft in made:
        assert draft_from_json(json.loads(json.dumps(draft_to_json(draft)))) == draft
        assert sum(leg.ratio for leg in draft.legs) == pytest.approx(1)
        assert len(draft.reason) <= 255
        assert len(draft.group) <= 32


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32(1.5), {1, 2}, np.bool_(True)])
def test_a_value_that_json_cannot_hold_is_refused(value):
    draft = Draft("A", Direction.LONG, (Leg("A", Direction.LONG),), 1.0, "", metadata={"value": value})
    with pytest.raises(InvalidInput) as caught:
        draft_to_json(draft)
    assert caught.value.code == "bad_draft"
