"""Real services that fail under processes that send: MariaDB connections killed mid-commit, commits whose answer is lost, a
worker stopped past its lease, sweepers and workers side by side, Redis flushed and dead.

    python -m tests.harness.service_trials --database mysql://root@127.0.0.1:3306/quant [--only NAME]

Everything happens in a database of its own that is dropped in the end, and on a Redis of its own. The report is JSON: by trial,
how many cases there were, what does not hold, and what was seen.
"""

import argparse
import importlib
import json
import shutil
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.harness import databases, workspace
from tests.harness.proxy import Proxy

TRIALS = ("commit_killed", "commit_answer_lost", "stopped_past_its_lease", "two_sweepers", "three_workers", "redis_flushed_and_dead")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", required=True)
    parser.add_argument("--only", action="append", choices=TRIALS, default=[])
    arguments = parser.parse_args()
    report = run(arguments.database, arguments.only or list(TRIALS))
    print(json.dumps(report))
    return 1 if any(trial["violations"] for trial in report.values()) else 0


def run(url: str, names: list[str]) -> dict[str, dict]:
    folder, parts = workspace.scratch_folder("service-trials-"), urlsplit(url)
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server(folder))
        proxy = stack.enter_context(Proxy(parts.hostname, parts.port or 3306))
        made = databases.copies(folder, url, 1, redis_url=redis.url)
        stack.callback(made.drop)
        made.places[0]()
        trials = importlib.import_module("tests.harness.trials")
        clock = importlib.import_module("quant_site.core.clock")
        stack.enter_context(workspace.MovedClock().everywhere(clock))
        ground = trials.Ground(folder, url, proxy, redis)
        stack.callback(ground.close)
        return {name: getattr(trials, name)(ground) for name in names}


class RedisServer:
    """A Redis that may be flushed and killed: nobody else's."""

    def __init__(self, folder: Path):
        program = shutil.which("redis-server")
        self.there = program is not None
        self.port = _free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self._process = None
        if self.there:
            arguments = ["--port", str(self.port), "--dir", str(folder), "--save", "", "--appendonly", "no"]
            self._process = subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL)
            time.sleep(0.5)

    def flush(self) -> None:
        importlib.import_module("redis").Redis.from_url(self.url).flushall()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def redis_server(folder: Path):
    server = RedisServer(folder)
    try:
        yield server
    finally:
        server.kill()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


if __name__ == "__main__":
    sys.exit(main())
