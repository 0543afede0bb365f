"""`OptionMarket`: what options trade at on the sessions of a panel, for strategies, replays and backtests alike.

A real chain that was imported for a session stands at its close; everything else is synthetic (`providers.synthetic`):
SPY from its bars and the VIX, XSP (European, a tenth of the S&P 500) from SPX and the VIX, and each stock of which a
three-month implied volatility is known. Every answer is causal: at the CLOSE of column t it rests on columns up to t, at
the OPEN on the opens of t and otherwise on columns up to t − 1. The VIX's own open counts where its bar of that session
is a real one (high above low). A missing VIX is carried for at most five sessions.

Rates and dividends are those of `inputs`. Strikes are raw prices, and a split during a contract's life is not carried
into its strike.
"""

from datetime import date
from weakref import WeakKeyDictionary

import numpy as np

from quant_site.market.chains.store import chain_store
from quant_site.market.options.chain import Chain, Moment, Quote, empty_chain
from quant_site.market.options.contracts import OptionContract, parse_contract
from quant_site.market.options.expirations import monthly_expirations
from quant_site.market.options.inputs import INDEX_OPTIONS, Underlying, rates, underlyings
from quant_site.market.options.stored import stored_chain
from quant_site.market.panel import Panel
from quant_site.market.providers.synthetic import WARNING, SyntheticMarket

CHAINS_KEPT = 128
QUOTES_KEPT = 50_000


