"""Settings for tests: those of the site, with fast password hashing and plain static files.

Tests that run side by side (pytest-xdist) share nothing: each of their processes has a folder of its own, databases of its own
in Redis, and pytest-django gives it a database.
"""

import os
import tempfile

worker = os.environ.get("PYTEST_XDIST_WORKER", "")
# Processes that a test starts find the folder of their test.
if "VAR_DIR" not in os.environ or (worker and os.environ.get("VAR_DIR_OF") != worker):
    os.environ |= {"VAR_DIR": tempfile.mkdtemp(prefix="quant-test-"), "VAR_DIR_OF": worker}

from quant_site.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # noqa: F405
    # In memory the threads of a live server would share one connection, and requests side by side each other's transactions.
    DATABASES["default"].setdefault("TEST", {})["NAME"] = str(VAR_DIR / "test.sqlite3")  # noqa: F405
    # A process that is killed loses nothing by this; only a power cut would, and no test is one.
    options = DATABASES["default"]["OPTIONS"]  # noqa: F405
    DATABASES["default"]["OPTIONS"] = options | {"init_command": options["init_command"].replace("synchronous=FULL", "synchronous=OFF")}  # noqa: F405
if REDIS_URL and worker:  # noqa: F405
    # Of Redis' sixteen databases four for each.
    first = int(worker.removeprefix("gw")) % 4 * 4
    CELERY_BROKER_URL, RATE_LIMITS_URL = f"{REDIS_URL}/{first}", f"{REDIS_URL}/{first + 3}"  # noqa: F405
    CACHES["default"]["LOCATION"] = f"{REDIS_URL}/{first + 1}"  # noqa: F405
    CHANNEL_LAYERS["default"]["CONFIG"]["hosts"] = [f"{REDIS_URL}/{first + 2}"]  # noqa: F405
