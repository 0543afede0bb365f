"""Limits on requests: counted by address, and by nothing a sender can make up."""

import pytest
import redis
from django.core.exceptions import PermissionDenied
from django.test import RequestFactory
from rest_framework.settings import api_settings

from quant_site.core import ratelimit
from quant_site.core.errors import Unavailable
from quant_site.core.ratelimit import REQUESTS_PER_ADDRESS, AddressThrottle, client_address
from tests.api_world import build_world


def request(address="10.0.0.1", **headers):
    return RequestFactory().get("/", REMOTE_ADDR=address, **headers)


@pytest.mark.django_db
def test_the_hundred_and_first_request_of_a_minute_is_refused():
    client = build_world().client("owner")
    for _ in range(REQUESTS_PER_ADDRESS.amount):
        assert client.get("/api/v1/accounts/").status_code == 200
    refused = client.get("/api/v1/accounts/")
    assert refused.status_code == 429
    assert refused.json()["code"] == "throttled"
    assert 0 < int(refused["Retry-After"]) <= 60
    assert client.get("/health").status_code == 200


def test_another_address_has_its_own_count():
    throttle = AddressThrottle()
    while throttle.allow_request(request(), None):
        pass
    assert throttle.allow_request(request("10.0.0.2"), None)


def test_a_forwarded_address_is_not_believed_unless_proxies_are_configured(monkeypatch):
    spoofed = request(HTTP_X_FORWARDED_FOR="1.2.3.4")
    assert api_settings.NUM_PROXIES == 0
    assert client_address(spoofed) == "10.0.0.1"
    monkeypatch.setattr(api_settings, "NUM_PROXIES", 1)
    assert client_address(request(HTTP_X_FORWARDED_FOR="6.6.6.6, 1.2.3.4")) == "1.2.3.4"


def test_one_holder_of_an_ipv6_network_is_one_sender():
    assert client_address(request("2001:db8:1:2::1")) == client_address(request("2001:db8:1:2:ffff::9"))
    assert client_address(request("2001:db8:1:2::1")) != client_address(request("2001:db8:1:3::1"))


class Broken:
    def hit(self, *args):
        raise redis.ConnectionError("down")

    test = hit


def test_with_its_counters_down_requests_pass_and_logins_do_not(monkeypatch):
    monkeypatch.setattr(ratelimit, "limiter", Broken)
    assert AddressThrottle().allow_request(request(), None)
    with pytest.raises(Unavailable):
        ratelimit.login_check(request=request(), username="ada")
    with pytest.raises(PermissionDenied):
        ratelimit.GuardedModelBackend().authenticate(request(), username="ada", password="x")
