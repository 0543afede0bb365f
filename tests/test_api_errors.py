"""Every error of the API comes in one envelope, whatever raised it."""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404
from django.test import Client, RequestFactory
from rest_framework import exceptions

from quant_site.core import api, errors
from tests.api_world import build_world

ERRORS = [
    (errors.InvalidInput("bad", "Say it better.", field="x"), 400, "bad"),
    (errors.NotAllowed("no", "You may not."), 403, "no"),
    (errors.NotFound("none", "There is none."), 404, "none"),
    (errors.Conflict("late", "Too late."), 409, "late"),
    (errors.IllegalTransition("illegal_transition", "It cannot."), 409, "illegal_transition"),
    (errors.DataMissing("no_bars", "Import them."), 422, "no_bars"),
    (errors.Unavailable("down", "Later."), 503, "down"),
    (errors.LedgerMismatch("off", "By a cent."), 500, "off"),
    (Http404(), 404, "not_found"),
    (PermissionDenied(), 403, "permission_denied"),
    (ValidationError({"size": ["Too large."]}), 400, "invalid_input"),
    (exceptions.NotAuthenticated(), 401, "not_authenticated"),
    (exceptions.ParseError(), 400, "parse_error"),
    (exceptions.MethodNotAllowed("PATCH"), 405, "method_not_allowed"),
    (exceptions.UnsupportedMediaType("text/csv"), 415, "unsupported_media_type"),
    (exceptions.Throttled(wait=7.4), 429, "throttled"),
]


@pytest.mark.parametrize(("error", "status", "code"), ERRORS, ids=[type(error).__name__ for error, _, _ in ERRORS])
def test_an_error_becomes_code_message_and_details(error, status, code):
    response = api.exception_handler(error, {})
    assert response.status_code == status
    assert set(response.data) == {"code", "message", "details"}
    assert response.data["code"] == code
    assert isinstance(response.data["message"], str)
    assert response.data["message"]
    assert isinstance(response.data["details"], dict)


def test_a_defect_is_not_dressed_up_as_an_error_of_the_caller():
    assert api.exception_handler(ZeroDivisionError(), {}) is None


def test_details_of_an_error_reach_the_caller():
    assert api.exception_handler(errors.InvalidInput("bad", "No.", field="x"), {}).data["details"] == {"field": "x"}


def test_nested_field_errors_are_told_as_one_sentence_and_as_data():
    detail = {"legs": [{"symbol": ["Unknown."]}], "non_field_errors": ["Too many."]}
    data = api.exception_handler(exceptions.ValidationError(detail), {}).data
    assert data["message"] == "legs.symbol: Unknown.; Too many."
    assert data["details"] == {"fields": detail}


def test_a_throttled_caller_is_told_when_to_come_back():
    response = api.exception_handler(exceptions.Throttled(wait=7.4), {})
    assert response["Retry-After"] == "8"
    assert response.data["details"] == {"wait_seconds": 8}


@pytest.mark.django_db
class TestOutsideAnEndpoint:
    def test_an_unknown_address_under_api_is_json(self):
        response = Client().get("/api/v1/nothing/")
        assert (response.status_code, response.json()["code"]) == (404, "not_found")

    def test_a_missing_or_extra_slash_is_pointed_out(self):
        assert "Did you mean /api/v1/loop/run?" in Client().post("/api/v1/loop/run/").json()["message"]

    def test_an_unknown_address_elsewhere_is_a_page(self):
        response = Client().get("/nothing-here/")
        assert response.status_code == 404
        assert response["Content-Type"].startswith("text/html")

    def test_a_crash_under_api_is_json_that_tells_no_secret(self, monkeypatch):
        def crash(*args, **kwargs):
            raise RuntimeError("password=hunter2")

        monkeypatch.setattr("quant_site.core.endpoints.AccountsView.get_queryset", crash)
        world = build_world()
        client = world.client("owner")
        client.raise_request_exception = False
        response = client.get("/api/v1/accounts/")
        assert (response.status_code, response.json()["code"]) == (500, "server_error")
        assert "hunter2" not in response.content.decode()

    def test_pages_for_bad_requests_and_refusals_under_api_are_json_too(self):
        request = RequestFactory().get("/api/v1/accounts/")
        assert api.bad_request(request, ValueError()).status_code == 400
        assert api.permission_denied(request, PermissionDenied()).status_code == 403

    def test_a_body_that_is_no_json_is_a_bad_request(self):
        response = Client().post("/api/v1/auth/token", "{not json", content_type="application/json")
        assert (response.status_code, response.json()["code"]) == (400, "parse_error")
