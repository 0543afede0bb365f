"""Our backtests beside vectorbt and backtesting.py: the same bars, the same rules, the same run of the same machine.

    python -m benchmarks.backtest [--quick]

Prints medians and ratios: absolute times are the machine's, and change with whatever else it does. The peers live in an
environment of their own (var/benchmarks), made at the first run from `requirements.txt`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SINGLES = (("vectorbt", "vectorbt, without statistics"), ("vectorbt+stats", "vectorbt with .stats()"), ("backtesting", "backtesting.py"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="Fewer repetitions, fewer sets, fewer symbols.")
    quick = parser.parse_args().quick
    python = peers_python()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        prepare(Path(folder))
        for line in report(python, Path(folder), quick):
            print(line, flush=True)


# --- the two environments


def peers_python() -> Path:
    """The interpreter of the peers' environment, which is made where it does not exist."""
    home = ROOT / "var" / "benchmarks" / "peers"
    python, done, wanted = home / "bin" / "python", home / "requirements.txt", (HERE / "requirements.txt").read_text()
    if not done.exists() or done.read_text() != wanted:
        print("Installing the peers into var/benchmarks/peers ...", flush=True)
        venv.create(home, with_pip=True, clear=True)
        pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "-r", HERE / "requirements.txt"]
        subprocess.run(pip, check=True, stderr=subprocess.DEVNULL)
        done.write_text(wanted)
    return python


def prepare(folder: Path) -> None:
    """A site of its own with the bundled bars, in a temporary folder."""
    os.environ |= {"DJANGO_SETTINGS_MODULE": "quant_site.settings", "VAR_DIR": str(folder), "MARKET_DATA_DIR": str(folder / "market")}
    os.environ.setdefault("LOG_LEVEL", "ERROR")
    import django  # noqa: PLC0415 - once the settings are chosen
    from django.core.management import call_command  # noqa: PLC0415

    django.setup()
    call_command("migrate", verbosity=0)
    from quant_site.market.services import bundled_import  # noqa: PLC0415

    bundled_import()


def peer(python: Path, bars: Path, task: str, number: int = 0) -> dict:
    """One task of a peer, in a process of its own."""
    command = [python, HERE / "peers.py", bars, task, str(number)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | {"TQDM_DISABLE": "1"})
    return json.loads(done.stdout.splitlines()[-1])


def own_peak(sets: int) -> float:
    """Megabytes of a process of ours that sweeps so many sets."""
    command = [
        sys.executable,
        "-c",
        "import django; django.setup(); import runpy; runpy.run_module('benchmarks.ours', run_name='__main__')",
    ]
    done = subprocess.run([*command, str(sets)], check=True, capture_output=True, text=True, cwd=ROOT)
    return float(done.stdout.splitlines()[-1])


def write_bars(panel, path: Path) -> None:
    """The adjusted bars that our signals use, for those who know one price only."""
    columns = [values[0] for values in (panel.adj_open, panel.adj_high, panel.adj_low, panel.adj_close, panel.volume)]
    rows = zip(panel.sessions.tolist(), *(column.tolist() for column in columns), strict=True)
    path.write_text("\n".join(["Date,Open,High,Low,Close,Volume", *(",".join(map(str, row)) for row in rows)]))


# --- the report


def report(python: Path, folder: Path, quick: bool) -> Iterator[str]:
    from benchmarks import ours  # noqa: PLC0415 - it needs the site

    panel, bars = ours.cut_panel(), folder / "bars.csv"
    write_bars(panel, bars)
    yield f"IBM, {panel.sessions[0]} to {panel.sessions[-1]}, {ours.SESSIONS:,} sessions; next open, $1 and 3 basis points a fill"
    yield from singles(ours, python, bars, 15 if quick else 60)
    yield from sweeps(ours, python, bars, panel, 10 if quick else 40)
    yield from growth(ours, panel, (250, 1000, 4000) if quick else (1000, 4000, 16000))
    yield from memory(python, bars, 4000 if quick else 10_000)
    yield from eight_indicators(ours, 500 if quick else 5000)


