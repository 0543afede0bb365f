"""What the environment may say, and what it gets for saying it wrong."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from quant_site import environment
from quant_site.environment import Environment, database_from_env, redis_url_from_env


def ids(env):
    return [problem.id for problem in env.problems]


@pytest.fixture
def driver(monkeypatch):
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: object())


@pytest.mark.parametrize("text, value", [("1", True), ("TRUE", True), ("on", True), ("0", False), ("no", False), ("", True)])
def test_a_flag_is_read_by_its_word_and_an_empty_one_is_unset(text, value):
    env = Environment({"X": text})
    assert env.flag("X", True) is value
    assert env.problems == []


@pytest.mark.parametrize("text", ["maybe", "2", "None"])
def test_a_flag_that_says_neither_is_refused(text):
    env = Environment({"X": text})
    assert env.flag("X", False) is False
    assert ids(env) == ["quant.E007"]


@pytest.mark.parametrize("text", ["abc", "-1", "0", "366", "1.5", "1e2", "٣", "1_0"])
def test_a_bad_number_is_refused_with_its_name_and_its_range(text):
    env = Environment({"DAYS": text})
    assert env.number("DAYS", 7, least=1, most=365) == 7
    (problem,) = env.problems
    assert problem.id == "quant.E007"
    assert "DAYS" in problem.message
    assert "1 to 365" in problem.hint


def test_a_list_drops_blanks_and_falls_back_when_empty():
    assert Environment({"X": " a, ,b "}).words("X") == ["a", "b"]
    assert Environment({"X": ","}).words("X", ("c",)) == ["c"]


def test_an_unknown_algorithm_is_refused_and_never_used():
    env = Environment({"JWT_ALGORITHM": "none"})
    assert env.choice("JWT_ALGORITHM", "HS256", ("HS256", "HS512"), id="quant.E006") == "HS256"
    assert ids(env) == ["quant.E006"]


def test_without_anything_the_database_is_sqlite_in_wal_with_immediate_transactions(tmp_path):
    odd = tmp_path / "a #?% b"
    config = database_from_env(Environment({}), odd)
    assert config["NAME"] == str(odd / "quant.sqlite3")
    assert config["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in config["OPTIONS"]["init_command"]


def test_the_short_form_of_the_database_wins_over_the_long_names(tmp_path, driver):
    env = Environment({"DATABASE_URL": "mysql://u:p%40ss@db:3307/quant", "DATABASE_HOST": "elsewhere"})
    config = database_from_env(env, tmp_path)
    assert (config["HOST"], config["PORT"], config["USER"], config["PASSWORD"], config["NAME"]) == ("db", 3307, "u", "p@ss", "quant")
    assert config["OPTIONS"]["isolation_level"] == "read committed"
    assert env.problems == []


def test_the_long_names_take_any_password(tmp_path, driver):
    env = Environment({"DATABASE_HOST": "db", "DATABASE_PASSWORD": "p@ss/w:rd#?", "DATABASE_USER": "tr@der", "DATABASE_NAME": "ai_trading"})
    config = database_from_env(env, tmp_path)
    assert (config["USER"], config["PASSWORD"], config["NAME"], config["PORT"]) == ("tr@der", "p@ss/w:rd#?", "ai_trading", 3306)


def test_mariadb_is_mysql(tmp_path, driver):
    assert database_from_env(Environment({"DATABASE_URL": "mariadb://root@h/q"}), tmp_path)["ENGINE"] == "django.db.backends.mysql"


@pytest.mark.parametrize("url", ["postgres://h/q", "mysql://h", "nonsense", "mysql://u:hunter2@h:port/q", "://"])
def test_a_database_we_cannot_use_is_refused_quotes_no_password_and_nothing_stands_in_for_it(tmp_path, driver, url):
    env = Environment({"DATABASE_URL": url})
    assert database_from_env(env, tmp_path)["ENGINE"] == "django.db.backends.dummy"
    assert ids(env) == ["quant.E004"]
    assert "hunter2" not in repr(env.problems)


def test_mysql_without_its_driver_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None)
    env = Environment({"DATABASE_URL": "mysql://root@127.0.0.1:3306/quant"})
    assert database_from_env(env, tmp_path)["ENGINE"] == "django.db.backends.dummy"
    assert ids(env) == ["quant.E005"]
    assert "libmariadb-dev" in env.problems[0].hint


@pytest.mark.parametrize(
    "variables, url",
    [
        ({}, ""),
        ({"REDIS_URL": "redis://h:6379/"}, "redis://h:6379"),
        ({"REDIS_URL": "rediss://:secret@h:6379/0"}, "rediss://:secret@h:6379"),
        ({"REDIS_HOST": "h"}, "redis://h:6379"),
        ({"REDIS_HOST": "h", "REDIS_PORT": "7000", "REDIS_PASSWORD": "p@s"}, "redis://:p%40s@h:7000"),
    ],
)
def test_redis_is_named_by_either_form(variables, url):
    env = Environment(variables)
    assert redis_url_from_env(env) == url
    assert env.problems == []


@pytest.mark.parametrize("url", ["http://h:6379", "redis://h:6379/5", "redis://", "redis://h:port", "h:6379", "redis://h?db=1"])
def test_a_redis_address_we_cannot_use_is_refused(url):
    env = Environment({"REDIS_URL": url})
    assert redis_url_from_env(env) == ""
    assert ids(env) == ["quant.E008"]


def test_a_secret_is_made_once_and_readable_by_the_owner_only(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: Environment({}).secret("JWT_SECRET", tmp_path), range(16)))
    assert len(made) == 1
    assert len(made.pop()) >= 64
    path = tmp_path / "jwt_secret.txt"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_given_secret_is_used_and_not_written_down(tmp_path):
    assert Environment({"SECRET_KEY": "given"}).secret("SECRET_KEY", tmp_path) == "given"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    env = Environment({"VAR_DIR": str(tmp_path / "file" / "below")})
    env.folder("VAR_DIR", tmp_path / "var", base=tmp_path)
    assert ids(env) == ["quant.E003"]
    assert env.secret("SECRET_KEY", tmp_path / "file" / "below")
    assert ids(env) == ["quant.E003", "quant.E003"]


def test_a_relative_folder_does_not_depend_on_the_current_directory(tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    assert Environment({"VAR_DIR": "data"}).folder("VAR_DIR", tmp_path / "var", base=tmp_path) == tmp_path / "data"
    assert (tmp_path / "data").is_dir()
