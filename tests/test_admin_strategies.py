"""Parameters are edited through fields made from their schema; each change is a version with a reason."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from quant_site.core.models import AuditLog
from strategies.labels import LABELS
from strategies.models import ParameterVersion, Strategy
from strategies.parameters import effective_params
from strategies.registry import REGISTRY
from strategies.services import version_create
from tests.api_world import build_world
from tests.support_strategies import strategy_gone

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    return build_world()


@pytest.fixture
def root(world):
    client = Client()
    client.force_login(world.users["root"])
    return client


def change_url(strategy, account=None) -> str:
    url = reverse("admin:strategies_strategy_change", args=[strategy.pk])
    return f"{url}?account={account.pk}" if account else url


def form_body(client, strategy, account=None, **changes) -> dict:
    """What the browser would send back: the form as shown, with `changes`."""
    form = client.get(change_url(strategy, account)).context["adminform"].form
    body = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    body = {name: "on" if value is True else value for name, value in body.items() if value is not None and value is not False}
    inline = {"versions-TOTAL_FORMS": 0, "versions-INITIAL_FORMS": 0}
    return {**body, **inline, **changes}


def save(client, strategy, account=None, **changes):
    return client.post(change_url(strategy, account), form_body(client, strategy, account, **changes))


def errors(response) -> dict:
    return response.context["adminform"].form.errors


def params_of(strategy, account=None):
    return effective_params(Strategy.objects.get(pk=strategy.pk), account)


@pytest.mark.parametrize("key", sorted(REGISTRY))
def test_every_parameter_has_a_field_with_its_bounds_and_value(root, key):
    strategy = Strategy.objects.get(key=key)
    form = root.get(change_url(strategy)).context["adminform"].form
    properties = REGISTRY[key].Params.model_json_schema()["properties"]
    shown = {name.removeprefix("param_"): field for name, field in form.fields.items() if name.startswith("param_")}
    assert set(shown) == set(properties)
    for name, schema in properties.items():
        if "minimum" in schema:
            assert (shown[name].min_value, shown[name].max_value) == (schema["minimum"], schema["maximum"])
        assert shown[name].initial == schema["default"]


def test_every_parameter_has_a_name_that_can_be_translated():
    assert {name.replace("_", " ") for code in REGISTRY.values() for name in code.Params.model_fields} == set(LABELS)


def test_the_form_as_shown_saves_without_making_a_version(root, world):
    before = ParameterVersion.objects.count()
    assert save(root, world.strategy).status_code == 302
    assert ParameterVersion.objects.count() == before


def test_saving_a_change_makes_an_active_version_with_reason_author_and_diff(root, world):
    assert save(root, world.strategy, param_fast_entry=25, reason="Fewer false starts.").status_code == 302
    version = ParameterVersion.objects.filter(strategy=world.strategy).latest("number")
    assert (version.number, version.diff, version.params) == (2, {"fast_entry": [20, 25]}, {"fast_entry": 25})
    assert (version.reason, version.created_by.username, version.source) == ("Fewer false starts.", "root", "PERSON")
    assert params_of(world.strategy).fast_entry == 25
    assert AuditLog.objects.filter(actor="root", action_type="PARAMS_CREATE").count() == 1


def test_a_change_without_a_reason_is_refused_at_the_reason(root, world):
    response = save(root, world.strategy, param_fast_entry=25)
    assert response.status_code == 200
    assert set(errors(response)) == {"reason"}
    assert params_of(world.strategy).fast_entry == 20


@pytest.mark.parametrize(
    ("field", "value"), [("param_fast_entry", 4), ("param_fast_entry", "many"), ("param_stop_n", 99), ("param_weight", "")]
)
def test_a_value_out_of_its_range_is_refused_at_its_own_field(root, world, field, value):
    response = save(root, world.strategy, **{field: value, "reason": "test"})
    assert set(errors(response)) == {field}
    assert ParameterVersion.objects.filter(strategy=world.strategy).count() == 1


def test_values_that_do_not_fit_together_are_refused_above_the_form(root, world):
    response = save(root, world.strategy, param_fast_entry=55, reason="test")
    assert "fast_entry must be shorter than slow_entry" in str(errors(response)["__all__"])


def test_a_parameter_set_apart_from_its_default_is_marked_beside_it(root, world):
    save(root, world.strategy, param_fast_entry=25, reason="test")
    field = root.get(change_url(world.strategy), headers={"Accept-Language": "en"}).context["adminform"].form.fields["param_fast_entry"]
    assert "Default: 20." in field.help_text
    assert "From 5 to 120." in field.help_text
    assert "Set apart from the default." in field.help_text
    assert "<strong" in field.help_text
    assert "<strong" not in root.get(change_url(world.strategy)).context["adminform"].form.fields["param_slow_entry"].help_text


def test_going_back_to_the_default_sets_nothing_apart(root, world):
    save(root, world.strategy, param_fast_entry=25, reason="test")
    save(root, world.strategy, param_fast_entry=20, reason="back")
    assert Strategy.objects.get(pk=world.strategy.pk).current_params == {}


def test_an_account_has_its_own_values_over_the_house(root, world):
    assert save(root, world.strategy, world.account, param_fast_entry=30, reason="slower here").status_code == 302
    assert params_of(world.strategy, world.account).fast_entry == 30
    assert params_of(world.strategy).fast_entry == 20
    assert root.get(change_url(world.strategy, world.account)).context["adminform"].form.fields["param_fast_entry"].initial == 30
    save(root, world.strategy, world.account, param_fast_entry=20, reason="as the house")
    version_create(strategy=world.strategy, params={"fast_entry": 22}, reason="house moves")
    assert params_of(world.strategy, world.account).fast_entry == 22


def test_a_boolean_parameter_can_be_switched_off(root, world):
    body = form_body(root, world.strategy, reason="long only")
    body.pop("param_short")
    assert root.post(change_url(world.strategy), body).status_code == 302
    assert params_of(world.strategy).short is False


def test_switching_off_needs_a_reason_and_leaves_an_audit_entry(root, world):
    body = form_body(root, world.strategy)
    body.pop("enabled")
    assert set(errors(root.post(change_url(world.strategy), body))) == {"reason"}
    assert root.post(change_url(world.strategy), {**body, "reason": "Choppy."}).status_code == 302
    strategy = Strategy.objects.get(pk=world.strategy.pk)
    assert (strategy.enabled, strategy.disabled_reason) == (False, "Choppy.")
    assert AuditLog.objects.filter(actor="root", action_type="STRATEGY_TOGGLE").count() == 1


def test_a_strategy_without_an_implementation_shows_why_and_no_form(root):
    gone = strategy_gone()
    response = root.get(change_url(gone), headers={"Accept-Language": "en"})
    assert gone.disabled_reason in response.content.decode()
    assert not response.context["adminform"].form.fields
    assert root.post(change_url(gone), {"enabled": "on"}).status_code == 403
    assert not Strategy.objects.get(pk=gone.pk).enabled


def test_staff_who_do_not_manage_strategies_may_only_look(world):
    looker = User.objects.create_user("looker", password="x", is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_strategy"), Permission.objects.get(codename="view_parameterversion"))
    client = Client()
    client.force_login(looker)
    assert client.get(change_url(world.strategy)).status_code == 200
    assert client.post(change_url(world.strategy), {"param_fast_entry": 25, "reason": "x"}).status_code == 403
    first, second = world.strategy.active_version, version_create(strategy=world.strategy, params={"fast_entry": 25}, reason="test")
    activate(client, first)
    assert Strategy.objects.get(pk=world.strategy.pk).active_version == second


def activate(client, *versions):
    body = {"action": "activate", "_selected_action": [version.pk for version in versions]}
    return client.post(reverse("admin:strategies_parameterversion_changelist"), body, follow=True)


def test_an_older_version_can_be_made_active_again(root, world):
    first = Strategy.objects.get(pk=world.strategy.pk).active_version
    version_create(strategy=world.strategy, params={"fast_entry": 25}, reason="test")
    activate(root, first)
    assert params_of(world.strategy).fast_entry == 20
    assert Strategy.objects.get(pk=world.strategy.pk).active_version == first
    assert AuditLog.objects.filter(actor="root", action_type="PARAMS_ACTIVATE").count() == 1


def test_two_versions_of_one_strategy_cannot_be_made_active_together(root, world):
    first = Strategy.objects.get(pk=world.strategy.pk).active_version
    second = version_create(strategy=world.strategy, params={"fast_entry": 25}, reason="test")
    activate(root, first, second)
    assert Strategy.objects.get(pk=world.strategy.pk).active_version == second


def test_a_version_is_never_edited(root, world):
    version = Strategy.objects.get(pk=world.strategy.pk).active_version
    url = reverse("admin:strategies_parameterversion_change", args=[version.pk])
    assert root.post(url, {"params": "{}", "reason": "rewritten"}).status_code == 403
