"""Chinese is complete: the catalogue has no gap, its compiled form agrees, and what pure modules store is known."""

import gettext
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from django.apps import apps
from django.utils import translation

from analytics.judging import findings
from analytics.words import phrases, wording
from quant_site.core.stats.metric import Undefined
from strategies import risk
from strategies.backtest.kernel_codes import CODES
from strategies.backtest.result import REASONS
from strategies.risk.holdings import MISSING_GREEK, NO_VALUATION, NOT_ENOUGH_HISTORY
from trading.brokers import paper
from trading.models.orders import PURPOSE_LABELS
from trading.order_path import gate
from trading.vocabulary import Purpose

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "locale" / "zh_Hans" / "LC_MESSAGES"
OURS = ("core", "market", "strategies", "signals_app", "trading", "advisor", "analytics")
SLOTS = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w+\}")
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def catalogue(path=FOLDER / "django.po"):
    with path.open("rb") as file:
        return [message for message in read_po(file, locale="zh_Hans") if message.id]


def strings(message) -> tuple[str, ...]:
    return message.string if isinstance(message.string, tuple) else (message.string,)


def first(message) -> str:
    return message.id[0] if isinstance(message.id, tuple) else message.id


def test_nothing_is_untranslated_or_fuzzy():
    assert [message.id for message in catalogue() if message.fuzzy or not all(strings(message)[:1])] == []


def test_the_compiled_catalogue_agrees_with_its_source():
    with (FOLDER / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)._catalog
    for message in catalogue():
        key = f"{message.context}\x04{first(message)}" if message.context else first(message)
        found = compiled.get((key, 0), compiled.get(key))
        assert found == strings(message)[0], key
    assert len(compiled) == len(catalogue()) + 1  # and the header


def test_translations_keep_the_slots_of_their_source():
    for message in catalogue():
        assert set(SLOTS.findall(strings(message)[0])) <= set(SLOTS.findall(first(message))), message.id
        kept = {slot for slot in SLOTS.findall(first(message)) if slot not in {"%(n)d"}}
        assert kept == {slot for slot in SLOTS.findall(strings(message)[0]) if slot not in {"%(n)d"}}, message.id


