"""Settings for tests: those of the site, with fast password hashing and plain static files."""

import os
import tempfile

os.environ.setdefault("VAR_DIR", tempfile.mkdtemp(prefix="quant-test-"))

from quant_site.settings import *  # noqa: F403

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
