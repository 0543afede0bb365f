"""A replay that is killed at random moments and resumed ends as if nobody had touched it."""

import json
import os
import subprocess
import sys


def test_a_replay_killed_at_random_moments_and_resumed_equals_an_undisturbed_one(tmp_path):
    environment = {key: value for key, value in os.environ.items() if key not in {"DATABASE_URL", "REDIS_URL"}}
    command = [sys.executable, "-m", "tests.harness.kill_replay", "--kills", "12", "--from", "2012-05-01", "--to", "2012-10-31"]
    result = subprocess.run(
        command, env={**environment, "VAR_DIR": str(tmp_path)}, capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stderr + result.stdout
    report = json.loads(result.stdout.splitlines()[-1])
    assert report["kills"] == 12
    assert report["same_digest"]
    assert report["double_orders"] == 0
    assert report["fills"] > 0