@pytest.mark.skipif(shutil.which("xgettext") is None, reason="GNU gettext is not installed")
def test_every_marked_string_of_the_tree_is_in_the_catalogue(tmp_path):
    for folder in ("quant_site", "strategies", "signals_app", "trading", "advisor", "analytics", "templates"):
        wanted = shutil.ignore_patterns("*.pyc", "static", "migrations", "__pycache__", "*.parquet")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=wanted)
    (tmp_path / "locale").mkdir()
    command = [sys.executable, "-m", "django", "makemessages", "-l", "zh_Hans", "--no-location"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    marked = catalogue(tmp_path / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po")
    known = {(message.context, message.id) for message in catalogue()}
    assert [message.id for message in marked if (message.context, message.id) not in known] == []


def test_every_model_and_field_has_a_chinese_name():
    with translation.override("zh-hans"):
        names = [str(model._meta.verbose_name) for label in OURS for model in apps.get_app_config(label).get_models()]
        labels = [
            str(field.verbose_name)
            for label in OURS
            for model in apps.get_app_config(label).get_models()
            for field in model._meta.fields
            if field.verbose_name != field.name.replace("_", " ") and not field.auto_created
        ]
    assert [name for name in names + labels if not CHINESE.search(name)] == []


def test_every_finding_can_be_said_in_chinese():
    templates = [re.sub(r"\{(\w+):[^}]*\}", r"{\1}", text) for pair in findings.TEXTS.values() for text in pair]
    assert [text for text in templates if text not in phrases.SENTENCES] == []
    assert set(wording.FINDINGS) == {str(code) for code in findings.Code}


def test_every_risk_check_has_a_label():
    checks = [path.read_text() for path in sorted(Path(risk.__file__).parent.glob("*.py")) if path.name != "orders.py"]
    source = "".join(checks) + (ROOT / "strategies" / "sizing.py").read_text()
    named = set(re.findall(r'(?:Violation|beyond|_verdict)\("([A-Z_]+)"|_greek\("\w+", "([A-Z_]+)"', source))
    codes = {code for pair in named for code in pair if code} | set(re.findall(r'^\s+"([A-Z_]+)": ', source, re.M))
    codes |= {NOT_ENOUGH_HISTORY, MISSING_GREEK, NO_VALUATION}
    assert {"SINGLE_NAME", "SECTOR", "DELTA", "STRESS"} <= codes
    assert codes - set(wording.VIOLATIONS) == set()


def test_every_choice_of_a_field_has_a_chinese_label():
    fields = [field for label in OURS for model in apps.get_app_config(label).get_models() for field in model._meta.fields]
    with translation.override("zh-hans"):
        labels = {(value, str(label)) for field in fields for value, label in field.choices or () if isinstance(value, str)}
    # A code that is its own label (MKT, GTC, ETF) is one in every language.
    assert {label for value, label in labels if label != value and not CHINESE.search(label)} == set()


def test_every_code_that_a_page_shows_has_a_chinese_label():
    sources = "".join(Path(module.__file__).read_text() for module in (gate, paper))
    refusals = (
        set(re.findall(r'(?:return|Denial\(|Wait\(|reason =) ?f?"([A-Z_]+): ', sources))
        | set(CODES)
        | {"OTHER_LEG_FAILED", "NOTHING_TO_REDUCE"}
    )
    assert {"HALTED", "NOT_ARMED", "MARKET_CLOSED", "RUNAWAY", "UNKNOWN_SYMBOL", "NO_BAR"} <= refusals
    with translation.override("zh-hans"):
        assert [code for code in sorted(refusals) if not CHINESE.search(wording.violation_name(code))] == []
        assert [code for code in REASONS if code != "OPEN" and not CHINESE.search(wording.exit_reason(code))] == []
        assert [code for code in Purpose if not CHINESE.search(str(PURPOSE_LABELS[code]))] == []
        assert [code for code in Undefined if not CHINESE.search(wording.reason(code))] == []
        assert [code for code in wording.FIELDS if not CHINESE.search(wording.field(code))] == []


def test_a_stored_sentence_keeps_its_numbers():
    stored = "25 of 45 entries of breakout_momentum were rejected for SINGLE_NAME (56 %, interval 35 to 74 %)."
    with translation.override("zh-hans"):
        assert wording.say(stored) == "突破动量（海龟） 的 45 次入场中有 25 次因“单一标的上限”被拒绝（56%，区间 35% 至 74%）。"
    with translation.override("en"):
        assert wording.say("Unit 3: 5.9 N in favour since the last entry.") == "Unit 3: 5.9 N in favour since the last entry."


def test_an_unknown_sentence_is_shown_as_stored():
    with translation.override("zh-hans"):
        assert wording.say("A person wrote {this} on 5 %.") == "A person wrote {this} on 5 %."
        assert wording.say("") == ""


def test_a_code_stays_a_symbol_where_a_symbol_stands():
    with translation.override("zh-hans"):
        assert wording.say("CASH has no bar of 2020-01-02.") == "CASH 没有 2020-01-02 的行情。"
        assert wording.say("GOLD cannot be traded.") == "GOLD 不可交易。"


def test_a_refusal_is_said_without_its_code_and_the_broker_s_own_words_stay_as_they_are():
    with translation.override("zh-hans"):
        assert wording.order_reason("HALTED: The account is halted: nothing is sent.") == "账户已停止交易，不发送任何订单。"
        assert wording.order_reason("UNKNOWN_SYMBOL: ZZZ is not known here.") == "模拟券商没有 ZZZ。"
        turned = "OPPOSITE_HOLDING: -5 SPY are held: an opening BUY would turn through zero."
        assert wording.order_reason(turned) == "已持有 -5 SPY：开仓买入会使持仓反向。"
        assert wording.order_reason("SESSION_ENDED") == "交易日结束"
        assert wording.order_reason("1200: margin call pending") == "1200: margin call pending"
        assert wording.violation({"code": "BUYING_POWER", "message": "9 would be held or ordered; 5 is allowed."})["label"] == "购买力不足"
