"""Parameters: their ranges, their versions, who changed them, and what is in force."""

import pytest
from django.contrib.auth import get_user_model

from quant_site.core.errors import InvalidInput
from quant_site.core.models import Account, AuditLog, OutboxEvent
from strategies.catalogue import CATALOGUE
from strategies.models import ParameterVersion, Strategy
from strategies.parameters import effective_params
from strategies.registry import REGISTRY
from strategies.schema import parse_params
from strategies.selectors import strategy_by_key, versions_list
from strategies.services import strategies_seed, strategy_toggle, version_activate, version_create
from tests.support_strategies import strategy_gone

CROSS = REGISTRY["golden_cross"]


@pytest.fixture
def library(db):
    return {row.key: row for row in strategies_seed()}


@pytest.fixture
def account(db):
    return Account.objects.create(id="ONE")


def change(row, params, **fields):
    return version_create(strategy=row, params=params, reason="A test.", **fields)


def in_force(key, account=None):
    return effective_params(strategy_by_key(key=key), account)


def test_the_library_has_twelve_rows_two_in_each_of_six_categories(library):
    assert len(library) == 12
    categories = [row.category for row in library.values()]
    assert {category: categories.count(category) for category in categories} == dict.fromkeys(Strategy.Category.values, 2)
    assert {key for key, row in library.items() if row.enabled} == set(REGISTRY)
    assert all(row.enabled != bool(row.disabled_reason) for row in library.values())


def test_every_parameter_has_a_default_bounds_and_a_help_text():
    for strategy in REGISTRY.values():
        for name, schema in strategy.Params.model_json_schema()["properties"].items():
            assert schema["description"].endswith("."), f"{strategy.key}.{name}"
            assert "default" in schema
            assert schema["type"] == "boolean" or "enum" in schema or {"minimum", "maximum"} <= schema.keys()


def test_seeding_again_changes_nothing_and_keeps_what_a_person_edited(library):
    Strategy.objects.filter(key="golden_cross").update(name="My cross", description="Mine.", enabled=False, disabled_reason="Off.")
    change(library["breakout_momentum"], {"max_units": 2})
    before = list(Strategy.objects.order_by("pk").values())
    strategies_seed()
    assert list(Strategy.objects.order_by("pk").values()) == before
    assert ParameterVersion.objects.count() == 13


def test_a_row_that_was_only_declared_is_switched_on_when_its_strategy_arrives(library):
    row = library["golden_cross"]
    Strategy.objects.filter(pk=row.pk).update(active_version=None, default_params={}, enabled=False, disabled_reason="Not yet.")
    strategies_seed()
    row = strategy_by_key(key="golden_cross")
    assert (row.enabled, row.disabled_reason) == (True, "")
    assert row.default_params == CROSS.Params().model_dump(mode="json")


def test_an_unknown_parameter_is_refused_with_the_nearest_name():
    with pytest.raises(InvalidInput, match="did you mean 'slow'") as caught:
        parse_params(CROSS, {"slwo": 100})
    assert caught.value.code == "unknown_parameter"
    assert list(caught.value.details["fields"]) == ["slwo"]


