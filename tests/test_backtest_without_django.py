"""A backtest is arithmetic: it needs no site, no settings and no database."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUN = """
from strategies.backtest import backtest
from tests.kernel_world import wild_panel
result = backtest("golden_cross", {"fast": 5, "slow": 20}, panel=wild_panel(6, 2, 300))
print(len(result.fills) > 4)
"""


def test_a_backtest_runs_in_a_process_that_knows_no_settings():
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    ran = subprocess.run([sys.executable, "-c", RUN], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout.strip()) == (0, "True"), ran.stderr[-600:]
