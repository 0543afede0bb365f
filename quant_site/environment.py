"""How environment variables become settings; short forms first, then the long names."""

import os
import secrets
from pathlib import Path
from urllib.parse import quote

SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-64000;",
}
MYSQL_OPTIONS = {"charset": "utf8mb4", "isolation_level": "read committed", "init_command": "SET sql_mode='STRICT_TRANS_TABLES'"}


def database_from_env(env, var_dir: Path) -> dict:
    """`DATABASE_URL`, else `DATABASE_HOST` and its companions (MySQL), else SQLite under `var_dir`."""
    url = env.str("DATABASE_URL", default="")
    if not url and env.str("DATABASE_HOST", default=""):
        user, password = quote(env.str("DATABASE_USER", default="root"), safe=""), quote(env.str("DATABASE_PASSWORD", default=""), safe="")
        url = (
            f"mysql://{user}:{password}@{env.str('DATABASE_HOST')}:{env.int('DATABASE_PORT', default=3306)}"
            f"/{env.str('DATABASE_NAME', default='ai_trading')}"
        )
    config = env.db_url_config(url or f"sqlite:///{var_dir / 'quant.sqlite3'}")
    if config["ENGINE"].endswith("sqlite3"):
        config["OPTIONS"] = SQLITE_OPTIONS | config.get("OPTIONS", {})
    if config["ENGINE"].endswith("mysql"):
        config["OPTIONS"] = MYSQL_OPTIONS | config.get("OPTIONS", {})
        config["CONN_MAX_AGE"] = 60
        config["CONN_HEALTH_CHECKS"] = True
    return config


def redis_url_from_env(env) -> str:
    """`REDIS_URL` without a database number, else `REDIS_HOST`/`REDIS_PORT`, else empty: no Redis."""
    url = env.str("REDIS_URL", default="").rstrip("/")
    if not url and env.str("REDIS_HOST", default=""):
        url = f"redis://{env.str('REDIS_HOST')}:{env.int('REDIS_PORT', default=6379)}"
    return url


def secret_from_env(env, name: str, var_dir: Path) -> str:
    """The secret `name`; where none is given, one made at the first start and kept readable by the owner only."""
    value = env.str(name, default="")
    if value:
        return value
    path = var_dir / f"{name.lower()}.txt"
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_urlsafe(64))
    return path.read_text().strip()
