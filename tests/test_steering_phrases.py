"""What the adaptation says is known to the pages: every refusal of steering, every code and every number of the gate has words."""

import pytest

from analytics.adapting import lane_parameters, steering
from analytics.adapting.adaptation_figures import gate_numbers
from analytics.models import Pin
from analytics.tuning.gate import Refusal
from analytics.tuning.lane import Kind
from analytics.words import phrases, phrases_adaptation
from tests.test_pages_desk_phrases import sentences


def test_every_sentence_of_steering_is_known():
    said = sentences(steering)
    assert len(said) > 8
    assert [text for text in sorted(said) if not phrases.template_of(text)] == []


@pytest.mark.parametrize("kind", list(Kind), ids=str)
def test_every_reason_of_a_decision_about_parameters_is_known(kind):
    numbers = {"sessions": 7, "evidence": 7.0, "threshold": 7.0, "refusals": ["OVERFIT"], "why": "REVERSED"}
    reason = lane_parameters._reason(kind, {"width": [2.0, 2.2]}, numbers)
    assert phrases.template_of(reason) in phrases_adaptation.SENTENCES


def test_every_code_has_a_word():
    assert set(phrases_adaptation.EVENTS) == {str(kind) for kind in Kind}
    assert {str(each) for each in Refusal} <= set(phrases_adaptation.REFUSALS)
    assert set(phrases_adaptation.PINS) == set(Pin.What.values)
    assert {number.name for number in gate_numbers({})} == set(phrases_adaptation.GATE)
