"""What several tests share."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from quant_site.core.ratelimit import limiter
from quant_site.market.services import bundled_import
from strategies.services import strategies_seed

if settings.get_current_profile_name() == "default":
    # How long an example takes is the machine's affair; a busy one is no failure.
    settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("patient")


@pytest.fixture(scope="session")
def market_fixtures() -> Path:
    """A folder with real market data, named by MARKET_FIXTURES; tests that need it are skipped where there is none."""
    folder = os.environ.get("MARKET_FIXTURES", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("MARKET_FIXTURES names no folder with market data")
    return Path(folder)


@pytest.fixture
def market_dir(tmp_path, settings) -> Path:
    """An empty bar store of the test's own."""
    settings.MARKET_DATA_DIR = tmp_path / "market"
    return settings.MARKET_DATA_DIR


@pytest.fixture(scope="session")
def bundled_dir(tmp_path_factory) -> Path:
    """One folder for the bundled bars, written by the first test that wants them."""
    return tmp_path_factory.mktemp("bundled")


@pytest.fixture
def bundled_market(settings, bundled_dir):
    """Bundled bars in the store, their instruments and the strategies in the database."""
    settings.MARKET_DATA_DIR = bundled_dir
    bundled_import()
    strategies_seed()


@pytest.fixture(autouse=True)
def fresh_limits():
    """Each test starts with no request and no failed login counted."""
    limiter().storage.reset()