@pytest.mark.parametrize(
    "key, overrides, field",
    [
        ("golden_cross", {"slow": 5000}, "slow"),
        ("golden_cross", {"slow": "many"}, "slow"),
        ("golden_cross", {"slow": True}, "slow"),
        ("golden_cross", {"slow": None}, "slow"),
        ("golden_cross", {"slow": 100.5}, "slow"),
        ("golden_cross", {"fast": 60, "slow": 40}, "parameters"),
        ("bollinger_mean_reversion", {"width": float("nan")}, "width"),
        ("bollinger_mean_reversion", {"width": float("inf")}, "width"),
        ("breakout_momentum", {"fast_exit": 60}, "parameters"),
        ("pairs_trading", {"trading_months": 5}, "trading_months"),
        ("pairs_trading", {"weight": -0.1}, "weight"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(key, overrides, field):
    with pytest.raises(InvalidInput) as caught:
        parse_params(REGISTRY[key], overrides)
    assert caught.value.code == "invalid_parameter"
    assert list(caught.value.details["fields"]) == [field]
    assert REGISTRY[key].name in caught.value.message


def test_a_refused_change_writes_nothing(library):
    before = ParameterVersion.objects.count(), AuditLog.objects.count(), OutboxEvent.objects.count()
    with pytest.raises(InvalidInput):
        change(library["golden_cross"], {"slow": 5000})
    with pytest.raises(InvalidInput, match="why"):
        version_create(strategy=library["golden_cross"], params={"slow": 150}, reason="  ")
    assert (ParameterVersion.objects.count(), AuditLog.objects.count(), OutboxEvent.objects.count()) == before


def test_a_change_is_a_new_version_that_says_what_it_changed_and_who_made_it(library):
    user = get_user_model().objects.create_user("ann")
    version = change(library["golden_cross"], {"slow": 150}, actor=user)
    assert (version.number, version.params, version.diff) == (2, {"slow": 150}, {"slow": [200, 150]})
    assert (version.created_by, version.source) == (user, "PERSON")
    row = strategy_by_key(key="golden_cross")
    assert (row.active_version, row.current_params) == (version, {"slow": 150})
    assert AuditLog.objects.filter(actor="ann", resource_id=str(version.pk)).exists()
    assert OutboxEvent.objects.filter(type="strategy.params", account_id="").last().payload["version"] == 2


def test_changes_add_up_and_none_takes_one_back(library):
    change(library["golden_cross"], {"slow": 150})
    change(library["golden_cross"], {"fast": 40})
    assert (in_force("golden_cross").fast, in_force("golden_cross").slow) == (40, 150)
    version = change(library["golden_cross"], {"slow": None})
    assert version.params == {"fast": 40}
    assert in_force("golden_cross").slow == 200


def test_a_change_that_changes_nothing_makes_no_version(library):
    first = change(library["golden_cross"], {"slow": 150})
    assert change(library["golden_cross"], {"slow": 150}) == first
    assert change(library["golden_cross"], {"fast": 50}) == first


def test_an_account_overrides_the_house_and_follows_it_elsewhere(library, account):
    version = change(library["golden_cross"], {"slow": 150}, account=account)
    assert (version.number, version.scope) == (1, "ONE")
    change(library["golden_cross"], {"slow": 120, "entry_window": 1})
    assert in_force("golden_cross").slow == 120
    assert (in_force("golden_cross", account).slow, in_force("golden_cross", account).entry_window) == (150, 1)
    assert strategy_by_key(key="golden_cross").current_params == {"slow": 120, "entry_window": 1}
    assert [row.number for row in versions_list(strategy=library["golden_cross"], account=account)] == [1]


def test_an_account_may_hold_on_to_a_default_while_the_house_moves(library, account):
    change(library["golden_cross"], {"weight": 0.25}, account=account)
    change(library["golden_cross"], {"weight": 0.1})
    assert in_force("golden_cross", account).weight == 0.25


def test_going_back_moves_the_pointer_and_edits_no_version(library):
    first = strategy_by_key(key="golden_cross").active_version
    second = change(library["golden_cross"], {"slow": 150})
    version_activate(version=first)
    row = strategy_by_key(key="golden_cross")
    assert (row.active_version, row.current_params, in_force("golden_cross").slow) == (first, {}, 200)
    second.refresh_from_db()
    assert second.params == {"slow": 150}
    assert change(row, {"slow": 150}).number == 3


def test_a_challenger_is_kept_without_being_activated(library):
    version = change(library["golden_cross"], {"slow": 150}, activate=False, evidence={"trial": 7})
    assert (version.number, version.evidence) == (2, {"trial": 7})
    assert in_force("golden_cross").slow == 200


def test_a_strategy_without_an_implementation_takes_no_parameters_and_cannot_be_switched_on(library):
    gone = strategy_gone()
    for attempt in (lambda row: change(row, {"weight": 0.1}), lambda row: strategy_toggle(strategy=row, enabled=True)):
        with pytest.raises(InvalidInput, match="taken out of the library") as caught:
            attempt(gone)
        assert caught.value.code == "not_implemented"


def test_switching_off_keeps_the_reason_and_tells_of_it_once(library):
    row = strategy_toggle(strategy=library["golden_cross"], enabled=False, reason="Too few trades.")
    strategy_toggle(strategy=row, enabled=False, reason="Again.")
    row.refresh_from_db()
    assert (row.enabled, row.disabled_reason) == (False, "Too few trades.")
    assert OutboxEvent.objects.filter(type="strategy.toggled").count() == 1
    assert AuditLog.objects.filter(action_type="STRATEGY_TOGGLE").count() == 1
    strategy_toggle(strategy=row, enabled=True)
    assert row.disabled_reason == ""


def test_the_catalogue_names_no_category_the_table_lacks():
    assert {entry.category for entry in CATALOGUE} == set(Strategy.Category.values)
    assert [entry.key for entry in CATALOGUE] == list(REGISTRY)
