import time, pytest
from datetime import date
from pathlib import Path
from quant_site.parity import parity_run
from strategies.registry import REGISTRY
from tests.backtest_world import real_market
@pytest.mark.django_db
@pytest.mark.parametrize("key", sorted(REGISTRY))
def test_it(key, settings, market_fixtures):
    settings.MARKET_DATA_DIR = Path("/tmp/scratch/store")
    real_market(market_fixtures, Path("/tmp/scratch/cut"))
    t1=time.perf_counter()
    r = parity_run(key, start=date(2014,7,1), end=date(2016,7,29))
    print("\nK", key, round(time.perf_counter()-t1,2), r.sessions, r.fills, r.equity)
    for d in r.differences[:5]: print("DIFF", d)
    assert r.equal
