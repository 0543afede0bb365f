"""`exposure_report`: what an account holds and risks, for pages, the API and previews. Pure."""

from dataclasses import asdict, dataclass

from strategies.risk.context import RiskContext
from strategies.risk.greeks import GREEKS
from strategies.risk.groups import sector_values
from strategies.risk.holdings import Holdings, Measured
from strategies.risk.scenarios import SPOT_SHOCKS, VOLATILITY_SHOCKS


@dataclass(frozen=True)
class StressCell:
    """The gain in dollars where every spot moves by `spot` and every volatility by `volatility` of itself."""

    spot: float
    volatility: float
    gain: float


@dataclass(frozen=True)
class Stress:
    """The cells by rows of spot, and the worst of them; none where an option cannot be valued, with the reason."""

    cells: tuple[StressCell, ...]
    worst: StressCell | None
    code: str = ""
    reason: str = ""


@dataclass(frozen=True)
class ExposureReport:
    """Dollars of what is held and on its way. `equity` is what shares of it are taken of.

    `greeks` and `greeks_by_name` hold delta (dollars), gamma (dollars per 1 %), vega (per point) and theta (a day).
    """

    equity: float
    gross: float
    net: Measured
    by_sector: dict[str, float]
    greeks: dict[str, Measured]
    greeks_by_name: dict[str, dict[str, float | None]]
    expected_shortfall: Measured
    stress: Stress

    def as_json(self) -> dict:
        return asdict(self)


def exposure_report(context: RiskContext) -> ExposureReport:
    """Of `context`; of what a proposal would make of it: `exposure_report(context.with_entry(proposal))`."""
    holdings = context.holdings
    return ExposureReport(
        equity=float(context.equity),
        gross=context.gross,
        net=holdings.net,
        by_sector=sector_values(context.share_values, context.option_risk, context.market.sector),
        greeks={name: holdings.greek(name) for name in GREEKS},
        greeks_by_name={name: {greek: _known(getattr(each, greek)) for greek in GREEKS} for name, each in holdings.by_name.items()},
        expected_shortfall=holdings.expected_shortfall,
        stress=_stress(holdings),
    )


def _known(value: float) -> float | None:
    return value if value == value else None


def _stress(holdings: Holdings) -> Stress:
    grid = holdings.stress
    if grid is None:
        loss = holdings.stress_loss
        return Stress((), None, loss.code, loss.reason)
    rows = zip(SPOT_SHOCKS, grid.tolist(), strict=True)
    cells = tuple(StressCell(spot, vol, gain) for spot, row in rows for vol, gain in zip(VOLATILITY_SHOCKS, row, strict=True))
    return Stress(cells, min(cells, key=lambda cell: cell.gain))
