"""Kill a replay again and again at random moments, resume it each time, and compare it with one nobody disturbed.

    python -m tests.harness.kill_replay --kills 50

Everything happens in a scratch folder on bundled prices (or on DATABASE_URL, where that is set). Children are forked
from a warm parent, so that a kill costs a fraction of a second and lands inside the loop, not in the imports.
"""

import argparse
import importlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from datetime import date

ACCOUNTS = ("CALM", "KILLED")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--from", dest="start", type=date.fromisoformat, default=date(2008, 1, 2))
    parser.add_argument("--to", dest="end", type=date.fromisoformat, default=date(2009, 12, 31))
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(2**32)
    with tempfile.TemporaryDirectory(prefix="kill-replay-") as folder:
        os.environ.setdefault("VAR_DIR", folder)
        report = kill_campaign(arguments.kills, arguments.start, arguments.end, random.Random(seed))
    print(json.dumps({"seed": seed, **report}, sort_keys=True))
    return 0 if report["same_digest"] and report["double_orders"] == 0 and report["kills"] == arguments.kills else 1


def kill_campaign(kills: int, start: date, end: date, dice: random.Random) -> dict:
    """Run CALM once and KILLED with `kills` interruptions; answer what they wrote."""
    project = prepare()
    began = time.monotonic()
    assert wait(spawn(project, "CALM", start, end)) == 0, "the undisturbed replay failed"
    calm = time.monotonic() - began
    # Twice the share of the work that is left to each kill would finish early; a little less never lets it finish.
    longest = max(0.03, 1.2 * calm / kills)
    landed = attempts = 0
    while landed < kills and attempts < 3 * kills:
        attempts += 1
        child = spawn(project, "KILLED", start, end)
        time.sleep(dice.uniform(0.005, longest))
        os.kill(child, signal.SIGKILL)
        landed += wait(child) == -signal.SIGKILL
        if project.finished("KILLED", end):
            break
    assert wait(spawn(project, "KILLED", start, end)) == 0, "the resumed replay failed"
    return {"kills": landed, "attempts": attempts, "calm_seconds": round(calm, 1), **project.compare()}


def prepare():
    """The project with a filled database; loaded only now, because its settings read the environment once."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quant_site.settings")
    project = importlib.import_module("tests.harness.project")
    project.fill()
    return project


def spawn(project, account: str, start: date, end: date) -> int:
    """Fork a child that replays; answers its process id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            project.replay(account, start, end)
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)
    return child


def wait(child: int) -> int:
    """The child's exit code, negative for the signal that ended it."""
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
