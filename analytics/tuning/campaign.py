"""Many simulated worlds at once, and what they came to: counts with intervals, the same for simpler rules beside ours. Pure."""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from statistics import median

from analytics.stats import proportion
from analytics.tuning.lane import Kind, Rules
from analytics.tuning.worlds import FAST, HISTORY, World, flipped_share, naive_changes, played

EVIDENCE_ALONE = Rules(gated=False, thorough=False)
PLANTED, TURNS_AFTER = 3.0, 21
AT_ONCE = 8


def null(worlds: int, years: int, skewed: bool, seed: int, workers: int | None = None) -> dict:
    """Worlds without any edge: in how many was a parameter promoted, by the whole optimiser, by the evidence without the gate, and
    by taking the best of the last 63 sessions each month."""
    found = _each(partial(_null_world, years=years, skewed=skewed), worlds, seed, workers)
    names = {"optimiser": "promoted", "evidence_alone": "ungated", "naive_rule": "naive"}
    answer = {name: _share(sum(world[key] > 0 for world in found), worlds) for name, key in names.items()}
    counts = {"proposed": sum(world["proposed"] for world in found), "refused": sum(world["refused"] for world in found)}
    changes = {name: sum(world[key] for world in found) for name, key in names.items()}
    return {"worlds": worlds, "years": years, "skewed": skewed, "false_change_in": answer, "changes": changes, "challengers": counts}


def _null_world(seed: int, years: int, skewed: bool) -> dict:
    world = World(seed, years=years, skewed=skewed)
    kinds = [kind for _, kind, _ in played(world, FAST)]
    bare = [kind for _, kind, _ in played(World(seed, years=years, skewed=skewed), EVIDENCE_ALONE)]
    return {
        "promoted": kinds.count(Kind.PROMOTED),
        "proposed": kinds.count(Kind.SHADOW),
        "refused": kinds.count(Kind.REFUSED),
        "ungated": bare.count(Kind.PROMOTED),
        "naive": naive_changes(world),
    }


def edge(worlds: int, years: int, seed: int, workers: int | None = None) -> dict:
    """Worlds in which one step of one parameter is better by a yearly Sharpe ratio of `PLANTED`, of the difference: in how many is it
    promoted, and after how many sessions in shadow; and where it turns bad after the promotion, in how many it is taken back."""
    found = _each(partial(_edge_world, years=years), worlds, seed, workers)
    delays = sorted(world["delay"] for world in found if world["delay"] is not None)
    backs = [world["back"] for world in found if world["turned"] and world["back"] is not None]
    turned = sum(world["turned"] for world in found)
    return {
        "worlds": worlds,
        "years": years,
        "planted_sharpe_of_the_difference": PLANTED,
        "promoted_in": _share(len(delays), worlds),
        "median_sessions_in_shadow": median(delays) if delays else None,
        "turned_bad_after_promotion": turned,
        "taken_back_in": _share(len(backs), turned) if turned else None,
        "median_sessions_until_taken_back": median(backs) if backs else None,
    }


def _edge_world(seed: int, years: int) -> dict:
    delay, promoted = _promotion(World(seed, years=years, strategies=1, edge=PLANTED))
    if promoted is None:
        return {"delay": None, "turned": False, "back": None}
    turns = promoted + TURNS_AFTER
    bad = list(played(World(seed, years=years, strategies=1, edge=PLANTED, turns=turns)))
    back = next((t - turns for t, kind, _ in bad if kind is Kind.ROLLED_BACK and t > promoted), None)
    return {"delay": delay, "turned": True, "back": back}


def _promotion(world: World) -> tuple[int | None, int | None]:
    """(sessions in shadow, session) of the first promotion."""
    began = HISTORY
    for t, kind, _ in played(world):
        if kind is Kind.SHADOW:
            began = t
        if kind is Kind.PROMOTED:
            return t - began, t
    return None, None


def flip(worlds: int, seed: int, workers: int | None = None) -> dict:
    """Half of the strategies turn from earning to losing at session 500: what share of the money have they 126 sessions later, where
    the other half goes on earning, and where both halves change places."""
    answer = {"worlds": worlds, "flip": 500, "after": 126}
    for name, sharpe, others in (("sharpe_2", 2.0, 2.0), ("sharpe_1", 1.0, 1.0), ("changing_places_sharpe_2", 2.0, -2.0)):
        ends = _each(partial(_flip_world, sharpe=sharpe, others=others), worlds, seed, workers)
        answer[name] = {"below_one_half_in": _share(sum(end < 0.5 for end in ends), worlds), "median_share": round(median(ends), 4)}
    return answer


def _flip_world(seed: int, sharpe: float, others: float) -> float:
    return float(flipped_share(seed, sharpe=sharpe, others=others)[-1])


def _each(world: Callable[[int], object], worlds: int, seed: int, workers: int | None) -> list:
    seeds = range(seed, seed + worlds)
    count = workers or len(os.sched_getaffinity(0))
    if count == 1:
        return [world(each) for each in seeds]
    with ProcessPoolExecutor(count) as pool:
        return list(pool.map(world, seeds, chunksize=max(1, min(AT_ONCE, worlds // count))))


def _share(count: int, n: int) -> dict:
    """With its Wilson interval."""
    metric = proportion(count, n)
    return {"count": count, "share": round(metric.value, 4), "low": round(metric.low, 4), "high": round(metric.high, 4)}
