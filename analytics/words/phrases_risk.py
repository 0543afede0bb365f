"""What risk checks, the gate, measures of exposure and assessments write, as templates; see `phrases`."""

from django.utils.translation import gettext_noop as _

# The last look before an order is sent.
GATE = (
    _("The outcome of another order in {symbols} is not known yet."),
    _("Real orders are switched off here: the environment does not set REAL_TRADING."),
    _("The account is not armed for real orders."),
    _("Orders, fills and positions were not compared with the broker's since the start."),
    _("Orders are sent in regular hours."),
    _("{number} orders were sent in the last minute."),
    _("{number} orders were refused in the last minute."),
    _("{symbol} is halted: {why}"),
)

# What would be held after it.
CHECKS = (
    _("{symbol} is barred for this account."),
    _("The account reached its drawdown limit and has not recovered yet: only closing orders pass."),
    _("This account may not trade options ({symbol})."),
    _("This account may not sell options ({symbol})."),
    _("This account may not sell uncovered options ({symbol})."),
    _("There is not enough settled cash: what was sold today pays from the next session on."),
    _("The trade would leave an intraday margin deficit: equity below the maintenance margin."),
    _("{name} would exceed the amount of one symbol."),
    _("The order is larger than one may be."),
    _("{name} would exceed the limit of one sector."),
    _("The names that move with {name} would exceed their limit."),
    _("Net exposure would exceed its limit."),
    _("Delta would exceed its limit."),
    _("Gamma would exceed its limit."),
    _("Vega would exceed its limit."),
    _("Theta would exceed its limit."),
    _("Expected shortfall would exceed its limit."),
    _("The loss under stress would exceed its limit."),
)

# Its price, its likes, and the market that it is sent into.
ORDER_CHECKS = (
    _("There is no quote that the price could be measured against."),
    _("The limit {limit} lies {distance} from the quote {quote}."),
    _("{number} is no price."),
    _("{number} is not a positive number."),
    _("{number} is no multiple of the lot of {lot}."),
    _("{number} is no multiple of the tick of {tick}."),
    _("An equal order was made {seconds} seconds before; confirm this one if you want both."),
    _("It could trade with an order of the same account: one of them has no price."),
    _("It would trade with an order of the same account that rests at {price}."),
    _("The broker has no quote of {symbol}."),
    _("The quote of {symbol} is {seconds} seconds old."),
    _("The quote of {symbol} is {seconds} seconds in the future."),
    _("Our clock and the broker's differ by {seconds} seconds."),
    _("The account has lost {loss} since the last close."),
)

# Why a measure is not known.
UNKNOWNS = (
    _("The {greek} of {symbol} is not known: it has no quote that defines one."),
    _("Expected shortfall needs {least} sessions that all names have; there are {count} ({symbol} has fewest)."),
    _("{symbol} has no quote that defines a volatility: no scenario can value it."),
    _("{symbol} has no quote: it has expired."),
    _("{symbol} has no delta: its price defines none."),
    _("{symbol} has no delta: {why}"),
    _("{symbol} has no beta to {market_symbol}: {count} common sessions, {least} are needed."),
    _("{symbol} has no beta to {market_symbol}: bars of both must be stored."),
    _("{symbol} has no beta to {market_symbol}: {other} did not move."),
    _("{symbol} has no beta to {market_symbol}: its returns are out of range."),
    _("There are no bars of session {day}: stored are {first} to {last}."),
    _("There are no bars of session {day}: stored are none."),
    _("No bars are stored: import some (manage.py import_bars PATH) or load the bundled ones (bin/run does)."),
    _("Reference data were imported while they were read: try again."),
    _("No bars of {symbol} are stored: import them first (manage.py import_bars PATH)."),
    _("No bars of {symbol} are stored: did you mean {symbols}?"),
    _("No bars of {symbol} are stored."),
)

# What the rules say of an open trade, and what an assessment lacks.
ASSESSMENTS = (
    _("The close is at the stop or beyond it."),
    _("The close is at the target or beyond it."),
    _("The trade has lost what it was to risk."),
    _("{symbol} was sold, is near its strike or in the money, and expires within {days} days."),
    _("Twice the initial risk is earned and nothing is sold yet."),
    _("The trade has outgrown the account's limit of a single name."),
    _("The initial risk is earned once while the stop is still on the losing side of the entry."),
    _("Over 20 sessions the price went against the trade by a standard deviation or more."),
    _("The trade is in profit, and volatility has risen to one and a half times its usual size."),
    _("The trade has no stop: its strategy alone ends it."),
    _("No rule asks for a change."),
    _("A trade of several legs or of options has none of its own."),
    _("It was opened without a stop, so no risk was set to measure by."),
    _("It has no stop."),
    _("It has no target."),
    _("There are too few bars for an average true range, or nothing moved."),
    _("{symbol} has no bar that day, or too few within {sessions} sessions, for all of them."),
    _("There is no benchmark: name one in the account, or import SPY."),
    _("The trade has legs on several names: see its dollars."),
    _("No source of announced dividends is connected: the next ex-date of {symbol} is not known."),
)

# Which ends of options are near.
FLAGS = (
    _("{symbol} expires on {day}, in {days} calendar days."),
    _("{underlying} at {spot} is within {range} of the strike {strike} of {symbol}."),
    _(
        "{symbol} was sold, is in the money, and has {left} of time value left, less than the last dividend of {dividend}; "
        "the next ex-date is not known."
    ),
    _(
        "{symbol} was sold, is in the money, and has {left} of time value left, no more than {share} of the spot: "
        "it may be exercised any day."
    ),
)

SENTENCES = (*GATE, *CHECKS, *ORDER_CHECKS, *UNKNOWNS, *ASSESSMENTS, *FLAGS)
