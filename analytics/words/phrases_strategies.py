"""What strategies write, as templates: why they propose something, and what they lack to decide; see `phrases`.

What a class of the library declares (name, description, needs, departures, parameters, known answers) is marked there.
"""

from django.utils.translation import gettext_noop as _

# Parameters of all strategies, and of all portfolios.
PARAMETERS = (
    _("Share of the account's risk budget this strategy may use."),
    _("Drift from its target, as a share of it, at which a holding is traded."),
    _("Closes, from the rebalancing one on, that trade towards its targets."),
)

# Why a draft.
REASONS = (
    # mean reversion
    _("First close outside the upper band: {z} standard deviations from the mean, ADX {adx}."),
    _("First close outside the lower band: {z} standard deviations from the mean, ADX {adx}."),
    _("The close is back at the middle band."),
    _("Held for {n} sessions without reaching the middle band."),
    _("Normalised prices have parted by {z} formation standard deviations."),
    _("One leg of the pair is gone: the other is no hedge."),
    _("The trading period of the pair has ended."),
    _("The normalised prices have crossed."),
    # trend following
    _("System {system}: a close above the high of the {window} sessions before."),
    _("System {system}: a close below the low of the {window} sessions before."),
    _("System {system}: a close beyond the low of its exit channel."),
    _("System {system}: a close beyond the high of its exit channel."),
    _("Unit {unit}: {move} N in favour since the last entry."),
    _("The {fast}-session average crossed above the {slow}-session average today."),
    _("The {fast}-session average crossed above the {slow}-session average 1 session ago."),
    _("The {fast}-session average crossed above the {slow}-session average {n} sessions ago."),
    _("The fast average is below the slow one."),
    # portfolios
    _("It is no longer among what the strategy holds."),
    _("Its target is on the other side."),
    _("Its weight has grown beyond its target."),
    _("Among the highest of {count} stocks by alpha to the three factors: t = {t}."),
    _("Among the best of {count} stocks by book-to-market ({ratio}) and small size."),
    _("Of {count} stocks it stands at percentile {momentum} by momentum and {quality} by quality."),
    _("Among the calmest of {count} stocks: volatility {volatility} a year."),
    _(
        "Among the {count} strongest sectors: {one} in 1 months, {three} in 3 months, {six} in 6 months, {nine} in 9 months, "
        "{twelve} in 12 months."
    ),
    _("Among the {count} strongest sectors: {gain} in {months} months."),
    _("{market}: {excess} above cash over {months} months, volatility {volatility} a year."),
    _("{market}: {excess} below cash over {months} months, volatility {volatility} a year."),
    # options
    _("Expires on {day}: rolled while it still trades."),
    _("Worth {times} times its cost."),
    _("Protection until {day}: gains {times} times its cost in a crash."),
    _("A credit of {credit} against a loss of {loss} at most until {day}."),
    _("Expires next session with a short strike in or near the money."),
    _("{days} days or fewer to expiry."),
    _("A short call in the money has less time value than the dividend expected on the session after the next."),
    _("{share} of the maximum profit is earned."),
    _("Forecast over implied volatility {ratio}: low implied volatility."),
    _("Forecast over implied volatility {ratio}: high implied volatility."),
    _("{sessions} sessions or fewer to expiry."),
    _("Implied volatility is no longer extreme."),
    _("Its delta is {delta} a straddle."),
)