def singles(ours, python: Path, bars: Path, repetitions: int) -> Iterator[str]:
    start, end = ours.span()
    own = ours.medians(lambda: ours.single(start, end), repetitions)
    closed = int((ours.single(start, end).trades["exit"] >= 0).sum())
    yield "\nOne backtest of 50 over 200: stored panel, decisions, fills, full report, trades"
    yield f"  {'ours':28} {own * 1e3:9.2f} ms            {closed} closed trades"
    for task, name in SINGLES:
        found = peer(python, bars, task)
        seconds = median(found["seconds"])
        yield f"  {name:28} {seconds * 1e3:9.2f} ms {seconds / own:8.1f} ×  {found['trades']} closed trades"


def sweeps(ours, python: Path, bars: Path, panel, slow_sets: int) -> Iterator[str]:
    yield "\nSweep of 1,000 sets: eight numbers of each, every set's trades made"
    peers = (("vectorbt", "vectorbt-sweep", 1000), ("backtesting.py", "backtesting-sweep", slow_sets))
    found = {name: (peer(python, bars, task, sets), sets) for name, task, sets in peers}
    rates = [1000 / ours.medians(lambda n=threads: ours.swept(panel, 1000, n), 15) for threads in (1, 2)]
    for threads, rate in zip((1, 2), rates, strict=True):
        yield f"  {f'ours, threads: {threads}':28} {rate:9,.0f} sets/s"
    for name, (told, sets) in found.items():
        rate = sets / median(told["seconds"])
        yield f"  {name:28} {rate:9,.0f} sets/s {max(rates) / rate:7,.0f} ×"
    trades = int(ours.swept(panel, 1000).column("trades").sum())
    yield f"  closed trades of all sets: ours {trades:,}, vectorbt {found['vectorbt'][0]['trades']:,}"


def growth(ours, panel, counts: tuple[int, int, int]) -> Iterator[str]:
    yield "\nGrowth of the work ×1, ×4, ×16: milliseconds (and how a unit of it grows)"
    for name, shape in (
        ("symbols of one backtest", lambda n: (n, ours.SESSIONS)),
        ("sessions of one backtest", lambda n: (1, n * ours.SESSIONS)),
    ):
        panels = [ours.walks(*shape(times)) for times in (1, 4, 16)]
        yield f"  {name:28} {grown([ours.medians(lambda each=each: ours.single_on(each), 9) for each in panels])}"
    yield f"  {'sets of a sweep':28} {grown([ours.medians(lambda n=n: ours.swept(panel, n), 5) for n in counts])}"


def grown(seconds: list[float]) -> str:
    units = [second / times for second, times in zip(seconds, (1, 4, 16), strict=True)]
    return "  ".join(f"{second * 1e3:9.2f} ({unit / units[0]:4.2f})" for second, unit in zip(seconds, units, strict=True))


def memory(python: Path, bars: Path, many: int) -> Iterator[str]:
    """Theirs is not asked for 10,000: it would take a whole machine."""
    yield "\nPeak memory of a process that sweeps, in MB"
    peaks = {
        "ours": [(n, own_peak(n)) for n in (1000, many)],
        "vectorbt": [(n, peer(python, bars, "vectorbt-sweep", n)["peak"]) for n in (1000, min(many, 2000))],
    }
    for name, ((few, least), (most, peak)) in peaks.items():
        yield f"  {name:28} {few:,} sets {least:8,.0f}   {most:6,} sets {peak:8,.0f}   growth {peak - least:8,.0f}"


def eight_indicators(ours, symbols: int) -> Iterator[str]:
    own, two, one = ours.indicators_beside_talib(symbols, 3)
    yield f"\nEight indicators over {symbols:,} × {ours.SESSIONS:,} bars"
    yield f"  {'ours, gaps looked for':28} {own:9.3f} s"
    yield f"  {'TA-Lib alone, two threads':28} {two:9.3f} s {two / own:8.2f} ×"
    yield f"  {'TA-Lib alone, one thread':28} {one:9.3f} s {one / own:8.2f} ×"


if __name__ == "__main__":
    main()
