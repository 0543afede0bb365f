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

from analytics import findings, phrases, wording
from strategies import risk
from strategies.catalogue import CATALOGUE
from strategies.registry import REGISTRY

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


def test_names_descriptions_and_reasons_of_the_library_are_chinese():
    with translation.override("zh-hans"):
        for entry in CATALOGUE:
            for text in filter(None, (entry.name, entry.description)):
                assert CHINESE.search(wording.say(text)), text
        for strategy in REGISTRY.values():
            for name, field in strategy.Params.model_fields.items():
                assert CHINESE.search(wording.say(field.description)), (strategy.key, name)


def test_every_finding_can_be_said_in_chinese():
    templates = [re.sub(r"\{(\w+):[^}]*\}", r"{\1}", text) for pair in findings.TEXTS.values() for text in pair]
    assert [text for text in templates if text not in phrases.SENTENCES] == []
    assert set(wording.FINDINGS) == {str(code) for code in findings.Code}


def test_every_risk_check_has_a_label():
    source = Path(risk.__file__).read_text() + (ROOT / "strategies" / "sizing.py").read_text()
    codes = set(re.findall(r'Violation\("([A-Z_]+)"', source)) | set(re.findall(r'^\s+"([A-Z_]+)": ', source, re.M))
    assert codes - set(wording.VIOLATIONS) == set()


@pytest.mark.parametrize("entry", sorted(REGISTRY))
def test_reasons_that_strategies_write_are_known(entry):
    source = Path(sys.modules[type(REGISTRY[entry]).__module__].__file__).read_text()
    fixed = re.findall(r'closing\(holding, "[A-Z_]+", "([^"]+)"', source)
    assert [text for text in fixed if text not in phrases.SENTENCES] == []


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