# Why none. A backtest counts abstentions without the day and what follows a semicolon: the shorter form comes second.
ABSTENTIONS = (
    _(
        "Needs {sessions} sessions of history of {symbols} symbol by {day}; {ready} of {all} have them. "
        "Import earlier bars: manage.py import_bars PATH."
    ),
    _(
        "Needs {sessions} sessions of history of {symbols} symbols by {day}; {ready} of {all} have them. "
        "Import earlier bars: manage.py import_bars PATH."
    ),
    _(
        "Needs {sessions} sessions of history of {symbols} symbol of {among} by {day}; {ready} have them. "
        "Import earlier bars: manage.py import_bars PATH."
    ),
    _(
        "Needs {sessions} sessions of history of {symbols} symbols of {among} by {day}; {ready} have them. "
        "Import earlier bars: manage.py import_bars PATH."
    ),
    _("Needs {sessions} sessions of history of {symbols} symbol"),
    _("Needs {sessions} sessions of history of {symbols} symbols"),
    _("Needs {sessions} sessions of history of {symbols} symbol of {among}"),
    _("Needs {sessions} sessions of history of {symbols} symbols of {among}"),
    _(
        "Needs {stocks} stocks to rank by {day}. There is book-to-market of {valued}: manage.py import_fundamentals PATH, "
        "and import_bars PATH with raw prices; or alpha of {regressed}: manage.py import_factors PATH."
    ),
    _(
        "Needs {stocks} stocks to rank by {day}. There is book-to-market of {valued}: manage.py import_fundamentals PATH, "
        "and import_bars PATH with raw prices."
    ),
    _("Needs {stocks} stocks to rank by {day}. There is alpha of {regressed}: manage.py import_factors PATH."),
    _(
        "Needs {stocks} stocks to rank. There is book-to-market of {valued}: manage.py import_fundamentals PATH, "
        "and import_bars PATH with raw prices"
    ),
    _(
        "Needs {stocks} stocks to rank. There is book-to-market of {valued}: manage.py import_fundamentals PATH, "
        "and import_bars PATH with raw prices."
    ),
    _("Needs {stocks} stocks to rank. There is alpha of {regressed}: manage.py import_factors PATH."),
    _(
        "Needs momentum and reported profits of {stocks} stocks by {day}; {ready} have them. "
        "Import reports: manage.py import_fundamentals PATH."
    ),
    _("Needs momentum and reported profits of {stocks} stocks"),
    _(
        "Needs {stocks} stocks with returns of {sessions} sessions and enough volume by {day}; {ready} have them. "
        "Import bars with volume: manage.py import_bars PATH."
    ),
    _("Needs {stocks} stocks with returns of {sessions} sessions and enough volume"),
    _(
        "Needs month-end closes of {months} months of {funds} sector funds by {day}; {ready} have them. "
        "Import bars: manage.py import_bars PATH."
    ),
    _("Needs month-end closes of {months} months of {funds} sector funds"),
    _("Needs {months} month-end closes of SPY or SPX by {day}. Import its bars: manage.py import_bars PATH."),
    _("Needs {months} month-end closes of SPY or SPX. Import its bars: manage.py import_bars PATH."),
    _("Needs the rate of cash for the {months} months to {day}: TBILL_3M or RF, by manage.py import_factors PATH."),
    _("Needs the rate of cash for the {months} months to: TBILL_3M or RF, by manage.py import_factors PATH."),
    _(
        "Needs {months} months of returns of {markets} funds on commodities by {day}; {ready} have them. "
        "Import bars: manage.py import_bars PATH."
    ),
    _("Needs {months} months of returns of {markets} funds on commodities"),
    _("There is no bar of the VIX on {day}: import it (manage.py import_bars PATH)."),
    _("There is no bar of the VIX: import it (manage.py import_bars PATH)."),
    _(
        "The form VXTH needs options on the VIX on {day}: import a chain of them (manage.py import_chain PATH), "
        "or choose the form PPUT or LADDER."
    ),
    _("The form VXTH needs options on the VIX: import a chain of them (manage.py import_chain PATH), or choose the form PPUT or LADDER."),
    _("Needs {bars} bars of {underlying} by {day} to forecast its variance: import earlier ones (manage.py import_bars PATH)."),
    _("Needs {bars} bars of {underlying} to forecast its variance: import earlier ones (manage.py import_bars PATH)."),
    _(
        "Needs {bars} bars and implied volatilities of {stocks} stocks, or {more} of one underlying, by {day}: "
        "import earlier bars (manage.py import_bars PATH) and volatilities (manage.py import_volatility PATH)."
    ),
    _(
        "Needs {bars} bars and implied volatilities of {stocks} stocks, or {more} of one underlying,: "
        "import earlier bars (manage.py import_bars PATH) and volatilities (manage.py import_volatility PATH)."
    ),
    # of the option market
    _(
        "There are no bars of what {underlying} stands for: import them (manage.py import_bars PATH), or a chain of each day "
        "(manage.py import_chain PATH)."
    ),
    _("There is no bar of {underlying} on {day}: import it (manage.py import_bars PATH)."),
    _("There is no bar of {underlying}: import it (manage.py import_bars PATH)."),
    _(
        "Synthetic options on {underlying} need bars of VIX (manage.py import_bars PATH), and there are none of the last sessions "
        "on {day}; a chain of that day does as well (manage.py import_chain PATH)."
    ),
    _("Synthetic options on {underlying} need bars of VIX (manage.py import_bars PATH), and there are none of the last sessions"),
    _(
        "Synthetic options on {underlying} need its three-month implied volatility, and none is known "
        "on {day}; a chain of that day does as well (manage.py import_chain PATH)."
    ),
    _("Synthetic options on {underlying} need its three-month implied volatility, and none is known"),
)

# What stands where a template has {market}.
MARKETS = (
    _("A basket"),
    _("Agriculture"),
    _("Base metals"),
    _("Brent crude"),
    _("Copper"),
    _("Gold"),
    _("Maize"),
    _("Natural gas"),
    _("Palladium"),
    _("Petrol"),
    _("Platinum"),
    _("Silver"),
    _("Soybeans"),
    _("Wheat"),
    _("WTI crude"),
)

SENTENCES = (*PARAMETERS, *REASONS, *ABSTENTIONS)
