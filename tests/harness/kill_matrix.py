"""Kill a process that sends at every failpoint, under every fault of the broker, and hold what its successor makes of it against
the exchange's journal.

    python -m tests.harness.kill_matrix [--cases 2000] [--seconds 300] [--seed S] [--workers 3] [--database URL] [--only N]

Everything is real but the exchange, which is a process that speaks its wire format: the order path, the adapter, the vendor's
SDK, the database, SIGKILL. The report is JSON: how many cases, by failpoint and by fault, how many processes died where they
should, and every violation with its coordinates. A case is repeated by its number and the campaign's seed: --seed S --only N.
"""

import argparse
import gc
import importlib
import json
import os
import random
import shutil
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.harness import workspace

CASES_AN_EXCHANGE = 150


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=300.0, help="no case is begun after so many seconds")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--workers", type=int, default=1 + (os.cpu_count() or 1), help="one more than cores, for they wait too")
    parser.add_argument("--database", default="sqlite", help='"sqlite", or the URL of a database whose server lets us make others')
    parser.add_argument("--only", type=int, action="append", help="run this case; repeatable")
    parser.add_argument("--calm", action="store_true", help="tell every story once without deaths and faults, and how it ends")
    arguments = parser.parse_args()
    if arguments.calm:
        print(json.dumps(calm(arguments.database)))
        return 0
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(2**32)
    began = time.monotonic()
    numbers = arguments.only or list(range(arguments.cases))
    report = campaign(numbers, seed, began + arguments.seconds, arguments.workers, arguments.database)
    print(json.dumps({"seed": seed, **report, "seconds": round(time.monotonic() - began, 1)}))
    return 1 if report["violations"] or report["cases"] == 0 else 0


def campaign(numbers: list[int], seed: int, until: float, workers: int, database: str) -> dict[str, Any]:
    """Run the cases, shared out over forked workers that have a database and an exchange of their own."""
    folder = workspace.scratch_folder("kill-matrix-")
    databases = importlib.import_module("tests.harness.databases").copies(folder, database, workers)
    children = []
    for number, place in enumerate(databases.places):
        child = os.fork()
        if child == 0:
            os._exit(_work(folder / f"worker-{number}", place, numbers[number::workers], seed, until, number))
        children.append(child)
    failed = [child for child in children if os.waitpid(child, 0)[1]]
    databases.drop()
    results = [json.loads(line) for path in folder.glob("worker-*/results.jsonl") for line in path.read_text().splitlines()]
    shutil.rmtree(folder, ignore_errors=True)
    if failed:
        raise SystemExit(f"{len(failed)} workers failed")
    return summary(results)


def calm(database: str) -> dict[str, Any]:
    """How each story ends where nothing goes wrong."""
    folder = workspace.scratch_folder("kill-matrix-")
    databases = importlib.import_module("tests.harness.databases").copies(folder, database, 1)
    databases.places[0]()
    real, cases = (importlib.import_module(f"tests.harness.{name}") for name in ("real_account", "kill_cases"))
    clock, stories = importlib.import_module("quant_site.core.clock"), list(importlib.import_module("tests.harness.stories").STORIES)
    numbers = [f"9000000{number}" for number in range(len(stories))]
    try:
        with workspace.MovedClock().everywhere(clock) as moved:
            desk = real.Desk(folder / "exchange", moved, numbers)
            desk.exchange.auto_fill("instant")
            told = {story: cases.calm(desk, story, f"CALM-{story}", number, folder) for story, number in zip(stories, numbers, strict=True)}
            desk.close()
    finally:
        databases.drop()
    return told


def _work(folder: Path, place, numbers: list[int], seed: int, until: float, worker: int) -> int:
    folder.mkdir()
    place()
    real, cases = (importlib.import_module(f"tests.harness.{name}") for name in ("real_account", "kill_cases"))
    clock = importlib.import_module("quant_site.core.clock")
    gc.collect()
    gc.freeze()  # what is here is never looked at again, so that a fork shares it
    gc.disable()  # of what comes, once an exchange
    wanted, chosen = set(numbers), []
    for at in cases.matrix(seed):
        if at.number in wanted:
            chosen.append(at)
        if len(chosen) == len(wanted):
            break
    with workspace.MovedClock().everywhere(clock), (folder / "results.jsonl").open("a") as results:
        for start in range(0, len(chosen), CASES_AN_EXCHANGE):
            part = chosen[start : start + CASES_AN_EXCHANGE]
            accounts = [f"8{worker}{at.number:07d}" for at in part]
            if time.monotonic() > until:
                break
            desk = real.Desk(folder / f"exchange-{start}", workspace.MovedClock.current, accounts)
            desk.exchange.auto_fill("instant")
            for at, account in zip(part, accounts, strict=True):
                if time.monotonic() > until:
                    break
                began = time.monotonic()
                outcome = cases.run_case(desk, at, f"K{worker}-{at.number}", account, folder)
                results.write(json.dumps({"at": vars(at), "seconds": time.monotonic() - began, **outcome}) + "\n")
            desk.close()
            gc.collect()
    return 0


def summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    by = {name: Counter(result["at"][name] for result in results) for name in ("failpoint", "fault", "story")}
    killed = Counter(result["at"]["failpoint"] for result in results if result["died"])
    broken = [result for result in results if result["violations"]]
    return {
        "cases": len(results),
        "killed": sum(result["died"] > 0 for result in results),
        "by_failpoint": {name: {"cases": count, "killed": killed[name]} for name, count in sorted(by["failpoint"].items())},
        "by_fault": dict(sorted(by["fault"].items())),
        "by_story": dict(sorted(by["story"].items())),
        "violations": [{"violations": each["violations"], **each["at"]} for each in broken],
        "longest_case": round(max((result["seconds"] for result in results), default=0.0), 2),
    }


if __name__ == "__main__":
    sys.exit(main())
