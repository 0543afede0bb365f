"""Break the order path in every way that `mutations` lists, and see that the tests notice each.

    python -m tests.harness.mutants [--only NAME ...] [--jobs 1] [--verbose]

Each mutant is a copy of the tree with one safeguard gone. The stages run until one fails: the tests of the order path and of
crashes, then a small kill matrix. A mutant that none of them catches survives, and the harness has a hole; so has one whose
text is no longer found. The exit status is 0 where every one was caught.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue

from tests.harness.mutations import MUTANTS, Mutant
from tests.harness.workspace import scratch_folder

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "var", "__pycache__", "node_modules", ".pytest_cache", ".hypothesis")
ORDER_TESTS = (
    "tests/test_orders_path.py", "tests/test_live_gate.py", "tests/test_live_round.py", "tests/test_orders_settling.py",
    "tests/test_crash_found.py", "tests/test_crash_gaps.py", "tests/test_crash_live_machine.py", "tests/test_orders_machine.py",
    "tests/test_tiger_failures.py",
)  # fmt: skip
MATRIX_CASES, MATRIX_SEED = 120, 20
LONGEST = 900
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Verdict:
    """`caught_by` names the test, or invariant of the kill matrix; "" of a survivor."""

    name: str
    what: str
    caught_by: str
    stage: str
    seconds: float
    stale: bool = False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], help="a mutant by name; repeatable")
    parser.add_argument("--jobs", type=int, default=1, help="mutants that are tried at the same time")
    parser.add_argument("--stage", choices=("tests", "matrix"), help="run only this stage")
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of a table")
    parser.add_argument("--check", action="store_true", help="only look whether every mutant still fits the source")
    arguments = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if not arguments.only or mutant.name in arguments.only]
    if arguments.check:
        stale = [mutant.name for mutant in chosen if not fits(mutant, ROOT)]
        print(f"{len(chosen)} mutants, {len(stale)} do not fit the source: {', '.join(stale)}")
        return 1 if stale else 0
    verdicts = trials(chosen, arguments.jobs, arguments.stage)
    print(json.dumps([asdict(verdict) for verdict in verdicts]) if arguments.json else table(verdicts))
    return 0 if verdicts and all(verdict.caught_by for verdict in verdicts) else 1


def trials(mutants: list[Mutant], jobs: int, stage: str | None) -> list[Verdict]:
    """Try each on one of `jobs` copies of the tree."""
    folder = scratch_folder("mutants-")
    copies: SimpleQueue[Path] = SimpleQueue()
    for number in range(jobs):
        copies.put(copy_of_tree(folder / f"tree-{number}"))
    stages = {name: run for name, run in STAGES.items() if stage in (None, name)}

    def attempt(mutant: Mutant) -> Verdict:
        tree = copies.get()
        try:
            verdict = trial(mutant, tree, stages)
        finally:
            copies.put(tree)
        print(line_of(verdict), file=sys.stderr, flush=True)
        return verdict

    first = copies.get()
    for name, run in stages.items():
        found = run(first)
        if found:
            raise SystemExit(f"The unbroken tree fails already, in {name}: {found}")
    copies.put(first)
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(attempt, mutants))


def trial(mutant: Mutant, tree: Path, stages: dict[str, Callable[[Path], str]]) -> Verdict:
    began = time.monotonic()
    if not fits(mutant, tree):
        return Verdict(mutant.name, mutant.what, "", "", 0.0, stale=True)
    with applied(mutant, tree):
        for name, run in stages.items():
            if caught := run(tree):
                return Verdict(mutant.name, mutant.what, caught, name, round(time.monotonic() - began, 1))
    return Verdict(mutant.name, mutant.what, "", "", round(time.monotonic() - began, 1))


def fits(mutant: Mutant, tree: Path) -> bool:
    """Whether every edit's text stands in its file exactly once, the earlier edits made."""
    texts: dict[str, str] = {}
    for edit in mutant.edits:
        text = texts.get(edit.path) or (tree / edit.path).read_text()
        if text.count(edit.old) != 1:
            return False
        texts[edit.path] = text.replace(edit.old, edit.new)
    return True


@contextmanager
def applied(mutant: Mutant, tree: Path) -> Iterator[None]:
    before = {edit.path: (tree / edit.path).read_text() for edit in mutant.edits}
    try:
        for edit in mutant.edits:
            path = tree / edit.path
            path.write_text(path.read_text().replace(edit.old, edit.new))
        yield
    finally:
        for path, text in before.items():
            (tree / path).write_text(text)


def copy_of_tree(folder: Path) -> Path:
    shutil.copytree(ROOT, folder, ignore=LEFT_OUT, symlinks=True)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder


# --- stages: each answers what failed, "" where nothing did


def run_tests(tree: Path) -> str:
    present = [path for path in ORDER_TESTS if (tree / path).exists()]
    done = python(tree, "-m", "pytest", "-q", "-x", "--reuse-db", "-p", "tests.harness.unshrunk", "-p", "no:cacheprovider", *present)
    if done.returncode == 0:
        return ""
    found = FAILED.search(done.stdout)
    return found.group(1) if found else f"pytest ended with {done.returncode}: {(done.stdout + done.stderr)[-300:]}"


def run_matrix(tree: Path) -> str:
    arguments = ("--cases", str(MATRIX_CASES), "--seed", str(MATRIX_SEED), "--workers", "1", "--seconds", str(LONGEST))
    done = python(tree, "-m", "tests.harness.kill_matrix", *arguments)
    if done.returncode == 0:
        return ""
    if not done.stdout.startswith("{"):
        return f"the kill matrix ended with {done.returncode}: {(done.stdout + done.stderr)[-300:]}"
    broken = json.loads(done.stdout)["violations"]
    names = sorted({name for case in broken for name in case["violations"]})
    return f"kill matrix, {len(broken)} cases: {', '.join(names)}" if broken else "kill matrix: no case was run"


STAGES: dict[str, Callable[[Path], str]] = {"tests": run_tests, "matrix": run_matrix}


def python(tree: Path, *arguments: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"VAR_DIR": str(tree / "var"), "PYTHONDONTWRITEBYTECODE": "1", "DATABASE_URL": "", "REDIS_URL": ""}
    try:
        return subprocess.run([sys.executable, *arguments], cwd=tree, env=environment, capture_output=True, text=True, timeout=LONGEST)
    except subprocess.TimeoutExpired as late:
        return subprocess.CompletedProcess(late.cmd, 1, "", f"no end within {LONGEST} s")


def line_of(verdict: Verdict) -> str:
    state = "STALE   " if verdict.stale else "caught  " if verdict.caught_by else "SURVIVED"
    return f"{state} {verdict.name:36} {verdict.seconds:6.1f} s  {verdict.caught_by[:110]}"


def table(verdicts: list[Verdict]) -> str:
    caught = sum(bool(verdict.caught_by) for verdict in verdicts)
    lines = [line_of(verdict) for verdict in verdicts]
    return "\n".join([*lines, f"{caught} of {len(verdicts)} mutants were caught."])


if __name__ == "__main__":
    sys.exit(main())
