"""What an evaluation may notice: one small pure function a finding. None passes, an `Observation` is the finding.

Each says on what evidence, how large the effect is and within which interval. A finding is written only when the whole
interval is on the wrong side, at a confidence shared among all that was looked at in the same week (Bonferroni). Looking
every week still raises false alarms in time: a finding asks a person to look, it changes nothing by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from analytics.stats import Metric, mean_estimate, proportion

ALPHA = 0.05
FEWEST_TRADES = 20
FEWEST_SIGNALS = 20
FEWEST_SESSIONS = 60
DOMINATING = 1 / 3


class Code(StrEnum):
    LOSING_STRATEGY = "LOSING_STRATEGY"
    BEHIND_BENCHMARK = "BEHIND_BENCHMARK"
    REJECTIONS_DOMINATE = "REJECTIONS_DOMINATE"
    STOPS_TOO_OFTEN = "STOPS_TOO_OFTEN"
    SLIPPAGE_ABOVE_MODEL = "SLIPPAGE_ABOVE_MODEL"
    SILENT_STRATEGY = "SILENT_STRATEGY"
    REJECTIONS_COST = "REJECTIONS_COST"
    GAINS_GIVEN_BACK = "GAINS_GIVEN_BACK"
    CORRELATED_STRATEGIES = "CORRELATED_STRATEGIES"


# Message and suggestion, formatted with the evidence; pages translate the templates by their code.
TEXTS: dict[Code, tuple[str, str]] = {
    Code.LOSING_STRATEGY: (
        "{scope} made {effect:.2f} % of cost a trade over {n} trades (interval {low:.2f} to {high:.2f} %).",
        "Review the strategy's premise and costs, lower its weight, or switch it off.",
    ),
    Code.BEHIND_BENCHMARK: (
        "The account made {effect:.2f} basis points a session against {benchmark} over {n} sessions (interval {low:.2f} to {high:.2f}).",
        "Compare exposure and costs with holding the benchmark.",
    ),
    Code.REJECTIONS_DOMINATE: (
        "{rejected} of {n} entries of {scope} were rejected for {error} ({effect:.0f} %, interval {low:.0f} to {high:.0f} %).",
        "Bring the limit and the strategy's sizes or number of trades into line.",
    ),
    Code.STOPS_TOO_OFTEN: (
        "{scope} was stopped out of {effect:.0f} % of {n} positions (interval {low:.0f} to {high:.0f} %); "
        "what the others make pays for {bearable:.0f} %.",
        "Test a wider stop or stricter entries as a challenger.",
    ),
    Code.SLIPPAGE_ABOVE_MODEL: (
        "Entries of {scope} cost {effect:.2f} basis points of slippage over {n} fills (interval {low:.2f} to {high:.2f}); "
        "{modelled:.2f} are modelled.",
        "Raise the modelled slippage, trade smaller, or enter with limits.",
    ),
    Code.SILENT_STRATEGY: (
        "{scope} proposed nothing in {n} sessions; it abstained in {abstained} of them.",
        "Check its data and parameters, or switch it off.",
    ),
    Code.REJECTIONS_COST: (
        "{missed} entries of {scope} that were not filled would have made {effect:.2f} dollars each "
        "(interval {low:.2f} to {high:.2f}, {n} days).",
        "See what refuses most of them, and whether that is worth its price.",
    ),
    Code.GAINS_GIVEN_BACK: (
        "{scope} would have made {effect:.2f} R more a trade over {n} trades by taking gains at {gain:.0f} R "
        "(interval {low:.2f} to {high:.2f}).",
        "Test a profit target or a trailing stop as a challenger.",
    ),
    Code.CORRELATED_STRATEGIES: (
        "{scope} and {other} move together: their daily returns correlate by {effect:.2f} over {n} sessions "
        "(interval {low:.2f} to {high:.2f}).",
        "Give the two the weight of one, or switch one of them off.",
    ),
}


@dataclass(frozen=True)
class Observation:
    """`effect` and its bounds are in the unit that `evidence` names. `scope` is a strategy's key, or ALL."""

    code: Code
    scope: str
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    evidence: dict = field(default_factory=dict)

    @property
    def message(self) -> str:
        return TEXTS[self.code][0].format(scope=self.scope, effect=self.effect, low=self.low, high=self.high, **self.evidence)

    @property
    def suggestion(self) -> str:
        return TEXTS[self.code][1]


def shared_confidence(looks: int) -> float:
    """The confidence of each of `looks` intervals so that all hold together at 95 %."""
    return 1 - ALPHA / max(looks, 1)


