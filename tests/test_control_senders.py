"""Processes that send: each registers before it sends, says what it runs, and keeps saying that it lives."""

from datetime import UTC, datetime, timedelta

import pytest
from celery.signals import worker_init
from django.core.management import call_command
from django.db import OperationalError

from quant_site import sending
from quant_site.core import clock
from quant_site.core.build import code_version
from trading.control import senders
from trading.control.senders import boot_beat, boot_latest, boot_register, boots_live, config_hash, sender_start
from trading.management.commands import sweep_orders
from trading.models import SenderBoot


@pytest.fixture
def threads(monkeypatch):
    """Threads that were started, instead of starting them."""
    started = []

    class Thread:
        def __init__(self, **wish):
            self.wish = wish

        def start(self):
            started.append(self.wish)

    monkeypatch.setattr(senders.threading, "Thread", Thread)
    return started


@pytest.mark.django_db
def test_a_boot_names_its_process_and_what_it_runs():
    boot = boot_register("sweeper")
    stored = SenderBoot.objects.get()
    assert (stored.role, stored.code_version, stored.config_hash) == ("sweeper", code_version(), config_hash())
    assert stored.pid > 0 and stored.host
    assert boot_latest() == boot


@pytest.mark.django_db
def test_it_lives_while_its_signs_of_life_are_fresh():
    boot = boot_register("sweeper")
    assert boots_live() == [boot]
    SenderBoot.objects.update(beat_at=datetime.now(UTC) - timedelta(seconds=30, milliseconds=1))
    assert boots_live() == []
    boot_beat(boot)
    assert boots_live() == [boot]


@pytest.mark.django_db
def test_signs_of_life_are_on_the_wall_clock_also_in_a_replay():
    with clock.use(clock.VirtualClock(datetime(2012, 1, 3, tzinfo=UTC))):
        boot = boot_register("sweeper")
        assert boots_live() == [boot]
    assert boots_live() == [boot]


@pytest.mark.django_db
def test_a_process_keeps_beating_from_a_thread_that_does_not_keep_it_alive(threads):
    boot = sender_start("worker")
    [thread] = threads
    assert thread["daemon"] and thread["args"] == (boot,)


@pytest.mark.django_db
def test_a_database_that_is_away_is_waited_for_before_anything_is_sent(threads, monkeypatch):
    real, tries, waits = boot_register, [], []

    def away_twice(role):
        tries.append(role)
        if len(tries) < 3:
            raise OperationalError("gone away")
        return real(role)

    monkeypatch.setattr(senders, "boot_register", away_twice)
    monkeypatch.setattr(senders, "close_old_connections", lambda: None)
    monkeypatch.setattr(senders.time, "sleep", waits.append)
    assert sender_start("sweeper") == boot_latest()
    assert (tries, waits) == (["sweeper"] * 3, [senders.RETRY_EVERY] * 2)


def test_a_process_that_is_stopped_while_it_waits_sends_nothing(threads, monkeypatch):
    def away(role):
        raise OperationalError("gone away")

    answers = iter([False, False, True])
    monkeypatch.setattr(senders, "boot_register", away)
    monkeypatch.setattr(senders, "close_old_connections", lambda: None)
    monkeypatch.setattr(senders.time, "sleep", lambda seconds: None)
    assert sender_start("sweeper", stopped=lambda: next(answers)) is None
    assert threads == []


@pytest.mark.django_db
def test_beating_outlives_a_database_that_is_away(monkeypatch):
    boot, beats = boot_register("sweeper"), []

    class EndOfTest(Exception):
        pass

    def beat(row):
        beats.append(row.pk)
        if len(beats) < 3:
            raise OperationalError("gone away")
        raise EndOfTest

    monkeypatch.setattr(senders, "boot_beat", beat)
    monkeypatch.setattr(senders, "close_old_connections", lambda: None)
    monkeypatch.setattr(senders.time, "sleep", lambda seconds: None)
    with pytest.raises(EndOfTest):
        senders._beat_forever(boot)
    assert beats == [boot.pk] * 3


# --- the configuration


@pytest.mark.parametrize(
    ("name", "value"), [("REAL_TRADING", "on"), ("TIGER_SOMETHING", "x"), ("MARKET_DATA_DIR", "/elsewhere"), ("TIME_ZONE", "Asia/Tokyo")]
)
def test_a_setting_that_matters_changes_the_hash(settings, name, value):
    before = config_hash()
    setattr(settings, name, value)
    assert config_hash() != before


def test_the_database_matters_and_its_password_does_not(settings, monkeypatch):
    before = config_hash()
    monkeypatch.setitem(settings.DATABASES["default"], "PASSWORD", "another")
    assert config_hash() == before
    monkeypatch.setitem(settings.DATABASES["default"], "HOST", "elsewhere")
    assert config_hash() != before


@pytest.mark.parametrize("name", ["TIGER_API_KEY", "TIGER_SECRET", "TIGER_TOKEN", "BROKER_PASSWORD"])
def test_of_a_secret_only_its_presence_counts(settings, name):
    setattr(settings, name, "one")
    first = config_hash()
    setattr(settings, name, "another")
    assert config_hash() == first
    setattr(settings, name, "")
    assert config_hash() != first


def test_what_does_not_matter_leaves_it_alone(settings):
    before = config_hash()
    settings.LOG_LEVEL, settings.UNFOLD = "DEBUG", {}
    assert config_hash() == before
    assert len(before) == 12


# --- who registers


@pytest.mark.django_db
def test_the_sweeper_registers_before_its_first_round(monkeypatch, threads):
    seen = []
    monkeypatch.setattr(sweep_orders.signal, "signal", lambda *_: None)
    monkeypatch.setattr(sweep_orders, "sweep_forever", lambda **_: seen.append(boot_latest().role))
    call_command("sweep_orders", verbosity=0)
    assert seen == ["sweeper"]


@pytest.mark.django_db
def test_a_single_round_registers_too(monkeypatch):
    monkeypatch.setattr(sweep_orders, "sweep", lambda: {} if boot_latest() else pytest.fail("nobody registered"))
    call_command("sweep_orders", "--once")
    assert boot_latest().role == "sweeper"


def test_a_worker_registers_when_it_starts_before_it_forks(monkeypatch):
    started = []
    monkeypatch.setattr(sending, "sender_start", started.append)
    monkeypatch.setattr(sending.connections, "close_all", lambda: started.append("closed"))
    assert sending.register_worker in worker_init._live_receivers(None)
    sending.register_worker()
    assert started == ["worker", "closed"]
