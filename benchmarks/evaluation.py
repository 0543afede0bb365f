"""How long the evaluation of a session takes at the end of a long history, and the cross-validation of a thousand trials.

    python -m benchmarks.evaluation [--sessions 2500] [--signals 10000] [--trials 1000]

The session is the dearest there is: the last of its week, and one of the 21st on which the books are checked from their first
entry on. The peer reads every row and computes the same figures with pandas and empyrical, and checks no books; the peer of the
cross-validation is a loop over its splits, of which it runs some and says what all would take. Everything happens in a scratch
database (SQLite).
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable

LIMIT_SECONDS, LIMIT_TRIALS_SECONDS = 2.0, 10.0
RUNS, SPLITS_OF_PEER = 3, 60


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=2500)
    parser.add_argument("--signals", type=int, default=10_000)
    parser.add_argument("--trials", type=int, default=1000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-evaluation-") as folder:
        os.environ |= {"DJANGO_SETTINGS_MODULE": "quant_site.settings", "VAR_DIR": folder, "LOG_LEVEL": "ERROR"}
        os.environ["MARKET_DATA_DIR"] = f"{folder}/market"
        report = {"evaluation": evaluation(arguments), "cross_validation": cross_validation(arguments)}
    print(json.dumps(report, indent=1))
    return 0 if all(part["within_limit"] and part["agrees"] for part in report.values()) else 1


def evaluation(arguments) -> dict:
    import django  # noqa: PLC0415 - once the settings are chosen

    django.setup()
    from django.core.management import call_command  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    from benchmarks import evaluation_peer, evaluation_world  # noqa: PLC0415

    history = evaluation_world.History(arguments.sessions, arguments.signals)
    history.write()
    times = [history.judged() for _ in range(RUNS)]
    ours = {stage: min(run[stage] for run in times) for stage in times[0]}
    check = min(timed(history.check)[0] for _ in range(RUNS))
    peer, figures = min((timed(lambda: evaluation_peer.figures(history)) for _ in range(RUNS)), key=lambda run: run[0])
    return {
        "sessions": arguments.sessions,
        "strategies": evaluation_world.STRATEGIES,
        "signals": arguments.signals,
        "seconds": round(sum(ours.values()), 3),
        "stages": {stage: round(seconds, 4) for stage, seconds in ours.items()},
        "full_check_seconds": round(check, 3),
        "limit_seconds": LIMIT_SECONDS,
        "within_limit": sum(ours.values()) <= LIMIT_SECONDS,
        "peer": "pandas and empyrical, the same figures from all rows",
        "peer_seconds": round(peer, 3),
        "ratio": round(peer / sum(ours.values()), 2),
        "ratio_without_full_check": round(peer / (sum(ours.values()) - check), 2),
        "agrees": evaluation_peer.agrees(history, figures),
    }


def cross_validation(arguments) -> dict:
    import numpy as np  # noqa: PLC0415 - after the settings, as all the rest

    from analytics.tuning.cscv import probability_of_overfitting  # noqa: PLC0415
    from benchmarks import evaluation_peer  # noqa: PLC0415

    returns = np.random.default_rng(1).normal(0, 0.01, (arguments.trials, arguments.sessions))
    seconds, found = min((timed(lambda: probability_of_overfitting(returns, blocks=16)) for _ in range(2)), key=lambda run: run[0])
    few = returns[: min(arguments.trials, 50)]
    peer, _ = timed(lambda: evaluation_peer.overfitting(returns, 16, SPLITS_OF_PEER))
    exact = evaluation_peer.overfitting(few[:, : 16 * 8], 8, None)
    return {
        "trials": arguments.trials,
        "sessions": arguments.sessions,
        "splits": found.n,
        "probability": found.value,
        "seconds": round(seconds, 2),
        "limit_seconds": LIMIT_TRIALS_SECONDS,
        "within_limit": seconds <= LIMIT_TRIALS_SECONDS,
        "peer": f"numpy, one split after the other ({SPLITS_OF_PEER} of them measured)",
        "peer_seconds": round(peer / SPLITS_OF_PEER * found.n, 1),
        "agrees": abs(probability_of_overfitting(few[:, : 16 * 8], blocks=8).value - exact) < 1e-12,
    }


def timed(work: Callable) -> tuple[float, object]:
    began = time.perf_counter()
    found = work()
    return time.perf_counter() - began, found


if __name__ == "__main__":
    sys.exit(main())
