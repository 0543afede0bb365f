"""Which code is running: a digest of the sources, so that a stored result can say what made it."""

import hashlib
from functools import cache
from pathlib import Path

from django.conf import settings

PACKAGES = ("quant_site", "strategies", "signals_app", "trading", "analytics", "advisor")


@cache
def code_version() -> str:
    """Twelve hexadecimal digits that change with any Python source of the system; migrations are left out."""
    digest = hashlib.sha256()
    for path in _sources(Path(settings.BASE_DIR)):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _sources(root: Path) -> list[Path]:
    return sorted(path for package in PACKAGES for path in (root / package).rglob("*.py") if "migrations" not in path.parts)
