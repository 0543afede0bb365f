"""Whether a strategy can decide, and whether what it decided makes sense: the same live and in a backtest."""

from collections.abc import Sequence

from quant_site.core.errors import Conflict
from quant_site.market.panel import Panel
from strategies.base import Draft, Needs
from strategies.features import features


def missing(needs: Needs, panel: Panel, t: int) -> str:
    """What lacks before a strategy can decide at column t, and how to get it; empty where nothing does."""
    rows = [panel.row(symbol) for symbol in needs.among if symbol in panel] if needs.among else slice(None)
    ready = int((features.bar_counts(panel)[rows, t] >= needs.sessions).sum())
    if ready >= needs.symbols:
        return ""
    many = f"{needs.symbols} symbol{'s' if needs.symbols != 1 else ''}"
    of = f"of {', '.join(needs.among)} " if needs.among else ""
    have = f"{ready} have them" if needs.among else f"{ready} of {len(panel.symbols)} have them"
    return (
        f"Needs {needs.sessions} sessions of history of {many} {of}by {panel.sessions[t]}; "
        f"{have}. Import earlier bars: manage.py import_bars PATH."
    )


def check_one_per_trade(drafts: Sequence[Draft]) -> None:
    """A strategy proposes at most one thing for a trade in a session; two are a defect."""
    groups = [draft.group for draft in drafts]
    if len(groups) != len(set(groups)):
        twice = sorted({group for group in groups if groups.count(group) > 1})
        raise Conflict("two_drafts", f"More than one draft for {', '.join(twice)} in one session.", groups=twice)
