"""Sentences of the rank-and-hold and the option strategies, and of what they lack, as templates; see `phrases`."""

from django.utils.translation import gettext_noop as _

SENTENCES = (
    # portfolios
    _("It is no longer among what the strategy holds."),
    _("Its target is on the other side."),
    _("Its weight has grown beyond its target."),
    _("Among the calmest of {count} stocks: volatility {volatility} a year."),
    _("Among the highest of {count} stocks by alpha to the three factors: t = {t}."),
    _("Among the best of {count} stocks by book-to-market ({ratio}) and small size."),
    _("Of {count} stocks it stands at percentile {momentum} by momentum and {quality} by quality."),
    _("Among the {count} strongest sectors: {ranks}."),
    # options
    _("A credit of {credit} against a loss of {loss} at most until {day}."),
    _("Expires next session with a short strike in or near the money."),
    _("Expires on {day}: rolled while it still trades."),
    _("Worth {times} times its cost."),
    _("Protection until {day}: gains {times} times its cost in a crash."),
    _("Forecast over implied volatility {ratio}: low implied volatility."),
    _("Forecast over implied volatility {ratio}: high implied volatility."),
    _("Implied volatility is no longer extreme."),
    _("Its delta is {delta} a straddle."),
    # what is missing
    _("Needs {least} stocks with returns of {window} sessions and enough volume by {day}; {rest}"),
    _("Needs {months} month-end closes of {indexes} by {day}. Import its bars: manage.py import_bars PATH."),
    _("Needs month-end closes of {months} months of {count} sector funds by {day}; {rest}"),
    _("Needs the rate of cash for the {months} months to {day}: {rest}"),
    _("Needs {months} months of returns of {count} funds on commodities by {day}; {rest}"),
    _("Needs {count} stocks to rank by {day}. There is {rest}"),
    _(
        "Needs momentum and reported profits of {count} stocks by {day}; {ready} have them. "
        "Import reports: manage.py import_fundamentals PATH."
    ),
    _("Needs {bars} bars of {symbol} by {day} to forecast its variance: import earlier ones (manage.py import_bars PATH)."),
    _("There is no bar of {symbol} on {day}: import it (manage.py import_bars PATH)."),
    _("Synthetic options on {symbol} need bars of VIX (manage.py import_bars PATH), and there are none of the last sessions{rest}"),
    _("Synthetic options on {symbol} need its three-month implied volatility, and none is known{rest}"),
    _("Needs {bars} bars and implied volatilities of {fewest} stocks, or {own} of one underlying, by {day}: {rest}"),
    _("A share of {portion} of the trade is less than one unit."),
    # assumptions
    _("No market made these prices: the implied volatilities follow a fit to two calm days and are an assumption on every other."),
)
