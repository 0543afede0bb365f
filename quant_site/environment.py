"""How environment variables become settings; short forms first, then the long names.

What cannot be used is remembered as a `Problem` and something harmless stands in for it, so that Django comes up far
enough to name every problem at once with its hint (`quant_site.checks`). Nothing runs on the stand-ins: each entry
point stops at those checks, and in place of a database that cannot be had stands one that refuses every statement.
"""

import importlib.util
import os
import re
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

import environ

SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-64000;",
}
MYSQL_OPTIONS = {"charset": "utf8mb4", "isolation_level": "read committed", "init_command": "SET sql_mode='STRICT_TRANS_TABLES'"}
NO_DATABASE = {"ENGINE": "django.db.backends.dummy"}
MYSQL_PACKAGES = "apt-get install gcc pkg-config libmariadb-dev python3-dev"
FLAGS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


@dataclass(frozen=True)
class Problem:
    """A setting that cannot be used: a stable id, what is wrong, and what to do."""

    id: str
    message: str
    hint: str


@dataclass
class Environment:
    """Typed reads of `variables`. An empty variable counts as unset."""

    variables: Mapping[str, str] = field(default_factory=lambda: os.environ)
    problems: list[Problem] = field(default_factory=list)

    def refuse(self, id: str, message: str, hint: str) -> None:
        problem = Problem(id, message, hint)
        if problem not in self.problems:
            self.problems.append(problem)

    def text(self, name: str, default: str = "") -> str:
        return self.variables.get(name, "").strip() or default

    def words(self, name: str, default: tuple[str, ...] = ()) -> list[str]:
        """A list separated by commas."""
        return [word.strip() for word in self.text(name).split(",") if word.strip()] or list(default)

    def number(self, name: str, default: int, *, least: int, most: int) -> int:
        value = self.text(name)
        if not value:
            return default
        if value.isascii() and value.isdigit() and least <= int(value) <= most:
            return int(value)
        self.refuse("quant.E007", f"{name} is {value!r}.", f"Give a whole number from {least} to {most}, or unset it for {default}.")
        return default

    def flag(self, name: str, default: bool) -> bool:
        value = self.text(name).lower()
        if not value:
            return default
        if value in FLAGS:
            return FLAGS[value]
        self.refuse("quant.E007", f"{name} is {value!r}.", f"Give 1 or 0, or unset it for {int(default)}.")
        return default

    def choice(self, name: str, default: str, known: tuple[str, ...], *, id: str) -> str:
        value = self.text(name, default)
        if value in known:
            return value
        self.refuse(id, f"{name} is {value!r}, which is not known here.", f"Use one of {', '.join(known)}; {default} when it is not set.")
        return default

    def folder(self, name: str, default: Path, *, base: Path) -> Path:
        """The folder `name` (relative to `base`), made where it is missing, with a problem unless it can be written."""
        path = base / Path(self.text(name, str(default))).expanduser()
        try:
            path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path):
                return path
        except OSError as error:
            self.refuse("quant.E003", f"{name}: {path} cannot be written ({error.strerror}).", f"Give it to this user, or set {name}.")
            return path

    def secret(self, name: str, folder: Path) -> str:
        """The secret `name`; where none is given, one made at the first start and kept readable by the owner only."""
        value = self.text(name)
        if value:
            return value
        path = folder / f"{name.lower()}.txt"
        try:
            if not path.exists():
                _write_once(path, secrets.token_urlsafe(64))
            return path.read_text().strip()
        except OSError as error:
            self.refuse("quant.E003", f"{name} cannot be kept in {path} ({error.strerror}).", f"Set {name}, or give the file to this user.")
            return secrets.token_urlsafe(64)