class OptionMarket:
    """Quotes and chains on the sessions of one panel; it keeps arrays of the panel and not the panel itself."""

    def __init__(self, panel: Panel):
        self._days: list[date] = panel.sessions.astype("datetime64[D]").tolist()
        self._rate, self._rate_source = rates(panel)
        self._facts = underlyings(panel)
        listed = [symbol for symbol in self._facts if symbol in INDEX_OPTIONS or symbol in panel]
        self._underlyings = tuple(symbol for symbol in listed if np.isfinite(self._facts[symbol].volatility).any())
        self._chains: dict[tuple, Chain] = {}
        self._quotes: dict[tuple, Quote | None] = {}
        self._synthetics: dict[tuple, SyntheticMarket] = {}
        self._stored: dict[str, tuple[int, frozenset[date]]] = {}

    def underlyings(self) -> tuple[str, ...]:
        """The underlyings whose options can be priced on this panel, on some of its sessions at least."""
        return self._underlyings

    def lack(self, underlying: str, t: int) -> str:
        """What a chain of `underlying` at the close of column t lacks, and how to get it; "" where there is one."""
        return self._lack(underlying, t, "CLOSE")

    def spot(self, underlying: str, t: int, moment: Moment = "CLOSE") -> float:
        """The underlying's raw price; NaN where it has no bar or is not known here."""
        facts = self._facts.get(underlying)
        return float("nan") if facts is None else float((facts.opens if moment == "OPEN" else facts.closes)[t])

    def terms(self, underlying: str, t: int) -> tuple[float, float]:
        """The rate and the dividend yield at the close of column t, continuous, a year; the yield is 0 where nothing is known of it."""
        facts = self._facts.get(underlying)
        return float(self._rate[t]), 0.0 if facts is None else float(facts.dividend_yield[t])

    def chain(self, underlying: str, t: int, *, expirations: list[date] | None = None, moment: Moment = "CLOSE") -> Chain:
        """The chain at a moment of column t: the stored one at the close where there is one, else a synthetic one.

        `expirations`: only these; by default all of a stored chain, and the monthly ones of a synthetic chain. Where none
        can be had the chain is empty and its `assumptions` say why.
        """
        real = moment == "CLOSE" and self._is_stored(underlying, t)
        key = (underlying, t, moment, real, None if expirations is None else tuple(expirations))
        chain = self._chains.get(key)
        if chain is None:
            chain = self._real_chain(underlying, t, expirations) if real else self._synthetic_chain(underlying, t, moment, expirations)
            if len(self._chains) >= CHAINS_KEPT:
                self._chains.clear()
            self._chains[key] = chain
        return chain

    def quote(self, symbol: str, t: int, moment: Moment) -> Quote | None:
        """What the option `symbol` (OCC) trades at; at the close of its last session, what exercising it is worth.

        None where it cannot be priced: no option, no bar or volatility of its underlying, expired before the session. A
        contract that the stored chain of the session does not hold is priced as on any other.
        """
        contract = parse_contract(symbol)
        if contract is None or contract.underlying not in self._facts:
            return None
        real = moment == "CLOSE" and self._is_stored(contract.underlying, t)
        key = (symbol, t, moment, real)
        if key in self._quotes:
            return self._quotes[key]
        quote = self._quote(contract, t, moment, real)
        if len(self._quotes) >= QUOTES_KEPT:
            self._quotes.clear()
        self._quotes[key] = quote
        return quote

    def settlement(self, symbol: str, t: int) -> float:
        """What one unit of an expired option is worth, from its underlying's raw close of the last session it traded.

        NaN before that session's close, for no option, and where the underlying has no bar up to then.
        """
        contract = parse_contract(symbol)
        facts = self._facts.get(contract.underlying) if contract else None
        if facts is None or self._days[t] < contract.expiry:
            return float("nan")
        end = int(np.searchsorted(np.array(self._days, "datetime64[D]"), np.datetime64(contract.expiry), side="right"))
        closes = facts.closes[:end]
        bars = np.flatnonzero(np.isfinite(closes))
        return contract.intrinsic(float(closes[bars[-1]])) if len(bars) else float("nan")

    def _lack(self, underlying: str, t: int, moment: Moment) -> str:
        if moment == "CLOSE" and self._is_stored(underlying, t):
            return ""
        facts, day = self._facts.get(underlying), self._days[t]
        if facts is None:
            return (
                f"There are no bars of what {underlying} stands for: import them (manage.py import_bars PATH), or a chain of each day "
                "(manage.py import_chain PATH)."
            )
        if not np.isfinite(self.spot(underlying, t, moment)):
            return f"There is no bar of {underlying} on {day}: import it (manage.py import_bars PATH)."
        if not np.isfinite(self._volatility(facts, t, moment)):
            return f"{facts.needs} on {day}; a chain of that day does as well (manage.py import_chain PATH)."
        return ""

    @staticmethod
    def _volatility(facts: Underlying, t: int, moment: Moment) -> float:
        return float((facts.opening if moment == "OPEN" else facts.volatility)[t])

    def _is_stored(self, underlying: str, t: int) -> bool:
        """Whether a real chain of that day is stored; sees what other processes import, and forgets what it replaces."""
        store = chain_store()
        stamp = store.stamp(underlying)
        known = self._stored.get(underlying)
        if known is None or known[0] != stamp:
            if known is not None:
                self._chains.clear()
                self._quotes.clear()
            known = self._stored[underlying] = stamp, frozenset(store.sessions(underlying) if stamp else ())
        return self._days[t] in known[1]

    def _real_chain(self, underlying: str, t: int, expirations) -> Chain:
        stored = chain_store().read(underlying, self._days[t])
        facts = self._facts.get(underlying)
        return stored_chain(
            stored.frame,
            underlying=underlying,
            session=stored.session,
            spot=stored.spot,
            rate=float(self._rate[t]),
            dividend_yield=float(facts.dividend_yield[t]) if facts else 0.0,
            source=stored.source,
            rate_known=bool(self._rate_source[t]),
            assumptions=(self._rate_sentence(t),),
            expirations=expirations,
        )

    def _synthetic_chain(self, underlying: str, t: int, moment: Moment, expirations) -> Chain:
        lack = self._lack(underlying, t, moment)
        if lack:
            return empty_chain(underlying, self._days[t], moment, lack)
        return self._synthetic(underlying, t, moment).chain(monthly_expirations(self._days[t]) if expirations is None else expirations)

    def _quote(self, contract: OptionContract, t: int, moment: Moment, real: bool) -> Quote | None:
        underlying = contract.underlying
        if contract.expiry < self._days[t]:
            return None
        if real and contract.expiry > self._days[t]:
            found = self.chain(underlying, t, expirations=[contract.expiry]).at(contract)
            if found is not None:
                return found
        facts = self._facts[underlying]
        settles = moment == "CLOSE" and contract.expiry == self._days[t]
        if not np.isfinite(self.spot(underlying, t, moment)) or not (settles or np.isfinite(self._volatility(facts, t, moment))):
            return None
        return self._synthetic(underlying, t, moment).quote(contract)

    def _synthetic(self, underlying: str, t: int, moment: Moment) -> SyntheticMarket:
        market = self._synthetics.get((underlying, t, moment))
        if market is None:
            if len(self._synthetics) >= CHAINS_KEPT:
                self._synthetics.clear()
            market = self._synthetics[underlying, t, moment] = self._draw(underlying, t, moment)
        return market

    def _draw(self, underlying: str, t: int, moment: Moment) -> SyntheticMarket:
        facts = self._facts[underlying]
        known = t if moment == "CLOSE" else t - 1
        rate = float(self._rate[known]) if known >= 0 else 0.0
        dividend_yield = float(facts.dividend_yield[known]) if known >= 0 else 0.0
        assumptions = (WARNING, self._rate_sentence(known), f"A dividend yield of {dividend_yield:.2%} a year, from the last 52 weeks.")
        if facts.age[t] and moment == "CLOSE":
            assumptions += (f"The volatility is {facts.age[t]} sessions old.",)
        surface, spot = facts.surface(self._volatility(facts, t, moment)), self.spot(underlying, t, moment)
        return SyntheticMarket(underlying, self._days[t], moment, spot, rate, dividend_yield, surface, facts.source, assumptions)

    def _rate_sentence(self, t: int) -> str:
        source = self._rate_source[t] if t >= 0 else ""
        return f"A rate of {self._rate[t]:.2%} a year, {source}." if source else "A rate of 0: none is known (import TBILL_3M or RF)."


_markets: WeakKeyDictionary[Panel, OptionMarket] = WeakKeyDictionary()


def option_market(panel: Panel) -> OptionMarket:
    """The option market of `panel`, from a process-wide cache keyed by the panel's identity."""
    market = _markets.get(panel)
    if market is None:
        market = _markets[panel] = OptionMarket(panel)
    return market
