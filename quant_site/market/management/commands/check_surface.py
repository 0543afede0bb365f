"""`manage.py check_surface`: the synthetic surface against a real chain, in points of implied volatility."""

from datetime import date

import numpy as np
from django.core.management.base import BaseCommand, CommandError

from quant_site.core.errors import DataMissing, QuantError
from quant_site.market.chains.services import chains_read
from quant_site.market.chains.store import StoredChain, chain_store
from quant_site.market.options.comparison import Deviation, SurfaceCheck, surface_check
from quant_site.market.options.inputs import INDEX_OPTIONS, VIX, rates
from quant_site.market.options.stored import stored_chain
from quant_site.market.options.surface import Surface, index_surface, stock_surface
from quant_site.market.selectors import panel_load


class Command(BaseCommand):
    help = (
        "Compare the synthetic surface with a real chain: of the file PATH, or the stored one of --underlying and --session. Prints the "
        "median and mean absolute difference of implied volatility in points, by maturity, over strikes 7 to 365 days ahead at 0.8 to 1.1 "
        "of the forward; the market's volatilities are our own, from the mids of the side out of the money."
    )

    def add_arguments(self, parser):
        parser.add_argument("path", nargs="?", help="file with one chain or more (default: a stored chain)")
        parser.add_argument("--underlying", type=str.upper, default="SPY", help="of the stored chain (default: SPY)")
        parser.add_argument("--session", type=date.fromisoformat, help="of the stored chain, YYYY-MM-DD")
        parser.add_argument("--vix", type=float, help="the VIX at that close (default: from the stored bars of VIX)")
        parser.add_argument("--implied-vol", type=float, help="for a stock: its at-the-money three-month implied volatility, as 0.25")
        parser.add_argument("--rate", type=float, help="continuous rate a year, as 0.05 (default: as stored, else 0)")

    def handle(self, *, path, underlying, session, vix, implied_vol, rate, **options):
        try:
            for stored in self._chains(path, underlying, session):
                surface, drawn_from = self._surface(stored, vix, implied_vol)
                self._check(stored, surface, drawn_from, rate)
        except QuantError as error:
            raise CommandError(error.message) from error

    def _chains(self, path, underlying, session) -> list[StoredChain]:
        if path:
            read, _, _ = chains_read(path)
            return [StoredChain(chain.underlying, chain.session, chain.spot, source, "", chain.frame) for chain, source in read]
        if session is None:
            raise CommandError("Name a file, or the stored chain by --underlying and --session.")
        return [chain_store().read(underlying, session)]

    def _surface(self, stored: StoredChain, vix: float | None, implied_vol: float | None) -> tuple[Surface, str]:
        if stored.underlying not in INDEX_OPTIONS:
            if implied_vol is None:
                raise CommandError(f"The surface of {stored.underlying} takes its three-month implied volatility: give --implied-vol.")
            return stock_surface(implied_vol), f"a three-month volatility of {implied_vol:.2%}"
        if vix is None:
            panel = panel_load([VIX])
            vix = float(panel.close[0, panel.index(stored.session)])
        if not np.isfinite(vix) or vix <= 0:
            raise CommandError(f"There is no VIX of {stored.session}: import its bars (manage.py import_bars PATH) or give --vix.")
        return index_surface(vix), f"a VIX of {vix:g}"

    def _check(self, stored: StoredChain, surface: Surface, drawn_from: str, rate: float | None) -> None:
        rate, known = (rate, "as given") if rate is not None else _stored_rate(stored.session)
        chain = stored_chain(
            stored.frame,
            underlying=stored.underlying,
            session=stored.session,
            spot=stored.spot,
            rate=rate,
            dividend_yield=0.0,
            source=stored.source,
            rate_known=bool(known),
        )
        vendor = dict(zip(_keys(stored.frame), stored.frame["iv"], strict=True))
        theirs = np.array([vendor[key] for key in zip(chain.expiry.tolist(), chain.right.tolist(), chain.strike.tolist(), strict=True)])
        check = surface_check(chain, surface, theirs)
        self.stdout.write(f"{stored.underlying} on {stored.session}, spot {stored.spot:g}, {stored.source}")
        self.stdout.write(f"Surface from {drawn_from}; rate {rate:.2%} ({known or 'none is known'}); forwards by put-call parity.")
        self.stdout.write(f"{len(chain)} contracts, {len(chain.quarantined)} more quarantined{_reasons(chain.quarantined)}.")
        self._show(check)

    def _show(self, check: SurfaceCheck) -> None:
        line = "{:<12} {:>8} {:>8} {:>8} {:>8}"
        self.stdout.write(line.format("Days", "Strikes", "Median", "Mean", "Bias"))
        for each in (*check.buckets, check.overall):
            self.stdout.write(line.format(f"{each.first} to {each.last}", each.n, *_points(each)))
        if check.vendor:
            self.stdout.write(line.format("vendor's IV", check.vendor.n, *_points(check.vendor)))
        self.stdout.write("In points of implied volatility; bias is model less market; strikes at 0.8 to 1.1 of the forward.")


def _points(deviation: Deviation) -> list[str]:
    return [f"{value:.2f}" if np.isfinite(value) else "-" for value in (deviation.median, deviation.mean, deviation.bias)]


def _keys(frame) -> zip:
    return zip(frame["expiry"].dt.date, frame["right"], frame["strike"], strict=True)


def _reasons(quarantined) -> str:
    names = sorted({each.reason for each in quarantined})
    counts = [f"{sum(each.reason == name for each in quarantined)} {name}" for name in names]
    return f" ({', '.join(counts)})" if counts else ""


def _stored_rate(session: date) -> tuple[float, str]:
    """The continuous rate at the close of `session` and its source; 0 and "" where none is stored."""
    try:
        panel = panel_load([VIX])
        t = panel.index(session)
    except DataMissing:
        return 0.0, ""
    rate, source = rates(panel)
    return float(rate[t]), str(source[t])
