"""What the desk's services say is known to the pages: each sentence has its template, and what stands in it its label."""

import ast
import re
from pathlib import Path

import pytest
from django.utils import translation

from analytics.words import desk_words, phrases, phrases_intents, phrases_risk, phrases_tickets, wording
from quant_site.core import stepup
from quant_site.market import selectors as market
from strategies.risk import account_checks, exposure_checks, holdings, model_checks, orders
from trading.books import reconciliation
from trading.control.symbol_halts import MISMATCH, UNKNOWN_ORDER, UNPROTECTED
from trading.exposure import assessment, assessment_rules, option_exposure, option_flags
from trading.exposure.assessment_rules import Verdict
from trading.intents import alert_rules, alerts, intent_tickets, plan_rules, plans
from trading.order_path import changes as order_changes
from trading.order_path import gate, live, previews, settling, tickets, unknown
from trading.order_path import rows as order_rows
from trading.order_path.settling import OUTCOMES

SOURCES = (
    stepup, market, account_checks, exposure_checks, holdings, model_checks, orders, alert_rules, alerts, assessment, assessment_rules,
    gate, intent_tickets, live, option_exposure, option_flags, order_changes, order_rows, plan_rules, plans, previews, settling, tickets,
)  # fmt: skip
OURS = (*phrases_risk.SENTENCES, *phrases_tickets.SENTENCES, *phrases_intents.SENTENCES)
SLOT = re.compile(r"\{(\w+)\}")
# What no form of these pages can ask for, and what is only said to programs.
FOR_PROGRAMS = re.compile(
    "|".join(
        (
            "auth/confirm",
            "payload",
            "An action has",
            "7 is no outcome",
            "of a plan cannot be changed",
            "of an alert cannot be changed",
            "There is no (trading plan|price alert) 7",
            "A plan is 7 and",
            "An alert is 7, its",
            "must be true or false",
            "parameters must be an object",
            "An order of several legs buys",
        )
    )
)


def sentences(module) -> set[str]:
    """Every text of the module's source that ends as a sentence does, each slot of an f-string a 7; "CODE: " left out."""
    tree = ast.parse(Path(module.__file__).read_text())
    aside = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    aside |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node) if part is not node}
    found = set()
    for node in ast.walk(tree):
        if id(node) in aside:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        elif isinstance(node, ast.JoinedStr):
            text = "".join(part.value if isinstance(part, ast.Constant) else "7" for part in node.values)
        else:
            continue
        code, colon, rest = text.partition(": ")
        text = rest if colon and code.replace("_", "").isupper() else text
        if " " in text and text.endswith(".") and (text[0].isupper() or text[0] == "7"):
            found.add(text)
    return found


# f-strings whose slots are words of the sentence itself: their branches.
LEFT = "7 was sold, is in the money, and has 7 of time value left"
BRANCHES = {
    "The 7 7 is on the wrong side: it belongs 7 7.": [
        f"The stop 7 is on the wrong side: it belongs {side} 7." for side in ("above", "below")
    ],
    "This type of order 7 7 price.": ["This type of order needs limit price.", "This type of order has no stop price."],
    "7, less than the last dividend of 7; the next ex-date is not known.": [
        f"{LEFT}, less than the last dividend of 7; the next ex-date is not known."
    ],
    "7, no more than 7 of the spot: it may be exercised any day.": [f"{LEFT}, no more than 7 of the spot: it may be exercised any day."],
    "It has no 7.": ["It has no stop.", "It has no target."],
    "A 7 needs 7.": ["A LONG needs stop < entry < target.", "A SHORT needs target < entry < stop."],
}


@pytest.mark.parametrize("module", SOURCES, ids=lambda module: module.__name__)
def test_every_sentence_that_a_page_can_show_is_known(module):
    said = sentences(module)
    assert said, "nothing was read, so nothing was shown"
    with translation.override("en"):
        reasons = {str(reason) for reason in wording.REASONS.values()}
    for text in sorted(said):
        for branch in BRANCHES.get(text, [text]):
            known = phrases.template_of(branch) or branch in reasons
            assert known or FOR_PROGRAMS.search(branch), branch


@pytest.mark.parametrize("template", OURS)
def test_each_sentence_is_recognised_by_its_own_template(template):
    filled = SLOT.sub(lambda slot: f"7{slot.group(1)[0]}", template)
    assert phrases.template_of(filled) == template


def test_codes_in_a_sentence_are_said_by_their_labels():
    with translation.override("en"):
        assert wording.say("A LONG needs stop < entry < target.") == "A Long needs stop < entry < target."
        assert wording.say("It needs entry and stop.") == "It needs entry, stop."
        assert wording.say("Plan 3 is EXECUTED: make another one.") == "Plan 3 is Executed: make another one."
        assert wording.say("AUTO_TRADE does not take valid_days; it takes once, order_type.").startswith(
            "Trade does not take valid for days"
        )
        assert wording.say("An order of type LMT has no stop_price.") == "An order of type Limit has no stop price."
        assert wording.say("Order 3 already stands for this intent, with another quantity, stop_loss.").endswith("quantity, stop.")


def test_a_sentence_within_a_sentence_is_said_too():
    text = "Order 5 waits for a confirmation: It sells options: X, Y."
    assert phrases.template_of(text) == "Order {order} waits for a confirmation: {why}"
    with translation.override("en"):
        assert wording.order_reason(text) == text
        assert wording.order_reason("SYMBOL_HALTED: AAA is halted: Position in AAA; Position in B") == (
            "AAA is halted: Position in AAA; Position in B"
        )
        assert wording.order_reason("SETTLED: NEVER_ARRIVED by a and b") == "SETTLED: It never arrived by a and b"
        assert wording.order_reason("1200: Position in the queue") == "1200: Position in the queue"


def test_every_difference_and_alarm_of_the_books_is_known():
    found = re.findall(r'_difference\(f?"([^"]+)"', Path(reconciliation.__file__).read_text())
    assert len(found) == 5
    # A word alone is in the catalogue as a word.
    assert [text for text in found if text != "Cash" and not phrases.template_of(SLOT.sub("7", text))] == []
    [alarm] = re.findall(r'reason = f"(Nobody knows .+?)"\n', Path(unknown.__file__).read_text())
    assert phrases.template_of(re.sub(r"\{.+?\}", "7", alarm))


def test_every_code_has_a_label():
    assert set(desk_words.VERDICTS) == set(desk_words.VERDICT_CLASS) == set(Verdict)
    assert set(desk_words.OUTCOMES) == set(OUTCOMES)
    assert set(desk_words.HALTS) == {MISMATCH, UNKNOWN_ORDER, UNPROTECTED}
    source = Path(option_flags.__file__).read_text()
    assert set(desk_words.FLAGS) == set(re.findall(r'Flag\("([A-Z_]+)"', source))
    refusals = set(re.findall(r'"([A-Z_]+): ', Path(gate.__file__).read_text())) - {"CODE"}
    refusals |= set(re.findall(r'Violation\("([A-Z_]+)"', Path(orders.__file__).read_text()))
    assert {"NOT_ARMED", "PRICE_COLLAR"} <= refusals
    assert {code for code in refusals if wording.violation_name(code) == code} == set()
    notes = {"CONFIRMED", "AWAITS", "CHANGE_REQUESTED", "CHANGE_SENT", "CHANGE_REFUSED", "SETTLEMENT_PROPOSED", "ADOPTED", "BY_HAND"}
    assert notes <= set(wording.ORDER_REASONS)