def _write_once(path: Path, text: str) -> None:
    """Let the file appear whole, and by one writer: of several that start together the first wins."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mode 0600
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        os.unlink(draft)


def database_from_env(env: Environment, var_dir: Path) -> dict:
    """`DATABASE_URL`, else `DATABASE_HOST` and its companions (MySQL), else SQLite under `var_dir`."""
    url = env.text("DATABASE_URL")
    if not url and env.text("DATABASE_HOST"):
        user, password = quote(env.text("DATABASE_USER", "root"), safe=""), quote(env.text("DATABASE_PASSWORD"), safe="")
        port = env.number("DATABASE_PORT", 3306, least=1, most=65535)
        url = f"mysql://{user}:{password}@{env.text('DATABASE_HOST')}:{port}/{env.text('DATABASE_NAME', 'ai_trading')}"
    if not url:
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(var_dir / "quant.sqlite3"), "OPTIONS": dict(SQLITE_OPTIONS)}
    scheme, config = url.partition("://")[0], {}
    try:
        if scheme in ("mysql", "mariadb", "sqlite"):
            config = environ.Env.db_url_config(url.replace("mariadb://", "mysql://", 1))
    except Exception:  # noqa: BLE001 (whatever a URL can make the parser say is the same problem, and may quote a password)
        config = {}
    if not config.get("NAME"):
        hint = "Write mysql://user:password@host:3306/name or sqlite:////absolute/path, special characters percent-encoded."
        env.refuse("quant.E004", "DATABASE_URL cannot be used: it is not the address of a MySQL, MariaDB or SQLite database.", hint)
        return dict(NO_DATABASE)
    if scheme == "sqlite":
        return config | {"OPTIONS": SQLITE_OPTIONS | config.get("OPTIONS", {})}
    if importlib.util.find_spec("MySQLdb") is None:
        message = "The database is MySQL or MariaDB, and its driver mysqlclient is not installed."
        env.refuse("quant.E005", message, f"{MYSQL_PACKAGES}, then .venv/bin/pip install the mysqlclient line of requirements.txt.")
        return dict(NO_DATABASE)
    # Under ASGI each request has a thread of its own, so kept connections would pile up; a WSGI server may set 60.
    config["CONN_MAX_AGE"] = env.number("DATABASE_CONN_MAX_AGE", 0, least=0, most=3600)
    config["CONN_HEALTH_CHECKS"] = True
    return config | {"OPTIONS": MYSQL_OPTIONS | config.get("OPTIONS", {})}


def redis_url_from_env(env: Environment) -> str:
    """`REDIS_URL`, else `REDIS_HOST`/`REDIS_PORT`/`REDIS_PASSWORD`, else empty: no Redis. Without a database number."""
    url = env.text("REDIS_URL")
    if not url and env.text("REDIS_HOST"):
        password = quote(env.text("REDIS_PASSWORD"), safe="")
        port = env.number("REDIS_PORT", 6379, least=1, most=65535)
        url = f"redis://{f':{password}@' if password else ''}{env.text('REDIS_HOST')}:{port}"
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("redis", "rediss") and parts.hostname and parts.port != 0 and parts.path in ("", "/", "/0")
    except ValueError:
        usable = False
    if usable and not parts.query:
        return f"{parts.scheme}://{parts.netloc}"
    hint = "Write redis://[:password@]host:6379 without a database number: 0 to 3 hold the queue, the cache, the sockets and the limits."
    env.refuse("quant.E008", "REDIS_URL cannot be used.", hint)
    return ""


@dataclass(frozen=True)
class TigerSettings:
    """How Tiger Brokers is reached. Secrets are left out of its text. Empty URLs: Tiger's own gateway for the licence."""

    account: str = field(repr=False)
    tiger_id: str = field(repr=False)
    private_key: str = field(repr=False)
    license: str = ""
    server_url: str = ""
    push_url: str = ""
    public_key: str = ""
    timeout: int = 10


def tiger_from_env(env: Environment) -> TigerSettings | None:
    """`TIGER_ACCOUNT`, `TIGER_API_KEY` (the tiger id) and `TIGER_SECRET` (the private key or the path of its file); None
    where none of them is set. The other variables are for other gateways: a test's, or another licence's."""
    names = ("TIGER_ACCOUNT", "TIGER_API_KEY", "TIGER_SECRET")
    missing = [name for name in names if not env.text(name)]
    if len(missing) == len(names):
        return None
    hint = "Set TIGER_ACCOUNT, TIGER_API_KEY (the tiger id) and TIGER_SECRET (the private key or its file), or none of them."
    if missing:
        env.refuse("quant.E012", f"Tiger needs {' and '.join(missing)} too.", hint)
        return None
    key = _private_key(env, hint)
    if not key:
        return None
    for name, schemes in (("TIGER_SERVER_URL", ("https", "http")), ("TIGER_PUSH_URL", ("ssl", "tcp"))):
        if not _tiger_url(env.text(name), schemes):
            env.refuse("quant.E012", f"{name} is not the address of a gateway.", f"Write {schemes[0]}://host:port, or unset it.")
            return None
    return TigerSettings(
        account=env.text("TIGER_ACCOUNT"),
        tiger_id=env.text("TIGER_API_KEY"),
        private_key=key,
        license=env.text("TIGER_LICENSE").upper(),
        server_url=env.text("TIGER_SERVER_URL"),
        push_url=env.text("TIGER_PUSH_URL"),
        public_key=env.text("TIGER_PUBLIC_KEY"),
        timeout=env.number("TIGER_TIMEOUT", 10, least=1, most=60),
    )


def _private_key(env: Environment, hint: str) -> str:
    """The key as one line of base64; "" with a problem where there is none. Its text is in no message."""
    text = env.text("TIGER_SECRET").replace("\\n", "\n")
    try:
        path = Path(text).expanduser()
        text = path.read_text() if len(text) < 512 and "\n" not in text and path.is_file() else text
    except (OSError, UnicodeDecodeError, ValueError, RuntimeError) as error:
        env.refuse("quant.E012", f"The file that TIGER_SECRET names cannot be read ({type(error).__name__}).", hint)
        return ""
    key = "".join(line.strip() for line in text.splitlines() if not line.startswith("-----"))
    if len(key) < 128 or not re.fullmatch(r"[A-Za-z0-9+/=]+", key):
        env.refuse("quant.E012", "TIGER_SECRET is neither a private key nor the path of a file that holds one.", hint)
        return ""
    return key


def _tiger_url(url: str, schemes: tuple[str, ...]) -> bool:
    """Whether `url` is empty or usable. Without TLS only the machine itself is talked to."""
    try:
        parts = urlsplit(url)
        plain = parts.scheme == schemes[1]
        local = parts.hostname in ("127.0.0.1", "::1", "localhost")
        return not url or (parts.scheme in schemes and bool(parts.hostname) and parts.port != 0 and (local or not plain))
    except ValueError:
        return False
