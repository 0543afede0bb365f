"""A wrong configuration ends at boot, with an id and a hint, whoever boots."""

import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from quant_site.checks import configuration_require, redis_problems
from quant_site.environment import Problem


def found():
    return [message.id for message in run_checks() if (message.id or "").startswith("quant.")]


def boot(tmp_path, *arguments, **variables):
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "VAR_DIR": str(tmp_path / "var")} | variables
    return subprocess.run(
        [sys.executable, *arguments], cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_configuration_of_the_tests_has_nothing_against_it():
    assert found() == []
    configuration_require()


def test_a_short_jwt_key_is_refused(settings):
    settings.SIMPLE_JWT = settings.SIMPLE_JWT | {"SIGNING_KEY": "k" * 31}
    assert found() == ["quant.E001"]
    settings.SIMPLE_JWT = settings.SIMPLE_JWT | {"SIGNING_KEY": "k" * 32}
    assert found() == []


def test_one_key_for_two_purposes_is_refused(settings):
    settings.SIMPLE_JWT = settings.SIMPLE_JWT | {"SIGNING_KEY": settings.SECRET_KEY}
    assert found() == ["quant.E002"]


def test_debug_on_a_public_site_is_refused(settings):
    settings.DEBUG = settings.HTTPS = True
    assert found() == ["quant.E009"]


def test_what_the_environment_got_wrong_stops_servers_and_workers_too(settings):
    settings.CONFIGURATION_PROBLEMS = [Problem("quant.E004", "It cannot be used.", "Do this.")]
    assert found() == ["quant.E004"]
    with pytest.raises(ImproperlyConfigured, match=r"(?s)quant\.E004.*cannot be used.*HINT: Do this"):
        configuration_require()


def test_a_redis_that_does_not_answer_is_named_when_everything_is_started(settings):
    settings.REDIS_URL = ""
    assert redis_problems() == []
    settings.REDIS_URL = "redis://127.0.0.1:1"
    assert [message.id for message in redis_problems()] == ["quant.E011"]


def test_a_command_names_every_problem_at_once_and_touches_nothing(tmp_path):
    wrong = {"DATABASE_URL": "postgres://h/q", "JWT_EXPIRE_DAYS": "abc", "REDIS_URL": "h:1", "JWT_SECRET": "short"}
    result = boot(tmp_path, "manage.py", "migrate", **wrong)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    for id in ("quant.E001", "quant.E004", "quant.E007", "quant.E008"):
        assert id in result.stderr
    assert result.stderr.count("HINT") == 4
    assert not list((tmp_path / "var").glob("*.sqlite3"))


def test_a_scheduler_refuses_to_start_too(tmp_path):
    result = boot(tmp_path, "-m", "celery", "-A", "quant_site.celery", "beat", DATABASE_URL="postgres://h/q")
    assert result.returncode != 0
    assert "quant.E004" in result.stderr
    assert "Traceback" not in result.stderr