def losing_strategy(scope: str, returns: Sequence[float], confidence: float) -> Observation | None:
    """`returns`: net result of each trade over what its entries cost, open ones at their mark.

    Closed trades alone would slander whoever cuts losses and lets gains run: its losses close first.
    """
    if len(returns) < FEWEST_TRADES:
        return None
    mean = mean_estimate(returns, confidence)
    if mean.value is None or mean.high >= 0:
        return None
    return observation(Code.LOSING_STRATEGY, scope, mean, 100, unit="% of the trade's cost", confidence=confidence)


def behind_benchmark(returns: Sequence[float], benchmark_returns: Sequence[float], benchmark: str, confidence: float) -> Observation | None:
    """Daily returns of the account and of its benchmark over the same sessions."""
    difference = np.asarray(returns, float) - np.asarray(benchmark_returns, float)
    if difference.size < FEWEST_SESSIONS:
        return None
    mean = mean_estimate(difference, confidence)
    if mean.value is None or mean.high >= 0:
        return None
    return observation(
        Code.BEHIND_BENCHMARK, "ALL", mean, 10_000, unit="basis points a session", confidence=confidence, benchmark=benchmark
    )


def rejections_dominate(scope: str, entries: int, codes: Mapping[str, int], confidence: float) -> Observation | None:
    """`entries` proposed, and how many of them were rejected for each code. The most frequent code alone is judged."""
    if entries < FEWEST_SIGNALS or not codes:
        return None
    error, rejected = min(codes.items(), key=lambda item: (-item[1], item[0]))
    rate = proportion(rejected, entries, confidence)
    if rate.low <= DOMINATING:
        return None
    others = {code: codes[code] for code in sorted(codes)}
    return observation(
        Code.REJECTIONS_DOMINATE,
        scope,
        rate,
        100,
        unit="% of the entries",
        confidence=confidence,
        error=error,
        rejected=rejected,
        codes=others,
    )


def stops_too_often(scope: str, stopped: Sequence[float], others: Sequence[float], confidence: float) -> Observation | None:
    """Net results of positions that their stop closed, and of the others; open ones at their mark.

    With a mean loss L at the stop and a mean gain G of the others, the strategy breaks even when a share
    G/(G + L) is stopped out: more is too often, whatever the share itself is.
    """
    n = len(stopped) + len(others)
    if n < FEWEST_TRADES or not len(stopped) or not len(others):
        return None
    loss, gain = -float(np.mean(np.asarray(stopped, float))), float(np.mean(np.asarray(others, float)))
    if loss <= 0 or gain <= 0:
        return None
    bearable = gain / (gain + loss)
    rate = proportion(len(stopped), n, confidence)
    if rate.low <= bearable:
        return None
    figures = {"bearable": 100 * bearable, "mean_loss": loss, "mean_gain": gain}
    return observation(Code.STOPS_TOO_OFTEN, scope, rate, 100, unit="% of the positions", confidence=confidence, **figures)


def slippage_above_model(scope: str, slippage: Sequence[float], modelled: float, confidence: float) -> Observation | None:
    """`slippage` of each entry fill against its decision price and `modelled` costs, in basis points; positive is a cost."""
    if len(slippage) < FEWEST_TRADES:
        return None
    mean = mean_estimate(slippage, confidence)
    if mean.value is None or mean.low <= modelled:
        return None
    return observation(Code.SLIPPAGE_ABOVE_MODEL, scope, mean, 1, unit="basis points", confidence=confidence, modelled=modelled)


def silent_strategy(scope: str, runs: int, drafts: int, abstentions: Mapping[str, int]) -> Observation | None:
    """`runs` of an enabled strategy, the drafts they made, and how often it abstained for each reason."""
    if runs < FEWEST_SESSIONS or drafts:
        return None
    reasons = dict(sorted(abstentions.items(), key=lambda item: (-item[1], item[0]))[:3])
    return Observation(Code.SILENT_STRATEGY, scope, evidence={"n": runs, "abstained": sum(abstentions.values()), "reasons": reasons})


def observation(code: Code, scope: str, estimate: Metric, scale: float, **evidence) -> Observation:
    """A finding of an estimate with its interval, times `scale`, on `evidence`."""
    value, low, high = (round(scale * bound, 4) for bound in (estimate.value, estimate.low, estimate.high))
    plain = {name: round(item, 6) if isinstance(item, float) else item for name, item in evidence.items()}
    return Observation(code, scope, value, low, high, {"n": estimate.n, **plain})
